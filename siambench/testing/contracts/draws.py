"""Whether something draws from the global generators, which are the training's."""

from __future__ import annotations

from collections.abc import Callable

from siambench.errors import PluginError
from siambench.testing.contracts.aspects import generators
from siambench.testing.contracts.process import SEED
from siambench.training.state import seed_globals


def draws_nothing(call: Callable[[], object]) -> None:
    """Raise `PluginError` where a call moves a global generator of torch, numpy or random."""
    seed_globals(SEED)
    before = generators()
    call()
    after = generators()
    moved = [name for name in before if before[name] != after[name]]
    if moved:
        raise PluginError(f"it draws from the global generator of {' and of '.join(moved)}")

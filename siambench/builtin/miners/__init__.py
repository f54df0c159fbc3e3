"""The miners: ways to choose among tuples, of a batch or of the whole training set, each with its space and paper."""

from __future__ import annotations

from siambench.builtin.miners import batch, more, training_set
from siambench.plugin import MinerEntry, hookimpl


@hookimpl
def siambench_miners() -> dict[str, MinerEntry]:
    """Ways to choose among tuples."""
    return {**batch.ENTRIES, **more.ENTRIES, **training_set.ENTRIES}

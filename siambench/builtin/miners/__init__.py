"""The miners: ways to choose among a batch's tuples, each with its space and paper."""

from __future__ import annotations

from siambench.builtin.miners import batch, more
from siambench.plugin import MinerEntry, hookimpl


@hookimpl
def siambench_miners() -> dict[str, MinerEntry]:
    """Ways to choose among a batch's tuples."""
    return {**batch.ENTRIES, **more.ENTRIES}

"""The losses, each with its space, defaults, batch layout and paper.

Spaces say where they are from. The space ``reality-check`` is the one of Musgrave, Belongie, Lim, A Metric Learning Reality Check,
ECCV 2020, where that paper has the loss: wider, and as its code ran it.
"""

from __future__ import annotations

from siambench.builtin.losses import classification, metric, proxies, softmax, tuples
from siambench.plugin import LossEntry, hookimpl


@hookimpl
def siambench_losses() -> dict[str, LossEntry]:
    """The vocabulary most papers compare."""
    return {**tuples.ENTRIES, **softmax.ENTRIES, **proxies.ENTRIES, **classification.ENTRIES, **metric.ENTRIES}

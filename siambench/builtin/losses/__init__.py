"""The losses, all from pytorch-metric-learning, each with its space, defaults, batch layout and paper.

Spaces are those of Musgrave et al., A Metric Learning Reality Check, ECCV 2020, where that paper has the loss.
"""

from __future__ import annotations

from siambench.builtin.losses import proxies, softmax, tuples
from siambench.plugin import LossEntry, hookimpl


@hookimpl
def siambench_losses() -> dict[str, LossEntry]:
    """The vocabulary most papers compare."""
    return {**tuples.ENTRIES, **softmax.ENTRIES, **proxies.ENTRIES}

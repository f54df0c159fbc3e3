"""Recall per dimension: how much of the order the first dimensions keep, as a loss that nests embeddings promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.builtin.metrics.near import map_at_r_of, recall_of
from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.interfaces import Evaluation

_MATRYOSHKA = "Kusupati et al., Matryoshka Representation Learning, NeurIPS 2022"


def recall(evaluation: Evaluation, k: int, d: int) -> Tensor | None:
    """Whether one of the k nearest by the first d dimensions alone shares the label."""
    return recall_of(evaluation, f"recall@{k}-dim-{d}", lambda: evaluation.first_dimensions(d), k=k)


def map_at_r(evaluation: Evaluation, d: int) -> Tensor | None:
    """Average precision over the R nearest by the first d dimensions alone."""
    return map_at_r_of(evaluation, f"map@r-dim-{d}", lambda: evaluation.first_dimensions(d))


ENTRIES = {
    "recall@k-dim-d": MetricEntry(recall, source=_MATRYOSHKA),
    "map@r-dim-d": MetricEntry(map_at_r, source=_MATRYOSHKA),
}
"""By name."""

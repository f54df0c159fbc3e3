"""Clustering: whether clusters of embeddings are the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from siambench.interfaces import Evaluation


def nmi(evaluation: Evaluation) -> float | None:
    """Agreement of k-means clusters with the classes: mean of ten seeded starts, their deviation in the notes."""
    from siambench import metrics

    found = metrics.cluster_agreement(evaluation.embeddings, evaluation.labels, seed=evaluation.seed("clusters"))
    if found.deviation is not None:
        evaluation.note("nmi_deviation", found.deviation)
    return found.mean


ENTRIES = {
    "nmi": MetricEntry(
        nmi, source="Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016"
    ),
}
"""By name."""

"""Geometry: how the embeddings lie on the sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from siambench.interfaces import Evaluation

_WANG = "Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity, ICML 2020"


def alignment(evaluation: Evaluation) -> float | None:
    """Mean squared distance of items of one class on the unit sphere."""
    from siambench import metrics

    if int(evaluation.labels.bincount().max()) < 2:
        return None
    return metrics.alignment(evaluation.embeddings, evaluation.labels)


def uniformity(evaluation: Evaluation) -> float:
    """Log of the mean Gaussian potential of all pairs on the unit sphere."""
    from siambench import metrics

    return metrics.uniformity(evaluation.embeddings)


def effective_rank(evaluation: Evaluation) -> float:
    """How many directions the embeddings use: the exponential of the entropy of the spectrum."""
    from siambench import metrics

    return metrics.effective_rank(evaluation.embeddings)


def positive_distance(evaluation: Evaluation) -> float | None:
    """Mean euclidean distance of two items of one class."""
    from siambench import metrics

    return metrics.mean_distances(evaluation.embeddings, evaluation.labels).positive


def negative_distance(evaluation: Evaluation) -> float | None:
    """Mean euclidean distance of two items of different classes."""
    from siambench import metrics

    return metrics.mean_distances(evaluation.embeddings, evaluation.labels).negative


ENTRIES = {
    "alignment": MetricEntry(alignment, direction="min", high=4.0, source=_WANG),
    "uniformity": MetricEntry(uniformity, direction="min", low=-8.0, high=0.0, source=_WANG),
    "effective_rank": MetricEntry(
        effective_rank,
        high=None,
        source="Roy, Vetterli, The Effective Rank: a Measure of Effective Dimensionality, EUSIPCO 2007",
    ),
    "positive_distance": MetricEntry(positive_distance, direction="min", high=None, source=_WANG),
    "negative_distance": MetricEntry(negative_distance, high=None, source=_WANG),
}
"""By name."""

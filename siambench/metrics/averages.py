"""From one score per query to one number, and to one per class; a query without a score (NaN) is left out and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_labels

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class ClassMeans:
    """Mean score of the queries of each class.

    Args:
        classes: labels that have a scored query, ascending, int64 [C].
        means: float64 [C].
        counts: how many scored queries each mean is of, int64 [C].
    """

    classes: Tensor
    means: Tensor
    counts: Tensor


def average(scores: Tensor) -> tuple[float, int]:
    """The mean over the queries that have a score, and how many have none.

    Args:
        scores: one per query, [Q]; NaN for a query without a score.

    Returns:
        (mean, number left out); the mean is NaN if no query has a score.
    """
    exact = scores.to(torch.float64)
    known = exact[~exact.isnan()]
    return float(known.mean()), len(exact) - len(known)


def class_means(scores: Tensor, labels: Tensor) -> ClassMeans:
    """Mean score of each class: what intervals over test classes are made of.

    Args:
        scores: one per query, [Q]; NaN for a query without a score.
        labels: int64 [Q].

    Returns:
        Means and counts, without the classes of which no query has a score.

    Raises:
        MetricError: if labels are not int64, or not one per score.
    """
    if scores.ndim != 1:
        raise MetricError(f"scores must be one per query, got shape {tuple(scores.shape)}")
    check_labels(labels, length=len(scores))
    known = ~scores.isnan()
    classes, place, counts = torch.unique(labels[known], return_inverse=True, return_counts=True)
    sums = torch.zeros(len(classes), dtype=torch.float64, device=scores.device)
    sums.index_add_(0, place, scores[known].to(torch.float64))
    return ClassMeans(classes=classes, means=sums / counts, counts=counts)

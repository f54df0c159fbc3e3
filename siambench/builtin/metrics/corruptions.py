"""Corrupted queries: what noise, blur, occlusion and rotation of the query alone leave of retrieval; the gallery stays clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.builtin.metrics.near import map_at_r_of, recall_of
from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.interfaces import Evaluation

_COMMON = "Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations, ICLR 2019"
_CUTOUT = "DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017"
_ROTATION = "Cubuk, Zoph, Shlens, Le, RandAugment, 2019"


def recall_noise(evaluation: Evaluation, k: int) -> Tensor | None:
    """Whether one of the k nearest clean images of a query with Gaussian noise shares the label."""
    return recall_of(evaluation, f"recall@{k}-noise", lambda: evaluation.corrupted("noise"), k=k)


def map_at_r_noise(evaluation: Evaluation) -> Tensor | None:
    """Average precision over the R nearest clean images of a query with Gaussian noise."""
    return map_at_r_of(evaluation, "map@r-noise", lambda: evaluation.corrupted("noise"))


def recall_blur(evaluation: Evaluation, k: int) -> Tensor | None:
    """Whether one of the k nearest clean images of a blurred query shares the label."""
    return recall_of(evaluation, f"recall@{k}-blur", lambda: evaluation.corrupted("blur"), k=k)


def map_at_r_blur(evaluation: Evaluation) -> Tensor | None:
    """Average precision over the R nearest clean images of a blurred query."""
    return map_at_r_of(evaluation, "map@r-blur", lambda: evaluation.corrupted("blur"))


def recall_occlusion(evaluation: Evaluation, k: int) -> Tensor | None:
    """Whether one of the k nearest clean images of a query that is partly covered by a square shares the label."""
    return recall_of(evaluation, f"recall@{k}-occlusion", lambda: evaluation.corrupted("occlusion"), k=k)


def map_at_r_occlusion(evaluation: Evaluation) -> Tensor | None:
    """Average precision over the R nearest clean images of a query that is partly covered by a square."""
    return map_at_r_of(evaluation, "map@r-occlusion", lambda: evaluation.corrupted("occlusion"))


def recall_rotation(evaluation: Evaluation, k: int) -> Tensor | None:
    """Whether one of the k nearest clean images of a query turned by 30 degrees shares the label."""
    return recall_of(evaluation, f"recall@{k}-rotation", lambda: evaluation.corrupted("rotation"), k=k)


def map_at_r_rotation(evaluation: Evaluation) -> Tensor | None:
    """Average precision over the R nearest clean images of a query turned by 30 degrees."""
    return map_at_r_of(evaluation, "map@r-rotation", lambda: evaluation.corrupted("rotation"))


ENTRIES = {
    "recall@k-noise": MetricEntry(recall_noise, source=_COMMON),
    "map@r-noise": MetricEntry(map_at_r_noise, source=_COMMON),
    "recall@k-blur": MetricEntry(recall_blur, source=_COMMON),
    "map@r-blur": MetricEntry(map_at_r_blur, source=_COMMON),
    "recall@k-occlusion": MetricEntry(recall_occlusion, source=_CUTOUT),
    "map@r-occlusion": MetricEntry(map_at_r_occlusion, source=_CUTOUT),
    "recall@k-rotation": MetricEntry(recall_rotation, source=_ROTATION),
    "map@r-rotation": MetricEntry(map_at_r_rotation, source=_ROTATION),
}
"""By name."""

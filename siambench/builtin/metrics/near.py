"""What is near by something else than all of an embedding: the first dimensions alone, or a corrupted query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from siambench.interfaces import Evaluation, Neighbours


def recall_of(evaluation: Evaluation, name: str, search: Callable[[], Neighbours], *, k: int) -> Tensor | None:
    """Whether one of the k nearest shares the label, float64 [Q]; None, and the reason in the notes, where nothing can be searched."""
    from siambench import metrics

    near = _searched(evaluation, name, search)
    if near is None:
        return None
    reached = min(k, near.depth)
    return _with_positive(metrics.recall_at_k(near.matches(reached), k=reached), near)


def map_at_r_of(evaluation: Evaluation, name: str, search: Callable[[], Neighbours]) -> Tensor | None:
    """Average precision over the R nearest, float64 [Q]; None, and the reason in the notes, where nothing can be searched."""
    from siambench import metrics

    near = _searched(evaluation, name, search)
    if near is None:
        return None
    return _with_positive(metrics.mean_average_precision_at_r(near.matches(max(1, int(near.relevant.max()))), near.relevant), near)


def _searched(evaluation: Evaluation, name: str, search: Callable[[], Neighbours]) -> Neighbours | None:
    try:
        return search()
    except MetricError as error:
        evaluation.note(name, str(error))
        return None


def _with_positive(scores: Tensor, near: Neighbours) -> Tensor:
    import torch

    # A query without a positive has no retrieval score; the harness reports their number.
    return torch.where(near.relevant > 0, scores, torch.nan)

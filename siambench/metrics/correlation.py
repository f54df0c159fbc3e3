"""Whether similarities follow what people say of how alike two items are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor


def rank_correlation(similarity: Tensor, score: Tensor) -> float:
    """Spearman's correlation: that of the ranks of both, equal values sharing the mean of their ranks.

    Args:
        similarity: larger is more similar, [P].
        score: larger is more alike, [P].

    Returns:
        In [-1, 1], higher is better, 0 is chance.

    Raises:
        MetricError: if there are fewer than two pairs, the shapes differ, a value is not finite, or one of both is the same everywhere.

    Source:
        Spearman, The Proof and Measurement of Association between Two Things, American Journal of Psychology 1904.
    """
    if similarity.ndim != 1 or similarity.shape != score.shape or len(score) < 2:
        raise MetricError(f"similarity and score must be [P] with P >= 2, got {tuple(similarity.shape)} and {tuple(score.shape)}")
    ranks = []
    for name, values in (("similarity", similarity), ("score", score)):
        exact = values.detach().cpu().to(torch.float64)
        if not bool(exact.isfinite().all()):
            raise MetricError(f"{name} must be finite, got {int((~exact.isfinite()).sum())} values that are not")
        levels, level, counts = torch.unique(exact, return_inverse=True, return_counts=True)
        if len(levels) < 2:
            raise MetricError(f"{name} is {float(levels[0]):g} everywhere: it orders nothing")
        mean_rank = counts.cumsum(dim=0).to(torch.float64) - (counts.to(torch.float64) - 1) / 2
        centred = mean_rank[level] - (len(exact) + 1) / 2
        ranks.append(centred / centred.norm())
    return float((ranks[0] * ranks[1]).sum().clamp(-1, 1))

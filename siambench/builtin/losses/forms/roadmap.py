"""ROADMAP: a bound of average precision, and one of similarities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.query_ranks import differences, items_of, mean_of, of_queries, step_up


class Roadmap(nn.Module):
    """(1 - ``share``) · (1 - AP) + ``share`` · calibration.

    In AP, positives are counted by the step function, without a slope, and negatives by an upper bound of it (`query_ranks.step_up`). The
    calibration is the mean of what positives lack to 0.9 and the mean by which negatives exceed 0.6, of those that do.

    A query's ranks are a matrix over the batch, as in the paper; memory is bounded by taking few queries at once.

    Args:
        temperature: of similarities, > 0.
        slope: of the bound, >= 0.
        share: of the calibration, in [0, 1].
        margins: of positives and of negatives, cosines.

    Source:
        Ramzi, Thome, Rambour, Audebert, Bitot, Robust and Decomposable Average Precision for Image Retrieval, NeurIPS 2021.
    """

    start = 0.05
    """Where the bound of the step function becomes a line."""

    def __init__(self, *, temperature: float, slope: float, share: float, margins: tuple[float, float] = (0.9, 0.6)) -> None:
        super().__init__()
        self.temperature, self.slope, self.share, self.margins = temperature, slope, share, margins

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        positive, others = items_of(labels)
        similarities = embeddings @ embeddings.T
        precision = mean_of(of_queries(self._of_query, similarities, positive, others), positive.any(dim=1))
        return (1 - self.share) * precision + self.share * self._calibration(similarities, positive, others & ~positive)

    def _of_query(self, similarities: Tensor, positive: Tensor, others: Tensor) -> Tensor:
        apart = differences(similarities)
        itself = torch.eye(similarities.shape[1], dtype=torch.bool, device=similarities.device)
        before = (positive[:, None, :] & ~itself & (apart.detach() >= 0)).sum(dim=2)
        wrongly = step_up(apart, temperature=self.temperature, slope=self.slope, start=self.start)
        negative = (others & ~positive)[:, None, :]
        rank = 1 + before + torch.where(negative, wrongly, 0.0).sum(dim=2)
        precisions = torch.where(positive, (1 + before) / rank, 0.0)
        return 1 - precisions.sum(dim=1) / positive.sum(dim=1).clamp(min=1)

    def _calibration(self, similarities: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        near, far = self.margins
        short = torch.where(positive, near - similarities, 0.0).clamp(min=0)
        over = torch.where(negative, similarities - far, 0.0).clamp(min=0)
        return sum((cost.sum() / (cost > 0).sum().clamp(min=1) for cost in (short, over)), similarities.new_zeros(()))

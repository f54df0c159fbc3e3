"""Lifted structure loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import euclidean, log_sum, mean_where
from siambench.interfaces import Mined


class Lifted(TupleLoss):
    """½ [d(i, j) - pos_margin + log Σ over the negatives of i and of j of exp(neg_margin - d)]₊², mean over the positive pairs.

    A pair neither of which has a negative costs nothing.

    Args:
        neg_margin: of the negative distances.
        pos_margin: of the positive ones.

    Source:
        Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016.
    """

    def __init__(self, *, neg_margin: float, pos_margin: float) -> None:
        super().__init__()
        self.neg_margin, self.pos_margin = neg_margin, pos_margin

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        found = euclidean(embeddings)
        behind = log_sum(self.neg_margin - found, negative)
        costs = found - self.pos_margin + torch.logaddexp(behind[:, None], behind)
        return mean_where(costs.clamp(min=0).square() / 2, positive)

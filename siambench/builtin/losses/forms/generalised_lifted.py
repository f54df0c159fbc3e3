"""Generalised lifted structure loss."""

from __future__ import annotations

from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import euclidean, log_sum, mean_where
from siambench.interfaces import Mined


class GeneralisedLifted(TupleLoss):
    """[log Σ over p of exp(d - pos_margin) + log Σ over n of exp(neg_margin - d)]₊, mean over the items with a positive and a negative.

    Args:
        neg_margin: of the negative distances.
        pos_margin: of the positive ones.

    Source:
        Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, arXiv 2017.
    """

    def __init__(self, *, neg_margin: float, pos_margin: float) -> None:
        super().__init__()
        self.neg_margin, self.pos_margin = neg_margin, pos_margin

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = (pairs.sign() for pairs in weights(labels, indices, embeddings.dtype))
        found = euclidean(embeddings)
        costs = log_sum(found - self.pos_margin, positive) + log_sum(self.neg_margin - found, negative)
        return mean_where(costs.clamp(min=0), positive.amax(dim=1) * negative.amax(dim=1))

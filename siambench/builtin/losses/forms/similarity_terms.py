"""Terms that are added to another loss: they hold cosines of pairs together, and do not train by themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.pairwise import of_products
from siambench.interfaces import Mined


def _mean(values: Tensor, often: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of values, each as often as it counts, and the share of each; 0 of nothing."""
    share = often / often.sum().clamp(min=1)
    return (share * values).sum(), share


class IntraPairVariance(TupleLoss):
    """Mean over positive pairs of [(1 - ε₊) m₊ - s]₊² plus that over negative pairs of [s - (1 + ε₋) m₋]₊², m the mean cosine of the kind.

    Args:
        pos_eps: ε₊.
        neg_eps: ε₋.

    Source:
        Yu, Tao, Deep Metric Learning with Tuplet Margin Loss, ICCV 2019: the intra-pair variance loss.
    """

    def __init__(self, *, pos_eps: float, neg_eps: float) -> None:
        super().__init__()
        self.pos_eps, self.neg_eps = pos_eps, neg_eps

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            cosines = embeddings @ embeddings.T
            near, pull = self._spread(-cosines, positive, 1 - self.pos_eps)
            far, push = self._spread(cosines, negative, 1 + self.neg_eps)
        return of_products(near + far, push - pull, embeddings)

    def _spread(self, values: Tensor, often: Tensor, factor: float) -> tuple[Tensor, Tensor]:
        """The mean of [v - factor · mean v]₊², and its derivative by each v, through the mean too."""
        mean, share = _mean(values, often)
        beyond = (values - factor * mean).clamp(min=0)
        slope = 2 * share * beyond
        return (share * beyond.square()).sum(), slope - factor * slope.sum() * share


class ThresholdConsistentMargin(TupleLoss):
    """λ₊ times the mean of m₊ - s over positive pairs with s <= m₊, plus λ₋ times that of s - m₋ over negative pairs with s >= m₋.

    Args:
        pos_weight: λ₊.
        neg_weight: λ₋.
        pos_margin: m₊, a cosine.
        neg_margin: m₋, a cosine.

    Source:
        Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, ICLR 2024.
    """

    def __init__(self, *, pos_weight: float, neg_weight: float, pos_margin: float, neg_margin: float) -> None:
        super().__init__()
        self.weights, self.margins = (pos_weight, neg_weight), (pos_margin, neg_margin)

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            cosines = embeddings @ embeddings.T
            near, pull = _mean(self.margins[0] - cosines, positive * (cosines <= self.margins[0]))
            far, push = _mean(cosines - self.margins[1], negative * (cosines >= self.margins[1]))
            slope = self.weights[1] * push - self.weights[0] * pull
        return of_products(self.weights[0] * near + self.weights[1] * far, slope, embeddings)

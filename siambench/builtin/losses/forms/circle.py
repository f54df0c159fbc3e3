"""Circle loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import log_sum, mean_where
from siambench.interfaces import Mined


class Circle(TupleLoss):
    """log(1 + Σ over n of exp(γ αn (s - m)) · Σ over p of exp(-γ αp (s - 1 + m))), αn = [s + m]₊ and αp = [1 + m - s]₊ being constants.

    The mean is over the items with a positive and a negative.

    Args:
        margin: m.
        gamma: γ > 0.

    Source:
        Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei, Circle Loss: A Unified Perspective of Pair Similarity Optimization, CVPR 2020.
    """

    def __init__(self, *, margin: float, gamma: float) -> None:
        super().__init__()
        self.margin, self.gamma = margin, gamma

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        positive, negative = (pairs.sign() for pairs in weights(labels, indices, embeddings.dtype))
        cosines = embeddings @ embeddings.T
        known = cosines.detach()
        near = -self.gamma * (1 + self.margin - known).clamp(min=0) * (cosines - 1 + self.margin)
        far = self.gamma * (known + self.margin).clamp(min=0) * (cosines - self.margin)
        items = functional.softplus(log_sum(near, positive) + log_sum(far, negative))
        return mean_where(items, positive.amax(dim=1) * negative.amax(dim=1))

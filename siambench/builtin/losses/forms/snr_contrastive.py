"""Signal-to-noise contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import euclidean, mean_where
from siambench.interfaces import Mined


class SNRContrastive(TupleLoss):
    """[r(a, p) - pos_margin]₊ and [neg_margin - r(a, n)]₊, r the variance of a - b over that of the anchor a, each mean over what costs.

    To them is added reg_weight times the mean of |Σ over the dimensions of x|. An anchor all of whose dimensions are equal has no
    variance: its pairs do not count.

    Args:
        pos_margin: positive pairs whose ratio is lower cost nothing.
        neg_margin: negative pairs whose ratio is higher cost nothing.
        reg_weight: of the sums that should be 0.

    Source:
        Yuan, Deng, Tang, Tang, Chen, Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric Learning, CVPR 2019.
    """

    def __init__(self, *, pos_margin: float, neg_margin: float, reg_weight: float) -> None:
        super().__init__()
        self.pos_margin, self.neg_margin, self.reg_weight = pos_margin, neg_margin, reg_weight

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        centred = embeddings - embeddings.mean(dim=1, keepdim=True)
        signal = centred.square().sum(dim=1, keepdim=True)
        # What rounding alone could leave is no variance.
        told = (signal > 1e2 * torch.finfo(signal.dtype).eps ** 2 * embeddings.square().sum(dim=1, keepdim=True)).to(signal.dtype)
        ratio = euclidean(centred).square() / torch.where(told > 0, signal, 1)
        positive, negative = (pairs * told for pairs in weights(labels, indices, embeddings.dtype))
        near, far = (ratio - self.pos_margin).clamp(min=0), (self.neg_margin - ratio).clamp(min=0)
        value = mean_where(near, positive * near.detach().sign()) + mean_where(far, negative * far.detach().sign())
        return value + self.reg_weight * embeddings.sum(dim=1).abs().mean()

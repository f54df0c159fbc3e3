"""Instance loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.matrices import mean_where
from siambench.builtin.pairwise import same_class


class Instance(nn.Module):
    """-log of the softmax of γ cos among the mean embeddings of the batch's classes, each being its own target, mean over the classes.

    The means are over the items of a class and brought to unit length. One class alone costs nothing.

    Args:
        gamma: γ > 0, of the cosines.

    Source:
        Zheng, Zheng, Garrett, Yang, Xu, Shen, Dual-Path Convolutional Image-Text Embeddings with Instance Loss, ACM TOMM 2020.
    """

    def __init__(self, *, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        same = same_class(labels).to(embeddings.dtype)
        # A class stands in as many rows as it has items, so that no shape depends on the labels: each counts for one in so many.
        share = 1 / same.sum(dim=1)
        centres = functional.normalize(share[:, None] * (same @ embeddings))
        logits = self.gamma * centres @ centres.T
        items = (logits + share.log()).logsumexp(dim=1) - logits.diagonal()
        return mean_where(items, share)

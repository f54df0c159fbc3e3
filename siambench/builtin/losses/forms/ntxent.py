"""NT-Xent."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, powers_of, weights
from siambench.builtin.pairwise import of_products
from siambench.interfaces import Mined


class NTXent(TupleLoss):
    """-log(exp(s_ap / T) / (exp(s_ap / T) + Σ over n of exp(s_an / T))), mean over positive pairs.

    With z = logsumexp over the anchor's negatives - s_ap / T a term is softplus(z), which is right at any temperature.

    Args:
        temperature: T > 0.

    Source:
        Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning, ICML 2020.
    """

    def __init__(self, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            products = (embeddings / self.temperature) @ embeddings.T
            powers, most = powers_of(products, negative)
            sums = powers.sum(dim=1, keepdim=True)
            # An anchor without a negative has a logarithm of minus infinity, and terms of 0.
            behind = (sums.log() + most) - products
            share = positive.div_(positive.sum().clamp(min=1))
            value = functional.softplus(behind).mul_(share).sum()
            pull = behind.sigmoid_().mul_(share)
            push = powers.mul_(pull.sum(dim=1, keepdim=True) / torch.where(sums > 0, sums, 1))
        return of_products(value, push.sub_(pull).div_(self.temperature), embeddings)

"""Supervised contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, powers_of, weights
from siambench.builtin.pairwise import of_products
from siambench.interfaces import Mined


class SupCon(TupleLoss):
    """Mean over the anchor's positives of -log(exp(s_ap / T) / Σ over all others of exp(s / T)), mean over items that are not 0.

    Args:
        temperature: T > 0.

    Source:
        Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, eq. 2.
    """

    def __init__(self, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = (pairs.sign() for pairs in weights(labels, indices, embeddings.dtype))
            products = (embeddings / self.temperature) @ embeddings.T
            powers, most = powers_of(products, positive + negative)
            sums = powers.sum(dim=1, keepdim=True)
            mean = positive / positive.sum(dim=1, keepdim=True).clamp(min=1)
            has_positive = positive.sum(dim=1) > 0
            items = sums.squeeze(1).log() - (mean * (products - most)).sum(dim=1)
            comparable = (positive.sum() > 0) & (negative.sum() > 0)
            active = (has_positive & (items > 0) & comparable).to(items.dtype)
            share = active / active.sum().clamp(min=1)
            value = (share * torch.where(active > 0, items, 0)).sum()
            slope = share[:, None] * (powers / torch.where(sums > 0, sums, 1) - mean)
        return of_products(value, slope / self.temperature, embeddings)

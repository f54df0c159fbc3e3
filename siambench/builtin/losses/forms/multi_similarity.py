"""Multi-similarity loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, soft_sum, weights
from siambench.builtin.pairwise import of_products
from siambench.interfaces import Mined


class MultiSimilarity(TupleLoss):
    """1/α log(1 + Σ over p of exp(-α (s - λ))) + 1/β log(1 + Σ over n of exp(β (s - λ))), mean over the batch.

    Args:
        alpha: weight of positives in the exponent, α > 0.
        beta: weight of negatives in the exponent, β > 0.
        base: λ, the similarity that both are measured from.

    Source:
        Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, CVPR 2019, eq. 15.
    """

    def __init__(self, *, alpha: float, beta: float, base: float) -> None:
        super().__init__()
        self.alpha, self.beta, self.base = alpha, beta, base

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            above = embeddings @ embeddings.T - self.base
            near, pull = soft_sum(-self.alpha * above, positive)
            far, push = soft_sum(self.beta * above, negative)
            value = (near / self.alpha + far / self.beta).mean()
        return of_products(value, (push - pull) / len(labels), embeddings)

"""Angular loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.pairwise import all_pairs, of_products


class Angular(nn.Module):
    """log(1 + Σ over n of exp(4 tan²α (a + p)·n - 2 (1 + tan²α) a·p)), mean over positive pairs.

    The sum over negatives is a matrix product of exponentials: anchor and positive are of one class, so they have the same negatives.

    Args:
        alpha: bound of the angle at the negative, in degrees, in (0, 90).

    Source:
        Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, ICCV 2017, eq. 8.
    """

    def __init__(self, *, alpha: float) -> None:
        super().__init__()
        self.square = math.tan(math.radians(alpha)) ** 2

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            rows = embeddings.detach()
            positive, negative = all_pairs(labels)
            products = rows @ rows.T
            scaled = (4 * self.square * products).masked_fill(~negative, -math.inf)
            most = scaled.amax(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).min)
            powers = (scaled - most).exp()
            sums = powers @ powers.T
            exponents = sums.log() + most + most.T - 2 * (1 + self.square) * products
            share = positive.to(rows.dtype) / positive.sum().clamp(min=1)
            # Without a negative the exponent is minus infinity, and the term 0.
            exponents = exponents.masked_fill(~positive | (sums == 0), -math.inf)
            value = (share * functional.softplus(exponents)).sum()
            pull = share * exponents.sigmoid()
            through = pull / torch.where(sums > 0, sums, 1)
            slope = 4 * self.square * powers * ((through + through.T) @ powers) - 2 * (1 + self.square) * pull
        return of_products(value, slope, embeddings)

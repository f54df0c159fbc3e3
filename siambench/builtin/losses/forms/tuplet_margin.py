"""Tuplet margin loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import euclidean, log_sum, mean_where
from siambench.interfaces import Mined


class TupletMargin(TupleLoss):
    """log(1 + Σ over n of exp(scale (cos θ_an - cos(θ_ap - margin)))), mean over the positive pairs.

    The angle is taken from the distance d, cos θ = 1 - d² / 2 and sin θ = d √(1 - d² / 4): a duplicate, at 0, has an angle of 0
    and pulls nowhere.

    Args:
        margin: in degrees.
        scale: of the cosines, > 0.

    Source:
        Yu, Tao, Deep Metric Learning with Tuplet Margin Loss, ICCV 2019.
    """

    def __init__(self, *, margin: float, scale: float) -> None:
        super().__init__()
        self.margin, self.scale = math.radians(margin), scale

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        found = euclidean(embeddings)
        cosines = 1 - found.square() / 2
        # Opposite vectors have no slope of the sine: it is taken at the nearest place at which there is one.
        sines = found * (1 - found.square() / 4).clamp(min=torch.finfo(found.dtype).eps).sqrt()
        nearer = cosines * math.cos(self.margin) + sines * math.sin(self.margin)
        behind = log_sum(self.scale * cosines, negative)[:, None]
        return mean_where(functional.softplus(behind - self.scale * nearer), positive)

"""Decoupled contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.pairwise import largest, only
from siambench.interfaces import Mined


class DCL(TupleLoss):
    """Mean over positive pairs of -w s_ap / T + log Σ exp(s_an / T) over the anchor's negatives, the positive not among them.

    The weight w is 1, or with a concentration σ 2 - exp(s_ap / σ) / mean of exp(s / σ) over the positive pairs: near ones pull less.

    Args:
        temperature: T > 0.
        concentration: σ > 0, or None.

    Source:
        Yeh, Hong, Hsu, Liu, Chen, LeCun, Decoupled Contrastive Learning, ECCV 2022.
    """

    def __init__(self, *, temperature: float, concentration: float | None = None) -> None:
        super().__init__()
        self.temperature, self.concentration = temperature, concentration

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch; positive pairs whose anchor has no negative are left out."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        negative = negative.sign()
        positive = positive * negative.amax(dim=1, keepdim=True)
        number = positive.sum().clamp(min=1)
        products = embeddings @ embeddings.T
        against = only(products / self.temperature, negative).logsumexp(dim=1, keepdim=True)
        pull = products / self.temperature
        if self.concentration is not None:
            pull = pull * self._weights(products / self.concentration, positive, number)
        return torch.where(positive > 0, positive * (against - pull), 0.0).sum() / number

    @staticmethod
    def _weights(exponents: Tensor, positive: Tensor, number: Tensor) -> Tensor:
        counting = only(exponents, positive)
        powers = (counting - largest(counting).amax().detach()).exp()
        mean = (positive * powers).sum() / number
        return 2 - powers / torch.where(mean > 0, mean, 1.0)

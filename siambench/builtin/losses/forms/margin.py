"""Margin loss, its boundary fixed or learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import euclidean
from siambench.interfaces import Mined


class Margin(TupleLoss):
    """[d - β + margin]₊ over positive pairs and [β - d + margin]₊ over negative ones, their sum over the number of those that cost.

    Args:
        margin: of the hinges.
        beta: β, the distance at which genuine pairs and impostors part.

    Source:
        Wu, Manmatha, Smola, Krähenbühl, Sampling Matters in Deep Embedding Learning, ICCV 2017.
    """

    def __init__(self, *, margin: float, beta: float) -> None:
        super().__init__()
        self.margin, self.start = margin, beta

    def boundary(self, labels: Tensor, embeddings: Tensor) -> Tensor | float:  # noqa: ARG002  where it is learned, both matter
        """β of each anchor, fp [B, 1], or one for all."""
        return self.start

    def penalty(self, labels: Tensor, often: Tensor) -> Tensor:
        """What the boundaries themselves cost; summed with the pairs' costs."""
        return often.new_zeros(len(labels))

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        found, beta = euclidean(embeddings), self.boundary(labels, embeddings)
        near = (found - beta + self.margin).clamp(min=0)
        far = (beta - found + self.margin).clamp(min=0)
        costing = (positive * near.detach().sign() + negative * far.detach().sign()).sum().clamp(min=1)
        return ((positive * near + negative * far).sum(dim=1) + self.penalty(labels, positive)).sum() / costing


class LearnedMargin(Margin):
    """As `Margin`, with β a parameter: one, or one of each class, that of the anchor's; large ones cost ν β for each positive pair.

    Args:
        margin: of the hinges.
        beta: what β starts from.
        nu: ν, of β.
        num_classes: K, a β each; None: one for all.

    Source:
        As `Margin`.
    """

    def __init__(self, *, margin: float, beta: float, nu: float, num_classes: int | None) -> None:
        super().__init__(margin=margin, beta=beta)
        self.nu = nu
        self.beta = nn.Parameter(torch.full((num_classes or 1,), beta))

    def _of(self, labels: Tensor, dtype: torch.dtype) -> Tensor:
        return self.beta.to(dtype)[labels if len(self.beta) > 1 else torch.zeros_like(labels)]

    def boundary(self, labels: Tensor, embeddings: Tensor) -> Tensor:
        """β of each anchor, fp [B, 1]."""
        return self._of(labels, embeddings.dtype)[:, None]

    def penalty(self, labels: Tensor, often: Tensor) -> Tensor:
        """ν β of each anchor, as often as it has a positive pair, fp [B]."""
        return self.nu * self._of(labels, often.dtype) * often.sum(dim=1)

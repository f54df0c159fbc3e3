"""SoftTriple loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import own_class

_SLACK = 1e-5
"""Under the root of a distance between centres, so that equal ones have a slope; as the paper's code has it."""


class SoftTriple(nn.Module):
    """Cross-entropy of λ S over the classes, S being the softmax-weighted mean of the cosines to a class's centres, less a margin.

    S = Σ over centres of softmax(cos / γ) cos. The centres of one class are drawn together by the mean of half their distances.

    Args:
        num_classes: K.
        embedding_size: D.
        centers_per_class: how many centres each class has.
        la: λ, of the logits, > 0.
        gamma: γ > 0, how softly the nearest centre is chosen.
        margin: taken off S of the true class.
        reg_weight: of the distances between the centres of a class.

    Source:
        Qian, Shang, Sun, Hu, Li, Jin, SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, ICCV 2019.
    """

    def __init__(
        self, *, num_classes: int, embedding_size: int, centers_per_class: int, la: float, gamma: float, margin: float, reg_weight: float
    ) -> None:
        super().__init__()
        self.shape = (num_classes, centers_per_class)
        self.la, self.gamma, self.margin, self.reg_weight = la, gamma, margin, reg_weight
        self.centers = nn.Parameter(torch.empty(embedding_size, num_classes * centers_per_class))
        nn.init.kaiming_uniform_(self.centers, a=math.sqrt(5))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        centers = functional.normalize(self.centers.to(embeddings.dtype), dim=0)
        cosines = (embeddings @ centers).view(-1, *self.shape)
        classes = ((cosines / self.gamma).softmax(dim=2) * cosines).sum(dim=2)
        margins = self.margin * own_class(labels, classes).to(classes.dtype)
        value = functional.cross_entropy(self.la * (classes - margins), labels)
        return value + self.reg_weight * self._spread(centers) if self.shape[1] > 1 else value

    def _spread(self, centers: Tensor) -> Tensor:
        """Half the mean distance of the centres of one class."""
        number, each = self.shape
        by_class = centers.T.reshape(*self.shape, -1)
        squares = 2 + _SLACK - 2 * by_class @ by_class.mT
        return squares.clamp(min=_SLACK / 2).sqrt().triu(diagonal=1).sum() / (number * each * (each - 1))

"""MagFace: a margin that grows with the length of an embedding, which is rewarded for itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from siambench.builtin.losses.forms.class_directions import ClassDirections, cross_entropy, of_class, turned

_SIZE = 512
"""Coordinates of the embeddings that the paper's bounds of lengths are for."""


class MagFace(ClassDirections):
    """Cross-entropy with ``margin`` … ``margin`` + ``rise`` added to the angle of the true class, plus a pull towards long embeddings.

    With a the length times √(512 / D), held in [``shortest``, ``longest``], the margin rises linearly with a, and
    ``regulariser`` · mean(a / longest² + 1 / a) is added. The margin is left out where the angle is a right one or wider.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: of the shortest, in radians, and the rise up to the longest.
        lengths: the shortest and the longest that is told apart, > 0.
        regulariser: weight of the pull, >= 0.
        scale: of the logits, > 0.

    Source:
        Meng, Zhao, Huang, Zhou, MagFace, CVPR 2021.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        embedding_size: int,
        margin: tuple[float, float],
        lengths: tuple[float, float],
        regulariser: float,
        scale: float,
    ) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        (self.margin, self.rise), (self.shortest, self.longest) = margin, lengths
        self.regulariser, self.scale = regulariser, scale
        self.unit = math.sqrt(_SIZE / embedding_size)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; embeddings are not normalised."""
        lengths = (self.unit * embeddings.norm(dim=1)).clamp(self.shortest, self.longest)
        margins = self.margin + self.rise * (lengths - self.shortest) / (self.longest - self.shortest)
        cosines = self.cosines(embeddings)
        true = of_class(cosines, labels)
        moved = torch.where(true > 0, turned(true, margins), true)
        pull: Tensor = (lengths / self.longest**2 + 1 / lengths).mean()
        return cross_entropy(cosines, moved, labels, scale=self.scale) + self.regulariser * pull

"""AdaFace: a margin that follows the length of an embedding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from siambench.builtin.losses.forms.class_directions import ClassDirections, cross_entropy, of_class

_EDGE = 1e-3
"""So far cosines stay away from 1 and angles from 0 and π, and so much is added to the deviation of lengths."""

_SHORTEST, _LONGEST = 1e-3, 100.0


class AdaFace(ClassDirections):
    """Cross-entropy of scale · (cos(θ + g) - h) at the true class, scale · cos θ at the others.

    The quality z of an item is its length less the running mean, over the running deviation, times ``concentration``, held in [-1, 1];
    then g = -margin · z and h = margin · (1 + z). Lengths have no gradient. Mean and deviation start as those of the first batch.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: of the cosine, >= 0.
        concentration: how much of a deviation in length is one of quality, >= 0.
        scale: of the logits, > 0.
        momentum: the share of a batch in the running mean and deviation, in (0, 1].

    Source:
        Kim, Jain, Liu, AdaFace, CVPR 2022.
    """

    mean: Tensor
    deviation: Tensor
    begun: Tensor

    def __init__(
        self, *, num_classes: int, embedding_size: int, margin: float, concentration: float, scale: float, momentum: float
    ) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.margin, self.concentration, self.scale, self.momentum = margin, concentration, scale, momentum
        for name in ("mean", "deviation", "begun"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; embeddings are not normalised."""
        cosines = self.cosines(embeddings).clamp(-1 + _EDGE, 1 - _EDGE)
        quality = self._quality(embeddings.detach().norm(dim=1))
        angles = of_class(cosines, labels).acos() - self.margin * quality
        moved = angles.clamp(_EDGE, math.pi - _EDGE).cos() - self.margin * (1 + quality)
        return cross_entropy(cosines, moved, labels, scale=self.scale)

    def _quality(self, lengths: Tensor) -> Tensor:
        """Of each item, in [-1, 1], after the running mean and deviation have moved."""
        lengths = lengths.clamp(_SHORTEST, _LONGEST)
        # A first batch is taken whole: what is here before it says nothing of these embeddings.
        share = torch.where(self.begun > 0, self.momentum, 1.0).to(self.mean.dtype)
        deviation = lengths.std() if len(lengths) > 1 else torch.zeros_like(lengths[0])
        self.mean.lerp_(lengths.mean().to(self.mean.dtype), share)
        self.deviation.lerp_(deviation.to(self.mean.dtype), share)
        self.begun.fill_(1.0)
        told = (lengths - self.mean.to(lengths.dtype)) / (self.deviation.to(lengths.dtype) + _EDGE)
        return (self.concentration * told).clamp(-1, 1)

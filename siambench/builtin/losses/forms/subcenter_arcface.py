"""Sub-center ArcFace."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import ClassWeights, own_class


class SubcenterArcFace(ClassWeights):
    """ArcFace over the nearest of each class's vectors: cross-entropy of scale · cos θ, ``margin`` degrees added to the true angle.

    Past 180 degrees the cosine goes on as cos θ - m sin m, so that it falls with the angle everywhere.

    Args:
        num_classes: K.
        embedding_size: D.
        sub_centers: how many vectors each class has.
        margin: in degrees.
        scale: of the logits, > 0.

    Source:
        Deng, Guo, Liu, Gong, Zafeiriou, Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web Faces, ECCV 2020.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, sub_centers: int, margin: float, scale: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size, each=sub_centers)
        self.shape = (num_classes, sub_centers)
        self.margin, self.scale = math.radians(margin), scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        cosines = self.cosines(embeddings).view(-1, *self.shape).amax(dim=2)
        turned = torch.where(own_class(labels, cosines), self._moved(cosines), cosines)
        return functional.cross_entropy(self.scale * turned, labels)

    def _moved(self, cosine: Tensor) -> Tensor:
        """The cosine of the angle and the margin together."""
        # On its own vector an angle has no slope: there it is taken at the nearest place at which it has one.
        sine = (1 - cosine.square()).clamp(min=torch.finfo(cosine.dtype).eps).sqrt()
        inside = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        return torch.where(cosine >= -math.cos(self.margin), inside, cosine - self.margin * math.sin(self.margin))

"""ArcFace: a matrix of classes by items, value and slopes in closed form.

Embeddings are fp [B, D] of unit length, labels int64 [B] in 0 … K - 1. A value is a scalar, lower is better.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.pairwise import known


class ArcFace(nn.Module):
    """Cross-entropy of scale · cos θ over the classes, with ``margin`` degrees added to the angle of the true one.

    Past 180 degrees the cosine goes on as cos θ - m sin m, so that it falls with the angle everywhere.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: in degrees.
        scale: of the logits, > 0.

    Source:
        Deng, Guo, Xue, Zafeiriou, ArcFace, CVPR 2019, eq. 3.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: float, scale: float) -> None:
        super().__init__()
        self.margin, self.scale = math.radians(margin), scale
        self.weight = nn.Parameter(torch.empty(embedding_size, num_classes))
        nn.init.normal_(self.weight)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        weight = functional.normalize(self.weight.to(embeddings.dtype), dim=0)
        with torch.no_grad():
            cosines = embeddings @ weight
            true, target = cosines.gather(1, labels[:, None]), labels[:, None]
            moved, steepness = self._moved(true)
            logs = (self.scale * cosines.scatter(1, target, moved)).log_softmax(dim=1)
            value = -logs.gather(1, target).mean()
            slope = logs.exp()
            wrong = slope.gather(1, target) - 1
            slope = slope.scatter(1, target, wrong * steepness) * (self.scale / len(labels))
            by_items, by_weight = slope @ weight.T, embeddings.T @ slope
        return known(value, (embeddings, by_items), (weight, by_weight))

    def _moved(self, cosine: Tensor) -> tuple[Tensor, Tensor]:
        """The cosine of the angle and the margin together, and its derivative by the cosine."""
        cosine = cosine.clamp(-1, 1)
        # On its own class weight the angle has no derivative: there the slope is that of the nearest place at which it can be told.
        sine = (1 - cosine.square()).clamp(min=torch.finfo(cosine.dtype).eps).sqrt()
        inside = cosine >= -math.cos(self.margin)
        moved = torch.where(
            inside, cosine * math.cos(self.margin) - sine * math.sin(self.margin), cosine - self.margin * math.sin(self.margin)
        )
        return moved, torch.where(inside, math.cos(self.margin) + cosine * math.sin(self.margin) / sine, 1.0)

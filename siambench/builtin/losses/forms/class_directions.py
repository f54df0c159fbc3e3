"""What the losses with a weight vector of each class share.

Embeddings are fp [B, D] of any length, labels int64 [B] in 0 … K - 1. A value is a scalar, lower is better.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ClassDirections(nn.Module):
    """A weight vector of each class, drawn as a direction at random, of length 1.

    Args:
        num_classes: K.
        embedding_size: D.
    """

    def __init__(self, *, num_classes: int, embedding_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(functional.normalize(torch.randn(num_classes, embedding_size)))

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Of each item with each class, fp [B, K]."""
        return functional.normalize(embeddings) @ functional.normalize(self.weight.to(embeddings.dtype)).T


def of_class(cosines: Tensor, labels: Tensor) -> Tensor:
    """The cosine of each item with its own class, fp [B]."""
    return cosines.gather(1, labels[:, None]).squeeze(1)


def cross_entropy(cosines: Tensor, moved: Tensor, labels: Tensor, *, scale: float) -> Tensor:
    """Mean cross-entropy of scaled cosines, where that of an item's own class is another.

    Args:
        cosines: fp [B, K].
        moved: what stands in place of the cosine with the own class, fp [B].
        labels: int64 [B].
        scale: of the logits.
    """
    return functional.cross_entropy(scale * cosines.scatter(1, labels[:, None], moved[:, None]), labels)


def turned(cosine: Tensor, angle: Tensor) -> Tensor:
    """cos(θ + angle) from cos θ, fp [B] each; with a slope that is finite at θ = 0 and θ = π too."""
    cosine = cosine.clamp(-1, 1)
    # At both ends the sine has no slope by the cosine: there it is that of the nearest place at which it can be told.
    sine = (1 - cosine.square()).clamp(min=torch.finfo(cosine.dtype).eps).sqrt()
    return cosine * angle.cos() - sine * angle.sin()

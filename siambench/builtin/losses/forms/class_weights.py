"""What the classification losses share: a weight vector of each class, or several, and which class is an item's own.

Embeddings are fp [B, D], labels int64 [B] in 0 … K - 1. A value is a scalar, lower is better.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ClassWeights(nn.Module):
    """A loss with weight vectors of its own, fp [D, K C], those of one class side by side, drawn from the normal distribution.

    Args:
        num_classes: K.
        embedding_size: D.
        each: C, how many vectors a class has.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, each: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(embedding_size, num_classes * each))
        nn.init.normal_(self.weight)

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Of embeddings of unit length to each weight vector, fp [B, K C]."""
        return embeddings @ functional.normalize(self.weight.to(embeddings.dtype), dim=0)


def own_class(labels: Tensor, scores: Tensor) -> Tensor:
    """Which of the classes is an item's own, bool [B, K].

    Args:
        labels: int64 [B].
        scores: of every class, fp [B, K]; asked for their shape alone.
    """
    return labels[:, None] == torch.arange(scores.shape[1], device=labels.device)

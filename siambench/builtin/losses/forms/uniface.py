"""UniFace: one threshold for the cosines of all items with all classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.class_directions import ClassDirections


class UniFace(ClassDirections):
    """log(1 + exp(-scale (cos θ - margin) + b)) at the true class plus ``negatives`` · Σ log(1 + exp(scale cos θ - b)) over the others.

    The threshold b is learned; it starts at log(10 K).

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: of the cosine, >= 0.
        scale: of the cosines, > 0.
        negatives: weight of the classes that an item is not of, > 0.

    Source:
        Zhou, Jia, Li, Shen, Duan, UniFace, ICCV 2023.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: float, scale: float, negatives: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.margin, self.scale, self.negatives = margin, scale, negatives
        self.bias = nn.Parameter(torch.tensor(math.log(10 * num_classes)))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        logits = self.scale * self.cosines(embeddings) - self.bias.to(embeddings.dtype)
        true = torch.zeros_like(logits).scatter_(1, labels[:, None], 1.0)
        own = functional.softplus(self.scale * self.margin - logits)
        others = self.negatives * functional.softplus(logits)
        return (true * own + (1 - true) * others).sum(dim=1).mean()

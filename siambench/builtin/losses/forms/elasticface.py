"""ElasticFace: a margin that is drawn anew for each item."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.class_directions import ClassDirections, cross_entropy, of_class, turned


class ElasticFace(ClassDirections):
    """Cross-entropy of scale · cos θ over the classes, with a drawn margin added to the angle of the true one (ElasticFace-Arc).

    Margins are normal, drawn from torch's global generator in each step.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: mean of the margins, in radians.
        spread: their standard deviation, in radians, >= 0.
        scale: of the logits, > 0.

    Source:
        Boutros, Damer, Kirchbuchner, Kuijper, ElasticFace, CVPR Workshops 2022.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: float, spread: float, scale: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.margin, self.spread, self.scale = margin, spread, scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        drawn = torch.randn(len(labels), dtype=embeddings.dtype, device=embeddings.device)
        cosines = self.cosines(embeddings)
        moved = turned(of_class(cosines, labels), self.margin + self.spread * drawn)
        return cross_entropy(cosines, moved, labels, scale=self.scale)

"""SphereFace."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import ClassWeights, own_class
from siambench.builtin.losses.forms.multiple_angle import eased


class SphereFace(ClassWeights):
    """Cross-entropy of scale · |x| cos θ over the classes, with ψ(θ), which falls m times as fast, for the true one's cosine.

    Weights are of unit length; embeddings are compared as they are, not normalised.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: m, a whole number of at least 1; 1 is the softmax with weights of unit length.
        scale: of the logits, > 0.
        ease: how much of the cosine itself stays beside ψ, and at first much more: see `eased`.

    Source:
        Liu, Wen, Yu, Li, Raj, Song, SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: int, scale: float, ease: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.margin, self.scale, self.ease = margin, scale, ease

    def forward(self, embeddings: Tensor, labels: Tensor, *, progress: float = 1.0) -> Tensor:
        """The loss of a batch."""
        cosines = self.cosines(functional.normalize(embeddings))
        turned = torch.where(own_class(labels, cosines), eased(cosines, self.margin, ease=self.ease, progress=progress), cosines)
        lengths = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True)
        return functional.cross_entropy(self.scale * lengths * turned, labels)

"""Large-margin softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import ClassWeights, own_class
from siambench.builtin.losses.forms.multiple_angle import eased


class LargeMarginSoftmax(ClassWeights):
    """Cross-entropy of scale · |w| |x| cos θ over the classes, with ψ(θ), which falls m times as fast, for the true one's cosine.

    Embeddings are compared as they are, not normalised, and neither are the weights.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: m, a whole number of at least 1; 1 is the softmax itself.
        scale: of the logits, > 0.
        ease: how much of the cosine itself stays beside ψ, and at first much more: see `eased`.

    Source:
        Liu, Wen, Yu, Yang, Large-Margin Softmax Loss for Convolutional Neural Networks, ICML 2016.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: int, scale: float, ease: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        # As the authors draw them: the length of a weight vector counts here, and standard normal ones make the first logits far too large.
        nn.init.normal_(self.weight, std=(2 / embedding_size) ** 0.5)
        self.margin, self.scale, self.ease = margin, scale, ease

    def forward(self, embeddings: Tensor, labels: Tensor, *, progress: float = 1.0) -> Tensor:
        """The loss of a batch."""
        cosines = self.cosines(functional.normalize(embeddings))
        turned = torch.where(own_class(labels, cosines), eased(cosines, self.margin, ease=self.ease, progress=progress), cosines)
        lengths = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True)
        lengths = lengths * torch.linalg.vector_norm(self.weight.to(embeddings.dtype), dim=0)
        return functional.cross_entropy(self.scale * lengths * turned, labels)

"""CosFace."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import ClassWeights, own_class


class CosFace(ClassWeights):
    """Cross-entropy of scale · cos θ over the classes, with ``margin`` taken off the cosine of the true one.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: of the cosine.
        scale: of the logits, > 0.

    Source:
        Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu, CosFace: Large Margin Cosine Loss for Deep Face Recognition, CVPR 2018.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: float, scale: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        cosines = self.cosines(embeddings)
        margins = self.margin * own_class(labels, cosines).to(cosines.dtype)
        return functional.cross_entropy(self.scale * (cosines - margins), labels)

"""Normalised softmax."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import ClassWeights


class NormalisedSoftmax(ClassWeights):
    """Cross-entropy of cos θ / T over the classes.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        temperature: T > 0.

    Source:
        Zhai, Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, temperature: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        return functional.cross_entropy(self.cosines(embeddings) / self.temperature, labels)

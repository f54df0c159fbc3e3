"""P2SGrad."""

from __future__ import annotations

from torch import Tensor

from siambench.builtin.losses.forms.class_weights import ClassWeights, own_class


class P2SGrad(ClassWeights):
    """Σ over the classes of (cos θ - 1 for the true class, 0 for the others)², mean over the items: no scale and no margin.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.

    Source:
        Zhang, Zhao, Yan, Gao, Qiao, Wang, Li, P2SGrad: Refined Gradients for Optimizing Deep Face Models, CVPR 2019.
    """

    def __init__(self, *, num_classes: int, embedding_size: int) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        cosines = self.cosines(embeddings)
        return (cosines - own_class(labels, cosines).to(cosines.dtype)).square().sum(dim=1).mean()

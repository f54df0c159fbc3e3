"""Neighbourhood components analysis."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.matrices import euclidean, log_sum, mean_where
from siambench.interfaces import Mined


class NCA(TupleLoss):
    """-log(Σ over p of exp(-scale d²) / Σ over all others of exp(-scale d²)), mean over the items with a positive.

    Args:
        softmax_scale: of the squared distances, > 0.

    Source:
        Goldberger, Roweis, Hinton, Salakhutdinov, Neighbourhood Components Analysis, NIPS 2004.
    """

    def __init__(self, *, softmax_scale: float) -> None:
        super().__init__()
        self.softmax_scale = softmax_scale

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        exponents = -self.softmax_scale * euclidean(embeddings).square()
        items = functional.softplus(log_sum(exponents, negative) - log_sum(exponents, positive))
        has_positive = positive.amax(dim=1).sign()
        return mean_where(items.masked_fill(has_positive == 0, 0), has_positive)

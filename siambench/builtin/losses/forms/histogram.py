"""Histogram loss."""

from __future__ import annotations

from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.losses.forms.soft_bins import spread
from siambench.interfaces import Mined


class Histogram(TupleLoss):
    """The probability that an impostor pair is more similar than a genuine one, from histograms of the cosines of both.

    Σ over the edges of h- H+, H+ being the running sum of h+; a cosine counts at the two edges that it lies between, the more the
    nearer. A pair counts once, in whatever order and however often it stands in the tuples. Without pairs of both kinds it is 0.

    Args:
        num_bins: bins between -1 and 1; there is one edge more.

    Source:
        Ustinova, Lempitsky, Learning Deep Embeddings with Histogram Loss, NIPS 2016.
    """

    def __init__(self, *, num_bins: int) -> None:
        super().__init__()
        self.num_bins = num_bins

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        places = (embeddings @ embeddings.T + 1) * (self.num_bins / 2)
        genuine, impostors = self._share(places, positive), self._share(places, negative)
        return (impostors * genuine.cumsum(dim=0)).sum()

    def _share(self, places: Tensor, pairs: Tensor) -> Tensor:
        once = (pairs + pairs.T).sign().triu(diagonal=1)
        return spread(places.flatten()[None], once.flatten()[None], self.num_bins).squeeze(0) / once.sum().clamp(min=1)

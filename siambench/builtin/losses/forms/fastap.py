"""FastAP."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.matrices import euclidean, mean_where
from siambench.builtin.losses.forms.soft_bins import spread
from siambench.builtin.pairwise import pair_weights

_FURTHEST = 4.0
"""The squared distance of opposite unit vectors."""


class FastAP(nn.Module):
    """1 - AP, with AP = 1 / P Σ over the bins of h+ H+ / H from histograms of squared distances, mean over the items with a positive.

    h+ is the histogram of an item's positives, H+ its running sum and H that of all others; P is the number of positives. A distance
    counts in the two bins that it lies between, the more the nearer.

    Args:
        num_bins: bins between 0 and 4, the largest squared distance; there is one edge more.

    Source:
        Cakir, He, Xia, Kulis, Sclaroff, Deep Metric Learning to Rank, CVPR 2019.
    """

    def __init__(self, *, num_bins: int) -> None:
        super().__init__()
        self.num_bins = num_bins

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        positive, negative = pair_weights(labels, embeddings.dtype)
        places = euclidean(embeddings).square() * (self.num_bins / _FURTHEST)
        genuine = spread(places, positive, self.num_bins)
        ahead, everyone = genuine.cumsum(dim=1), (genuine + spread(places, negative, self.num_bins)).cumsum(dim=1)
        number = positive.sum(dim=1)
        precision = (genuine * ahead / torch.where(everyone > 0, everyone, 1)).sum(dim=1) / number.clamp(min=1)
        return mean_where(1 - precision, number.sign())

"""Contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.pairwise import Distances, distances
from siambench.interfaces import Mined


class Contrastive(TupleLoss):
    """[d(a, p) - pos_margin]₊ over positive pairs and [neg_margin - d(a, n)]₊ over negative ones, each the mean of what costs.

    Args:
        pos_margin: positive pairs nearer than that cost nothing.
        neg_margin: negative pairs further than that cost nothing.

    Source:
        Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006.
    """

    def __init__(self, *, pos_margin: float, neg_margin: float) -> None:
        super().__init__()
        self.pos_margin, self.neg_margin = pos_margin, neg_margin

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            found = distances(embeddings)
            near, pull = _mean_of_costs(found.matrix - self.pos_margin, positive)
            far, push = _mean_of_costs(self.neg_margin - found.matrix, negative)
        return Distances(found.matrix, embeddings, found.centred).valued(near + far, pull - push)


def _mean_of_costs(costs: Tensor, often: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over the costs above 0, each as often as it counts, and its derivative by each."""
    costs = costs.clamp(min=0)
    share = costs.sign().mul_(often)
    share = share.div_(share.sum().clamp(min=1))
    return (share * costs).sum(), share

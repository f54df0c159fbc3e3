"""Triplet loss."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss
from siambench.builtin.pairwise import Distances, all_pairs, counted, distances
from siambench.builtin.sorted_negatives import runs, tally, violating
from siambench.interfaces import Mined, SortedTriplets


class Triplet(TupleLoss):
    """[d(a, p) - d(a, n) + margin]₊, mean over the triplets that violate the margin, whatever their number is.

    The sum over the active triplets is linear in the distances. How often each distance stands in it is counted in the order of each
    anchor's negatives: B² places and B² log B comparisons instead of B³ of both.

    Args:
        margin: of the hinge.

    Source:
        Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015.
    """

    def __init__(self, *, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            found = distances(embeddings)
            if isinstance(indices, tuple) and len(indices) == 3:
                value, slope = self._of_list(found.matrix, *indices)
            else:
                value, slope = self._of_runs(found.matrix, labels, indices)
        return Distances(found.matrix, embeddings, found.centred).valued(value, slope)

    def _of_list(self, matrix: Tensor, anchor: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        size = len(matrix)
        near = torch.where(anchor >= 0, anchor * size + positive, 0)
        far = torch.where(anchor >= 0, anchor * size + negative, 0)
        flat = matrix.flatten()
        costs = flat[near] - flat[far] + self.margin
        active = ((costs > 0) & (anchor >= 0)).to(matrix.dtype)
        share = active / active.sum().clamp(min=1)
        slope = torch.zeros_like(flat).scatter_add_(0, near, share).scatter_add_(0, far, -share)
        return (share * costs).sum(), slope.view(size, size)

    def _of_runs(self, matrix: Tensor, labels: Tensor, indices: Mined | None) -> tuple[Tensor, Tensor]:
        times = each = None
        if isinstance(indices, SortedTriplets):
            triplets = indices
        elif indices is None:
            triplets = runs(matrix, *all_pairs(labels))
        else:
            # Pairs with one anchor are joined: each of its positives with each of its negatives.
            times, each = counted(indices, len(labels))
            triplets = runs(matrix, times > 0, each > 0)
        active = tally(violating(triplets, matrix, self.margin), times=times, each=each)
        number = active.positive.sum()
        slope = (active.positive - active.negative).to(matrix.dtype) / number.clamp(min=1)
        # The terms are about 1 and nearly cancel to something about the margin.
        value = (slope.double() * matrix).sum() + self.margin * (number > 0).double()
        return value.to(matrix.dtype), slope

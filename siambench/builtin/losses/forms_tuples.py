"""Contrastive, triplet, N-pair and angular loss as modules: matrices over the batch, value and slope in closed form.

Embeddings are fp [B, D], labels int64 [B], indices three or four index tensors int64 [T] (-1: no tuple), `SortedTriplets`, or None for
every tuple of the batch. A value is a scalar, lower is better; it is 0, with a gradient of 0, where there is nothing to compare. Where
a loss compares cosines or distances of unit vectors, the harness has normalised the rows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.pairwise import Distances, all_pairs, counted, distances, known, of_products, pair_weights, same_class
from siambench.builtin.sorted_negatives import runs, tally, violating
from siambench.interfaces import Mined, SortedTriplets


def weights(labels: Tensor, indices: Mined | None, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """How often each positive and each negative pair counts, fp [B, B] each: once each, or as often as it stands in the indices."""
    if indices is None:
        return pair_weights(labels, dtype)
    if isinstance(indices, SortedTriplets):
        found = tally(indices)
        positive, negative = found.positive, found.negative
    else:
        positive, negative = counted(indices, len(labels))
    return positive.to(dtype), negative.to(dtype)


class TupleLoss(nn.Module):
    """A loss that takes all that a miner may give, empty places included."""

    takes_empty_places = True


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


class NPair(nn.Module):
    """-log of the softmax of each class's pair among all classes' positives, plus a penalty on squared norms.

    A class's pair are its first two items in the batch. Embeddings are compared as they are, not normalised.

    Args:
        l2_weight: of the mean squared norm of the batch.

    Source:
        Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016, eq. 7 and 3.2.2.
    """

    def __init__(self, *, l2_weight: float) -> None:
        super().__init__()
        self.l2_weight = l2_weight

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            rows = embeddings.detach()
            same = same_class(labels)
            place = same.tril(diagonal=-1).sum(dim=1)
            anchor = (place == 0) & (same.sum(dim=1) > 1)
            positive = place == 1
            products = rows @ rows.T
            target = (same & positive & anchor[:, None]).to(rows.dtype)
            # An item that is no anchor still has a row, which counts for nothing: its softmax must be finite all the same.
            logs = products.masked_fill(~positive, torch.finfo(rows.dtype).min).log_softmax(dim=1)
            share = anchor.to(rows.dtype) / anchor.sum().clamp(min=1)
            value = -(share[:, None] * target * logs).sum()
            slope = share[:, None] * (logs.exp() * positive - target)
            value = value + self.l2_weight * rows.square().sum() / len(rows)
            gradient = (slope + slope.T) @ rows + (2 * self.l2_weight / len(rows)) * rows
        return known(value, (embeddings, gradient))


class Angular(nn.Module):
    """log(1 + Σ over n of exp(4 tan²α (a + p)·n - 2 (1 + tan²α) a·p)), mean over positive pairs.

    The sum over negatives is a matrix product of exponentials: anchor and positive are of one class, so they have the same negatives.

    Args:
        alpha: bound of the angle at the negative, in degrees, in (0, 90).

    Source:
        Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, ICCV 2017, eq. 8.
    """

    def __init__(self, *, alpha: float) -> None:
        super().__init__()
        self.square = math.tan(math.radians(alpha)) ** 2

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            rows = embeddings.detach()
            positive, negative = all_pairs(labels)
            products = rows @ rows.T
            scaled = (4 * self.square * products).masked_fill(~negative, -math.inf)
            most = scaled.amax(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).min)
            powers = (scaled - most).exp()
            sums = powers @ powers.T
            exponents = sums.log() + most + most.T - 2 * (1 + self.square) * products
            share = positive.to(rows.dtype) / positive.sum().clamp(min=1)
            # Without a negative the exponent is minus infinity, and the term 0.
            exponents = exponents.masked_fill(~positive | (sums == 0), -math.inf)
            value = (share * functional.softplus(exponents)).sum()
            pull = share * exponents.sigmoid()
            through = pull / torch.where(sums > 0, sums, 1)
            slope = 4 * self.square * powers * ((through + through.T) @ powers) - 2 * (1 + self.square) * pull
        return of_products(value, slope, embeddings)

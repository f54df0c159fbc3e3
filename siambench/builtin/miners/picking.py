"""Further miners as modules. They give tuples in tensors whose shapes follow the batch alone; -1 marks a place without a tuple.

Embeddings are fp [B, D] of unit length, labels int64 [B]. Distances are Euclidean.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from siambench.builtin.pairwise import all_pairs, distances
from siambench.builtin.sorted_negatives import sort_negatives
from siambench.interfaces import Indices, SortedTriplets


class TripletMargin(nn.Module):
    """Triplets by whether, and how, they violate a margin, as runs of each anchor's sorted negatives.

    Args:
        margin: on d(a, n) - d(a, p), which lies in [-2, 2].
        kind: ``"all"``: d(a, n) - d(a, p) <= margin, which at a margin of 0 are the hard ones; ``"easy"``: all others.
    """

    def __init__(self, *, margin: float, kind: str) -> None:
        super().__init__()
        self.margin, self.kind = margin, kind

    def forward(self, embeddings: Tensor, labels: Tensor) -> SortedTriplets:
        """Runs of negatives for every positive pair."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        values, order = sort_negatives(matrix, negative)
        # What is no positive has an empty run.
        near = matrix.masked_fill(~positive, -math.inf)
        within = torch.searchsorted(values, near + self.margin, right=True)
        if self.kind == "easy":
            last = positive * negative.sum(dim=1, keepdim=True)
            return SortedTriplets(order=order, distances=values, start=within, stop=last)
        return SortedTriplets(order=order, distances=values, start=torch.zeros_like(within), stop=within)


class PairMargin(nn.Module):
    """Positive pairs further than one margin, negative pairs nearer than another.

    Args:
        pos_margin: positive pairs nearer than that are left out.
        neg_margin: negative pairs further than that are left out.
    """

    def __init__(self, *, pos_margin: float, neg_margin: float) -> None:
        super().__init__()
        self.pos_margin, self.neg_margin = pos_margin, neg_margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Four index tensors int64 [B²]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        return *_listed(positive & (matrix > self.pos_margin)), *_listed(negative & (matrix < self.neg_margin))


class HardestShare(nn.Module):
    """The hardest share of a batch's positive pairs, and that of its negative pairs.

    Args:
        share: in (0, 1]; of a kind with P pairs ⌈share · P⌉ are given.

    Source:
        Yuan, Yang, Zhang, Hard-Aware Deeply Cascaded Embedding, ICCV 2017.
    """

    def __init__(self, *, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Four index tensors int64 [B²]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        return *self._first(-matrix, positive), *self._first(matrix, negative)

    def _first(self, easiness: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        size = len(pairs)
        order = easiness.masked_fill(~pairs, math.inf).flatten().argsort(stable=True)
        number = (pairs.sum() * self.share).ceil()
        place = torch.arange(size * size, device=pairs.device)
        return _pairs_at(torch.where(place < number, order, -1), size)


class UniformHistogram(nn.Module):
    """So many pairs from each bin of the distances, positive and negative ones apart: rare distances count as much as frequent ones.

    The bins are of equal width between the smallest and the largest distance of a kind. Within a bin pairs are drawn with replacement, from
    torch's global generator; an empty bin gives none.

    Args:
        bins: how many.
        per_bin: pairs drawn from each.
    """

    def __init__(self, *, bins: int, per_bin: int) -> None:
        super().__init__()
        self.bins, self.per_bin = bins, per_bin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Four index tensors int64 [bins · per_bin]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        return *self._drawn(matrix, positive), *self._drawn(matrix, negative)

    def _drawn(self, matrix: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        size = len(matrix)
        low, high = matrix.masked_fill(~pairs, math.inf).amin(), matrix.masked_fill(~pairs, -math.inf).amax()
        width = (high - low).clamp(min=torch.finfo(matrix.dtype).tiny)
        bin_of = ((matrix - low) / width * self.bins).floor().clamp(0, self.bins - 1).to(torch.int64)
        # What is no pair of the kind goes into a bin beyond the last.
        bin_of = torch.where(pairs, bin_of, self.bins).flatten()
        order = bin_of.argsort(stable=True)
        number = torch.zeros(self.bins + 1, dtype=torch.int64, device=matrix.device).scatter_add_(0, bin_of, torch.ones_like(bin_of))
        first = (number.cumsum(dim=0) - number)[: self.bins, None]
        number = number[: self.bins, None]
        drawn = (torch.rand(self.bins, self.per_bin, device=matrix.device) * number).to(torch.int64).minimum((number - 1).clamp(min=0))
        place = order[(first + drawn).clamp(max=size * size - 1)]
        return _pairs_at(torch.where(number > 0, place, -1).flatten(), size)


class Angular(nn.Module):
    """Triplets whose angle at the negative is larger than a bound: atan(|a - p| / (2 |n - (a + p) / 2|)).

    The angle depends on all three items: there are B³ of them, and so many places of 24 bytes, which is 50 MB for a batch of 128.

    Args:
        angle: the bound, in degrees.

    Source:
        Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, ICCV 2017.
    """

    def __init__(self, *, angle: float) -> None:
        super().__init__()
        self.tangent = math.tan(math.radians(angle))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Three index tensors int64 [B³]."""
        positive, negative = all_pairs(labels)
        size = len(labels)
        matrix = distances(embeddings).matrix
        squares = matrix.square()
        # The squared distance from n to the middle of a and p, by the median of the triangle.
        middle = (squares[:, None] + squares) / 2 - squares[:, :, None] / 4
        wide = matrix[:, :, None] > 2 * self.tangent * middle.clamp(min=0).sqrt()
        chosen = (wide & positive[:, :, None] & negative[:, None]).flatten()
        item = torch.arange(size, device=labels.device)
        parts = (item[:, None, None], item[:, None], item)
        return tuple(torch.where(chosen, part.expand(size, size, size).flatten(), -1) for part in parts)


class BatchEasyHard(nn.Module):
    """For each anchor one positive and one negative, each the easiest, the hardest, or the hardest that is easier than the other one.

    Args:
        positive: ``"easy"``: the nearest; ``"hard"``: the furthest; ``"semihard"``: the furthest that is nearer than the negative.
        negative: ``"hard"``: the nearest; ``"semihard"``: the nearest that is further than the positive. An anchor without such a one is
            left out.

    Source:
        Xuan, Stylianou, Pless, Improved Embeddings with Easy Positive Triplet Mining, WACV 2020.
    """

    def __init__(self, *, positive: str, negative: str) -> None:
        super().__init__()
        self.positive, self.negative = positive, negative

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Four index tensors int64 [B]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        near = matrix.masked_fill(~positive, math.inf)
        far = matrix.masked_fill(~positive, -math.inf)
        wrong = matrix.masked_fill(~negative, math.inf)
        if self.positive == "semihard":
            other = wrong.argmin(dim=1)
            bound = wrong.gather(1, other[:, None])
            far = far.masked_fill(matrix >= bound, -math.inf)
            chosen = far.argmax(dim=1)
        else:
            chosen = near.argmin(dim=1) if self.positive == "easy" else far.argmax(dim=1)
            if self.negative == "semihard":
                wrong = wrong.masked_fill(matrix <= matrix.gather(1, chosen[:, None]), math.inf)
            other = wrong.argmin(dim=1)
        has_positive = (far.gather(1, chosen[:, None]) > -math.inf).squeeze(1) & positive.any(dim=1)
        there = has_positive & (wrong.gather(1, other[:, None]) < math.inf).squeeze(1)
        anchor = torch.where(there, torch.arange(len(there), device=labels.device), -1)
        chosen, other = torch.where(there, chosen, -1), torch.where(there, other, -1)
        return anchor, chosen, anchor, other


class SemihardNearest(nn.Module):
    """For each positive pair the nearest negative that is further than the positive; without one, the anchor's furthest negative.

    Source:
        Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015; one negative a pair, and what stands for a missing one, as in TensorFlow Addons.
    """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Three index tensors int64 [B²]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        values, order = sort_negatives(matrix, negative)
        number = negative.sum(dim=1, keepdim=True)
        first = torch.searchsorted(values, matrix, right=True)
        # Beyond the last negative stands none: the last is the furthest.
        place = torch.minimum(first, (number - 1).clamp(min=0))
        anchor, near = _listed(positive & (number > 0))
        return anchor, near, torch.where(anchor >= 0, order.gather(1, place).flatten(), -1)


def _pairs_at(places: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Row and column of places in a matrix [B, B] row by row, int64 [T] each; -1 stays -1."""
    return torch.where(places >= 0, places // size, -1), torch.where(places >= 0, places % size, -1)


def _listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each place of a mask, bool [B, B], and -1 where it is not chosen; int64 [B²] each."""
    place = torch.arange(len(chosen), device=chosen.device)
    return torch.where(chosen, place[:, None], -1).flatten(), torch.where(chosen, place, -1).flatten()

"""The miners of whole training sets as modules. Memory follows the number of items, not its square.

Embeddings are fp [N, D], labels int64 [N]. Distances are Euclidean, exact, in float64: equal items are tied, and of what is tied the item
of the lowest index is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from siambench.interfaces import Indices

_NUMBERS = 2**18
"""Distances that are worked out together: 2 MB of them, which a processor keeps at hand."""

_MOST_ROWS = 512

_PANEL = 192
"""Matrix kernels sum what is left over of a panel of columns in another order, so that equal items would differ in the last bit. Whole
panels only: 192 is a multiple of every usual width."""

_ROUNDING = 4.0 * torch.finfo(torch.float64).eps
"""Of the squared lengths of two items, what their squared distance may owe to rounding alone."""


class _Classes:
    """The items of each class.

    Args:
        labels: int64 [N].
    """

    def __init__(self, labels: Tensor) -> None:
        _, self._number, self._counts = torch.unique(labels, return_inverse=True, return_counts=True)
        # In order of index within a class, so that the first of equals is that of the lowest index.
        self._order = self._number.argsort(stable=True)
        self._starts = self._counts.cumsum(dim=0) - self._counts
        self._places = torch.arange(int(self._counts.max()), device=labels.device)

    def of(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """The classes of some items.

        Returns:
            Their members, int64 [R, M], M being the size of the largest class there is, each item itself where its class has no more;
            and which of them are the item's positives, bool [R, M].
        """
        number = self._number[items]
        there = self._places < self._counts[number, None]
        members = self._order[(self._starts[number, None] + self._places).clamp(max=len(self._order) - 1)]
        members = torch.where(there, members, items[:, None])
        return members, members != items[:, None]


@dataclass(frozen=True)
class _Block:
    """Some anchors and what they lie apart from.

    Args:
        anchors: int64 [R].
        lengths: of the anchors, squared, float64 [R].
        members: of their classes, int64 [R, M].
        positive: which of the members are positives, bool [R, M].
        near: squared distances to the members, less the anchor's squared length, float64 [R, M].
        far: the same to all negatives, infinite elsewhere, float64 [R, at least N].
    """

    anchors: Tensor
    lengths: Tensor
    members: Tensor
    positive: Tensor
    near: Tensor
    far: Tensor


def _blocks(embeddings: Tensor, labels: Tensor) -> Iterator[_Block]:
    size, width = embeddings.shape
    classes = _Classes(labels)
    height = max(1, min(_MOST_ROWS, _NUMBERS // size))
    rows = embeddings.new_zeros(-(-size // _PANEL) * _PANEL, width, dtype=torch.float64)
    rows[:size] = embeddings
    lengths = rows.square().sum(dim=1)
    lengths[size:] = math.inf
    # Of one height each: a product of fewer rows sums in another order.
    tile, apart = rows.new_zeros(height, width), rows.new_empty(height, len(rows))
    for anchors in torch.split(torch.arange(size, device=embeddings.device), height):
        tile[: len(anchors)] = rows[anchors]
        torch.addmm(lengths, tile, rows.T, alpha=-2, out=apart)
        far = apart[: len(anchors)]
        members, positive = classes.of(anchors)
        near = far.gather(1, members)
        yield _Block(anchors, lengths[anchors], members, positive, near, far.scatter_(1, members, math.inf))


def _triplets(found: list[Tensor]) -> Indices:
    """Three index tensors int64 [T], of triplets as int64 [3, T] from each block."""
    anchor, positive, negative = torch.cat(found, dim=1)
    return anchor, positive, negative


class OfflineHard(nn.Module):
    """For each item with both, its furthest positive, with each of its nearest negatives.

    Args:
        negatives: how many of the nearest, at least 1; where there are fewer, all.

    Source:
        Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015, section 3.2.
    """

    def __init__(self, *, negatives: int) -> None:
        super().__init__()
        if negatives < 1:
            raise ValueError(f"negatives must be at least 1, got {negatives}")
        self.negatives = negatives

    @torch.no_grad()
    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Three index tensors int64 [T], anchor after anchor, the nearest negative first."""
        found = []
        for block in _blocks(embeddings, labels):
            furthest = block.near.masked_fill(~block.positive, -math.inf).max(dim=1)
            positive = block.members.gather(1, furthest.indices[:, None]).squeeze(1)
            columns = []
            for _ in range(min(self.negatives, len(labels))):
                nearest = block.far.min(dim=1)
                there = nearest.values.isfinite() & furthest.values.isfinite()
                columns.append(torch.where(there, nearest.indices, -1))
                block.far.scatter_(1, nearest.indices[:, None], math.inf)
            negative = torch.stack(columns, dim=1)
            row, column = (negative >= 0).nonzero(as_tuple=True)
            found.append(torch.stack([block.anchors[row], positive[row], negative[row, column]]))
        return _triplets(found)


class OfflineSemihard(nn.Module):
    """For each item and some of its positives, the nearest negative with 0 < d(a, n) - d(a, p) <= margin, where there is one.

    Which positives is drawn from torch's global generator.

    Args:
        margin: on the distance, which of unit vectors lies in [0, 2].
        positives: how many of an item, at least 1; where its class has fewer, all.

    Source:
        Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015, section 3.2, which takes all pairs of a batch.
    """

    def __init__(self, *, margin: float, positives: int) -> None:
        super().__init__()
        if positives < 1:
            raise ValueError(f"positives must be at least 1, got {positives}")
        self.margin, self.positives = margin, positives

    @torch.no_grad()
    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Three index tensors int64 [T]."""
        lengths = embeddings.double().square().sum(dim=1)
        found = []
        for block in _blocks(embeddings, labels):
            for column in self._drawn(block.positive).T:
                near = block.near.gather(1, column.clamp(min=0)[:, None])
                nearest = torch.where(block.far <= near, math.inf, block.far).min(dim=1)
                positive = block.members.gather(1, column.clamp(min=0)[:, None]).squeeze(1)
                to_positive = _distance(near.squeeze(1), block.lengths, lengths[positive])
                to_negative = _distance(nearest.values, block.lengths, lengths[nearest.indices.clamp(max=len(labels) - 1)])
                row = ((column >= 0) & (to_negative <= to_positive + self.margin)).nonzero().squeeze(1)
                found.append(torch.stack([block.anchors[row], positive[row], nearest.indices[row]]))
        return _triplets(found)

    def _drawn(self, positive: Tensor) -> Tensor:
        """Columns of positives, drawn without replacement, int64 [R, P]; -1 where there are no more."""
        draws = torch.rand(positive.shape, device=positive.device).masked_fill_(~positive, -1.0)
        best = draws.topk(min(self.positives, positive.shape[1]), dim=1)
        # In order of index: where all are taken, the draws do not show.
        return torch.where(best.values >= 0, best.indices, -1).sort(dim=1, descending=True).values


def _distance(apart: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The distance, of a squared one less the squared length of the left; a duplicate lies at 0.

    Args:
        apart: float64 [R].
        left: squared lengths, float64 [R].
        right: squared lengths, float64 [R].
    """
    squares = apart + left
    return torch.where(squares > _ROUNDING * (left + right), squares, 0.0).sqrt()

"""The k largest of each row, equals in order of index: what makes a search exact and its ties settled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST_GROUP = 64


def group_size(columns: int, k: int) -> int:
    """A power of two near sqrt(columns / k), which makes groups and members of the best k groups equally many."""
    return int(min(2 ** max(round(math.log2(max(columns / k, 1.0)) / 2), 0), _LARGEST_GROUP))


def largest_of_groups(scores: Tensor, k: int, *, group: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row and their indices, largest first, equals in order of index.

    Column m · G + g holds index g · ``group`` + m: the members of one of the G groups are G columns apart, where maxima
    over whole rows of memory are cheap, and a group is a range of indices. The k largest are in the k groups with the
    largest maxima, so only those are looked at closely.

    One more than k is looked up in any order of equals; where two neighbours of these are equal, or the last two are,
    which also means that equals may be left outside, the row is done again with care.

    Args:
        scores: [rows, G · group], without NaN.
        k: at most the number of columns.
        group: how many columns are a group.

    Returns:
        (values [rows, k], indices int64 [rows, k]).
    """
    layout = scores.view(len(scores), group, -1)
    depth = min(k + 1, scores.shape[1])
    values, indices = _in_any_order(layout, depth)
    tied = (values[:, 1:] == values[:, :-1]).any(dim=1).nonzero()[:, 0]
    if len(tied):
        values[tied], indices[tied] = _in_order(layout[tied], depth)
    return values[:, :k], indices[:, :k]


def largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row and their positions, largest first, equals in order of position."""
    k = min(k, values.shape[1])
    if k < values.shape[1]:
        positions = _first_positions(values, k)
        ordered, order = values.gather(1, positions).sort(dim=1, descending=True, stable=True)
        return ordered, positions.gather(1, order)
    ordered, order = values.sort(dim=1, descending=True, stable=True)
    return ordered, order


def _in_any_order(layout: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    group, groups = layout.shape[1:]
    best = layout.amax(dim=1).topk(min(depth, groups), sorted=False).indices
    members = layout.gather(2, best[:, None, :].expand(-1, group, -1)).flatten(start_dim=1)
    values, places = members.topk(depth)
    return values, best.gather(1, places % best.shape[1]) * group + places // best.shape[1]


def _in_order(layout: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    # Groups in order of index, so that positions among their members are in order of index too.
    group, groups = layout.shape[1:]
    best = _first_positions(layout.amax(dim=1), min(depth, groups))
    members = layout.gather(2, best[:, None, :].expand(-1, group, -1)).transpose(1, 2).flatten(start_dim=1)
    values, places = largest(members, depth)
    return values, best.gather(1, places // group) * group + places % group


def _first_positions(values: Tensor, k: int) -> Tensor:
    """Positions of all values above the k-th largest and of the first ones that equal it, k in a row, ascending."""
    edge = values.topk(k, sorted=False).values.amin(dim=1, keepdim=True)
    above, equal = values > edge, values == edge
    room = k - above.sum(dim=1, keepdim=True)
    return (above | (equal & (equal.cumsum(dim=1) <= room))).nonzero()[:, 1].view(len(values), k)

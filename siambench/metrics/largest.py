"""The k largest of each row, equals in order of index: what makes a search exact and its ties settled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST_GROUP = 64


def group_size(columns: int, k: int) -> int:
    """A power of two near 2 · sqrt(columns / k): fewer groups to choose from than members of the chosen to look at."""
    return int(min(2 ** max(round(math.log2(max(columns / k, 0.5)) / 2 + 1), 0), _LARGEST_GROUP))


def largest_of_groups(scores: Tensor, k: int, *, group: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row and their indices, largest first, equals in order of index.

    Column m · G + g holds index g · ``group`` + m: the members of one of the G groups are G columns apart, where maxima
    over whole rows of memory are cheap, and a group is a range of indices. The k largest are in the k groups with the
    largest maxima, so only those are looked at closely.

    One more than k is looked up, in any order of equals. Rows with equals among the first k are put in order; where the
    last two are equal, others like them may have been left outside, and the row is done again with care.

    Args:
        scores: [rows, G · group], without NaN.
        k: at most the number of columns.
        group: how many columns are a group.

    Returns:
        (values [rows, k], indices int64 [rows, k]).
    """
    layout = scores.view(len(scores), group, -1)
    values, indices = _in_any_order(layout, min(k + 1, scores.shape[1]))
    equal = values[:, 1:] == values[:, :-1]
    cut = equal[:, k - 1 :].any(dim=1)
    inside = (equal.any(dim=1) & ~cut).nonzero()[:, 0]
    cut = cut.nonzero()[:, 0]
    values, indices = values[:, :k].contiguous(), indices[:, :k].contiguous()
    if len(inside):
        ascending, order = indices[inside].sort(dim=1)
        order = values[inside].gather(1, order).sort(dim=1, descending=True, stable=True).indices
        indices[inside] = ascending.gather(1, order)
    if len(cut):
        values[cut], indices[cut] = _in_order(layout[cut], k)
    return values, indices


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
    maxima, best = layout.amax(dim=1).topk(min(depth, groups), sorted=False)
    members = layout.gather(2, best[:, None, :].expand(-1, group, -1)).flatten(start_dim=1)
    if best.shape[1] == depth:
        values, places = _at_least(members, maxima.amin(dim=1, keepdim=True))
    else:
        values, places = members, torch.arange(members.shape[1], device=members.device).expand_as(members)
    values, order = values.topk(depth)
    places = places.gather(1, order)
    return values, best.gather(1, places % best.shape[1]) * group + places // best.shape[1]


def _at_least(values: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
    """The values of each row that reach its edge and their positions, filled up with minus infinity.

    Every one of the groups looked at reaches the edge with its maximum, so each row has enough; most have few more.
    """
    row, place = (values >= edge).nonzero(as_tuple=True)
    counts = row.bincount(minlength=len(values))
    column = torch.arange(len(row), device=row.device) - (counts.cumsum(dim=0) - counts)[row]
    kept = values.new_full((len(values), int(counts.max())), -torch.inf)
    places = torch.zeros_like(kept, dtype=torch.int64)
    kept[row, column], places[row, column] = values[row, place], place
    return kept, places


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

"""Smooth ranks of a batch: every item in turn is the query, and a sigmoid tells who stands before whom.

All triples of query, item and other item are looked at, a few queries at a time: the slopes are worked out on the way, so that
nothing of B³ places is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_AT_ONCE = 2**21
"""So many triples are looked at together."""


def ranked(cosines: Tensor, temperature: float, score: Callable[[Tensor, slice], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """A score of each query, fp [B], and its derivative by the cosines, fp [B, B].

    Args:
        cosines: of the batch to itself, fp [B, B], without a graph.
        temperature: of the sigmoid, > 0.
        score: given σ((s_qj - s_qi) / temperature), fp [Q, B, B] with i before j in the indices and 0 where j = i, and which queries
            these are; gives their scores, fp [Q], and the derivatives by what it was given, fp [Q, B, B].
    """
    size = len(cosines)
    step = max(1, _AT_ONCE // size**2)
    values, slopes = [], []
    for start in range(0, size, step):
        queries = slice(start, start + step)
        rows = cosines[queries]
        before = ((rows[:, None, :] - rows[:, :, None]) / temperature).sigmoid()
        steepness = before * (1 - before) / temperature
        before.diagonal(dim1=1, dim2=2).zero_()
        value, slope = score(before, queries)
        slope = slope * steepness
        values.append(value)
        slopes.append(slope.sum(dim=1) - slope.sum(dim=2))
    return torch.cat(values), torch.cat(slopes)

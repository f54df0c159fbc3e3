"""What the losses of ranks share: similarities of a query with items, compared with each other.

A query's items are the batch without itself. For each query that is a matrix over the batch; queries are taken so many at once that their
matrices fit a bound, and where that is not all of the batch, what is kept for the gradient is worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from siambench.builtin.pairwise import same_class

AT_ONCE = 2**22
"""Numbers in the matrices over the batch of the queries that are taken at once."""

_ROUNDING = 8.0
"""So many units of the last place two cosines may differ by rounding alone."""


def of_queries(compute: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """One value of each query, fp [B].

    Args:
        compute: called with some queries' part of each of the rows, [Q, …]; returns fp [Q].
        rows: of all queries, [B, …] each.
    """
    size = len(rows[0])
    step = max(1, AT_ONCE // size**2)
    if size <= step:
        return compute(*rows)
    parts = [
        checkpoint(compute, *(each[at : at + step] for each in rows), use_reentrant=False, preserve_rng_state=False)
        for at in range(0, size, step)
    ]
    return torch.cat(parts)


def differences(similarities: Tensor) -> Tensor:
    """s_qj - s_qi, fp [Q, B (i), B (j)]; what rounding alone could leave is 0, with its slope.

    Args:
        similarities: of queries with the batch, cosines, fp [Q, B].
    """
    found = similarities[:, None, :] - similarities[:, :, None]
    held = found.detach()
    return found - torch.where(held.abs() <= _ROUNDING * torch.finfo(found.dtype).eps, held, 0.0)


def items_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each query's positive items, and all of its items, bool [B, B]; a query is no item of its own."""
    same = same_class(labels)
    others = torch.eye(len(labels), dtype=torch.bool, device=labels.device).logical_not()
    return same & others, others


def step_up(difference: Tensor, *, temperature: float, slope: float, start: float) -> Tensor:
    """The upper bound of the step function that ROADMAP counts negatives by, of the shape that is given.

    With σ the logistic function of difference / temperature: σ up to 0, σ + 1/2 above it, and from ``start`` on a line.

    Args:
        difference: similarity of the negative less that of the positive.
        temperature: > 0.
        slope: of the line, >= 0.
        start: where it begins, > 0.
    """
    smooth = (difference / temperature).sigmoid()
    top = torch.tensor(start / temperature, dtype=difference.dtype, device=difference.device).sigmoid() + 0.5
    line = slope * (difference - start) + top
    return torch.where(difference > start, line, torch.where(difference > 0, smooth + 0.5, smooth))


def mean_of(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of those that count, a scalar; 0, with a graph, where none does.

    Args:
        values: fp [B].
        counts: bool [B].
    """
    return torch.where(counts, values, 0.0).sum() / counts.sum().clamp(min=1)

"""All triplets of a batch, or runs of them, without a matrix of B³ places: each anchor's negatives stand in order of distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from siambench.interfaces import SortedTriplets


def sort_negatives(distances: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Each anchor's negatives in order of distance, what is no negative at the end: the distances fp [B, B], the items int64 [B, B].

    Args:
        distances: fp [B, B].
        negative: which pairs are negative, bool [B, B].
    """
    return distances.masked_fill(~negative, math.inf).sort(dim=1)


def runs(distances: Tensor, positive: Tensor, negative: Tensor) -> SortedTriplets:
    """Every triplet of a batch.

    Args:
        distances: fp [B, B].
        positive: which pairs are positive, bool [B, B].
        negative: which are negative, bool [B, B].
    """
    values, order = sort_negatives(distances, negative)
    # A row without a positive has none of the triplets, one of which is no positive an empty run.
    stop = positive * negative.sum(dim=1, keepdim=True)
    return SortedTriplets(order=order, distances=values, start=torch.zeros_like(stop), stop=stop)


@dataclass(frozen=True)
class Tally:
    """How often each pair stands in some triplets, int64 [B, B] each.

    Args:
        positive: as anchor and positive: with so many negatives.
        negative: as anchor and negative: with so many positives.
    """

    positive: Tensor
    negative: Tensor


def tally(triplets: SortedTriplets, *, times: Tensor | None = None, each: Tensor | None = None) -> Tally:
    """How often each pair stands in these triplets.

    Args:
        triplets: any.
        times: how often each positive pair counts, int64 [B, B]; None: once.
        each: how often each negative pair counts, int64 [B, B]; None: once.
    """
    start, stop = triplets.start, torch.maximum(triplets.start, triplets.stop)
    taken = stop - start
    if each is not None:
        each = each.gather(1, triplets.order)
        before = torch.nn.functional.pad(each.cumsum(dim=1), (1, 0))
        taken = before.gather(1, stop) - before.gather(1, start)
    step = torch.ones_like(taken) if times is None else times
    edges = taken.new_zeros(len(taken), len(taken) + 1).scatter_add_(1, start, step).scatter_add_(1, stop, -step)
    used = edges.cumsum(dim=1)[:, :-1]
    used = used if each is None else used * each
    return Tally(taken if times is None else taken * times, torch.empty_like(used).scatter_(1, triplets.order, used))


def violating(triplets: SortedTriplets, distances: Tensor, margin: float) -> SortedTriplets:
    """Those of the triplets whose negative is nearer than the positive's distance and a margin: the first of each run.

    Args:
        triplets: any.
        distances: of the anchors to their positives, fp [B, B].
        margin: of the hinge.
    """
    # Where nothing is looked for, the search is told so: it takes a quarter of the time.
    bound = torch.where(triplets.stop > triplets.start, distances + margin, -math.inf)
    first = torch.searchsorted(triplets.distances, bound)
    return SortedTriplets(
        order=triplets.order, distances=triplets.distances, start=triplets.start, stop=torch.minimum(triplets.stop, first)
    )

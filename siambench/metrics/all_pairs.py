"""Verification over every pair of items, counted into bins: billions of pairs in bounded memory, with a bound on the error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_embeddings, check_labels, finite_float64, unit_length
from siambench.metrics.verification import impostors_needed

if TYPE_CHECKING:
    from torch import Tensor

BINS = 2**17
"""Of the cosine's range [-1, 1]: a bin is 1.5e-5 wide."""

# At most 2^22 similarities are counted at once: a bin's count is a float32, exact up to 2^24.
_TILE = 2048
_SMALL = 512
_OUTSIDE = 2.0


@dataclass(frozen=True)
class Bounded:
    """A score and how far the exact one may lie from it, either way."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class AllPairs:
    """Verification scores over all pairs.

    Args:
        genuine: number of pairs of one class.
        impostors: number of pairs of two classes.
        roc_auc: probability that a genuine pair is more similar than an impostor.
        equal_error_rate: where false accepts and false rejects are equally frequent.
        accepted: share of the impostors at or above each bin's lower edge, and 0 beyond the last, float64 [bins + 1].
        rejected: share of the genuine pairs below it, float64 [bins + 1].
    """

    genuine: int
    impostors: int
    roc_auc: Bounded
    equal_error_rate: Bounded
    accepted: Tensor
    rejected: Tensor

    def true_accept_rate(self, far: float) -> Bounded | None:
        """The share of genuine pairs accepted where at most a share ``far`` of the impostors is.

        It is at least ``value``, and at most ``error`` more; None where there are fewer impostors than `impostors_needed`.

        Raises:
            MetricError: if not 0 < far < 1.
        """
        if self.impostors < impostors_needed(far):
            return None
        place = int((self.accepted <= far).to(torch.uint8).argmax())
        # The threshold lies in the bin below: between its upper edge, which keeps the promise, and its lower one, which does not.
        sure = 1.0 - float(self.rejected[place])
        most = 1.0 - float(self.rejected[place - 1]) if place else sure
        return Bounded(sure, most - sure)


@torch.no_grad()
def all_pairs_verification(embeddings: Tensor, labels: Tensor, *, queries: int | None = None, bins: int = BINS) -> AllPairs:
    """Score every pair of items by its cosine, each pair once and no item with itself; or every query with every item of a gallery.

    Similarities are computed in float32, in square tiles, and counted into equal bins of [-1, 1]; the few genuine pairs are
    counted class by class and taken from the whole. Within a bin the order of pairs is not known, so every score comes
    with a bound: the exact score of the float32 similarities lies no further away than ``error``. For the area that is half
    the share of pairs of pairs that meet in a bin; for rates it is the step at the bin in which the threshold falls. What
    the bound leaves out is a similarity within 1e-7 of an edge, which may be counted in the neighbouring bin.

    Args:
        embeddings: [N, D], any real type; brought to unit length in float64 before they are rounded.
        labels: int64 [N].
        queries: Q, where the items from Q on are a gallery of their own: pairs are then a query and an item of the gallery, Q · (N - Q)
            of them. None: all items with each other.
        bins: how many; the bounds shrink with it. Memory is 16 bytes for each, and one tile of 2048 × 2048 similarities.

    Raises:
        MetricError: if shapes do not fit, labels are not int64, an embedding is not finite, there is no query or no gallery, or one
            kind of pairs is missing.

    Source:
        Hanley, McNeil, The meaning and use of the area under a receiver operating characteristic curve, Radiology 1982;
        ISO/IEC 19795-1, Biometric performance testing and reporting.
    """
    check_embeddings(embeddings)
    check_labels(labels, length=len(embeddings))
    if bins < 2:
        raise MetricError(f"at least 2 bins are needed, got {bins}")
    if queries is not None and not 0 < queries < len(labels):
        raise MetricError(f"queries must leave a gallery: between 1 and {len(labels) - 1}, got {queries}")
    points = _unit_float32(embeddings)
    everyone = _total(_tiles(points) if queries is None else _rectangles(points[:queries], points[queries:]), bins)
    return _scores(_total(_genuine(points, labels, queries), bins), everyone)


@torch.no_grad()
def all_pairs_without_each_class(
    embeddings: Tensor, labels: Tensor, *, queries: int | None = None, bins: int = BINS
) -> dict[int, AllPairs | None]:
    """`all_pairs_verification` with each class left out in turn, for the jackknife over classes.

    The pairs of a class are counted and taken from the whole, so that all classes together cost about three times what one score does.

    Args:
        embeddings: [N, D], any real type.
        labels: int64 [N].
        queries: Q, where the items from Q on are a gallery of their own; None: all items with each other.
        bins: how many.

    Returns:
        By label, in rising order; None where without that class one kind of pairs is missing.

    Raises:
        MetricError: if shapes do not fit, labels are not int64, or an embedding is not finite.

    Source:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 11.
    """
    check_embeddings(embeddings)
    check_labels(labels, length=len(embeddings))
    if bins < 2:
        raise MetricError(f"at least 2 bins are needed, got {bins}")
    points = _unit_float32(embeddings)
    # Without a gallery all items are both: a pair of a member and another item is then counted from the member's side alone.
    asked = torch.arange(len(labels), device=labels.device) < (len(labels) if queries is None else queries)
    everyone = _total(_tiles(points) if queries is None else _rectangles(points[asked], points[~asked]), bins)
    genuine = {}
    for label in sorted(set(labels.tolist())):
        own = labels == label
        genuine[label] = _total(_genuine(points[own], labels[own], None if queries is None else int(own[:queries].sum())), bins)
    same = sum(genuine.values(), torch.zeros(bins, dtype=torch.int64))
    found: dict[int, AllPairs | None] = {}
    for label, of_class in genuine.items():
        own = labels == label
        if queries is None:
            mixed = _total(_rectangles(points[own], points[~own]), bins)
        else:
            mixed = _total(_rectangles(points[own & asked], points[~own & ~asked]), bins)
            mixed += _total(_rectangles(points[~own & asked], points[own & ~asked]), bins)
        # A pair counted in two products of different shapes may be rounded into neighbouring bins: none may get lost by it.
        _, without = _settled(of_class + mixed, everyone)
        try:
            found[label] = _scores(same - of_class, without)
        except MetricError:
            found[label] = None
    return found


def _total(similarities: Iterator[Tensor], bins: int) -> Tensor:
    total = torch.zeros(bins, dtype=torch.int64)
    for some in similarities:
        total += _counts(some, bins)
    return total


def _scores(same: Tensor, everyone: Tensor) -> AllPairs:
    """From the counts of genuine pairs and of all, int64 [bins]."""
    impostors = everyone - same
    if bool((impostors < 0).any()):
        # A pair counted in two products of different shapes may be rounded into neighbouring bins.
        same, impostors = _settled(same, everyone)
    positives, negatives = int(same.sum()), int(impostors.sum())
    if positives == 0 or negatives == 0:
        raise MetricError(f"both kinds of pairs are needed, got {positives} genuine and {negatives} impostors")
    accepted = _from_above(impostors) / negatives
    rejected = 1.0 - _from_above(same) / positives
    return AllPairs(positives, negatives, _area(same, impostors), _crossing(accepted, rejected), accepted, rejected)


def _unit_float32(embeddings: Tensor) -> Tensor:
    found = torch.empty(embeddings.shape, dtype=torch.float32, device=embeddings.device)
    for start in range(0, len(embeddings), _TILE):
        rows = slice(start, start + _TILE)
        found[rows] = unit_length(finite_float64(embeddings[rows])).float()
    return found


def _tiles(points: Tensor) -> Iterator[Tensor]:
    """The similarities of all pairs, each once; what is no pair lies outside of the bins."""
    out = torch.empty(_TILE, _TILE, dtype=torch.float32, device=points.device)
    for top in range(0, len(points), _TILE):
        rows = points[top : top + _TILE]
        for left in range(top, len(points), _TILE):
            columns = points[left : left + _TILE]
            tile = out[: len(rows), : len(columns)]
            if tile.is_contiguous():
                torch.mm(rows, columns.T, out=tile)
            else:
                tile = rows @ columns.T
            if left == top:
                index = torch.arange(len(rows), device=points.device)
                tile.masked_fill_(index[:, None] >= index[None], _OUTSIDE)
            yield tile


def _rectangles(queries: Tensor, gallery: Tensor) -> Iterator[Tensor]:
    """The similarities of all queries with all of the gallery."""
    for top in range(0, len(queries), _TILE):
        for left in range(0, len(gallery), _TILE):
            yield queries[top : top + _TILE] @ gallery[left : left + _TILE].T


def _genuine(points: Tensor, labels: Tensor, queries: int | None) -> Iterator[Tensor]:
    """The similarities of the pairs of one class, many small classes at a time."""
    order = labels.argsort(stable=True)
    _, counts = torch.unique_consecutive(labels[order], return_counts=True)
    waiting: list[Tensor] = []
    size = 0
    for members in torch.split(order, counts.tolist()):
        if queries is None:
            found = _tiles(points[members]) if len(members) > 1 else iter(())
        else:
            asked = members < queries
            found = _rectangles(points[members[asked]], points[members[~asked]])
        if len(members) > _SMALL:
            yield from found
        else:
            waiting += [similarities.flatten().clone() for similarities in found]
            size += len(members) ** 2
        if size > _TILE**2 // 4:
            yield torch.cat(waiting)
            waiting, size = [], 0
    if waiting:
        yield torch.cat(waiting)


def _counts(similarities: Tensor, bins: int) -> Tensor:
    # Rounding may carry a cosine a hair beyond 1; the mark of what is no pair lies far outside and is dropped by histc.
    inside = torch.where(similarities < _OUTSIDE - 0.5, similarities.clamp(-1.0, 1.0), similarities)
    return torch.histc(inside, bins=bins, min=-1.0, max=1.0).to(torch.int64).cpu()


def _settled(same: Tensor, everyone: Tensor) -> tuple[Tensor, Tensor]:
    moved = same.clone()
    for place in ((everyone - moved) < 0).nonzero()[:, 0].tolist():
        excess = int(moved[place] - everyone[place])
        for other in (place - 1, place + 1):
            room = int(everyone[other] - moved[other]) if 0 <= other < len(moved) else 0
            step = min(excess, max(room, 0))
            moved[place] -= step
            if step:
                moved[other] += step
            excess -= step
    return moved, (everyone - moved).clamp(min=0)


def _from_above(counts: Tensor) -> Tensor:
    """How many lie in a bin or above it, and 0 beyond the last: float64 [bins + 1]."""
    nothing = counts.new_zeros(1)
    return torch.cat([counts.flip(0).cumsum(0).flip(0), nothing]).to(torch.float64)


def _area(same: Tensor, impostors: Tensor) -> Bounded:
    below = (impostors.cumsum(0) - impostors).to(torch.float64)
    genuine, others = same.to(torch.float64), impostors.to(torch.float64)
    total = float(genuine.sum() * others.sum())
    meeting = float((genuine * others).sum())
    return Bounded((float((genuine * below).sum()) + meeting / 2) / total, meeting / 2 / total)


def _crossing(accepted: Tensor, rejected: Tensor) -> Bounded:
    after = int((rejected >= accepted).to(torch.uint8).argmax())
    gap_before = float(accepted[after - 1] - rejected[after - 1])
    gap_after = float(rejected[after] - accepted[after])
    weight = gap_before / (gap_before + gap_after)
    value = float(accepted[after - 1]) + weight * float(accepted[after] - accepted[after - 1])
    # Inside of the bin both rates move monotonically between the values at its ends.
    lowest = max(float(accepted[after]), float(rejected[after - 1]))
    highest = min(float(accepted[after - 1]), float(rejected[after]))
    return Bounded(value, max(value - lowest, highest - value, 0.0))

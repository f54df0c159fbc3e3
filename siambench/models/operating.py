"""Thresholds of a distance: where the errors are equal, where so few impostors are accepted, and what errors to expect there.

A final model is trained on all classes of trainval, so that the test part is all that it has not seen. Its thresholds are taken from there;
the errors to expect are not those at them, which are too low, but those of comparisons within each fold of test classes, and between each
two folds, at the threshold of what no class of these has a part in. Every comparison is tried so: within folds alone a class would meet
only the few others of its own, two people in folds of two. Where an item is compared with several references, the nearest decides, and more
impostors are near to one of them: each number of references has thresholds of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from siambench.errors import MetricError
from siambench.metrics import impostors_needed
from siambench.metrics.checks import finite_float64, unit_length
from siambench.models.document import OperatingPoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

EER = "eer"
RATES = (1e-2, 1e-3)
REFERENCES = (1, 2, 3, 5, 10)
"""Of a class that an item is compared with; as many as the classes have items for."""

MOST_ITEMS = 10_000
"""Of a test part that are compared with each other: of a larger one so many, whole classes, drawn by the seed."""

FOLDS = 10
_MOST_GROUPS = 50
"""That classes are dealt into, to be left out in turn."""

_LEAST_CLASSES = 4
_BINS = 1 << 12
_COARSE_BELOW = 30


@dataclass(frozen=True)
class _Counts:
    """Comparisons by the group of the item's class, the group of what it is compared with, and the bin of their similarity.

    Args:
        touching: genuine and impostors that a group is on either side of, int64 [2, G, bins].
        inside: those that have it on both, int64 [2, G, bins].
        between: those that have one group on the left and one on the right, int64 [2, G, G, bins]; None where it was not asked for.
        total: all, int64 [2, bins].
        edges: between the bins, as distances in falling order, float64 [bins + 1].
    """

    touching: NDArray[np.int64]
    inside: NDArray[np.int64]
    between: NDArray[np.int64] | None
    total: NDArray[np.int64]
    edges: NDArray[np.float64]


@dataclass(frozen=True)
class Items:
    """Embedded items of a test part.

    Args:
        embeddings: [N, D].
        labels: int64 [N].
        asks: which of them ask, bool [N]; None: all with all.
    """

    embeddings: Tensor
    labels: NDArray[np.int64]
    asks: NDArray[np.bool_] | None = None


def operating_points(items: Items, *, distance: str, seed: int) -> tuple[OperatingPoint, ...]:
    """Thresholds for each number of references that the classes have items for.

    Args:
        items: of a part that the model was not trained on.
        distance: ``"cosine"`` or ``"euclidean"``.
        seed: of the classes of a large part, of folds and references.

    Raises:
        MetricError: if there are fewer than four classes, one kind of comparisons is missing, or an embedding is not finite.

    Source:
        ISO/IEC 19795-1, Biometric performance testing and reporting; Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 11.
    """
    generator = np.random.default_rng(seed)
    chosen = _some(items, generator)
    classes = np.unique(chosen.labels)
    if len(classes) < _LEAST_CLASSES:
        raise MetricError(
            f"thresholds need at least {_LEAST_CLASSES} test classes, to be tried on others than they are from; got {len(classes)}"
        )
    found: list[OperatingPoint] = []
    for references in REFERENCES:
        compared = _pairs(chosen) if references == 1 else _enrolled(chosen, references, generator)
        if compared is None:
            break
        found += _points(compared, references, distance, generator)
    if not found:
        raise MetricError("no test class has two items: there are no genuine pairs")
    return tuple(found)


def _some(items: Items, generator: np.random.Generator) -> Items:
    """All of them, or of many some whole classes."""
    if len(items.labels) <= MOST_ITEMS:
        return items
    labels, counts = np.unique(items.labels, return_counts=True)
    order = generator.permutation(len(labels))
    taken = labels[order[np.cumsum(counts[order]) <= MOST_ITEMS]]
    kept = np.isin(items.labels, taken)
    return Items(items.embeddings[torch.from_numpy(kept)], items.labels[kept], None if items.asks is None else items.asks[kept])


@dataclass(frozen=True)
class _Compared:
    """What is compared: items with items, or with the nearest of several references of a class.

    Args:
        left: embeddings of those that ask, [L, D].
        left_labels: int64 [L].
        right: embeddings, [M, D]; M is C · R where C classes are enrolled by R references each, one class after the other.
        right_labels: of what is compared with, int64 [M], or [C] of the classes.
        each: R.
        same: whether left and right are the same items in the same order: each pair then counts once.
    """

    left: Tensor
    left_labels: NDArray[np.int64]
    right: Tensor
    right_labels: NDArray[np.int64]
    each: int
    same: bool


def _pairs(items: Items) -> _Compared | None:
    if items.asks is None:
        found = _Compared(items.embeddings, items.labels, items.embeddings, items.labels, 1, same=True)
        return found if len(np.unique(items.labels)) < len(items.labels) else None
    asks = items.asks
    left, right = torch.from_numpy(asks), torch.from_numpy(~asks)
    found = _Compared(items.embeddings[left], items.labels[asks], items.embeddings[right], items.labels[~asks], 1, same=False)
    return found if np.isin(found.left_labels, found.right_labels).any() else None


def _enrolled(items: Items, references: int, generator: np.random.Generator) -> _Compared | None:
    """References of each class that has enough items, drawn, and all other items; None where not half of the classes have."""
    may_be = np.ones(len(items.labels), dtype=bool) if items.asks is None else ~items.asks
    asks = np.ones(len(items.labels), dtype=bool) if items.asks is None else items.asks.copy()
    classes, chosen = [], []
    for label in np.unique(items.labels):
        own = np.flatnonzero((items.labels == label) & may_be)
        asking = np.flatnonzero((items.labels == label) & asks)
        if len(own) < references + (1 if items.asks is None else 0) or not len(asking):
            continue
        classes.append(label)
        chosen.append(generator.choice(own, size=references, replace=False))
    if len(classes) < max(_LEAST_CLASSES, len(np.unique(items.labels)) / 2):
        return None
    places = np.concatenate(chosen)
    asks[places] = False
    return _Compared(
        items.embeddings[torch.from_numpy(asks)],
        items.labels[asks],
        items.embeddings[torch.from_numpy(places)],
        np.array(classes),
        references,
        same=False,
    )


def _points(compared: _Compared, references: int, distance: str, generator: np.random.Generator) -> list[OperatingPoint]:
    labels = np.unique(np.concatenate([compared.left_labels, compared.right_labels]))
    groups, folds = min(len(labels), _MOST_GROUPS), min(len(labels), FOLDS)
    group_of = dict(zip(labels.tolist(), (generator.permutation(len(labels)) % groups).tolist(), strict=True))
    counts = _counted(compared, group_of, groups, distance)
    in_folds = _counted(compared, {label: group % folds for label, group in group_of.items()}, folds, distance, edges=counts.edges)
    genuine, impostors = (int(one.sum()) for one in counts.total)
    if not genuine or not impostors:
        return []
    found = []
    for at, far in ((EER, None), *((f"far={rate:g}", rate) for rate in RATES)):
        if far is not None and impostors < impostors_needed(far):
            continue
        place = _place(counts.total, far)
        if place is None:
            continue
        left_out = [_place(counts.total - counts.touching[:, group], far) for group in range(groups)]
        threshold = float(counts.edges[place])
        known = [counts.edges[one] for one in left_out if one is not None]
        from siambench.stats import jackknife  # and scipy with it, which whoever only reads thresholds does without

        width = jackknife(threshold, known).half_width if len(known) == groups > 2 else None
        errors = _expected(in_folds, far)
        found.append(
            OperatingPoint(
                at=at,
                references=references,
                threshold=threshold,
                low=None if width is None else max(0.0, threshold - width),
                high=None if width is None else threshold + width,
                false_accepts=errors[0],
                false_rejects=errors[1],
                impostors=impostors,
                genuine=genuine,
                classes=len(labels),
                note=_note(far, impostors),
            )
        )
    return found


def _note(far: float | None, impostors: int) -> str:
    if far is None:
        return ""
    passing = math.floor(round(far * impostors, 6))
    return f"coarse: only {passing} of the {impostors} impostors may pass" if passing < _COARSE_BELOW else ""


def _counted(
    compared: _Compared, group_of: dict[Any, int], groups: int, distance: str, *, edges: NDArray[np.float64] | None = None
) -> _Counts:
    """Count comparisons; by edges that are given those between two groups too."""
    left, right = finite_float64(compared.left), finite_float64(compared.right)
    if distance == "cosine":
        left, right = unit_length(left), unit_length(right)
    left_groups = np.array([group_of[label] for label in compared.left_labels.tolist()])
    right_groups = np.array([group_of[label] for label in compared.right_labels.tolist()])
    between = None if edges is None else np.zeros((2, groups, groups, _BINS), dtype=np.int64)
    if edges is None:
        edges = _edges(compared, left, right, distance)
    # Rising similarities, as bins are counted.
    rising = -edges
    touching = np.zeros((2, groups, _BINS), dtype=np.int64)
    inside = np.zeros_like(touching)
    total = np.zeros((2, _BINS), dtype=np.int64)
    low, width = rising[0], (rising[-1] - rising[0]) / _BINS
    for group in range(groups):
        for rows in np.array_split(np.flatnonzero(left_groups == group), max(1, (left_groups == group).sum() // 256 + 1)):
            if not len(rows):
                continue
            similar = _similar(left[torch.from_numpy(rows)], right, compared.each, distance)
            bins = np.clip(((similar - low) / width).astype(np.int64), 0, _BINS - 1)
            bins = _settled(bins, similar, rising)
            genuine = compared.left_labels[rows][:, None] == compared.right_labels[None]
            counted = np.ones(genuine.shape, dtype=bool)
            if compared.same:
                # Each pair is met from both of its items; it counts where the left one comes first.
                counted = np.arange(len(compared.right_labels))[None] > rows[:, None]
            keys = (right_groups[None] * _BINS + bins) * 2 + ~genuine
            table = np.bincount(keys[counted], minlength=groups * _BINS * 2).reshape(groups, _BINS, 2).transpose(2, 0, 1)
            total += table.sum(axis=1)
            inside[:, group] += table[:, group]
            if between is not None:
                between[:, group] += table
            touching += table
            # What has the group on the left: with it on both sides it is counted once.
            touching[:, group] += table.sum(axis=1) - table[:, group]
    return _Counts(touching, inside, between, total, edges)


def _edges(compared: _Compared, left: Tensor, right: Tensor, distance: str) -> NDArray[np.float64]:
    """The edges of bins of one width over all similarities that there are, as distances in falling order."""
    low, high = math.inf, -math.inf
    for rows in torch.split(torch.arange(len(left)), 1024):
        similar = _similar(left[rows], right, compared.each, distance)
        if compared.same:
            similar[np.arange(len(rows)), rows.numpy()] = similar[0, 0] if rows[0] else similar[-1, 0]
        low, high = min(low, float(similar.min())), max(high, float(similar.max()))
    room = max((high - low) * 1e-9, 1e-12)
    return -np.linspace(low - room, high + room, _BINS + 1)


def _settled(bins: NDArray[np.int64], similar: NDArray[np.float64], rising: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins that hold their edges exactly, where the division has rounded over one."""
    bins -= similar < rising[bins]
    np.clip(bins, 0, _BINS - 1, out=bins)
    bins += (similar >= rising[np.minimum(bins + 1, _BINS)]) & (bins < _BINS - 1)
    return bins


def _similar(left: Tensor, right: Tensor, each: int, distance: str) -> NDArray[np.float64]:
    """Similarities of items to what they are compared with, the nearest of ``each``: minus the distance."""
    if distance == "cosine":
        found = (left @ right.T).clamp_(-1, 1) - 1
    else:
        found = -torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")
    return found.view(len(found), -1, each).amax(dim=2).numpy() if each > 1 else found.numpy()


def _rates(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """False accepts and false rejects with each edge as threshold, [bins + 1]; None where one kind is missing."""
    genuine, impostors = (int(one.sum()) for one in counts)
    if not genuine or not impostors:
        return None
    above = np.concatenate([np.cumsum(counts[:, ::-1], axis=1)[:, ::-1], np.zeros((2, 1), dtype=np.int64)], axis=1)
    return above[1] / impostors, 1 - above[0] / genuine


def _place(counts: NDArray[np.int64], far: float | None) -> int | None:
    """The edge that is the threshold: where the errors are nearest to equal, or the lowest similarity that keeps a rate; None without."""
    rates = _rates(counts)
    if rates is None:
        return None
    accepted, rejected = rates
    if far is None:
        apart = np.abs(accepted - rejected)
        # Where nothing lies between genuine pairs and impostors, many thresholds do equally well: the middle one.
        best = np.flatnonzero(apart == apart.min())
        return int(best[len(best) // 2])
    return int(np.flatnonzero(accepted <= far)[0])


def _expected(counts: _Counts, far: float | None) -> tuple[float | None, float | None]:
    """False accepts and false rejects within each fold and between each two, at the threshold of what neither has a part in."""
    wrong = np.zeros(2, dtype=np.int64)
    asked = np.zeros(2, dtype=np.int64)
    for one, other in itertools.combinations_with_replacement(range(counts.inside.shape[1]), 2):
        own = counts.inside[:, one] if one == other else _between(counts, one, other)
        others = counts.touching[:, one] if one == other else counts.touching[:, one] + counts.touching[:, other] - own
        place = _place(counts.total - others, far)
        if place is None:
            continue
        wrong += np.array([own[0, :place].sum(), own[1, place:].sum()])
        asked += own.sum(axis=1)
    rejects, accepts = (None if not n else float(w / n) for w, n in zip(wrong, asked, strict=True))
    return accepts, rejects


def _between(counts: _Counts, one: int, other: int) -> NDArray[np.int64]:
    if counts.between is None:
        raise MetricError("comparisons between folds were not counted")
    return counts.between[:, one, other] + counts.between[:, other, one]


def point_for(points: Sequence[OperatingPoint], at: str, references: int) -> OperatingPoint | None:
    """The point for so many references: that of as many, or of the next larger number, whose threshold is lower; else of the largest."""
    known = sorted((one for one in points if one.at == at), key=lambda one: one.references)
    return next((one for one in known if one.references >= references), known[-1] if known else None)

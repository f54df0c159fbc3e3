"""Classes of items of which pairs alone are known: what is joined by pairs that are the same is one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siambench.interfaces import OfficialPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Joined:
    """Pairs, and the classes that follow from them.

    Args:
        labels: of the items, int64 [N], numbered in order of each class's first item.
        pairs: that agree with them, without those of an item with itself.
        kept: places of those pairs among the given ones, int64 [P].
        notes: on those that were left out.
    """

    labels: NDArray[np.int64]
    pairs: OfficialPairs
    kept: NDArray[np.int64]
    notes: tuple[str, ...]


def joined(pairs: OfficialPairs, items: int) -> Joined:
    """Join what is the same, and leave out pairs that then contradict: impostors in one class, and an item with itself."""
    above = np.arange(items)

    def root(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = int(above[place])
        return place

    for one, other in zip(pairs.left[pairs.same], pairs.right[pairs.same], strict=True):
        first, second = sorted((root(int(one)), root(int(other))))
        above[second] = first
    # The smallest place of a class is its root, so that numbers follow the order of the items.
    _, labels = np.unique([root(place) for place in range(items)], return_inverse=True)
    labels = labels.astype(np.int64)
    itself = pairs.left == pairs.right
    contradict = ~pairs.same & ~itself & (labels[pairs.left] == labels[pairs.right])
    kept = np.flatnonzero(~itself & ~contradict)
    notes = []
    if itself.any():
        notes.append(f"{int(itself.sum())} pairs of an item with itself are left out")
    if contradict.any():
        notes.append(f"{int(contradict.sum())} pairs that are not the same are left out, since others join their items")
    found = OfficialPairs(
        left=pairs.left[kept],
        right=pairs.right[kept],
        same=pairs.same[kept],
        fold=pairs.fold[kept],
        score=None if pairs.score is None else pairs.score[kept],
    )
    return Joined(labels, found, kept, tuple(notes))


def folds_in_order(number: int, folds: int) -> NDArray[np.int64]:
    """The fold of each of so many pairs, cut in their order into runs of nearly equal length, int64 [number]."""
    return np.repeat(np.arange(folds), [len(run) for run in np.array_split(np.arange(number), folds)]).astype(np.int64)

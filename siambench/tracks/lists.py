"""Lists of pairs and triplets to train on: read from a file, and what of them a unit may train on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from siambench.data.files import read_regular
from siambench.data.names import as_text
from siambench.errors import DataError, MetricError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset
    from siambench.spec import ListFeed

LARGEST = 1 << 30
"""Bytes that a list may hold."""


@dataclass(frozen=True)
class Rows:
    """Rows of a list, by the indices of their items.

    Args:
        items: of pairs left and right, int64 [R, 2]; of triplets anchor, positive and negative, int64 [R, 3].
        same: of pairs whether they count as one class: same = 1, bool [R]; None of triplets.
    """

    items: NDArray[np.int64]
    same: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def branches(self) -> int:
        """Items of a row: 2 of pairs, 3 of triplets."""
        return int(self.items.shape[1])

    def within(self, indices: NDArray[np.int64]) -> Self:
        """Those rows all of whose items are among some, by the position of these.

        Args:
            indices: of the items, int64 [N], each once.
        """
        places = np.full(max(int(self.items.max(initial=-1)), int(indices.max(initial=-1))) + 1, -1, dtype=np.int64)
        places[indices] = np.arange(len(indices), dtype=np.int64)
        found = places[self.items]
        kept = (found >= 0).all(axis=1)
        return dataclasses.replace(self, items=found[kept], same=None if self.same is None else self.same[kept])

    def naming(self, indices: NDArray[np.int64]) -> int:
        """How many rows name any of some items."""
        return int(np.isin(self.items, indices).any(axis=1).sum())

    def turned(self, items: int) -> Self:
        """The rows, and each three times more, of items that are numbered on from the first ``items``, all of a row turned alike."""
        same = None if self.same is None else np.tile(self.same, 4)
        return dataclasses.replace(self, items=np.concatenate([self.items + quarter * items for quarter in range(4)]), same=same)


def read_rows(path: Path, feed: ListFeed, dataset: Dataset) -> Rows:
    """The rows of a list, by the indices of a data set's items.

    Items are called by the names that the data set gives them, with suffix or without, or by their index, from 0. A byte that is no
    UTF-8 is spelt out, as it is in the names of items. Whether the classes of a row's items are the same is not looked at.

    Args:
        path: of a table with commas, and of pairs also of a list of LFW's form; see `siambench.metrics.parse_pairs` and
            `siambench.metrics.parse_triplets`.
        feed: what its rows are.
        dataset: the whole of it.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it does not hold, names an item that is not there, or one item twice in a row.
    """
    from siambench.metrics import parse_pairs, parse_triplets
    from siambench.metrics.named_items import places_in

    content = read_regular(path, most=LARGEST)
    if b"\0" in content:
        raise DataError(f"{as_text(path)} holds bytes 0 and is no text: save it as a table with commas, in UTF-8")
    text = content.decode("utf-8-sig", "backslashreplace")
    names = dataset.item_names
    own = [str(index) for index in range(len(dataset.labels))] if names is None else names
    try:
        if feed == "pairs":
            pairs = parse_pairs(text)
            columns: tuple[tuple[str, ...], ...] = (pairs.left, pairs.right)
            same = np.array(pairs.same)
        else:
            triplets = parse_triplets(text)
            columns, same = (triplets.anchor, triplets.positive, triplets.negative), None
        rows = Rows(np.array(places_in(columns, own, rows=feed), dtype=np.int64).T, same)
    except MetricError as error:
        raise DataError(f"{as_text(path)}: {error}") from error
    ordered = np.sort(rows.items, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1).nonzero()[0]
    if len(twice):
        first = int(twice[0])
        told = ", ".join(repr(column[first]) for column in columns)
        raise DataError(f"{as_text(path)}: {len(twice)} of {len(rows)} {feed} name an item twice, the first: row {first + 1}, {told}")
    return rows


def fault_of(rows: Rows, part: str, items: int) -> str | None:
    """Why nothing can be learnt from what a part keeps of a list, or None.

    Args:
        rows: what it keeps.
        part: what it is called: ``"fold 0"``.
        items: how many items are trained on there.
    """
    if not len(rows):
        return f"{part} trains on {items} items, and no row is of those alone"
    if rows.same is not None and (rows.same.all() or not rows.same.any()):
        kind, other = ("genuine", "impostor") if rows.same.all() else ("impostor", "genuine")
        return f"{part} trains on {items} items, and of the pairs that are of those alone each is {kind} and none {other}"
    return None

"""Lists of pairs or triplets that methods are fed from: found, read, and what each part of a split keeps of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench.data.files import read_regular
from siambench.data.locate import find
from siambench.data.names import as_path, as_text
from siambench.errors import DataError
from siambench.spec import LIST_FEEDS, FeedList, feed_asked
from siambench.tracks.lists import LARGEST, Rows, fault_of, read_rows
from siambench.tracks.rules import MethodRules
from siambench.tracks.split import Split
from siambench.wording import enumerated

if TYPE_CHECKING:
    from siambench.interfaces import Dataset


@dataclass(frozen=True)
class ListKept:
    """What the parts of a split keep of a list: the rows that are of their training items alone.

    Args:
        feed: the list, as methods know it.
        file: its name.
        rows: that it has.
        final: that final models train on.
        folds: that trials train on, fold by fold.
        test: that name an item of the test part, which nothing trains on.
    """

    feed: FeedList
    file: str
    rows: int
    final: int
    folds: tuple[int, ...]
    test: int

    def __str__(self) -> str:
        folds = enumerated([str(fold) for fold in self.folds])
        test = f"; {self.test} name an item of the test part and are left out" if self.test else ""
        return f"{self.feed} ({self.file}): {self.rows} rows, of which final models train on {self.final} and the folds on {folds}{test}"

    def to_json(self) -> dict[str, Any]:
        """Its part of the document of ``run --plan --json``."""
        counts = {"rows": self.rows, "final": self.final, "folds": list(self.folds), "test": self.test}
        return {"feed": self.feed.feed, "digest": self.feed.digest, "file": self.file, **counts}


def lists_of(rules: Iterable[MethodRules], *, beside: Path | None) -> dict[str, tuple[FeedList, Path]]:
    """The lists that methods name, by what they are asked for as: ``triplets=mined.csv``.

    Args:
        rules: of the methods.
        beside: the folder of the comparison's file, where a list may lie too; None: there is none.

    Raises:
        DataMissingError: if a list is nowhere.
        DataError: if it is no file, or cannot be read.
    """
    found = {}
    for rule in rules:
        feed, path = feed_asked(rule.feed)
        if path is not None and feed in LIST_FEEDS:
            place = own_file(path, beside=beside)
            found[rule.feed] = FeedList(feed, hashlib.sha256(read_regular(place, most=LARGEST)).hexdigest()), place
    return found


def own_file(path: str, *, beside: Path | None) -> Path:
    """A file that a method names: as its path is given, beside the comparison, or below `SIAMBENCH_DATA`.

    Raises:
        DataMissingError: if it is nowhere.
        DataError: if a place where it might be cannot be looked at.
    """
    try:
        given = as_path(path)
        # What is there but is no file is told by whoever opens it.
        return given.resolve() if given.exists() else find(str(given), beside=beside)
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, a folder that may not be looked into, a home of nobody
        raise DataError(f"{path[:200]!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def kept_of(lists: Mapping[str, tuple[FeedList, Path]], dataset: Dataset, split: Split) -> tuple[ListKept, ...]:
    """What final models and the trials of each fold keep of those lists, each list once.

    Raises:
        DataError: if a list does not hold, names an item that the data set does not have, or leaves some part nothing to learn from.
    """
    by_place = {feed.place: (feed, path) for feed, path in lists.values()}
    return tuple(_kept(feed, path, dataset, split) for feed, path in by_place.values())


def _kept(feed: FeedList, path: Path, dataset: Dataset, split: Split) -> ListKept:
    rows = read_rows(path, feed.feed, dataset)
    final = rows.within(split.trainval)
    folds = [rows.within(training) for training, _ in split.folds]
    test = rows.naming(split.test)
    parts: list[tuple[Rows, str, int]] = [(final, "the training part", len(split.trainval))]
    parts += [(one, f"fold {fold}", len(split.folds[fold][0])) for fold, one in enumerate(folds)]
    for one, part, items in parts:
        fault = fault_of(one, part, items)
        if fault is not None:
            told = f"; {test} of its {len(rows)} rows name an item of the test part" if test else f"; it has {len(rows)} rows"
            raise DataError(f"{as_text(path)} cannot be trained on: {fault}{told}")
    return ListKept(feed, as_text(path.name), len(rows), len(final), tuple(map(len, folds)), test)

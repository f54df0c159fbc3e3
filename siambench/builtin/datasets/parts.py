"""The official split that files bring: by folders that are called train, val and test, or by a column that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PART_OF_NAME: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "query": "query",
    "gallery": "gallery",
}
"""What people call the parts of a split, in lower case."""


def parts_of(names: Sequence[str], classes: Sequence[str]) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    """The parts of an official split, as `siambench.interfaces.Dataset` has them, and what there is to say of them.

    What is there for validation is trained on: folds are cut by the exam's rules.

    Args:
        names: the part of each item, of those that `PART_OF_NAME` gives; empty: there is no split.
        classes: the class of each item.

    Raises:
        DataError: for parts that make no split.
    """
    if not names:
        return {}, []
    there = set(names)
    told = ", ".join(name for name in ("train", "val", "test", "query", "gallery") if name in there)
    if "train" not in there or not there & {"val", "test", "gallery"} or ("query" in there) != ("gallery" in there):
        raise DataError(f"a split has train beside test, val, or query and gallery; got {told}")
    chosen = np.array(names)
    if "gallery" in there:
        if "test" in there:
            raise DataError(f"a split has test, or query and gallery, not both; got {told}")
        parts = {name: np.flatnonzero(chosen == name) for name in ("query", "gallery")}
    else:
        parts = {"test": np.flatnonzero(chosen == ("test" if "test" in there else "val"))}
    tested = np.isin(np.arange(len(chosen)), np.concatenate(list(parts.values())))
    parts["trainval"] = np.flatnonzero(~tested)
    notes = [f"parts {told}: the official split" + ("" if there - {"train", "val"} else ", in which val is the test")]
    shared = sorted(set(np.array(classes)[tested].tolist()) & set(np.array(classes)[~tested].tolist()))
    if shared:
        notes.append(f"{len(shared)} classes are on both sides of it ({shared[0]}), which the split rule closed-set alone allows")
    return parts, notes


def one_per_class(values: Sequence[str], class_of_item: Sequence[str], classes: Sequence[str], what: str) -> list[str]:
    """A fact about each class that is given per item.

    Args:
        values: one per item.
        class_of_item: name of the class of each item.
        classes: names of all classes, in the order in which the facts are wanted.
        what: what the values are, for people.

    Raises:
        DataError: if the items of one class differ.
    """
    found: dict[str, str] = {}
    for value, name in zip(values, class_of_item, strict=True):
        if found.setdefault(name, value) != value:
            raise DataError(f"{what} must be the same for all items of a class, class {name!r} has {found[name]!r} and {value!r}")
    return [found[name] for name in classes]

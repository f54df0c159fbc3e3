"""Whether the sides of a data set go together; what each of them holds is looked at as that of a data set of its form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from siambench.errors import DataError
from siambench.interfaces import LARGEST_VOCABULARY, Side, joined_read, joined_shape
from siambench.spec import FORMS, SIDES

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

_ONE_SIDED = ("pairs", "episodes")


def comparable(dataset: Dataset) -> bool:
    """Whether raw items can be compared: those of one side always, both sides where they are of one form, shape and vocabulary."""
    return len({(side.form, tuple(side.shape), side.vocabulary) for side in dataset.sides}) < 2


def with_checked_sides(dataset: Dataset, called: str, look: Callable[[Side, str], Side]) -> Dataset:
    """The same data set, whose sides are looked at whenever they are read.

    Args:
        dataset: that says it has two sides.
        called: what errors call it.
        look: looks at one side, given it and what errors call it, and gives the side that does so at each read.

    Raises:
        DataError: if it has not two sides, they have no names of their own, or it has what only items of one side have.
    """
    given: Any = dataset.sides
    if dataset.form != SIDES:
        raise DataError(f"{called} has sides and says that its items are {dataset.form!r}: make it by Dataset.of_sides")
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(isinstance(side, Side) for side in given):
        got = f"{len(given)}" if isinstance(given, tuple | list) else type(given).__name__
        raise DataError(f"{called} must have two sides, each a siambench.interfaces.Side, got {got}")
    for side in given:
        _check(side, called)
    if given[0].name == given[1].name:
        raise DataError(f"{called}: its sides must have names of their own, got {given[0].name!r} twice")
    others = [name for name in _ONE_SIDED if getattr(dataset, name)]
    others += [f"the part {part!r}" for part in ("query", "gallery", "trainval-gallery") if part in dataset.parts]
    if others:
        raise DataError(
            f"{called} has two sides and brings {others[0]}: the first sides ask, and the second are what they are compared with"
        )
    sides = tuple(look(side, f"the {side.name} of {called}") for side in given)
    notes = list(dataset.notes)
    if not comparable(dataset):
        notes.append(f"no baseline raw: {given[0].name} and {given[1].name} have no coordinates in common")
    return dataclasses.replace(dataset, sides=sides, read=joined_read(sides), shape=joined_shape(sides), notes=notes)


def _check(side: Side, called: str) -> None:
    if not isinstance(side.name, str) or not side.name.strip():
        raise DataError(f"{called}: a side must have a name, got {side.name!r}")
    if side.form not in FORMS:
        raise DataError(f"{called} says that its side {side.name!r} is {side.form!r}; a side is {', '.join(FORMS)}")
    if side.form == "tokens" and isinstance(side.vocabulary, int) and side.vocabulary > LARGEST_VOCABULARY:
        raise DataError(
            f"{called}: the vocabulary of its side {side.name!r} must be at most {LARGEST_VOCABULARY:,}, got {side.vocabulary:,}"
        )

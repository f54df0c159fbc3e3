"""Which test items pictures show: by the names of items and classes alone, in an order that no generator draws.

Classes and items are taken in the order of the SHA-256 of their names, which is as good as drawn and the same for every method. Where
an attribute groups the classes, its groups take turns. For a map classes are taken whole, but for items beyond 25 of one, until there are
12 classes and 180 items, at most 240 items; for queries one item each of the first 10 classes that have a query with an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.tracks.parts import Items

MOST_ON_MAP = 240
MOST_OF_CLASS = 25
ENOUGH_CLASSES = 12
ENOUGH_ITEMS = 180
QUERIES = 10
NEIGHBOURS = 5

LONGEST_NAME = 40
"""Characters of a name that are kept; of a longer one the end, which tells files of one folder apart."""


def attribute_of(attributes: Mapping[str, Sequence[str]]) -> str | None:
    """The attribute that groups the classes of a part into most groups, of those that group them at all; else the first that there is.

    Args:
        attributes: by name the value of each class.
    """
    grouping = {name: len(set(values)) for name, values in attributes.items() if 1 < len(set(values)) < len(values)}
    if grouping:
        return max(sorted(grouping), key=grouping.__getitem__)
    return next((name for name in sorted(attributes) if len(set(attributes[name])) > 1), None)


def short(name: str) -> str:
    """A name as it is shown."""
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]


def _place(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, eq=False)
class Order:
    """The order in which classes and items are taken.

    Args:
        labels: of the items, int64 [N].
        classes: their numbers, as they are taken.
        names: of the items.
    """

    labels: NDArray[np.int64]
    classes: Sequence[int]
    names: Sequence[str]

    @classmethod
    def of(cls, items: Items, attribute: str | None) -> Order:
        """That of the items of a part."""
        own = items.dataset.item_names
        names = [str(index) if own is None else own[index] for index in items.indices.tolist()]
        values = None if attribute is None else items.class_attributes[attribute]
        return cls(items.labels, _classes(items.class_names, values), names)

    def of_class(self, label: int, among: NDArray[np.bool_] | None = None) -> list[int]:
        """Positions of the items of a class, of those that are marked, as they are taken."""
        found = np.flatnonzero(self.labels == label if among is None else (self.labels == label) & among)
        return sorted(found.tolist(), key=lambda position: (_place(self.names[position]), position))


def _classes(names: Sequence[str], groups: Sequence[str] | None) -> list[int]:
    order = sorted(range(len(names)), key=lambda number: (_place(names[number]), number))
    if groups is None:
        return order
    turn: dict[str, int] = {}
    turns = {}
    for number in order:
        turns[number] = turn[groups[number]] = turn.get(groups[number], -1) + 1
    return sorted(order, key=lambda number: (turns[number], _place(groups[number])))


def on_map(order: Order) -> list[int]:
    """Positions of the items that a map shows, class by class."""
    found: list[int] = []
    for place, label in enumerate(order.classes):
        if len(found) >= MOST_ON_MAP or (place >= ENOUGH_CLASSES and len(found) >= ENOUGH_ITEMS):
            break
        found += order.of_class(label)[:MOST_OF_CLASS]
    return found[:MOST_ON_MAP]


def asking(order: Order, answerable: NDArray[np.bool_]) -> list[int]:
    """Positions of the queries whose neighbours are shown, of the items that are marked."""
    found: list[int] = []
    for label in order.classes:
        found += order.of_class(label, answerable)[:1]
        if len(found) == QUERIES:
            break
    return found

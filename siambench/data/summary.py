"""What a data set holds, in one line for people: said before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.spec import Form

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

_NAMED = 3
_ITEMS: Mapping[Form, tuple[str, str]] = {
    "images": ("image", "images"),
    "arrays": ("array", "arrays"),
    "tokens": ("text", "texts"),
    "sides": ("item", "items"),
}


@dataclass(frozen=True)
class Summary:
    """What a data set holds.

    Args:
        form: of its items.
        classes: how many there are.
        items: how many there are.
        least: items of the smallest class.
        most: items of the largest class.
        first: names of the first classes, up to three.
        notes: what its loader has to say: what it passed over, and why.
        sides: names of the two sides of its items; none where they have one.
    """

    form: Form
    classes: int
    items: int
    least: int
    most: int
    first: tuple[str, ...]
    notes: tuple[str, ...]
    sides: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``40 classes, 400 images, 10 to 10 a class, first class s1; passed over: 1 file (README)``."""
        classes = f"{self.classes} class{'' if self.classes == 1 else 'es'}"
        items = f"{self.items} {_ITEMS[self.form][self.items != 1]}"
        items += f" of two sides, {' and '.join(self.sides)}" if self.sides else ""
        said = f"{classes}, {items}, {self.least} to {self.most} a class, first class {self.first[0]}"
        return "; ".join([said, *self.notes])

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "form": self.form,
            "classes": self.classes,
            "items": self.items,
            "least": self.least,
            "most": self.most,
            "first_classes": list(self.first),
            "notes": list(self.notes),
            **({"sides": list(self.sides)} if self.sides else {}),
        }


def summary(dataset: Dataset) -> Summary:
    """Look over a data set that is not empty."""
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    there = np.flatnonzero(counts)
    return Summary(
        form=dataset.form,
        classes=len(there),
        items=len(dataset.labels),
        least=int(counts[there].min()),
        most=int(counts[there].max()),
        first=tuple(str(dataset.class_names[c]) for c in there[:_NAMED]),
        notes=tuple(str(note) for note in dataset.notes),
        sides=tuple(side.name for side in dataset.sides),
    )

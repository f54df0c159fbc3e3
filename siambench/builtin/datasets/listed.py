"""What loaders of images that a list names have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from siambench.data.collection import check_image_options, read_images
from siambench.data.names import as_text
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Shown:
    """How images are read.

    Args:
        name: of the data set.
        size: edge in pixels.
        mode: ``"auto"``, ``"grey"`` or ``"rgb"``.
        resize: what the shorter edge is brought to before the middle is cut out; 0: images are squeezed to a square of ``size``.
    """

    name: str
    size: int
    mode: str = "rgb"
    resize: int = 0

    def __post_init__(self) -> None:
        check_image_options(self.size, self.mode, called=self.name, resize=self.resize)


@dataclass(frozen=True)
class Items:
    """What lists say of the images of a data set.

    Args:
        files: N of them.
        names: of the items, N.
        class_of: name of the class of each, N.
        classes: all of them, in order.
        parts: of an official split.
        attributes: of the classes.
        notes: for people.
    """

    files: Sequence[Path]
    names: Sequence[str]
    class_of: Sequence[str]
    classes: Sequence[str]
    parts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def of_images(items: Items, root: Path, shown: Shown) -> Dataset:
    """The data set, of each image a square of ``shown.size``: uint8 [N, 1 or 3, size, size].

    Raises:
        DataError: if an image cannot be read, naming the file.
    """
    number = {name: index for index, name in enumerate(items.classes)}
    collection = read_images(items.files, size=shown.size, mode=shown.mode, root=root, resize=shown.resize)
    return Dataset(
        labels=np.array([number[name] for name in items.class_of], dtype=np.int64),
        read=lambda indices: np.asarray(collection.images[indices]),
        shape=cast("tuple[int, int, int]", collection.images.shape[1:]),
        digests=collection.digests,
        class_names=[as_text(name) for name in items.classes],
        class_attributes=items.attributes,
        item_names=[as_text(name) for name in items.names],
        parts=items.parts,
        colour="as in the files",
        notes=(*items.notes, *collection.notes),
        whole=collection.whole,
    )


def parts_by(is_test: Sequence[bool]) -> dict[str, NDArray[np.int64]]:
    """The parts trainval and test, from whether each item is of the test."""
    tested = np.array(is_test, dtype=bool)
    return {"trainval": np.flatnonzero(~tested), "test": np.flatnonzero(tested)}

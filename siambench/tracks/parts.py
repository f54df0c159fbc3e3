"""What a unit may see: parts of a data set, and the test part only where it is a final one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from siambench.errors import DataError, LostError, WithheldError, text_of
from siambench.tracks.split import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset
    from siambench.tracks.lists import Rows


@dataclass(frozen=True)
class Items:
    """A part of a data set as training and evaluation see it.

    Args:
        dataset: where the items are read from.
        indices: which of its items, int64 [N].
        labels: their classes, renumbered 0 … K - 1 in order of the data set's, int64 [N].
        class_names: one per class.
        groups: number of the group of each item (the attribute that the track's folds follow), int64 [N]; None without one.
        is_gallery: which items queries are compared with, bool [N]; None: all with all.
        rows: of a list, by the positions of their items in this part: what is trained on, where a file says it; None without one.
    """

    dataset: Dataset
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    groups: NDArray[np.int64] | None = None
    is_gallery: NDArray[np.bool_] | None = None
    rows: Rows | None = None

    @property
    def class_attributes(self) -> dict[str, tuple[str, ...]]:
        """What groups the classes, such as their script: by attribute the value of each class, K values."""
        classes = np.unique(self.dataset.labels[self.indices])
        return {name: tuple(str(values[number]) for number in classes) for name, values in self.dataset.class_attributes.items()}

    def read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Items by their position in this part, in the form of the data set.

        Raises:
            LostError: if they cannot be read any more, or are not what the data set promises: that is no method's result.
        """
        try:
            return self.dataset.read(self.indices[positions])
        except (OSError, DataError, LostError) as error:
            what = "items" if self.dataset.sides else self.dataset.form
            raise LostError(f"the {what} cannot be read: {text_of(error)}") from error

    def read_whole(self, position: int) -> NDArray[np.uint8]:
        """One image by its position in this part, before it is cut: uint8 [C, h, w]; of a data set that cuts nothing what `read` gives.

        Raises:
            LostError: as `read` does.
        """
        if self.dataset.whole is None:
            found: NDArray[np.uint8] = self.read(np.array([position]))[0]
            return found
        try:
            return self.dataset.whole(int(self.indices[position]))
        except (OSError, DataError, LostError) as error:
            raise LostError(f"the {self.dataset.form} cannot be read: {text_of(error)}") from error

    def __len__(self) -> int:
        return len(self.indices)


def unlabelled(items: Items) -> Items:
    """The same items, each a class of its own: what is fed views may not know which items share a class."""
    numbers = np.arange(len(items), dtype=np.int64)
    # Its own data set, too, is without classes: nothing that is handed on leads back to them.
    dataset = dataclasses.replace(
        items.dataset,
        labels=np.arange(len(items.dataset.labels), dtype=np.int64),
        class_names=_numbers(len(items.dataset.labels)),
        class_attributes={},
        parts={},
        item_names=None,
        episodes={},
    )
    return Items(dataset, items.indices, numbers, _numbers(len(items)))


def _numbers(count: int) -> list[str]:
    return [str(place) for place in range(count)]


def check_turned(dataset: Dataset) -> None:
    """Raise `DataError` for items that cannot be turned by 90°: they are no images, or not square."""
    if dataset.form != "images":
        what = "of two sides" if dataset.sides else dataset.form
        raise DataError(f"training.rotate_classes turns images; the data set's items are {what}")
    if dataset.shape[1] != dataset.shape[2]:
        raise DataError(f"training.rotate_classes needs square images, got {dataset.shape[1]} × {dataset.shape[2]}")


def turned(items: Items) -> Items:
    """Four times the classes: each as it is, and turned by 90°, 180° and 270°.

    Raises:
        DataError: if the items are no images, or not square.

    Source:
        Santoro, Bartunov, Botvinick, Wierstra, Lillicrap, Meta-Learning with Memory-Augmented Neural Networks, ICML 2016.
    """
    dataset, size, classes = items.dataset, len(items.dataset.labels), len(items.class_names)
    check_turned(dataset)

    def read(indices: NDArray[np.int64]) -> NDArray[Any]:
        images = np.array(dataset.read(indices % size))
        for quarter in range(1, 4):
            chosen = indices // size == quarter
            images[chosen] = np.rot90(images[chosen], quarter, axes=(2, 3))
        return images

    uncut = dataset.whole

    def one(index: int) -> NDArray[np.uint8]:
        assert uncut is not None
        return np.rot90(uncut(index % size), index // size, axes=(1, 2))

    whole = dataclasses.replace(
        dataset,
        labels=np.concatenate([dataset.labels + quarter * len(dataset.class_names) for quarter in range(4)]),
        read=read,
        whole=None if uncut is None else one,
        class_names=[f"{name} {90 * quarter}°" for quarter in range(4) for name in dataset.class_names],
        class_attributes={},
        parts={},
        digests=None,
        item_names=None,
    )
    return Items(
        whole,
        np.concatenate([items.indices + quarter * size for quarter in range(4)]),
        np.concatenate([items.labels + quarter * classes for quarter in range(4)]),
        [f"{name} {90 * quarter}°" for quarter in range(4) for name in items.class_names],
        rows=None if items.rows is None else items.rows.turned(len(items)),
    )


class Parts:
    """Hands a unit the parts it may see. A guard against accidents, not against malice.

    A tune unit gets a data set that refuses to read any item of the test part and has no official episodes.

    Args:
        dataset: the whole data set.
        split: how it is cut.
        kind: of the unit.
        fold: of a tune unit; None for a final one.
        group: the class attribute that the folds follow, or None.
        opened: called before the first test item is handed out, to log the opening.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        *,
        kind: Literal["tune", "final"],
        fold: int | None,
        opened: Callable[[], None],
        group: str | None = None,
    ) -> None:
        self._dataset = dataset if kind == "final" else _without(dataset, split.test)
        self._split = split
        self._kind = kind
        self._fold = fold
        self._opened = opened
        self._group = group

    def training(self) -> Items:
        """A tune unit's fold without its validation classes; all of trainval for a final unit."""
        if self._kind == "final":
            return self._items(self._split.trainval)
        return self._items(self._split.folds[self._fold or 0][0])

    def fold_training(self, fold: int) -> Items:
        """What one of the fold-models of the Reality Check's protocol trains on: trainval without that fold's validation classes.

        Raises:
            WithheldError: for a tune unit, which has a fold of its own.
        """
        if self._kind != "final":
            raise WithheldError("a tune unit trains on its own fold")
        return self._items(self._split.folds[fold][0])

    @property
    def folds(self) -> int:
        """How many folds the split has."""
        return len(self._split.folds)

    def validation(self) -> Items:
        """The held-out classes of a tune unit's fold, in query and gallery where the split parts trainval as it parts the test.

        Raises:
            WithheldError: for a final unit, which trains on them.
        """
        if self._kind == "final":
            raise WithheldError("a final unit has no validation part: it trains on all of trainval")
        fold = self._fold or 0
        return _parted(self._items(self._split.folds[fold][1]), None if self._split.galleries is None else self._split.galleries[fold])

    def test(self) -> Items:
        """The test part, its opening logged.

        Raises:
            WithheldError: for a tune unit.
        """
        if self._kind != "final":
            raise WithheldError("a tune unit asked for the test part, which is withheld from it")
        self._opened()
        return _parted(self._items(self._split.test), self._split.gallery)

    def _items(self, indices: NDArray[np.int64]) -> Items:
        classes, labels = np.unique(self._dataset.labels[indices], return_inverse=True)
        names = [str(self._dataset.class_names[c]) for c in classes]
        groups = None
        if self._group is not None and self._group in self._dataset.class_attributes:
            attribute = self._dataset.class_attributes[self._group]
            _, number = np.unique([attribute[c] for c in classes], return_inverse=True)
            groups = number.astype(np.int64)[labels]
        return Items(self._dataset, indices, labels.astype(np.int64), names, groups)


def _parted(items: Items, gallery: NDArray[np.int64] | None) -> Items:
    return items if gallery is None else dataclasses.replace(items, is_gallery=np.isin(items.indices, gallery))


def _without(dataset: Dataset, withheld: NDArray[np.int64]) -> Dataset:
    hidden = np.zeros(len(dataset.labels), dtype=bool)
    hidden[withheld] = True

    def guarded(own: Callable[[NDArray[np.int64]], NDArray[Any]]) -> Callable[[NDArray[np.int64]], NDArray[Any]]:
        def read(indices: NDArray[np.int64]) -> NDArray[Any]:
            if hidden[indices].any():
                raise WithheldError("a tune unit tried to read a test item, which is withheld from it")
            return own(indices)

        return read

    uncut = dataset.whole

    def one(index: int) -> NDArray[np.uint8]:
        if hidden[index]:
            raise WithheldError("a tune unit tried to read a test item, which is withheld from it")
        assert uncut is not None
        return uncut(index)

    whole = None if uncut is None else one

    sides = tuple(dataclasses.replace(side, read=guarded(side.read)) for side in dataset.sides)
    return dataclasses.replace(
        dataset, read=guarded(dataset.read), whole=whole, sides=sides, episodes={}, parts={}, digests=None, item_names=None
    )

"""Who may see what: named split rules, folds, fingerprints, guards against leakage, custody of the test set."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from siambench.errors import ConfigError, CustodyError, DataError, LeakageError, LostError, suggestion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset

RULES = ("official", "class-halves", "class-fraction", "by-group")
_LEAST_CLASSES = 2


@dataclass(frozen=True)
class Split:
    """A data set cut for one exam; all indices are sorted int64.

    Args:
        trainval: what the final models train on.
        test: what only they are evaluated on.
        folds: (training, validation) cuts of ``trainval``, disjoint by class.
        fingerprint: SHA-256 over contents, classes and parts, 64 hexadecimal digits.
    """

    trainval: NDArray[np.int64]
    test: NDArray[np.int64]
    folds: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    fingerprint: str


@dataclass(frozen=True)
class Items:
    """A part of a data set as training and evaluation see it.

    Args:
        dataset: where the images are read from.
        indices: which of its items, int64 [N].
        labels: their classes, renumbered 0 … K - 1 in order of the data set's, int64 [N].
        class_names: one per class.
    """

    dataset: Dataset
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: Sequence[str]

    def read(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images by their position in this part, uint8 [B, C, H, W].

        Raises:
            LostError: if a file cannot be read any more: that is no method's result.
        """
        try:
            return self.dataset.read(self.indices[positions])
        except OSError as error:
            raise LostError(f"the images cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self.indices)


def digests(dataset: Dataset) -> list[bytes]:
    """SHA-256 of the content of each image."""
    if dataset.digests is not None:
        return list(dataset.digests)
    return list(_pixel_digests(dataset))


def _pixel_digests(dataset: Dataset, block: int = 4096) -> Iterator[bytes]:
    for start in range(0, len(dataset.labels), block):
        images = dataset.read(np.arange(start, min(start + block, len(dataset.labels))))
        for image in images:
            yield hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()


def cut(dataset: Dataset, rules: Mapping[str, Any]) -> Split:
    """Cut a data set by a track's rules.

    Args:
        dataset: what to cut.
        rules: ``rule`` (one of `RULES`), ``folds`` (at least 2), ``group`` (the class attribute that ``by-group`` and the
            folds follow, or None: folds follow the order of the classes), ``test_fraction`` (for ``class-fraction``
            and ``by-group``), ``acknowledged_duplicates`` (how many test images may occur in trainval).

    Raises:
        ConfigError: if the rule or the attribute does not exist.
        DataError: if classes or groups are too few.
        LeakageError: if a class or an image stands on both sides.
    """
    _check_consistency(dataset)
    trainval, test = _halves(dataset, rules)
    shared = np.intersect1d(dataset.labels[trainval], dataset.labels[test])
    if len(shared):
        names = ", ".join(str(dataset.class_names[c]) for c in shared[:3])
        raise LeakageError(f"{len(shared)} classes are in trainval and in test, among them {names}: an exam needs unseen classes")
    content = digests(dataset)
    acknowledged = int(rules.get("acknowledged_duplicates", 0))
    _check_duplicates(content, trainval, test, acknowledged, "in trainval and in test")
    folds = _folds(dataset, trainval, rules)
    for train, validation in folds:
        _check_duplicates(content, train, validation, acknowledged, "in the training and in the validation part of a fold")
    if len(np.unique(dataset.labels[test])) < _LEAST_CLASSES:
        raise DataError(f"the test part holds {len(np.unique(dataset.labels[test]))} class; retrieval needs at least two")
    if not _has_positive(dataset.labels[test]):
        raise DataError("no class of the test part has two images: there is nothing to retrieve")
    return Split(trainval, test, folds, _fingerprint(dataset, content, trainval, test, folds))


def _check_consistency(dataset: Dataset) -> None:
    classes = len(dataset.class_names)
    if len(dataset.labels) == 0:
        raise DataError("the data set is empty")
    if dataset.labels.dtype != np.int64 or dataset.labels.min() < 0 or dataset.labels.max() >= classes:
        raise DataError(
            f"labels must be int64 in 0 … {classes - 1}, got {dataset.labels.dtype} in {dataset.labels.min()} … {dataset.labels.max()}"
        )
    if len(set(dataset.class_names)) < classes:
        twice = next(name for name in dataset.class_names if list(dataset.class_names).count(name) > 1)
        raise DataError(f"class names must be distinct, got {twice!r} twice")
    if dataset.digests is not None and len(dataset.digests) != len(dataset.labels):
        raise DataError(f"the data set gives {len(dataset.digests)} digests for {len(dataset.labels)} images")
    for name, values in dataset.class_attributes.items():
        if len(values) != classes:
            raise DataError(f"class attribute {name!r} has {len(values)} values for {classes} classes")


def _halves(dataset: Dataset, rules: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rule, fraction = rules["rule"], float(rules.get("test_fraction", 0.5))
    classes = np.unique(dataset.labels)
    if rule == "official":
        if not {"trainval", "test"} <= set(dataset.parts):
            raise ConfigError("the data set has no official split: choose class-halves, class-fraction or by-group")
        return np.sort(dataset.parts["trainval"]), np.sort(dataset.parts["test"])
    if rule in ("class-halves", "class-fraction"):
        share = 0.5 if rule == "class-halves" else fraction
        border = round(len(classes) * (1 - share))
        if min(border, len(classes) - border) < _LEAST_CLASSES:
            raise DataError(
                f"{rule} of {len(classes)} classes leaves fewer than two on one side; an exam needs at least two to train and two to test"
            )
        test_classes = classes[border:]
    elif rule == "by-group":
        groups = _groups(dataset, rules, classes)
        test_groups: set[str] = set()
        size = 0
        for name, members in sorted(groups.items(), reverse=True):
            # The last groups in order of name become test, as the last classes do in class-halves.
            if size + len(members) <= len(classes) * fraction or not test_groups:
                test_groups.add(name)
                size += len(members)
        if len(test_groups) == len(groups):
            raise DataError(f"by-group needs at least two groups, got {len(groups)}")
        test_classes = np.sort(np.concatenate([groups[name] for name in test_groups]))
    else:
        raise ConfigError(f"unknown split rule {rule!r}{suggestion(rule, RULES)}; rules: {', '.join(RULES)}")
    is_test = np.isin(dataset.labels, test_classes)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _groups(dataset: Dataset, rules: Mapping[str, Any], classes: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    attribute = str(rules.get("group"))
    if attribute not in dataset.class_attributes:
        known = ", ".join(sorted(dataset.class_attributes)) or "none"
        raise ConfigError(f"the data set's classes have no attribute {attribute!r}; they have: {known}")
    values = dataset.class_attributes[attribute]
    names = sorted({values[c] for c in classes})
    return {name: np.array([c for c in classes if values[c] == name]) for name in names}


def _folds(
    dataset: Dataset, trainval: NDArray[np.int64], rules: Mapping[str, Any]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    number = int(rules["folds"])
    labels = dataset.labels[trainval]
    classes = np.unique(labels)
    if len(classes) < _LEAST_CLASSES * number:
        raise DataError(f"{number} folds need at least {_LEAST_CLASSES * number} training classes, two each; there are {len(classes)}")
    if rules.get("group") is None:
        parts = [list(part) for part in np.array_split(classes, number)]
    else:
        groups = _groups(dataset, rules, classes)
        if len(groups) < number:
            raise DataError(f"{number} folds by {rules['group']} need at least {number} groups; there are {len(groups)}")
        parts = [[] for _ in range(number)]
        # Largest group first, each to the emptiest fold: folds of nearly equal size whatever the groups.
        for _, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            min(parts, key=len).extend(members)
    folds = []
    for part in parts:
        held_out = np.isin(labels, part)
        if not _has_positive(labels[held_out]) or not _has_positive(labels[~held_out]):
            raise DataError("a fold has no class with two images: there is nothing to retrieve")
        folds.append((trainval[~held_out], trainval[held_out]))
    return tuple(folds)


def _has_positive(labels: NDArray[np.int64]) -> bool:
    return bool(np.bincount(labels).max() > 1)


def _check_duplicates(content: Sequence[bytes], left: NDArray[np.int64], right: NDArray[np.int64], acknowledged: int, where: str) -> None:
    seen = {content[i] for i in left}
    found = sum(content[i] in seen for i in right)
    if found > acknowledged:
        raise LeakageError(
            f"{found} images occur both {where}; remove them, or acknowledge the number in the track "
            f"(split.acknowledged_duplicates = {found})"
        )


def _fingerprint(
    dataset: Dataset,
    content: Sequence[bytes],
    trainval: NDArray[np.int64],
    test: NDArray[np.int64],
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> str:
    total = hashlib.sha256()
    for name, indices in (("trainval", trainval), ("test", test), *((f"validation {i}", v) for i, (_, v) in enumerate(folds))):
        total.update(f"{name} {len(indices)}\n".encode())
        for i in indices:
            total.update(content[i] + str(dataset.class_names[dataset.labels[i]]).encode() + b"\n")
    return total.hexdigest()


class Custody:
    """Hands a unit the parts it may see. A guard against accidents, not against malice.

    A tune unit gets a data set that refuses to read any item of the test part and has no official episodes.

    Args:
        dataset: the whole data set.
        split: how it is cut.
        kind: of the unit.
        fold: of a tune unit; None for a final one.
        opened: called before the first test item is handed out, to log the opening.
    """

    def __init__(
        self, dataset: Dataset, split: Split, *, kind: Literal["tune", "final"], fold: int | None, opened: Callable[[], None]
    ) -> None:
        self._dataset = dataset if kind == "final" else _without(dataset, split.test)
        self._split = split
        self._kind = kind
        self._fold = fold
        self._opened = opened

    def training(self) -> Items:
        """A tune unit's fold without its validation classes; all of trainval for a final unit."""
        if self._kind == "final":
            return self._items(self._split.trainval)
        return self._items(self._split.folds[self._fold or 0][0])

    def validation(self) -> Items:
        """The held-out classes of a tune unit's fold.

        Raises:
            CustodyError: for a final unit, which trains on them.
        """
        if self._kind == "final":
            raise CustodyError("a final unit has no validation part: it trains on all of trainval")
        return self._items(self._split.folds[self._fold or 0][1])

    def test(self) -> Items:
        """The test part, its opening logged.

        Raises:
            CustodyError: for a tune unit.
        """
        if self._kind != "final":
            raise CustodyError("a tune unit asked for the test part, which is withheld from it")
        self._opened()
        return self._items(self._split.test)

    def _items(self, indices: NDArray[np.int64]) -> Items:
        classes, labels = np.unique(self._dataset.labels[indices], return_inverse=True)
        names = [str(self._dataset.class_names[c]) for c in classes]
        return Items(self._dataset, indices, labels.astype(np.int64), names)


def _without(dataset: Dataset, withheld: NDArray[np.int64]) -> Dataset:
    hidden = np.zeros(len(dataset.labels), dtype=bool)
    hidden[withheld] = True

    def read(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        if hidden[indices].any():
            raise CustodyError("a tune unit tried to read a test item, which is withheld from it")
        return dataset.read(indices)

    return dataclasses.replace(dataset, read=read, episodes={}, parts={}, digests=None)

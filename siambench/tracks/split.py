"""Who may see what: named split rules, folds, fingerprints, guards against leakage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from siambench.errors import ConfigError, DataError, LeakageError, suggestion
from siambench.spec import Form, SplitSpec
from siambench.tracks.split_rules import LEAST_CLASSES, OWN, ClassCut, Rule, attributes_of, class_cut, grouped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset

VALIDATION_GALLERY = "trainval-gallery"
"""The part of a data set that holds those of trainval that are compared with, as the gallery of the test is."""

CLOSED = "closed-set"
RULES = ("official", *OWN, CLOSED)
_LEAST_CLASSES = LEAST_CLASSES
_MOST_NAMED = 10


@dataclass(frozen=True)
class Split:
    """A data set cut for one exam; all indices are sorted int64.

    Args:
        trainval: what the final models train on.
        test: what only they are evaluated on.
        folds: (training, validation) cuts of ``trainval``, disjoint by class.
        fingerprint: SHA-256 over contents, classes and parts, 64 hexadecimal digits.
        gallery: those of ``test`` that queries are compared with, where the data set separates them; None: all with all.
        galleries: those of each fold's validation items that the others are compared with, where the data set separates them in
            trainval as well, so that tuning is judged as the test is; None: all with all.
        content: SHA-256 of the content of each item of the data set, as the fingerprint is made of them.
    """

    trainval: NDArray[np.int64]
    test: NDArray[np.int64]
    folds: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    fingerprint: str
    gallery: NDArray[np.int64] | None = None
    galleries: tuple[NDArray[np.int64], ...] | None = None
    content: Sequence[bytes] = field(default=(), repr=False)


def digests(dataset: Dataset) -> list[bytes]:
    """SHA-256 of the content of each item."""
    if dataset.digests is not None:
        return list(dataset.digests)
    return list(_content_digests(dataset))


def _content_digests(dataset: Dataset, block: int = 4096) -> Iterator[bytes]:
    for start in range(0, len(dataset.labels), block):
        items = dataset.read(np.arange(start, min(start + block, len(dataset.labels))))
        for item in items:
            yield hashlib.sha256(np.ascontiguousarray(item).tobytes()).digest()


def cut(dataset: Dataset, rules: SplitSpec, rule: Rule | None = None) -> Split:
    """Cut a data set by a track's rules.

    Args:
        dataset: what to cut.
        rules: ``rule`` (one of `RULES`, or a plugin's; ``closed-set`` alone lets training and test share classes), ``folds`` (at least 2),
            ``group`` (the class attribute that ``by-group`` and the folds follow, or None: folds follow the order of the
            classes), ``test_fraction`` (of the classes for ``class-fraction`` and ``by-group``, of each class's images for
            ``closed-set``), ``acknowledged_duplicates`` (how many test images may occur in trainval).
        rule: what calls the factory of the rule, where it is a plugin's; None: it is one of `RULES`.

    Raises:
        ConfigError: if the rule or the attribute does not exist.
        DataError: if classes or groups are too few.
        LeakageError: if a class or an image stands on both sides.
    """
    trainval, test, gallery, by_class = _halves(dataset, rules, rule)
    shared = np.intersect1d(dataset.labels[trainval], dataset.labels[test])
    if len(shared) and rules.rule != CLOSED:
        names = ", ".join(str(dataset.class_names[c]) for c in shared[:3])
        raise LeakageError(f"{len(shared)} classes are in trainval and in test, among them {names}: an exam needs unseen classes")
    content = digests(dataset)
    same = _Duplicates(dataset, content, rules.acknowledged_duplicates)
    same.check(trainval, test, "in trainval and in test")
    if gallery is not None:
        same.check(gallery, np.setdiff1d(test, gallery), "as a query and in the gallery")
    folds = _folds(dataset, trainval, rules, by_class)
    for train, validation in folds:
        same.check(train, validation, "in the training and in the validation part of a fold")
    if len(np.unique(dataset.labels[test])) < _LEAST_CLASSES:
        raise DataError(f"the test part holds {len(np.unique(dataset.labels[test]))} class; retrieval needs at least two")
    if gallery is None and not _has_positive(dataset, test):
        raise DataError("no class of the test part has two images: there is nothing to retrieve")
    if gallery is not None:
        _check_answers(dataset, test, gallery, "the test part")
    galleries = None
    if gallery is not None and VALIDATION_GALLERY in dataset.parts:
        galleries = _galleries(dataset, trainval, folds)
        for (_, validation), part in zip(folds, galleries, strict=True):
            same.check(part, np.setdiff1d(validation, part), "as a query and in the gallery of a fold")
    named = [("trainval", trainval), ("test", test), *((f"validation {i}", v) for i, (_, v) in enumerate(folds))]
    # Names that a split lacks stay out, so that the fingerprints of splits without a gallery are what they always were.
    named += [] if gallery is None else [("gallery", gallery)]
    named += [(f"gallery {i}", part) for i, part in enumerate(galleries or ())]
    return Split(trainval, test, folds, _fingerprint(dataset, content, named), gallery, galleries, content)


_Halves = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64] | None", ClassCut | None]


def _halves(dataset: Dataset, rules: SplitSpec, rule: Rule | None) -> _Halves:
    """The trainval and the test items, those of the test that are the gallery, or None, and how the classes were cut, where they were."""
    name, fraction = rules.rule, rules.test_fraction
    if name == "official" or (name == CLOSED and "trainval" in dataset.parts):
        return (*_official(dataset), None)
    if name == CLOSED:
        is_test = _last_of_each_class(dataset, fraction)
        return np.flatnonzero(~is_test), np.flatnonzero(is_test), None, None
    if rule is None and name not in OWN:
        raise ConfigError(f"unknown split rule {name!r}{suggestion(name, RULES)}; rules: {', '.join(RULES)}")
    found = class_cut(dataset, rules, rule)
    number = len(np.unique(dataset.labels))
    if name in ("class-halves", "class-fraction") and min(number - len(found.test), len(found.test)) < _LEAST_CLASSES:
        raise DataError(
            f"{name} of {number} classes leaves fewer than two on one side; an exam needs at least two to train and two to test"
            f"{_seen(dataset)}"
        )
    is_test = np.isin(dataset.labels, found.test)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test), None, found


def _official(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None]:
    names = set(dataset.parts)
    if {"trainval", "query", "gallery"} <= names:
        query, gallery = dataset.parts["query"], dataset.parts["gallery"]
        if np.isin(query, gallery).any():
            raise DataError(f"{int(np.isin(query, gallery).sum())} items are both query and gallery")
        return np.sort(dataset.parts["trainval"]), np.sort(np.concatenate([query, gallery])), np.sort(gallery)
    if not {"trainval", "test"} <= names:
        raise ConfigError("the data set has no official split: choose class-halves, class-fraction or by-group")
    return np.sort(dataset.parts["trainval"]), np.sort(dataset.parts["test"]), None


def _check_answers(dataset: Dataset, items: NDArray[np.int64], gallery: NDArray[np.int64], where: str) -> None:
    if not np.isin(dataset.labels[np.setdiff1d(items, gallery)], dataset.labels[gallery]).any():
        raise DataError(f"no query of {where} has an image of its class in the gallery: there is nothing to retrieve")


def _galleries(
    dataset: Dataset, trainval: NDArray[np.int64], folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[NDArray[np.int64], ...]:
    """The gallery among each fold's validation items."""
    chosen = dataset.parts[VALIDATION_GALLERY]
    outside = int((~np.isin(chosen, trainval)).sum())
    if outside:
        raise DataError(f"the part {VALIDATION_GALLERY} holds {outside} items that are not in trainval")
    found = tuple(validation[np.isin(validation, chosen)] for _, validation in folds)
    for fold, ((_, validation), gallery) in enumerate(zip(folds, found, strict=True)):
        _check_answers(dataset, validation, gallery, f"the validation part of fold {fold}")
    return found


def _last_of_each_class(dataset: Dataset, fraction: float) -> NDArray[np.bool_]:
    """The last images of every class, so many of it; a class of one image is for training."""
    chosen = np.zeros(len(dataset.labels), dtype=bool)
    for label in np.unique(dataset.labels):
        items = np.flatnonzero(dataset.labels == label)
        share = round(len(items) * fraction)
        if share:
            chosen[items[-min(share, len(items) - 1) :] if len(items) > 1 else []] = True
    return chosen


def _folds(
    dataset: Dataset, trainval: NDArray[np.int64], rules: SplitSpec, by_class: ClassCut | None
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    number = rules.folds
    labels = dataset.labels[trainval]
    classes = np.unique(labels)
    if rules.rule == CLOSED:
        return _closed_folds(dataset, trainval, number)
    if len(classes) < _LEAST_CLASSES * number:
        needed = _LEAST_CLASSES * number
        raise DataError(f"{number} folds need at least {needed} training classes, two each; there are {len(classes)}{_seen(dataset)}")
    if by_class is not None and by_class.folds is not None:
        parts = [list(part) for part in by_class.folds]
    elif rules.group is None:
        parts = [list(part) for part in np.array_split(classes, number)]
    else:
        groups = grouped(classes, attributes_of(dataset, classes), rules.group)
        if len(groups) < number:
            found = f"there are {len(groups)}, {', '.join(sorted(groups)[:3])}"
            raise DataError(
                f"{number} folds by {rules.group} need at least {number} groups of training classes; {found}: bring more groups, or data "
                "that says none"
            )
        parts = [[] for _ in range(number)]
        # Largest group first, each to the emptiest fold: folds of nearly equal size whatever the groups.
        for _, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            min(parts, key=len).extend(members)
    folds = []
    for fold, part in enumerate(parts):
        held_out = np.isin(labels, part)
        few = min(len(part), len(classes) - len(part))
        if few < _LEAST_CLASSES:
            raise DataError(f"fold {fold} leaves {few} class on one side; training and validation need at least two each")
        if not _has_positive(dataset, trainval[held_out]) or not _has_positive(dataset, trainval[~held_out]):
            raise DataError("a fold has no class with two images: there is nothing to retrieve")
        folds.append((trainval[~held_out], trainval[held_out]))
    return tuple(folds)


def _closed_folds(dataset: Dataset, trainval: NDArray[np.int64], number: int) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    """Each class dealt to the folds in turns, as the test part holds images of every class too."""
    labels = dataset.labels[trainval]
    turn = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = labels == label
        turn[mine] = np.arange(mine.sum()) % number
    folds = tuple((trainval[turn != fold], trainval[turn == fold]) for fold in range(number))
    if not all(_has_positive(dataset, trainval[turn == fold]) and _has_positive(dataset, trainval[turn != fold]) for fold in range(number)):
        raise DataError(f"closed-set with {number} folds needs a class with at least {2 * number} training images")
    return folds


def _has_positive(dataset: Dataset, items: NDArray[np.int64]) -> bool:
    # An item of two sides is its own positive: the one side is to be found by the other.
    return bool(dataset.sides) or bool(np.bincount(dataset.labels[items]).max() > 1)


@dataclass(frozen=True)
class _Duplicates:
    """Items of one content, named by their files where they have any."""

    dataset: Dataset
    content: Sequence[bytes]
    acknowledged: int

    def check(self, left: NDArray[np.int64], right: NDArray[np.int64], where: str) -> None:
        """Raise `LeakageError` if more items than are acknowledged stand on both sides."""
        on_left: dict[bytes, list[int]] = {}
        for i in left:
            on_left.setdefault(self.content[i], []).append(int(i))
        found = [int(i) for i in right if self.content[i] in on_left]
        if len(found) <= self.acknowledged:
            return
        # A content is told once, with all the items that hold it.
        groups: dict[bytes, list[int]] = {}
        for i in found:
            groups.setdefault(self.content[i], []).append(i)
        told, room, rest = [], _MOST_NAMED, 0
        for content, on_right in groups.items():
            others = on_left[content]
            # Of each side one at least, so that it shows what is on both.
            from_left = others[: max(room - len(on_right), room // 2)]
            named = [*from_left, *on_right[: room - len(from_left)]] if room > 1 else []
            if named:
                told.append(" = ".join(self._name(i) for i in sorted(named)))
            room -= len(named)
            rest += len(others) + len(on_right) - len(named)
        raise LeakageError(
            f"{_counted(len(found), self.dataset.form)} both {where}: {', '.join(told)}{f' and {rest} more' if rest > 0 else ''}; "
            f"remove them, or acknowledge the number in the track (split.acknowledged_duplicates = {len(found)})"
        )

    def _name(self, item: int) -> str:
        if self.dataset.item_names is not None:
            return str(self.dataset.item_names[item])
        return f"item {item} of {self.dataset.class_names[self.dataset.labels[item]]}"


def _counted(number: int, form: Form) -> str:
    items = {"tokens": "texts", "sides": "items"}.get(form, form)
    return f"1 {items.removesuffix('s')} occurs" if number == 1 else f"{number} {items} occur"


def _seen(dataset: Dataset) -> str:
    """What an error says of the data set that has too few classes: which it has, and what its loader said."""
    names, notes = [str(name) for name in dataset.class_names], [str(note) for note in dataset.notes]
    classes = f"the classes are {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
    return "; ".join(["", *([] if any(note.startswith("the classes are") for note in notes) else [classes]), *notes])


def _fingerprint(dataset: Dataset, content: Sequence[bytes], parts: Sequence[tuple[str, NDArray[np.int64]]]) -> str:
    total = hashlib.sha256()
    for name, indices in parts:
        total.update(f"{name} {len(indices)}\n".encode())
        for i in indices:
            total.update(content[i] + str(dataset.class_names[dataset.labels[i]]).encode() + b"\n")
    return total.hexdigest()

"""Whether a data set is what it promises, found out once, before anything trains; each fault is one sentence that names it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.data.checked_sides import with_checked_sides
from siambench.data.names import as_text
from siambench.errors import DataError
from siambench.spec import FORMS, SIDES, Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from siambench.interfaces import Dataset, Side

_DTYPES: Mapping[Form, type[np.generic]] = {"images": np.uint8, "arrays": np.float32, "tokens": np.int64}
_WANTED: Mapping[Form, str] = {"images": "uint8 [B, C, H, W]", "arrays": "float32 [B, …]", "tokens": "int64 [B, T]"}
_PROBED = 64
"""So many items, spread over the whole, are read before anything trains; all others are looked at when they are read."""

_MOST_CHANNELS = 4


def checked(dataset: Dataset, name: str) -> Dataset:
    """The same data set, whose every batch is looked at when it is read.

    Args:
        dataset: what a loader gave.
        name: of the data set, for people.

    Raises:
        DataError: for labels, names, shapes, types or numbers that are not what `siambench.interfaces.Dataset` promises.
    """
    called = f"data set {name!r}"
    dataset = _with_text(dataset)
    if dataset.form == SIDES or dataset.sides:
        dataset = with_checked_sides(dataset, called, lambda side, where: _checked_side(dataset, side, where))
    else:
        _check_form(dataset, called)
    _check_labels(dataset, called)
    _check_names(dataset, called)

    def read(indices: NDArray[np.int64]) -> NDArray[Any]:
        found = dataset.read(indices)
        _check_items(found, len(indices), dataset, called)
        return found

    def whole(index: int) -> NDArray[np.uint8]:
        assert dataset.whole is not None
        found = dataset.whole(index)
        _check_whole(found, dataset, called)
        return found

    probe = np.unique(np.linspace(0, len(dataset.labels) - 1, _PROBED).astype(np.int64))
    read(probe)
    if dataset.whole is not None:
        for index in probe:
            whole(int(index))
    uncut = None if dataset.whole is None else whole
    return dataclasses.replace(dataset, read=read, whole=uncut, shape=tuple(int(edge) for edge in dataset.shape))


def _checked_side(dataset: Dataset, side: Side, called: str) -> Side:
    """One side of a data set, whose every batch is looked at when it is read, as that of a data set of its form."""
    alone = dataclasses.replace(dataset, form=side.form, shape=side.shape, vocabulary=side.vocabulary, read=side.read, sides=())
    _check_form(alone, called)

    def read(indices: NDArray[np.int64]) -> NDArray[Any]:
        found = side.read(indices)
        _check_items(found, len(indices), alone, called)
        return found

    return dataclasses.replace(side, read=read, shape=tuple(int(edge) for edge in side.shape))


def _with_text(dataset: Dataset) -> Dataset:
    """The same with names that any document can hold: those of files need not be text."""

    def clean(names: Sequence[str]) -> Sequence[str]:
        return names if all(not isinstance(name, str) or _is_text(name) for name in names) else [as_text(str(name)) for name in names]

    return dataclasses.replace(
        dataset,
        class_names=clean(dataset.class_names),
        class_attributes={key: clean(values) for key, values in dataset.class_attributes.items()},
        item_names=None if dataset.item_names is None else clean(dataset.item_names),
        notes=clean(dataset.notes),
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_form(dataset: Dataset, called: str) -> None:
    form, shape = dataset.form, dataset.shape
    if form not in FORMS:
        raise DataError(f"{called} says that its items are {form!r}; items are {', '.join(FORMS)}")
    if not isinstance(shape, tuple | list) or not shape or not all(isinstance(edge, int | np.integer) and edge > 0 for edge in shape):
        raise DataError(f"{called} must say the shape of an item as whole numbers, got {shape!r}")
    if form == "images":
        if len(shape) != 3:
            raise DataError(f"{called} has images of shape {tuple(shape)}, expected (C, H, W): it must read {_WANTED[form]}")
        if shape[0] > _MOST_CHANNELS >= shape[2]:
            raise DataError(f"{called} has images of shape {tuple(shape)}: channels come first, (C, H, W), it must read {_WANTED[form]}")
    if form == "tokens":
        if len(shape) != 1:
            raise DataError(f"{called} has tokens of shape {tuple(shape)}, expected (T,): it must read {_WANTED[form]}")
        if not isinstance(dataset.vocabulary, int | np.integer) or dataset.vocabulary < 2:
            raise DataError(f"{called} gives tokens and must say its vocabulary, a whole number of at least 2, got {dataset.vocabulary!r}")


def _check_labels(dataset: Dataset, called: str) -> None:
    labels, classes = dataset.labels, len(dataset.class_names)
    got = f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else f"a {type(labels).__name__}"
    wanted = f"labels must be int64 [N] in 0 … {classes - 1}"
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.ndim != 1:
        raise DataError(f"{called}: {wanted}, got {got}")
    if len(labels) == 0:
        raise DataError(f"{called} is empty")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{called}: {wanted}, got int64 in {labels.min()} … {labels.max()}")


def _check_names(dataset: Dataset, called: str) -> None:
    items, classes = len(dataset.labels), len(dataset.class_names)
    _check_distinct(dataset.class_names, "class names", called)
    if dataset.item_names is not None:
        if len(dataset.item_names) != items:
            raise DataError(f"{called} gives {len(dataset.item_names)} item names for {items} items")
        _check_distinct(dataset.item_names, "item names", called)
    if dataset.digests is not None and len(dataset.digests) != items:
        raise DataError(f"{called} gives {len(dataset.digests)} digests for {items} items")
    for attribute, values in dataset.class_attributes.items():
        if len(values) != classes:
            raise DataError(f"{called}: class attribute {attribute!r} has {len(values)} values for {classes} classes")
    for part, indices in dataset.parts.items():
        found = np.asarray(indices)
        if found.dtype.kind not in "iu" or found.ndim != 1 or (found.size and (found.min() < 0 or found.max() >= items)):
            raise DataError(f"{called}: the part {part!r} must be int64 indices in 0 … {items - 1}, got {found.dtype} {found.shape}")


def _check_distinct(names: Sequence[str], what: str, called: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{called}: {what} must be distinct, got {name!r} twice")
        seen.add(name)


def _check_whole(found: object, dataset: Dataset, called: str) -> None:
    if dataset.form != "images":
        raise DataError(f"{called} gives {dataset.form}, and whole is for images that are cut to their shape")
    wanted = f"uint8 [{dataset.shape[0]}, h, w]"
    if not isinstance(found, np.ndarray):
        raise DataError(f"{called} must give a whole image as a numpy array {wanted}, got {type(found).__name__}")
    if found.dtype != np.uint8 or found.ndim != 3 or found.shape[0] != dataset.shape[0] or not found.size:
        raise DataError(f"{called} gives a whole image {found.dtype} {found.shape}, expected {wanted}")


def _check_items(found: object, count: int, dataset: Dataset, called: str) -> None:
    if dataset.form == SIDES:
        # Each side has been looked at where it was read.
        return
    form, wanted = dataset.form, _WANTED[dataset.form]
    if not isinstance(found, np.ndarray):
        raise DataError(f"{called} must read {form} as a numpy array {wanted}, got {type(found).__name__}")
    if found.dtype != _DTYPES[form]:
        hint = "; float32 arrays that are used as they are have form = 'arrays'" if form == "images" and found.dtype.kind == "f" else ""
        raise DataError(f"{called} gives {form} of dtype {found.dtype}, expected {wanted}{hint}")
    if found.ndim == 0 or len(found) != count:
        raise DataError(f"{called}: asked for {count} items it gave {form} of shape {found.shape}, expected {wanted} with B = {count}")
    if found.shape[1:] != tuple(dataset.shape):
        turned = "; channels come first" if form == "images" and found.shape[1:] == (*tuple(dataset.shape)[1:], dataset.shape[0]) else ""
        raise DataError(f"{called} gives {form} of shape {found.shape[1:]}, its shape is {tuple(dataset.shape)}: expected {wanted}{turned}")
    if form == "arrays" and not np.isfinite(found).all():
        raise DataError(f"{called} gives arrays with {int((~np.isfinite(found)).sum())} numbers that are not finite; expected {wanted}")
    if form == "tokens" and found.size and (found.min() < 0 or found.max() >= (dataset.vocabulary or 0)):
        span = f"0 … {(dataset.vocabulary or 0) - 1}"
        raise DataError(f"{called} gives tokens in {found.min()} … {found.max()}, expected {wanted} in {span}")
    if form == "tokens" and (found[:, :-1] == 0).any() and ((found[:, 1:] != 0) & (found[:, :-1] == 0)).any():
        raise DataError(f"{called} gives tokens with a 0 before another token; 0 is padding and stands at the end of {wanted}")

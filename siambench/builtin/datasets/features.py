"""The loader of features that somebody brings: arrays with labels in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.builtin.datasets.parts import PART_OF_NAME, one_per_class, parts_of
from siambench.data.arrays import Kind, named_arrays
from siambench.data.names import as_path, as_text
from siambench.errors import DataError
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

ITEMS = ("features", "embeddings")
"""What the arrays of the items may be called: the second, as `evaluate` calls them."""

BESIDE = ("groups", "split", "names")
"""What may stand beside them, one per item."""


def features(path: str, *, kind: Kind) -> Dataset:
    """Arrays float32 [N, …] with a label each, from a ``.npz`` or ``.safetensors`` file.

    It holds ``features`` (or ``embeddings``) and ``labels``, and may hold ``groups``, ``split`` (train, val, test) and ``names``.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it does not hold.
    """
    place, called = as_path(path), as_text(path)
    found, held = named_arrays(place, kind, (*ITEMS, "labels", *BESIDE))
    name = next((name for name in ITEMS if name in found), None)
    if name is None or "labels" not in found:
        raise DataError(f"{called} must hold the arrays features and labels, it holds {', '.join(sorted(held)) or 'none'}")
    items = _items(found[name], name, called)
    labels = _column(found["labels"], "labels", items, called)
    names, numbers = np.unique(labels, return_inverse=True)
    classes = [_text(value) for value in names]
    columns = {beside: [_text(v) for v in _column(found[beside], beside, items, called)] for beside in BESIDE if beside in found}
    of_item = [classes[number] for number in numbers]
    strange = next((value for value in columns.get("split", ()) if value.lower() not in PART_OF_NAME), None)
    if strange is not None:
        raise DataError(f"{called}: split must be one of {', '.join(PART_OF_NAME)}, got {strange!r}")
    parts, notes = parts_of([PART_OF_NAME[value.lower()] for value in columns.get("split", ())], of_item)
    spare = sorted(set(held) - {name, "labels", *BESIDE})
    if spare:
        notes.append(f"passed over: {len(spare)} array{'' if len(spare) == 1 else 's'} ({spare[0]})")
    groups = columns.get("groups")
    return Dataset(
        labels=numbers.astype(np.int64),
        read=lambda indices: items[indices],
        shape=items.shape[1:],
        class_names=classes,
        form="arrays",
        class_attributes={} if groups is None else {"group": one_per_class(groups, of_item, classes, f"{called}: groups")},
        item_names=columns.get("names"),
        parts=parts,
        colour="as in the file",
        notes=notes,
    )


def _items(given: Any, name: str, called: str) -> NDArray[np.float32]:
    values: NDArray[Any] = given if isinstance(given, np.ndarray) else _numpy(given)
    if values.dtype.kind not in "fiu" or values.ndim < 2 or values.size == 0:
        raise DataError(f"{name} of {called} must be real numbers [items, …] and not empty, got {values.dtype} of shape {values.shape}")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(values, dtype=np.float32)
    finite = np.isfinite(found).reshape(len(found), -1).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        number = int((~finite).sum())
        raise DataError(f"{name} of {called}: {number} items hold numbers that are not finite in 32 bits, the first is item {first}")
    return found


def _numpy(given: Any) -> NDArray[Any]:
    # What numpy has no type for, such as bfloat16, is held exactly by 32 bits.
    import torch

    tensor = given.float() if given.dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2) else given
    found: NDArray[Any] = tensor.numpy()
    return found


def _column(given: Any, name: str, items: NDArray[np.float32], called: str) -> NDArray[Any]:
    values: NDArray[Any] = given if isinstance(given, np.ndarray) else _numpy(given)
    if values.dtype.kind not in "iuUS" or values.ndim != 1:
        raise DataError(f"{name} of {called} must be whole numbers or text, one per item, got {values.dtype} of shape {values.shape}")
    if len(values) != len(items):
        raise DataError(f"{name} of {called} must hold one value per item, got {len(values)} for {len(items)} items")
    return values


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)

"""The loader of data sets of Hugging Face's library `datasets`, from its hub, from a folder that it saved, or from local files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.builtin.datasets.parts import PART_OF_NAME, one_per_class, parts_of
from siambench.builtin.datasets.table import TokenOptions
from siambench.builtin.datasets.tokens import tokens_of
from siambench.data.collection import check_image_options
from siambench.data.decoded import decoded
from siambench.data.images import decode
from siambench.data.names import as_path, reason
from siambench.errors import DataError, DataMissingError, suggestion
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARKS = ("dataset_dict.json", "state.json")
_ITEMS = ("image", "img", "text", "sentence")
_LABELS = ("label", "labels", "fine_label")


@dataclass(frozen=True)
class Columns:
    """Which columns are what; empty: the first that is called ``image``, ``img``, ``text`` or ``sentence``, and ``label`` or ``labels``.

    Args:
        item: of the images or texts.
        label: of the classes.
        group: of what the classes belong to; empty: they have no groups.
    """

    item: str = ""
    label: str = ""
    group: str = ""


@dataclass(frozen=True)
class Asked:
    """What is asked of the library: ``config`` and ``split``, as its `load_dataset` has them; empty: its own choice, and all splits."""

    config: str = ""
    split: str = ""


def hugging_face(name: str, asked: Asked, columns: Columns, *, size: int, mode: str, tokens: TokenOptions) -> Dataset:
    """Images uint8 [N, 1 or 3, size, size], or texts as tokens int64 [N, T].

    Splits that are called train, validation and test become the parts of an official split.

    Args:
        name: of a data set of the hub, or of a folder: one that `save_to_disk` wrote, or with files that `load_dataset` reads.
        asked: configuration and split.
        columns: which are what.
        size: edge of images in pixels.
        mode: of images, ``"grey"`` or ``"rgb"``.
        tokens: how texts become tokens.

    Raises:
        DataMissingError: if the library is not installed, or there is no such data set.
        DataError: if a column is not there, or does not hold.
    """
    called = f"hf:{name}"
    splits = _loaded(name, asked, called)
    first = next(iter(splits.values()))
    item = _column(columns.item, _ITEMS, first.column_names, "item", called)
    label = _column(columns.label, _LABELS, first.column_names, "label", called)
    groups = _column(columns.group, (), first.column_names, "group", called) if columns.group else ""
    parts: dict[str, NDArray[np.int64]] = {}
    notes: list[str] = []
    part_of_item: list[str] = []
    for split, table in splits.items():
        if list(table.column_names) != list(first.column_names):
            raise DataError(f"{called}: the splits have different columns, {split} has {', '.join(table.column_names)[:200]}")
        part_of_item += [split] * len(table)
    labels = [value for table in splits.values() for value in _labels(table, label, called)]
    classes = sorted(set(labels))
    if len(splits) > 1:
        known = {split: PART_OF_NAME.get(split.lower()) for split in splits}
        strange = next((split for split, part in known.items() if part is None), None)
        if strange is None:
            parts, notes = parts_of([str(known[split]) for split in part_of_item], labels)
        else:
            notes = [f"its splits are {', '.join(splits)}, which are taken together: {strange!r} is no part that siambench knows"]
    number = {name: place for place, name in enumerate(classes)}
    attributes: dict[str, list[str]] = {}
    if groups:
        of_item = [value for table in splits.values() for value in _labels(table, groups, called)]
        attributes["group"] = one_per_class(of_item, labels, classes, f"{called}: {groups}")
    common: dict[str, Any] = {
        "labels": np.array([number[value] for value in labels], dtype=np.int64),
        "class_names": classes,
        "class_attributes": attributes,
        "parts": parts,
    }
    if _is_image(first, item):
        return _of_images(splits, item, called, size=size, mode=mode, common={**common, "notes": notes})
    texts = [value for table in splits.values() for value in table[item]]
    wrong = next((place for place, text in enumerate(texts) if not isinstance(text, str) or not text.strip()), None)
    if wrong is not None:
        raise DataError(f"{called}: {item} of row {wrong} must be an image or a text with a word, got {type(texts[wrong]).__name__}")
    found = tokens_of(texts, tokens, called)
    return Dataset(
        **{**common, "notes": [*notes, *found.notes]},
        read=found.read,
        shape=(tokens.length,),
        form="tokens",
        vocabulary=found.vocabulary,
        colour="text",
    )


def _loaded(name: str, asked: Asked, called: str) -> dict[str, Any]:
    """The tables of the splits, by name."""
    try:
        import datasets
    except ImportError as error:
        raise DataMissingError(f"{called} needs Hugging Face's library datasets: pip install 'siambench[hf]'") from error
    place = as_path(name)
    try:
        if place.is_dir() and any((place / mark).is_file() for mark in _MARKS):
            found = datasets.load_from_disk(str(place))
        else:
            found = datasets.load_dataset(str(place) if place.is_dir() else name, asked.config or None)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        raise DataMissingError(f"{called} cannot be loaded: {type(error).__name__}: {reason(error)}") from error
    splits = dict(found) if isinstance(found, dict) else {"all": found}
    if asked.split:
        if asked.split not in splits:
            known = [str(split) for split in splits]
            raise DataError(f"{called} has no split {asked.split!r}{suggestion(asked.split, known)}; splits: {', '.join(known)}")
        splits = {asked.split: splits[asked.split]}
    splits = {str(split): table for split, table in splits.items() if len(table)}
    if not splits:
        raise DataError(f"{called} holds no rows")
    return splits


def _column(asked: str, usual: Sequence[str], there: Sequence[str], what: str, called: str) -> str:
    found = asked or next((name for name in usual if name in there), "")
    if found not in there:
        say = f"has no column {asked!r}{suggestion(asked, there)}" if asked else f"has none of the columns {', '.join(usual)}"
        raise DataError(f"{called} {say}; columns: {', '.join(there)[:300]}; --set dataset.options.{what}=COLUMN says which is the {what}")
    return found


def _labels(table: Any, column: str, called: str) -> list[str]:
    """The class of each row, by its name where the column has names."""
    values = list(table[column])
    names = getattr(table.features.get(column), "names", None)
    wrong = next((place for place, value in enumerate(values) if isinstance(value, bool | float) or not isinstance(value, int | str)), None)
    if wrong is not None:
        raise DataError(f"{called}: {column} of row {wrong} must be a whole number or text, got {type(values[wrong]).__name__}")
    if names is not None:
        outside = next((value for value in values if not isinstance(value, int) or not 0 <= value < len(names)), None)
        if outside is not None:
            raise DataError(f"{called}: {column} holds {outside!r}, classes are 0 to {len(names) - 1}")
        return [str(names[value]) for value in values]
    return [str(value) for value in values]


def _is_image(table: Any, column: str) -> bool:
    return type(table.features.get(column)).__name__ == "Image"


def _of_images(splits: dict[str, Any], column: str, called: str, *, size: int, mode: str, common: dict[str, Any]) -> Dataset:
    import datasets

    check_image_options(size, mode, called=called)
    if mode == "auto":
        mode = "rgb"
    tables = [table.cast_column(column, datasets.Image(decode=False)) for table in splits.values()]
    edges = np.cumsum([0, *(len(table) for table in tables)])

    def read(place: int) -> NDArray[np.uint8]:
        part = int(np.searchsorted(edges, place, side="right")) - 1
        held = tables[part][place - int(edges[part])][column]
        if not isinstance(held, dict) or (held.get("bytes") is None and held.get("path") is None):
            raise DataError(f"{called}: {column} of row {place} holds no image")
        file = Path(held["path"]) if held.get("bytes") is None else io.BytesIO(held["bytes"])
        return decode(file, size=size, mode="grey" if mode == "grey" else "rgb", name=f"{column} of row {place} of {called}")

    # The library's own digest of what each table holds and was made from.
    content = hashlib.sha256("".join(f"{table._fingerprint}\0" for table in tables).encode()).hexdigest()[:24]  # noqa: SLF001
    images = decoded(f"hf-{content}-{size}-{mode}-v1", int(edges[-1]), read)
    return Dataset(
        **common,
        read=lambda indices: np.asarray(images[indices]),
        shape=(1 if mode == "grey" else 3, size, size),
        colour="as in the files",
    )

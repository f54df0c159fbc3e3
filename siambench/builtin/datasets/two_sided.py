"""The loader of somebody's own items of two sides: a table in which columns are a side, or a file with an array for each."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from siambench.builtin.datasets.features import BESIDE, _column, _items, _text
from siambench.builtin.datasets.parts import PART_OF_NAME, one_per_class, parts_of
from siambench.builtin.datasets.table import TokenOptions, _lines, _text_of
from siambench.builtin.datasets.tokens import tokens_of
from siambench.data.arrays import Kind, named_arrays
from siambench.data.collection import check_image_options, read_images
from siambench.data.files import read_regular
from siambench.data.names import as_path, as_text
from siambench.errors import DataError, suggestion
from siambench.interfaces import Dataset, Side

Holds = Literal["image", "text", "numbers"]
"""What the columns of a side may hold."""

ARRAYS: Mapping[str, Kind] = {".npz": "npz", ".safetensors": "safetensors"}
"""Files with arrays, by their suffix; any other is a table."""

_USUAL = ("image:path", "text:text")
_USUAL_ARRAYS = ("first", "second")
_KNOWN = ("label", "group", "split", "fold")
_DELIMITERS = (",", ";", "\t")
_MOST_BYTES = 1 << 30
_MOST_NAMED = 10
_PLACES = ("first", "second")


@dataclass(frozen=True)
class Seen:
    """How the sides of a table are read.

    Args:
        first: what is the first side, ``KIND:COLUMN``; empty: what is usual.
        second: and the second.
        size: edge of images in pixels.
        mode: of images: ``"auto"``, ``"grey"`` or ``"rgb"``.
        tokens: how texts become tokens.
        encoding: of the table; empty: as its first bytes say, else UTF-8.
    """

    first: str
    second: str
    size: int
    mode: str
    tokens: TokenOptions
    encoding: str

    @property
    def asked(self) -> tuple[str, str]:
        """As given, of the first side and of the second."""
        return self.first.strip(), self.second.strip()


@dataclass(frozen=True)
class _Table:
    called: str
    place: Path
    columns: Sequence[str]
    # Of each row its line, and its cells by column.
    lines: Sequence[int]
    cells: Mapping[str, Sequence[str]]

    def where(self, row: int) -> str:
        return f"{self.called}: line {self.lines[row]}"


def two_sided(path: str, seen: Seen) -> Dataset:
    """Items of two sides from a table or a file of arrays; see README.md for its columns.

    Args:
        path: of the table, or of a ``.npz`` or ``.safetensors`` file.
        seen: what is which side, and how it is read.

    Raises:
        DataMissingError: if there is no such file.
        DataError: naming what does not hold, and the line.
    """
    place, called = as_path(path), as_text(path)
    kind = ARRAYS.get(place.suffix.lower())
    if kind is not None:
        return _of_arrays(place, called, kind, seen.asked)
    given = [asked or usual for asked, usual in zip(seen.asked, _USUAL, strict=True)]
    wanted = [_parsed(text, option) for text, option in zip(given, _PLACES, strict=True)]
    table = _table(place, called, [column for _, columns in wanted for column in columns], seen.encoding)
    names, notes = [], []
    sides = []
    for (holds, columns), option in zip(wanted, _PLACES, strict=True):
        chosen = _chosen(columns, option, table)
        side, told = _side(holds, chosen, option, table, seen)
        sides.append(side)
        names += chosen
        notes += told
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{called}: the column {twice[0]} is in both sides: first and second must name others")
    spare = [name for name in table.columns if name not in {*names, *_KNOWN}]
    if spare:
        notes.append(f"passed over: {len(spare)} column{'' if len(spare) == 1 else 's'} ({spare[0]})")
    return Dataset.of_sides(_told_apart(sides), **_classed(table, notes), item_names=[f"line {line}" for line in table.lines])


def _parsed(text: str, option: str) -> tuple[Holds, list[str]]:
    kind, found, columns = text.partition(":")
    names = [name.strip().lower() for name in columns.split(",") if name.strip()]
    kinds = get_args(Holds)
    if not found or kind.strip() not in kinds or not names or (kind.strip() != "numbers" and len(names) > 1):
        near = suggestion(kind.strip(), kinds)
        raise DataError(
            f"dataset.options.{option} must be image:COLUMN, text:COLUMN or numbers:COLUMN,COLUMN,…, such as numbers:user_*, "
            f"got {text[:80]!r}{near}"
        )
    return cast("Holds", kind.strip()), names


def _table(place: Path, called: str, wanted: Sequence[str], encoding: str) -> _Table:
    text = _text_of(read_regular(place, most=_MOST_BYTES), encoding, called).lstrip("\ufeff")
    heading = text.lstrip("\r\n").splitlines()[:1]
    if not heading:
        raise DataError(f"{called} is empty")
    known = {*_KNOWN, *wanted}

    def fitting(mark: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"').lower() for cell in heading[0].split(mark)]
        return len(known & set(cells)), len(cells)

    lines = _lines(text, max(_DELIMITERS, key=fitting), called)
    columns = [cell.strip().lower() for cell in next(lines)[1]]
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise DataError(f"{called} has the column {twice!r} twice")
    numbers, rows = [], []
    for line, cells in lines:
        if len(cells) != len(columns):
            raise DataError(f"{called}: line {line} has {len(cells)} cells, the heading has {len(columns)}")
        numbers.append(line)
        rows.append([cell.strip() for cell in cells])
    if not rows:
        raise DataError(f"{called} has no line below its heading")
    return _Table(called, place, columns, numbers, dict(zip(columns, zip(*rows, strict=True), strict=True)))


def _chosen(wanted: Sequence[str], option: str, table: _Table) -> list[str]:
    """The columns of a side, each once, those of ``user_*`` in the order of the table."""
    found: list[str] = []
    for name in wanted:
        there = [name] if name in table.columns else fnmatch.filter([one for one in table.columns if one not in _KNOWN], name)
        if not there:
            raise DataError(
                f"{table.called} has no column {name!r} for its {option} side{suggestion(name, table.columns)}; its heading has "
                f"{', '.join(table.columns)[:200]}, and --set dataset.options.{option}=KIND:COLUMN says which is meant"
            )
        found += [one for one in there if one not in found]
    return found


def _side(holds: Holds, columns: Sequence[str], option: str, table: _Table, seen: Seen) -> tuple[Side, list[str]]:
    """A side, and what there is to say of it."""
    if holds == "numbers":
        read = _numbers(columns, table)
        return Side(name=columns[0] if len(columns) == 1 else option, form="arrays", shape=read.shape[1:], read=lambda at: read[at]), []
    (column,) = columns
    values = table.cells[column]
    empty = next((row for row, value in enumerate(values) if not value), None)
    if empty is not None:
        raise DataError(f"{table.where(empty)} has no {column}")
    if holds == "text":
        tokens = tokens_of(values, seen.tokens, f"{table.called}, column {column}")
        shape = tokens.read(np.zeros(1, dtype=np.int64)).shape[1:]
        return Side(name=column, form="tokens", shape=shape, read=tokens.read, vocabulary=tokens.vocabulary), list(tokens.notes)
    return _images(column, table, seen)


def _images(column: str, table: _Table, seen: Seen) -> tuple[Side, list[str]]:
    check_image_options(seen.size, seen.mode, called=table.called)
    values, root = table.cells[column], table.place.parent
    # An image may stand in several lines, such as one for each of its captions.
    names = list(dict.fromkeys(values))
    place = {name: number for number, name in enumerate(names)}
    first = {name: values.index(name) for name in names}
    files = [_file(root, name) for name in names]
    missing = [f"line {table.lines[first[name]]} ({name})" for name, file in zip(names, files, strict=True) if not file.is_file()]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise DataError(
            f"{table.called}: {len(missing)} of {len(names)} files in the column {column} are missing, looked for from "
            f"{as_text(root.resolve())}: {', '.join(missing[:_MOST_NAMED])}{more}"
        )
    collection = read_images(files, size=seen.size, mode=seen.mode, root=root)
    of_row = np.array([place[name] for name in values], dtype=np.int64)
    side = Side(
        name=column,
        form="images",
        shape=tuple(collection.images.shape[1:]),
        read=lambda indices: np.asarray(collection.images[of_row[indices]]),
    )
    return side, list(collection.notes)


def _file(root: Path, name: str) -> Path:
    given = root / Path(name).expanduser()
    return given if given.exists() else root / as_path(str(given))


def _numbers(columns: Sequence[str], table: _Table) -> NDArray[np.float32]:
    found = np.empty((len(table.lines), len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        for row, text in enumerate(table.cells[column]):
            value = _number(text)
            if value is None:
                raise DataError(f"{table.where(row)}: {column} must be a number, got {text[:60]!r}")
            found[row, place] = value
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= float(np.finfo(np.float32).max) else None


def _told_apart(sides: Sequence[Side]) -> Sequence[Side]:
    first, second = sides
    return sides if first.name != second.name else [first, _renamed(second, f"{second.name} (2)")]


def _renamed(side: Side, name: str) -> Side:
    return Side(name=name, form=side.form, shape=side.shape, read=side.read, vocabulary=side.vocabulary)


def _classed(table: _Table, notes: Sequence[str]) -> dict[str, Any]:
    """The classes of a table, and what is known of them."""
    if "label" in table.columns:
        of_item = list(table.cells["label"])
        empty = next((row for row, label in enumerate(of_item) if not label), None)
        if empty is not None:
            raise DataError(f"{table.where(empty)} has no label")
        classes = sorted(set(of_item))
    else:
        of_item = classes = _own_classes("line", table.lines)
        notes = [*notes, "there is no column label: each line is a class of its own"]
    attributes = {
        column: one_per_class(table.cells[column], of_item, classes, f"{table.called}: {column}")
        for column in ("group", "fold")
        if column in table.columns
    }
    parts: dict[str, NDArray[np.int64]] = {}
    if "split" in table.columns:
        said = [_part(name, table.where(row)) for row, name in enumerate(table.cells["split"])]
        parts, told = parts_of(said, of_item)
        notes = [*notes, *told]
    return _common(of_item, classes, attributes, parts, notes)


def _own_classes(word: str, numbers: Sequence[int]) -> list[str]:
    """Names that sort as their numbers do."""
    width = len(str(max(numbers)))
    return [f"{word} {number:0{width}}" for number in numbers]


def _part(name: str, where: str) -> str:
    known = {said: part for said, part in PART_OF_NAME.items() if part not in ("query", "gallery")}
    if name.lower() not in known:
        raise DataError(f"{where}: split must be one of {', '.join(known)}, got {name[:60]!r}; of two sides the first asks")
    return known[name.lower()]


def _common(
    of_item: Sequence[str],
    classes: Sequence[str],
    attributes: Mapping[str, Sequence[str]],
    parts: Mapping[str, NDArray[np.int64]],
    notes: Sequence[str],
) -> dict[str, Any]:
    number = {name: index for index, name in enumerate(classes)}
    return {
        "labels": np.array([number[name] for name in of_item], dtype=np.int64),
        "class_names": classes,
        "class_attributes": attributes,
        "parts": parts,
        "notes": tuple(notes),
    }


def _of_arrays(place: Path, called: str, kind: Kind, asked: tuple[str, str]) -> Dataset:
    names = [given or usual for given, usual in zip(asked, _USUAL_ARRAYS, strict=True)]
    if names[0] == names[1]:
        raise DataError(f"{called}: first and second must name two arrays, got {names[0]!r} twice")
    found, held = named_arrays(place, kind, (*names, "labels", *BESIDE))
    for name, option in zip(names, _PLACES, strict=True):
        if name not in found:
            raise DataError(
                f"{called} has no array {name!r} for its {option} side{suggestion(name, held)}; it holds "
                f"{', '.join(sorted(held)) or 'none'}, and --set dataset.options.{option}=NAME says which is meant"
            )
    first, second = (_items(found[name], name, called) for name in names)
    if len(first) != len(second):
        raise DataError(f"{names[0]} and {names[1]} of {called} must hold as many items, got {len(first)} and {len(second)}")
    columns = {beside: [_text(v) for v in _column(found[beside], beside, first, called)] for beside in BESIDE if beside in found}
    notes: list[str] = []
    if "labels" in found:
        values, of_value = np.unique(_column(found["labels"], "labels", first, called), return_inverse=True)
        # By their numbers where they are some: 10 is behind 9.
        classes = [_text(value) for value in values]
        of_item = [classes[number] for number in of_value]
    else:
        of_item = classes = _own_classes("item", range(len(first)))
        notes.append("there is no array labels: each item is a class of its own")
    parts: dict[str, NDArray[np.int64]] = {}
    if "split" in columns:
        parts, told = parts_of([_part(name, f"{called}: item {row}") for row, name in enumerate(columns["split"])], of_item)
        notes += told
    spare = sorted(set(held) - {*names, "labels", *BESIDE})
    if spare:
        notes.append(f"passed over: {len(spare)} array{'' if len(spare) == 1 else 's'} ({spare[0]})")
    groups = columns.get("groups")
    attributes = {} if groups is None else {"group": one_per_class(groups, of_item, classes, f"{called}: groups")}
    sides = [
        Side(name=names[0], form="arrays", shape=first.shape[1:], read=lambda indices: first[indices]),
        Side(name=names[1], form="arrays", shape=second.shape[1:], read=lambda indices: second[indices]),
    ]
    return Dataset.of_sides(sides, **_common(of_item, classes, attributes, parts, notes), item_names=columns.get("names"))

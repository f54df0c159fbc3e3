"""The loader of a table: a line per item, with the path of its image or its text, its label, and what else is known of it."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from siambench.builtin.datasets.parts import PART_OF_NAME, one_per_class, parts_of
from siambench.data.collection import check_image_options, read_images
from siambench.data.files import read_regular
from siambench.data.names import as_path, as_text
from siambench.data.tokens import BYTES, byte_tokens, hashed_words
from siambench.errors import DataError
from siambench.interfaces import Dataset

_MOST_BYTES = 1 << 30
_MOST_TOKENS = 1 << 16
_MOST_NAMED = 10
_DELIMITERS = (",", ";", "\t")
_COLUMNS = ("path", "text", "label", "group", "split", "fold")
_MARKS = (
    # The longer ones first: that of UTF-16 begins that of UTF-32.
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class TokenOptions:
    """How texts become tokens: ``kind`` is ``"words"`` or ``"bytes"``, the vocabulary counts for words alone."""

    kind: str
    vocabulary: int
    length: int


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]


def table(path: str, *, size: int, mode: str, tokens: TokenOptions, encoding: str = "") -> Dataset:
    """Images or texts that a table lists; see README.md for its columns.

    Args:
        path: of the table.
        size: edge of images in pixels.
        mode: of images: ``"auto"``, ``"grey"`` or ``"rgb"``.
        tokens: how texts become tokens.
        encoding: of the table; empty: as its first bytes say, else UTF-8.

    Raises:
        DataMissingError: if there is no such table.
        DataError: naming the line that does not hold.
    """
    place, called = as_path(path), as_text(path)
    rows, spare = _rows(_text_of(read_regular(place, most=_MOST_BYTES), encoding, called), called)
    labels = [_said(row, "label", called) for row in rows]
    classes = sorted(set(labels))
    notes = [f"passed over: {len(spare)} column{'' if len(spare) == 1 else 's'} ({spare[0]})"] if spare else []
    parts, told = parts_of([_part(row, called) for row in rows] if "split" in rows[0].cells else [], labels)
    number = {name: index for index, name in enumerate(classes)}
    common: dict[str, Any] = {
        "labels": np.array([number[label] for label in labels], dtype=np.int64),
        "class_names": classes,
        "class_attributes": {
            column: one_per_class([row.cells[column] for row in rows], labels, classes, f"{called}: {column}")
            for column in ("group", "fold")
            if column in rows[0].cells
        },
        "parts": parts,
    }
    if "path" in rows[0].cells:
        return _of_images(rows, place, called, size=size, mode=mode, common={**common, "notes": [*notes, *told]})
    return _of_texts(rows, called, tokens, {**common, "notes": [*notes, *told]})


def _of_images(rows: Sequence[_Row], place: Path, called: str, *, size: int, mode: str, common: Mapping[str, Any]) -> Dataset:
    check_image_options(size, mode, called=called)
    names = [_said(row, "path", called) for row in rows]
    seen: dict[str, int] = {}
    for row, name in zip(rows, names, strict=True):
        if name in seen:
            raise DataError(f"{called}: line {row.line} names the same file as line {seen[name]}: {name}")
        seen[name] = row.line
    root = place.parent
    files = [_file(root, name) for name in names]
    missing = [f"line {row.line} ({name})" for row, name, file in zip(rows, names, files, strict=True) if not file.is_file()]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        hint = "; names of folders are parted by /, not \\" if all("\\" in name for name in names) else ""
        raise DataError(
            f"{called}: {len(missing)} of {len(rows)} files are missing, looked for from {as_text(root.resolve())}: "
            f"{', '.join(missing[:_MOST_NAMED])}{more}{hint}"
        )
    collection = read_images(files, size=size, mode=mode, root=root)
    return Dataset(
        **{**common, "notes": [*common["notes"], *collection.notes]},
        read=lambda indices: np.asarray(collection.images[indices]),
        shape=cast("tuple[int, int, int]", collection.images.shape[1:]),
        item_names=names,
        colour="as in the files",
    )


def _file(root: Path, name: str) -> Path:
    given = root / Path(name).expanduser()
    return given if given.exists() else root / as_path(str(given))


def _of_texts(rows: Sequence[_Row], called: str, options: TokenOptions, common: Mapping[str, Any]) -> Dataset:
    kind, vocabulary, length = options.kind, options.vocabulary, options.length
    if kind not in ("words", "bytes"):
        raise DataError(f"{called}: tokens must be words or bytes, got {kind!r}")
    if not 1 <= length <= _MOST_TOKENS or not 2 <= vocabulary <= 1 << 24:
        raise DataError(
            f"{called}: length must lie in 1 … {_MOST_TOKENS:,} and vocabulary in 2 … {1 << 24:,}, got {length} and {vocabulary}"
        )
    texts = [_said(row, "text", called) for row in rows]
    read = byte_tokens(texts, length=length + 1) if kind == "bytes" else hashed_words(texts, vocabulary=vocabulary, length=length + 1)
    cut = int((read[:, length] != 0).sum())
    found = np.ascontiguousarray(read[:, :length])
    empty = np.flatnonzero(found[:, 0] == 0)
    if len(empty):
        raise DataError(f"{called}: line {rows[int(empty[0])].line} has a text without a word")
    return Dataset(
        **{**common, "notes": [*common["notes"], *([f"{cut} texts are cut after {length} {kind}"] if cut else [])]},
        read=lambda indices: found[indices],
        shape=(length,),
        form="tokens",
        vocabulary=BYTES if kind == "bytes" else vocabulary,
        item_names=[f"line {row.line}" for row in rows],
        colour="text",
    )


def _text_of(content: bytes, encoding: str, called: str) -> str:
    chosen = next((name for mark, name in _MARKS if content.startswith(mark)), None) or encoding or "utf-8"
    try:
        text = content.decode(chosen)
    except LookupError as error:
        raise DataError(f"{called}: no such encoding: {chosen}") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{called}: line {line} is not {chosen} (byte 0x{content[error.start]:02x}): save the table as UTF-8, or say its encoding, "
            f"such as --set dataset.options.encoding=cp1252"
        ) from error
    except UnicodeError as error:
        raise DataError(f"{called} is not {chosen}: {error}") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{called}: line {line} holds a zero: is it UTF-16? --set dataset.options.encoding=utf-16 says so")
    return text


def _rows(text: str, called: str) -> tuple[list[_Row], list[str]]:
    """The rows with what is known of their columns, and the columns that are not used."""
    heading = text.lstrip("\ufeff\r\n").splitlines()[:1]
    if not heading:
        raise DataError(f"{called} is empty")
    delimiter = max(_DELIMITERS, key=lambda mark: len({name.strip().strip('"').lower() for name in heading[0].split(mark)} & set(_COLUMNS)))
    lines = _lines(text.lstrip("\ufeff"), delimiter, called)
    columns = [cell.strip().lower() for cell in next(lines)[1]]
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise DataError(f"{called} has the column {twice!r} twice")
    if "label" not in columns or ("path" in columns) == ("text" in columns):
        raise DataError(f"{called} must have the column label and one of path and text, its heading has {', '.join(columns)[:200]}")
    rows = []
    for line, cells in lines:
        if len(cells) != len(columns):
            raise DataError(f"{called}: line {line} has {len(cells)} cells, the heading has {len(columns)}")
        rows.append(_Row(line, {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name in _COLUMNS}))
    if not rows:
        raise DataError(f"{called} has no line below its heading")
    return rows, [name for name in columns if name not in _COLUMNS]


def _lines(text: str, delimiter: str, called: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, and the line that it begins in: a cell in quotation marks may hold line breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{called}: line {line} is no row of a table: {error}") from error
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _said(row: _Row, column: Literal["label", "path", "text"], called: str) -> str:
    if not row.cells[column]:
        raise DataError(f"{called}: line {row.line} has no {column}")
    return row.cells[column]


def _part(row: _Row, called: str) -> str:
    name = row.cells["split"]
    if name.lower() not in PART_OF_NAME:
        raise DataError(f"{called}: line {row.line}: split must be one of {', '.join(PART_OF_NAME)}, got {name!r}")
    return PART_OF_NAME[name.lower()]

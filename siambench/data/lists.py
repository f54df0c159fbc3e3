"""The lists that data sets bring: lines of text with some fields each, and files that they name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from siambench.data.files import read_regular
from siambench.data.names import as_text
from siambench.errors import DataError

_MOST_BYTES = 1 << 30
_SHOWN = 80
_DIGITS = 12
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """A line of a list.

    Args:
        number: from 1.
        fields: that it holds.
    """

    number: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A list as it was read.

    Args:
        called: its path, for people.
        lines: that hold anything.
        sha256: of its content, 64 hexadecimal digits.
    """

    called: str
    lines: tuple[Line, ...]
    sha256: str

    def whole(self, line: Line, field: int, what: str) -> int:
        """A field that is a whole number from 0.

        Raises:
            DataError: if it is none, naming the line.
        """
        text = line.fields[field]
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
            raise DataError(f"{self.called}: line {line.number}: {what} must be a whole number, got {as_text(text[:_SHOWN])!r}")
        return int(text)


def read_list(path: Path, fields: int, *, separator: str | None = None, skip: int = 0) -> Listing:
    """Read a list, one item a line; a mark of the order of bytes and the line ends of Windows are no part of it.

    Bytes that are not UTF-8 stay what they are, as in names of files.

    Args:
        path: of the list.
        fields: of each line; the last takes what is left of it, blanks included.
        separator: between fields; None: white space.
        skip: so many lines at its beginning are no items, such as a heading.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if a line has fewer fields, or the list is empty.
    """
    called = as_text(path)
    content = read_regular(path, most=_MOST_BYTES)
    text = content.removeprefix(_MARK).decode("utf-8", "surrogateescape")
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        whole = line.rstrip("\r").strip(None if separator is None else "\r\n")
        if number <= skip or not whole.strip():
            continue
        found = tuple(field.strip() for field in whole.split(separator, fields - 1))
        if len(found) < fields:
            raise DataError(f"{called}: line {number} has {len(found)} fields, expected {fields}: {as_text(whole[:_SHOWN])!r}")
        if "\0" in whole:
            raise DataError(f"{called}: line {number} holds a zero byte: it is no list")
        lines.append(Line(number, found))
    if not lines:
        raise DataError(f"{called} lists nothing")
    return Listing(called, tuple(lines), hashlib.sha256(content).hexdigest())


def files_in(root: Path, listing: Listing, field: int, *, below: str = "") -> list[Path]:
    """The files that the lines of a list name, all of which are there.

    Args:
        root: the folder that the list names them from.
        listing: that names them, each once.
        field: of a line, the name.
        below: a further folder that all lie in.

    Raises:
        DataError: for a name that leads out of the folder, stands there twice, or is no file's.
    """
    found: list[Path] = []
    seen: dict[str, int] = {}
    missing: list[Line] = []
    base = root / below if below else root
    for line in listing.lines:
        name = line.fields[field]
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise DataError(f"{listing.called}: line {line.number} names {as_text(name)!r}, which is no place below {as_text(base)}")
        if name in seen:
            raise DataError(f"{listing.called}: line {line.number} names the same file as line {seen[name]}: {as_text(name)}")
        seen[name] = line.number
        path = base / name
        found.append(path)
        if not path.is_file():
            missing.append(line)
    if missing:
        first = missing[0]
        raise DataError(
            f"{listing.called}: {len(missing)} of the {len(found)} files that it names are not in {as_text(base)}, "
            f"the first in line {first.number}: {as_text(first.fields[field])}"
        )
    return found


def seen(*listings: Listing) -> str:
    """What is noted of lists for which no checksum is published."""
    told = ", ".join(f"{listing.called.rpartition('/')[2]} {listing.sha256[:16]}…" for listing in listings)
    return f"no checksum is published; SHA-256 of what was read: {told}"


def check_counts(name: str, given: Sequence[tuple[str, int, int]]) -> None:
    """Compare what was read with what is published.

    Args:
        name: of the data set.
        given: what is counted, how many there are, how many there should be.

    Raises:
        DataError: if one differs.
    """
    for what, found, wanted in given:
        if found != wanted:
            raise DataError(
                f"{name} has {wanted:,} {what}, here are {found:,}: it is not what is published; a part of it is read by csv or folder"
            )


def sha256_of(path: Path) -> str:
    """The checksum of a file that is there, 64 hexadecimal digits."""
    return hashlib.sha256(read_regular(path, most=_MOST_BYTES)).hexdigest()

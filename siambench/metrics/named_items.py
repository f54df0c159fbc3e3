"""Items that a table with commas names: its lines and cells, and the places of the items."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

from siambench.errors import MetricError

_MOST_DIGITS = 9


def lines_of(text: str) -> list[tuple[int, str]]:
    """The lines of a text that hold anything, each with its number from 1; a mark of the order of bytes is no part of it."""
    return [(number, line.strip()) for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1) if line.strip()]


def cells_of(number: int, line: str) -> list[str]:
    """The cells of one line of a table.

    Raises:
        MetricError: if it is none.
    """
    if '"' not in line and len(line) <= csv.field_size_limit():
        # Lists have a hundred thousand lines.
        return [cell.strip() for cell in line.split(",")]
    # One line at a time: a quotation mark that is never closed spoils its own line only.
    try:
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True, strict=True))]
    except csv.Error as error:
        raise MetricError(f"line {number} is no row of a table: {error}") from error


def whole_number(text: str) -> int | None:
    """A whole number from 0, or None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def places_in(columns: Sequence[Sequence[str]], names: Sequence[str], *, rows: str) -> list[list[int]]:
    """The indices of the items that the columns of a table name.

    Args:
        columns: of names, of one length each.
        names: of the items, [N]. A table may leave out their suffix (``.jpg``); a name that is a number and no item's name is an index
            from 0.
        rows: what the rows are, for people: ``"pairs"``.

    Raises:
        MetricError: for a name that no item or several have.
    """
    places = _places(names)
    found = []
    for column in columns:
        known = [places.get(name) for name in column]
        # What is no name may be an index, or a name of several.
        found.append([_place(name, places, names, rows) if index is None else index for name, index in zip(column, known, strict=True)])
    concerned = [number for number, row in enumerate(zip(*found, strict=True)) if min(row) < 0]
    if concerned:
        name = next(column[concerned[0]] for column, at in zip(columns, found, strict=True) if at[concerned[0]] < 0)
        slashed = name.replace("\\", "/")
        hint = "; there folders are parted by /, not \\" if slashed != name and slashed in places else ""
        raise MetricError(
            f"the {rows} name {name!r}, which none of the {len(names)} items is called: {len(concerned)} of {len(columns[0])} {rows} "
            f"are concerned, an item is called {names[0]!r}{hint}"
        )
    return found


def _places(names: Sequence[str]) -> dict[str, int | None]:
    """The index of each name, and of each without its suffix where that is no other's name; None where several have it."""
    whole: dict[str, int | None] = {}
    stems: dict[str, int | None] = {}
    for index, name in enumerate(names):
        whole[name] = None if name in whole else index
        if "." in name.rpartition("/")[2]:
            stem = name.rpartition(".")[0]
            stems[stem] = None if stem in stems else index
    return stems | whole


def _place(name: str, places: Mapping[str, int | None], names: Sequence[str], rows: str) -> int:
    """The index of an item, or -1 where none is called so."""
    index = places[name] if name in places else whole_number(name)
    if index is None and name in places:
        raise MetricError(f"the {rows} name {name!r}, which more than one of the {len(names)} items is called")
    return -1 if index is None or index >= len(names) else index

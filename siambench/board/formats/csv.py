"""Comma-separated values: one line per row, every reported metric with twelve digits, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from siambench.wording import in_csv

if TYPE_CHECKING:
    from siambench.interfaces import TableView

NAME = "csv"
SOURCE = "RFC 4180, comma-separated values, with plain line ends"


def render(table: TableView) -> str:
    """The file."""
    return csv_of(table.flat_names, [[cell_of(row[name]) for name in table.flat_names] for row in table.flat])


def digits(value: float) -> str:
    """Twelve digits: the last ones of a double may differ between builds of the mathematical library."""
    return f"{value:.12g}"


def cell_of(value: object) -> str:
    """A value in twelve digits, names with spaces between, a mapping as JSON; nothing where there is nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return digits(value)
    if isinstance(value, Mapping):
        return json.dumps({name: _rounded(one) for name, one in sorted(value.items())}, ensure_ascii=False) if value else ""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _rounded(value: object) -> object:
    return float(digits(value)) if isinstance(value, float) else value


def csv_of(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Comma-separated values with plain line ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([in_csv(str(name)) for name in head])
    writer.writerows([in_csv(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()

"""A table for a terminal: fresh rows stand out, a rule parts the tie groups."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypedDict

from siambench.wording import printable, several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siambench.interfaces import ColumnView, TableView

NAME = "table"
SOURCE = "a table for a terminal, as wide as it, or wide enough for a file"

_LEFT_OUT = ("group", "sd_over_studies", "repetitions", "dimension", "test_opened")
"""A terminal is narrow: the groups are the rules between rows, and the page has the rest."""

_FOLDED = ("method", "flags", "from")
_NARROWEST = 16
"""Of a column that folds: letters in a line at least, where it has as many."""

_DISPENSABLE = ("trials", "from", "studies", "difference_to_baseline", "flags", "difference", "rank")
"""What a narrower screen does without, one after the other, when the scores beside the first are left out already."""

_FRAME = 3
"""Letters that a column takes beside its own: a rule, and a space on either side."""

_FILE_WIDTH = 180


class _How(TypedDict):
    justify: Literal["left", "right"]
    overflow: Literal["fold", "ellipsis"]


def render(table: TableView) -> str:
    """The table; on a screen that it does not fit, with fewer columns, and a line that names those."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(soft_wrap=False) if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
    columns = [
        column for column in table.shown_to("people") if column.name not in _LEFT_OUT and not column.name.endswith(("_classes", "_groups"))
    ]
    columns, left_out = _fitting(columns, console.width)
    closed = " (closed-set)" if "closed-set" in table.title.lower() else ""
    title = f"{table.track} {table.version}{closed}" if table.version else table.title
    shown = RichTable(title=Text(printable(title)), title_justify="left")
    for column in columns:
        folded = column.name in _FOLDED
        head = Text(printable(column.title))
        how: _How = {"justify": "left", "overflow": "fold"} if folded else {"justify": "right", "overflow": "ellipsis"}
        shown.add_column(head, **how, no_wrap=not folded, min_width=_least(column))
    for place, row in enumerate(table.rows):
        last = place + 1 == len(table.rows)
        mark = "dim" if row.baseline else ("bold" if row.fresh else None)
        cells = [Text(printable(column.texts[place])) for column in columns]
        shown.add_row(*cells, style=mark, end_section=not last and row.group != table.rows[place + 1].group)
    with console.capture() as captured:
        console.print(shown)
        if left_out:
            number = several(len(left_out), "column does", "columns do")
            console.print(Text(printable(f"{number} not fit this screen: {', '.join(left_out)}; --format csv has all")))
    return captured.get()


def _widest(column: ColumnView) -> int:
    return max(len(printable(text)) for text in (column.title, *column.texts))


def _least(column: ColumnView) -> int:
    """Letters that a column needs: all that it has, or where it folds a part."""
    return min(_widest(column), _NARROWEST) if column.name in _FOLDED else _widest(column)


def _fitting(columns: Sequence[ColumnView], width: int) -> tuple[list[ColumnView], list[str]]:
    """The columns that fit a width, and the titles of those that do not: the first score and the method always stay."""
    kept = list(columns)
    known = {"method", *_DISPENSABLE}
    scores = [column.name for column in columns if column.name not in known]
    for name in (*reversed(scores[1:]), *_DISPENSABLE):
        if sum(_least(column) + _FRAME for column in kept) + 1 <= width:
            break
        kept = [column for column in kept if column.name != name]
    return kept, [column.title for column in columns if column not in kept]

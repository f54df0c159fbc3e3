"""A table for a terminal: fresh rows stand out, a rule parts the tie groups."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siambench.interfaces import TableView
from siambench.wording import printable

NAME = "table"
SOURCE = "a table for a terminal, as wide as it, or wide enough for a file"

_LEFT_OUT = ("group", "sd_over_studies", "repetitions", "dimension", "test_opened")
"""A terminal is narrow: the groups are the rules between rows, and the page has the rest."""

_FOLDED = ("method", "flags", "from")
_FILE_WIDTH = 180


def render(table: TableView) -> str:
    """The table."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = [
        column for column in table.shown_to("people") if column.name not in _LEFT_OUT and not column.name.endswith(("_classes", "_groups"))
    ]
    closed = " (closed-set)" if "closed-set" in table.title.lower() else ""
    title = f"{table.track} {table.version}{closed}" if table.version else table.title
    shown = RichTable(title=Text(printable(title)), title_justify="left")
    for column in columns:
        folded = column.name in _FOLDED
        head = Text(printable(column.title))
        shown.add_column(head, justify="left" if folded else "right", overflow="fold" if folded else "ellipsis", no_wrap=not folded)
    for place, row in enumerate(table.rows):
        last = place + 1 == len(table.rows)
        mark = "dim" if row.baseline else ("bold" if row.fresh else None)
        cells = [Text(printable(column.texts[place])) for column in columns]
        shown.add_row(*cells, style=mark, end_section=not last and row.group != table.rows[place + 1].group)
    console = Console(soft_wrap=False) if sys.stdout.isatty() else Console(width=_FILE_WIDTH)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()

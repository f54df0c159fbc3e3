"""A page of HTML, whole in one file: the table with its details, figures and rules, for people who look and for those who listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siambench.interfaces import TableView

NAME = "html"
SOURCE = "a page of HTML in one file, with style and script of its own"


def render(table: TableView) -> str:
    """The page."""
    from siambench.board.page import track_page

    return track_page(table)

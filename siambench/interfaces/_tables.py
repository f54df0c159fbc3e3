"""A leaderboard as formats see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Cell = str | int | float | bool | None | Sequence[object] | Mapping[str, Any]
"""A value of a table: what JSON can hold."""


@dataclass(frozen=True)
class ColumnView:
    """One column of a table, as a format sees it.

    Args:
        name: for machines, such as ``rank``, ``map@r``, ``test_opened``.
        title: for people, such as ``test opened``.
        audience: for whom it is shown: ``"people"``, ``"machines"`` or ``"all"``.
        values: one per row. Of a metric a mapping with ``mean``, ``ci95``, ``n``, ``over``, ``classes95`` and ``groups95``, or None
            where there is no score.
        texts: the same as people read them; a missing score is a dash.
    """

    name: str
    title: str
    audience: Literal["people", "machines", "all"]
    values: tuple[Cell, ...]
    texts: tuple[str, ...]

    @property
    def is_text(self) -> bool:
        """Whether its cells are words: none of its values is a number, a score or an interval."""
        parts = [part for value in self.values for part in (value if isinstance(value, list | tuple) else [value])]
        return not any(isinstance(part, int | float | Mapping) for part in parts)


@dataclass(frozen=True)
class SectionView:
    """A further table below the main one.

    Args:
        title: its heading.
        text: a paragraph before it; empty: none.
        head: titles of its columns.
        rows: cells as people read them.
        lines: sentences below it.
    """

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowView:
    """What a format may want to know of a row beside its cells.

    Args:
        name: of the row.
        baseline: whether nothing is trained for it.
        fresh: whether it did not come with siambench.
        group: number of its tie group; None where it is not ranked.
    """

    name: str
    baseline: bool
    fresh: bool
    group: int | None


@dataclass(frozen=True)
class CommandView:
    """A command to try.

    Args:
        title: what it does, a few words.
        command: as it stands in a shell.
    """

    title: str
    command: str


@dataclass(frozen=True)
class DetailView:
    """What stands behind a row.

    Args:
        commands: that make it again.
        sections: tables: of its studies and their parameters, its components, its flags in plain words, its units.
    """

    commands: tuple[CommandView, ...] = ()
    sections: tuple[SectionView, ...] = ()


@dataclass(frozen=True)
class FigureView:
    """A figure of a table.

    Args:
        name: of letters, digits, dots and hyphens, different from that of other figures of the table.
        title: for people.
        caption: what a reader must know of it.
        html: the figure as HTML, drawings in SVG that are coloured by `TableView.figure_style`; safe as it stands.
    """

    name: str
    title: str
    caption: str
    html: str = field(repr=False)


@dataclass(frozen=True)
class TableView:
    """A leaderboard as a format sees it.

    Args:
        title: for people.
        track: name of the track; of several, their names with commas.
        version: of the track.
        command: that makes the page anew.
        notes: of the track, Markdown.
        rows: in their order.
        columns: in their order; each has a value and a text for every row.
        flat_names: of the columns of flat files, which are there without rows too.
        flat: one mapping per row, from the names of flat columns (``rank_low``, ``map@r``, ``map@r_ci95``, …) to plain values.
        captions: what a reader must know of the figures, a paragraph each.
        legend: what columns, baselines and flags mean.
        sections: further tables, in their order.
        document: the whole as one JSON document; see leaderboards/README.md.
        primary: name of the column that rows are ordered by; empty: there is none.
        reading: how to read the table, a line each.
        rules: of the track in short, pairs of a title and a text.
        commands: that add a row.
        bold: by which rule a score may be set in bold, in a sentence; empty: none may.
        proven: places of the rows, from 0, whose score of the primary metric may.
        details_of: makes `details`.
        figures_of: makes `figures`.
        style_of: makes `figure_style`.
    """

    title: str
    track: str
    version: str
    command: str
    notes: str
    rows: tuple[RowView, ...]
    columns: tuple[ColumnView, ...]
    flat_names: tuple[str, ...]
    flat: tuple[Mapping[str, Any], ...]
    captions: tuple[str, ...]
    legend: str
    sections: tuple[SectionView, ...]
    document: Mapping[str, Any]
    primary: str = ""
    reading: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    commands: tuple[CommandView, ...] = ()
    bold: str = ""
    proven: tuple[int, ...] = ()
    details_of: Callable[[], tuple[DetailView, ...]] = field(default=tuple, compare=False, repr=False)
    figures_of: Callable[[], tuple[FigureView, ...]] = field(default=tuple, compare=False, repr=False)
    style_of: Callable[[], str] = field(default=str, compare=False, repr=False)

    @cached_property
    def details(self) -> tuple[DetailView, ...]:
        """What stands behind each row, in their order; empty where nothing is known. Made when it is first asked for."""
        return self.details_of()

    @cached_property
    def figures(self) -> tuple[FigureView, ...]:
        """The figures of the table, in their order. Made when they are first asked for."""
        return self.figures_of()

    @cached_property
    def figure_style(self) -> str:
        """CSS that colours all figures of a page, light, dark and printed."""
        return self.style_of()

    def shown_to(self, audience: Literal["people", "machines"]) -> tuple[ColumnView, ...]:
        """The columns for people, or for machines."""
        return tuple(column for column in self.columns if column.audience in (audience, "all"))

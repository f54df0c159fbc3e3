"""A leaderboard as formats see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    def shown_to(self, audience: Literal["people", "machines"]) -> tuple[ColumnView, ...]:
        """The columns for people, or for machines."""
        return tuple(column for column in self.columns if column.audience in (audience, "all"))

"""Tables of several tracks → one table: the mean rank of each method that has a score on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siambench.board import captions
from siambench.board.rows import Row
from siambench.board.scores import Score
from siambench.board.table import Table
from siambench.board.values import text_of
from siambench.errors import UsageError
from siambench.interfaces import ColumnView, RowView, TableView
from siambench.spec import SCHEMA
from siambench.stats import mean_ranks, ranks

CAPTION = (
    "Mean rank over the tracks ± half-width of its 95 % t-interval over tracks; beside the name of each track its primary metric, and in "
    "the cells rank and score. Ranked are the methods with a score on every track, among each other: a rank here can be another than in "
    "the track's own table."
)


@dataclass(frozen=True)
class Ranked:
    """A method over all tracks.

    Args:
        method: its name.
        mean_rank: 1 being the best.
        ci95: half-width of the t-interval over tracks; None for a single track.
        ranks: on each track among the methods ranked here, ties sharing their mean.
        rows: its row of each track.
    """

    method: str
    mean_rank: float
    ci95: float | None
    ranks: tuple[float, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Across:
    """Several leaderboards at once.

    Args:
        tables: of the tracks, in the order asked for.
        ranked: best mean rank first.
        left_out: method → why it is not ranked.
    """

    tables: tuple[Table, ...]
    ranked: tuple[Ranked, ...]
    left_out: dict[str, str]


def build(tables: Sequence[Table]) -> Across:
    """Rank what all tables have.

    Args:
        tables: of different tracks, at least one.

    Raises:
        UsageError: if there is no track, a track comes twice, or closed-set tracks stand beside class-disjoint ones.
    """
    names = [table.track.name for table in tables]
    if not names:
        raise UsageError("a mean rank needs at least one track")
    for name in names:
        if names.count(name) > 1:
            versions = " and ".join(dict.fromkeys(t.track.version for t in tables if t.track.name == name))
            raise UsageError(f"track {name} comes twice (version {versions}): a mean rank takes each track once")
    closed = [table.track.name for table in tables if table.closed_set]
    if 0 < len(closed) < len(tables):
        raise UsageError(f"{', '.join(closed)} is closed-set: its ranks never join those of class-disjoint tracks")
    found: list[dict[str, Row]] = []
    for table in tables:
        by_name: dict[str, Row] = {}
        for line in table.lines:
            if line.row.method.baseline is not None:
                continue
            if line.row.name in by_name:
                # To take the better one would be to choose by the test.
                raise UsageError(f"{table.track.name} has two rows of {line.row.name}: leave one of them out of --from")
            by_name[line.row.name] = line.row
        found.append(by_name)
    methods = sorted({name for by_name in found for name in by_name})
    scores = np.array(
        [[_score(table, by_name.get(name)) for name in methods] for table, by_name in zip(tables, found, strict=True)], dtype=float
    )
    upwards = [table.direction == "max" for table in tables]
    means = mean_ranks(scores, higher_is_better=upwards)
    kept = [(place, mean) for place, mean in enumerate(means) if mean is not None]
    columns = [place for place, _ in kept]
    places = [ranks(of_track[columns], higher_is_better=up) for of_track, up in zip(scores, upwards, strict=True)] if kept else []
    ranked = []
    for column, (place, mean) in enumerate(kept):
        own = tuple(float(of_track[column]) for of_track in places)
        rows = tuple(by_name[methods[place]] for by_name in found)
        ranked.append(Ranked(methods[place], mean.mean, mean.half_width, own, rows))
    ranked.sort(key=lambda one: (one.mean_rank, one.method))
    left_out = {name: _why(tables, found, name) for name, mean in zip(methods, means, strict=True) if mean is None}
    return Across(tuple(tables), tuple(ranked), left_out)


def _score(table: Table, row: Row | None) -> float:
    score = None if row is None else row.scores.get(table.track.metrics.primary)
    return np.nan if score is None else score.mean


def _why(tables: Sequence[Table], found: Sequence[dict[str, Row]], name: str) -> str:
    reasons = []
    for table, by_name in zip(tables, found, strict=True):
        row = by_name.get(name)
        primary = table.track.metrics.primary
        if row is None:
            reasons.append(f"no row on {table.track.name}")
        elif primary not in row.scores:
            reasons.append(f"no score on {table.track.name} ({row.reason or row.missing.get(primary, f'no {primary}')})")
    return ", ".join(reasons)


def view(across: Across) -> TableView:
    """The mean ranks as formats see them: one row per method, those left out last, for machines alone."""
    ranked = across.ranked
    columns = [
        ColumnView(
            "mean_rank",
            "mean rank",
            "all",
            tuple(one.mean_rank for one in ranked),
            tuple(f"{one.mean_rank:.2f}" + ("" if one.ci95 is None else f" ± {one.ci95:.2f}") for one in ranked),
        ),
        ColumnView("method", "method", "all", tuple(one.method for one in ranked), tuple(one.method for one in ranked)),
    ]
    for place, table in enumerate(across.tables):
        name, primary = table.track.name, table.track.metrics.primary
        columns.append(
            ColumnView(
                name,
                f"{name}, {primary}",
                "all",
                tuple(one.rows[place].scores[primary].mean for one in ranked),
                tuple(f"{one.ranks[place]:g} ({text_of(one.rows[place].scores[primary], Score)})" for one in ranked),
            )
        )
    flags = tuple(_flags(across, one) for one in ranked)
    columns.append(ColumnView("flags", "flags", "all", flags, flags))
    return TableView(
        title=title_of(across),
        track=", ".join(table.track.name for table in across.tables),
        version="",
        command=f"siambench leaderboard {' '.join(table.track.name for table in across.tables)}",
        notes="",
        rows=tuple(RowView(one.method, baseline=False, fresh=False, group=None) for one in ranked),
        columns=tuple(columns),
        flat_names=flat_names(across),
        flat=tuple(flat_rows(across)),
        captions=tuple(_captions(across)),
        legend="",
        sections=(),
        document=to_json(across),
    )


def flat_names(across: Across) -> tuple[str, ...]:
    """The names of the flat columns, in their order."""
    names = [name for table in across.tables for name in (f"{table.track.name}_rank", table.track.name)]
    return ("method", "mean_rank", "mean_rank_ci95", *names, "flags", "reason")


def flat_rows(across: Across) -> list[dict[str, Any]]:
    """One mapping per method, those left out last with their reason: what a CSV file and a data frame hold."""
    empty = dict.fromkeys(flat_names(across))
    rows: list[dict[str, Any]] = []
    for one in across.ranked:
        row: dict[str, Any] = {"method": one.method, "mean_rank": one.mean_rank, "mean_rank_ci95": one.ci95}
        for rank, own, table in zip(one.ranks, one.rows, across.tables, strict=True):
            row |= {f"{table.track.name}_rank": rank, table.track.name: own.scores[table.track.metrics.primary].mean}
        rows.append({**empty, **row, "flags": _flags(across, one)})
    return [*rows, *({**empty, "method": name, "reason": reason} for name, reason in across.left_out.items())]


def title_of(across: Across) -> str:
    """``Mean rank over glyphs 1.0, omniglot-minimal 1.0``; of closed-set tracks it says so."""
    tracks = ", ".join(f"{table.track.name} {table.track.version}" for table in across.tables)
    return f"Mean rank over {tracks}" + (" (closed-set)" if across.tables[0].closed_set else "")


def _flags(across: Across, one: Ranked) -> str:
    marked = ((table.track.name, row.flags) for table, row in zip(across.tables, one.rows, strict=True))
    return ", ".join(f"{name}: {' '.join(flags)}" for name, flags in marked if flags)


def _captions(across: Across) -> list[str]:
    """What the figures mean, the flags that occur, and who is left out."""
    flags = sorted({captions.stem(flag) for one in across.ranked for row in one.rows for flag in row.flags})
    by_reason: dict[str, list[str]] = {}
    for name, reason in across.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [
        CAPTION,
        *(f"{flag}: {captions.FLAGS[flag]}." for flag in flags),
        *(f"Left out, {reason}: {', '.join(names)}." for reason, names in by_reason.items()),
    ]


def to_json(across: Across) -> dict[str, Any]:
    """The document of ``leaderboard TRACK TRACK --format json``; documented in leaderboards/README.md."""
    methods = []
    for one in across.ranked:
        on_tracks = {
            table.track.name: {"rank": rank, "score": row.scores[table.track.metrics.primary].mean, "flags": list(row.flags)}
            for table, rank, row in zip(across.tables, one.ranks, one.rows, strict=True)
        }
        mean = {"mean": one.mean_rank, "ci95": one.ci95, "n": len(across.tables)}
        methods.append({"method": one.method, "mean_rank": mean, "tracks": on_tracks})
    tracks = [
        {"name": t.track.name, "version": t.track.version, "primary": t.track.metrics.primary, "direction": t.direction}
        for t in across.tables
    ]
    return {"schema": SCHEMA, "tracks": tracks, "methods": methods, "left_out": dict(across.left_out)}

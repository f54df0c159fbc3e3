"""Table → what a format sees: columns with values and texts, captions, sections, and the whole as one JSON document."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from siambench.board import captions, costs
from siambench.board.columns import columns_of, has_classes, main_metrics, titled
from siambench.board.details import details_of
from siambench.board.importances import importances_of, importances_text
from siambench.board.rows import Row
from siambench.board.rules import rules_of
from siambench.board.scores import Grouped, Score
from siambench.board.table import Table
from siambench.board.tuning import Tuning
from siambench.board.values import MISSING, Ends, flat, json_of, number, text_of
from siambench.identity import to_json as exam_json
from siambench.interfaces import ColumnView, CommandView, FigureView, RowView, SectionView, TableView
from siambench.spec import SCHEMA, metric_of
from siambench.wording import in_a_line, in_html, quoted

if TYPE_CHECKING:
    from siambench.figures import Picture

_LARGE_FIGURE = 150_000
"""Letters of two drawings above which a page has one: pages stay below two million."""


def view(table: Table, *, command: str = "") -> TableView:
    """A leaderboard as formats see it.

    Args:
        table: the leaderboard.
        command: that made it; empty: the one that writes the pages of a track.
    """
    columns = tuple(
        ColumnView(
            name=column.name,
            title=column.title,
            audience=column.audience,
            values=tuple(json_of(column.value(table, line)) for line in table.lines),
            texts=tuple(text_of(column.value(table, line), column.kind) for line in table.lines),
        )
        for column in columns_of(table)
    )
    rows = tuple(RowView(line.row.name, line.row.method.baseline is not None, not line.row.shipped, line.group) for line in table.lines)
    sections = (*_proven(table), *_others(table), *_tuning(table), *_moved(table), *_missing(table), *_made(table))
    bold, proven = captions.bold(table)
    return TableView(
        title=captions.title_of(table),
        track=table.track.name,
        version=table.track.version,
        command=command or f"siambench leaderboard {quoted(table.reference)} --write",
        notes=table.track.notes.strip(),
        rows=rows,
        columns=columns,
        flat_names=flat_names(table),
        flat=tuple(flat_rows(table)),
        captions=tuple(captions.captions(table, classes=has_classes(table))),
        legend=captions.legend(table),
        sections=sections,
        document=to_json(table),
        primary=table.track.metrics.primary,
        reading=captions.reading(table),
        rules=rules_of(table),
        commands=_commands(table),
        bold=bold,
        proven=proven,
        details_of=partial(details_of, table),
        figures_of=partial(_figures, table),
        style_of=_figure_style,
    )


def _figures(table: Table) -> tuple[FigureView, ...]:
    """All figures that the records of a table allow. Drawing is asked for by few formats, and loaded when it is."""
    from siambench.board.pictures import pictures_of

    return tuple(
        FigureView(one.name, one.title.removeprefix(f"{table.track.name}: "), one.caption, _drawn(one)) for one in pictures_of(table)
    )


def _drawn(picture: Picture) -> str:
    """A picture as HTML: drawn for wide and for narrow pages, or where that is much to load for wide ones alone, to be moved sideways."""
    from siambench.figures import figure, svg

    twice = figure(picture)
    if len(twice) <= _LARGE_FIGURE:
        return twice
    label = in_html(in_a_line(picture.title))
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{label}">\n<div class="figure once">\n{svg(picture)}\n</div>\n</div>'


def _figure_style() -> str:
    from siambench.figures import STYLE

    return STYLE


def _commands(table: Table) -> tuple[CommandView, ...]:
    """How somebody gets a row of their own beside these."""
    track, feeds = quoted(table.reference), table.track.training.feeds
    feed = f" --feed {quoted(feeds[0])}" if feeds and feeds[0] != "classes" else ""
    return (
        CommandView("A first row, of one study", f"siambench run --track {track} --loss LOSS{feed}"),
        CommandView("A row with a rank: every study", f"siambench run --track {track} --loss LOSS{feed} --studies all"),
        CommandView("The table with it", f"siambench leaderboard {track} --from siambench-runs"),
    )


def flat_names(table: Table) -> tuple[str, ...]:
    """The names of the flat columns, in their order."""
    columns = (column for column in columns_of(table) if column.audience != "people")
    return tuple(name for column in columns for name in flat(column.name, None, column.kind))


def flat_rows(table: Table) -> list[dict[str, Any]]:
    """One mapping per row, from the names of flat columns to plain values: what a CSV file and a data frame hold."""
    columns = [column for column in columns_of(table) if column.audience != "people"]
    return [
        {name: cell for column in columns for name, cell in flat(column.name, column.value(table, line), column.kind).items()}
        for line in table.lines
    ]


def to_json(table: Table) -> dict[str, Any]:
    """The document of ``run --json`` and ``leaderboard --format json``; documented in leaderboards/README.md."""
    columns = [column for column in columns_of(table) if column.audience != "people"]
    rows = []
    for line in table.lines:
        cells = {column.name: json_of(column.value(table, line)) for column in columns if column.kind not in (Score, Ends, Grouped)}
        scores = {metric: json_of(line.row.scores[metric]) for metric in table.metrics if metric in line.row.scores}
        rows.append({**cells, "scores": scores, "costs": costs.to_json(line.row.costs)})
    directions = {metric: way for line in reversed(table.lines) for metric, way in line.row.directions.items()}
    directions[table.track.metrics.primary] = table.direction
    return {
        "schema": SCHEMA,
        "track": {"name": table.track.name, "version": table.track.version},
        "exam": None if table.exam is None else {"id": table.exam.id, **exam_json(table.exam)},
        "other_exams": [other.to_json() for other in table.others],
        "primary": table.track.metrics.primary,
        "metrics": [
            {"name": metric, "direction": directions.get(metric_of(metric), "max")}
            # A key of tables with estimates alone.
            | ({"approximate": True} if table.is_approximate(metric) else {})
            for metric in table.metrics
        ],
        "rows": rows,
        "minimum_detectable_difference": None if table.detectable is None else asdict(table.detectable),
        "spread_over_studies": None if table.spread is None else asdict(table.spread),
        "unseen": list(table.unseen),
        "units": dict(table.units),
    }


def _proven(table: Table) -> list[SectionView]:
    ranked = table.ranked
    if len(ranked) < 2:
        return []
    rows = []
    for place, line in enumerate(ranked):
        beaten_by = {other for other, rival in enumerate(ranked) if place in rival.beats}
        open_ones = set(range(len(ranked))) - {place} - set(line.beats) - beaten_by
        names = (places_text(table, place, set(line.beats)), places_text(table, place, open_ones))
        rows.append((str(line.group), line.row.name, *names))
    head = ("group", "method", "significantly better than", "not told apart from")
    return [SectionView("What is proven", captions.proven(table), head, tuple(rows))]


def places_text(table: Table, place: int, chosen: Collection[int]) -> str:
    """Some of the other ranked rows, in few words: ``all others``, ``all below``, ``a, c and all below``, ``a … d``.

    Args:
        table: the table.
        place: of the row that is spoken of, from 0; a run of neighbours goes on across it.
        chosen: places of the rows to name.
    """
    last = len(table.ranked) - 1
    if len(chosen) == last and last > 1:
        return "all others"
    runs: list[list[int]] = []
    for other in (p for p in range(last + 1) if p in chosen or p == place):
        if runs and other == runs[-1][-1] + 1:
            runs[-1].append(other)
        else:
            runs.append([other])
    parts = []
    for run in runs:
        named = [p for p in run if p != place]
        names = [table.lines[p].row.name for p in named]
        if len(named) > 1 and named[-1] == last and run[0] == place:
            parts.append("all below")
        elif len(named) > 2 and named[-1] == last and place not in run:
            parts.append(f"{names[0]} and all below")
        else:
            parts += [f"{names[0]} … {names[-1]}"] if len(named) > 2 else names
    return ", ".join(parts) or MISSING


def _others(table: Table) -> list[SectionView]:
    shown = main_metrics(table)
    others = [metric for metric in table.metrics if metric not in shown]
    if not others:
        return []
    rows = tuple((line.row.name, *(text_of(line.row.scores.get(metric), Score) for metric in others)) for line in table.lines)
    return [SectionView("Other metrics", "", ("method", *(titled(table, metric) for metric in others)), rows)]


def steps(trials: int) -> list[int]:
    """After how many of so many trials the best is shown: 1, 2, 4, 8, 12, 16, 24, 32, 48, 64 …, and all of them."""
    marks, mark = [1, 2, 4], 8
    while mark < trials:
        marks += [mark, mark + mark // 2]
        mark *= 2
    return [*(m for m in marks if m < trials), trials]


def _tuning(table: Table) -> list[SectionView]:
    tested = {(row.key, tuning.study): _test_of(table, row, tuning) for row in _methods(table) for tuning in row.tunings}
    tuned = [tuning for row in _methods(table) for tuning in row.tunings if tuning.counted]
    if not tuned:
        return []
    marks = steps(max(tuning.counted for tuning in tuned))
    rows = []
    for tuning in tuned:
        chosen = tuning.selected
        where = (MISSING, MISSING) if chosen is None else (str(chosen.number), str(chosen.epoch))
        best = (number(tuning.best_after(mark)) for mark in marks)
        scores = (number(None if chosen is None else chosen.value), number(tested[tuning.row, tuning.study]))
        rows.append((tuning.method.name, str(tuning.study), *best, *scores, *where, "" if chosen is None else text_of(chosen.params)))
    head = ("method", "study", *(f"after {mark}" for mark in marks), "validation", "test", "trial", "epoch", "selected parameters")
    text = captions.TUNING.format(primary=table.track.metrics.primary, track=quoted(table.reference))
    return [SectionView("Tuning", text, head, tuple(rows))]


def _moved(table: Table) -> list[SectionView]:
    found = [(row, one) for row in _methods(table) if (one := importances_of(row.tunings)) is not None]
    if not found:
        return []
    rows = []
    for row, one in found:
        known, open_ones = importances_text(one)
        rows.append((row.name, str(one.trials), known or MISSING, open_ones or MISSING))
    raced = any(one.folds == "first" for _, one in found)
    text = captions.MOVED.format(primary=table.track.metrics.primary, raced=captions.RACED if raced else "")
    return [SectionView("What tuning hung on", text, ("method", "drawn trials", "moved by", "cannot be told"), tuple(rows))]


def _methods(table: Table) -> list[Row]:
    return sorted((line.row for line in table.lines if line.row.method.baseline is None), key=lambda row: (row.name, row.key))


def _test_of(table: Table, row: Row, tuning: Tuning) -> float | None:
    """The mean over the final models of a study; None where it selected nothing."""
    return None if tuning.selected is None else row.by_study.get(table.track.metrics.primary, {}).get(tuning.study)


def _missing(table: Table) -> list[SectionView]:
    by_reason: dict[str, list[str]] = {}
    for line in table.lines:
        for reason in _reasons(table, line.row):
            by_reason.setdefault(reason, []).append(line.row.name)
    lines = tuple(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    return [SectionView("Missing cells", "", (), (), lines)] if lines else []


def _made(table: Table) -> list[SectionView]:
    made = [line.row for line in table.lines if line.row.also_made_with]
    lines = tuple(f"{row.name}: shown as made with {versions_text(row)}, not as with {'; '.join(row.also_made_with)}" for row in made)
    return [SectionView("Other versions", "", (), (), lines)] if lines else []


def versions_text(row: Row) -> str:
    """``pytorch-metric-learning 2.9, torch 2.9``: what a row was computed with."""
    return ", ".join(f"{name} {version}" for name, version in sorted(row.libraries.items())) or "versions that are not told"


def _reasons(table: Table, row: Row) -> list[str]:
    classes, shown = f"{table.track.metrics.primary} over classes", has_classes(table)
    # A column that no row fills is not there, and nothing in it is missing.
    missing = [f"{what}: {reason}" for what, reason in row.missing.items() if what != classes or shown]
    return [*([row.reason] if row.reason else []), *missing]

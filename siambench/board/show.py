"""What the command line shows of tables and components; free of torch, like all of this package."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from siambench.board import across
from siambench.board import captions as text
from siambench.board import files as shelf
from siambench.spec import ANCHORS, dimension_to_json
from siambench.tracks.rules import Track, track_folder, track_names

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from siambench.board.across import Across
    from siambench.board.table import Table
    from siambench.board.tuning import Ledger
    from siambench.components.component import Component

_PLAIN_FACTS = (
    *("takes", "images_per_class", "sampler", "own_parameters", "normalise", "feeds"),
    *("gives", "warmup", "takes_path", "direction", "low", "high", "needs"),
)


_CURVE = 24


def console_table(table: Table) -> RichTable:
    """A table for a terminal; fresh rows stand out, a rule parts the tie groups."""
    from rich.table import Table as RichTable

    metrics = text.main_metrics(table)
    compared = any(line.difference for line in table.lines)
    closed = " (closed-set)" if table.closed_set else ""
    shown = RichTable(title=f"{table.track.name} {table.track.version}{closed}", title_justify="left")
    shown.add_column("rank", justify="right")
    shown.add_column("method", overflow="fold")
    for metric in metrics:
        shown.add_column(metric, justify="right", no_wrap=True)
    if compared:
        shown.add_column(f"Δ {table.track.metrics.primary}", justify="right", no_wrap=True)
    for name in ("trials", "seeds"):
        shown.add_column(name, justify="right")
    shown.add_column("flags", overflow="fold")
    for place, line in enumerate(table.lines, start=1):
        row, last = line.row, place == len(table.lines)
        budget = ["", ""] if row.method.is_anchor else [str(row.trials), str(row.seeds)]
        cells = [text.rank_cell(line), row.name, *(text.cell(row, m) for m in metrics)]
        cells += [text.difference_cell(line)] if compared else []
        mark = "bold" if not row.shipped and not row.method.is_anchor else ("dim" if row.method.is_anchor else None)
        shown.add_row(*cells, *budget, " ".join(row.flags), style=mark, end_section=not last and line.group != table.lines[place].group)
    return shown


def across_table(found: Across) -> RichTable:
    """The mean ranks over several tracks, for a terminal."""
    from rich.table import Table as RichTable

    head, rows = across.cells(found)
    shown = RichTable(title=across.title_of(found), title_justify="left")
    for column in head:
        shown.add_column(column, justify="left" if column in ("method", "flags") else "right", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    return shown


def ledger_table(ledger: Ledger) -> RichTable:
    """The trials of a study, for a terminal: what each scored, and beside it the curve of the best so far."""
    from rich.table import Table as RichTable

    shown = RichTable(title=f"{ledger.method.name} on {ledger.track} {ledger.version}, study {ledger.study}", title_justify="left")
    for name in ("trial", "kind", ledger.primary, "epoch", "folds", "best"):
        shown.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
    shown.add_column("● trial  ┃ best", no_wrap=True)
    shown.add_column("parameters", overflow="fold")
    for trial in ledger.trials:
        at = None if trial.epoch is None else trial.epoch - 1
        folds = "failed" if at is None else " ".join(text.number(fold[at]) for fold in trial.folds)
        epoch = text.MISSING if trial.epoch is None else str(trial.epoch)
        params = " ".join(f"{name}={text.value_cell(value)}" for name, value in sorted(trial.params.items()))
        chosen = ledger.selected is not None and trial.number == ledger.selected.number
        style = "bold" if chosen else (None if trial.number < ledger.counted else "dim")
        shown.add_row(
            *(str(trial.number), trial.kind, text.number(trial.value), epoch, folds, text.number(trial.best)),
            *(_curve(ledger, trial.value, trial.best), params),
            style=style,
        )
    return shown


def _curve(ledger: Ledger, value: float | None, best: float | None) -> str:
    known = [trial.value for trial in ledger.trials if trial.value is not None]
    cells = [" "] * _CURVE
    for mark, at in (("┃", best), ("●", value)):
        if at is not None:
            share = (at - min(known)) / (max(known) - min(known)) if max(known) > min(known) else 1.0
            cells[round(share * (_CURVE - 1))] = mark
    return "".join(cells)


def ledger_summary(ledger: Ledger, *, studies: int) -> list[str]:
    """What the trials come to, a sentence each.

    Args:
        ledger: of the study shown.
        studies: how many studies bear the row's name.
    """
    chosen = ledger.selected
    counted = f"{ledger.counted} of {ledger.budget} trials counted, {ledger.failed} failed, {len(ledger.space)} parameters"
    found = [counted + (f", {ledger.pending} trials incomplete" if ledger.pending else "")]
    if chosen is None:
        found.append("no trial is selected")
    else:
        gain = "" if ledger.default is None or chosen.value is None else f", {chosen.value - ledger.default:+.3f}"
        found.append(
            f"{ledger.primary} on validation classes: default {text.number(ledger.default)}, tuned {text.number(chosen.value)}{gain} "
            f"(trial {chosen.number}, epoch {chosen.epoch})"
        )
    found += [f"{flag}: {text.FLAGS[text.stem(flag)]}" for flag in ledger.flags]
    found += [f"trial {trial.number} failed: {trial.error}" for trial in ledger.trials if trial.error is not None]
    if studies > 1:
        found.append(f"{studies} studies bear this name (other versions, spaces or data): this is the one with most trials")
    return found


def estimate(track: Track, *, tune: int, final: int) -> float | None:
    """Seconds of work in so many units, from the telemetry of the track's shipped records; None without any."""
    if track.name not in track_names():
        return None
    seconds: dict[str, list[float]] = {"tune": [], "final": []}
    for record in shelf.load(track_folder(track.name)).records:
        unit = record["result"]["unit"]
        if unit["method"]["loss"] not in ANCHORS:
            seconds[unit["kind"]].append(record["telemetry"]["total_seconds"])
    if not seconds["tune"] or not seconds["final"]:
        return None
    return tune * statistics.median(seconds["tune"]) + final * statistics.median(seconds["final"])


def describe(component: Component) -> dict[str, Any]:
    """Everything an entry says of itself, as JSON."""
    entry = component.entry
    facts: dict[str, Any] = {
        "kind": component.kind,
        "name": component.name,
        "distribution": component.provenance.distribution,
        "version": component.provenance.version,
        "plugin": component.provenance.plugin,
        "digest": component.provenance.digest,
        "source": entry.source,
        "about": (entry.build if hasattr(entry, "build") else entry.compute).__doc__,
    }
    if hasattr(entry, "space"):
        facts["space"] = {name: dimension_to_json(dimension) for name, dimension in entry.space.items()}
    for name in ("defaults", "augment"):
        if hasattr(entry, name):
            facts[name] = dict(getattr(entry, name))
    for name in _PLAIN_FACTS:
        if hasattr(entry, name):
            value = getattr(entry, name)
            facts[name] = list(value) if isinstance(value, tuple) else value
    return facts

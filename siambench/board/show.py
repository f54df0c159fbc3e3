"""What the command line shows of tables and components; free of torch, like all of this package."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from siambench.board import shelf, text
from siambench.config import Track, track_folder, track_names
from siambench.spec import dimension_to_json

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from siambench.board.table import Table
    from siambench.catalogue import Component

_PLAIN_FACTS = (
    *("takes", "images_per_class", "sampler", "own_parameters", "normalise", "feeds"),
    *("gives", "warmup", "takes_path", "direction", "low", "high", "needs"),
)


def console_table(table: Table) -> RichTable:
    """A table for a terminal; fresh rows stand out."""
    from rich.table import Table as RichTable

    metrics = text.main_metrics(table)
    compared = any(line.difference for line in table.lines)
    shown = RichTable(title=f"{table.track.name} {table.track.version}", title_justify="left")
    shown.add_column("rank", justify="right")
    shown.add_column("method", overflow="fold")
    for metric in metrics:
        shown.add_column(metric, justify="right", no_wrap=True)
    if compared:
        shown.add_column(f"Δ {table.track.metrics.primary}", justify="right", no_wrap=True)
    for name in ("trials", "seeds"):
        shown.add_column(name, justify="right")
    shown.add_column("flags", overflow="fold")
    for line in table.lines:
        row = line.row
        budget = ["", ""] if row.method.is_anchor else [str(row.trials), str(row.seeds)]
        cells = [text.rank_cell(line), row.name, *(text.cell(row, m) for m in metrics)]
        cells += [text.difference_cell(line)] if compared else []
        mark = "bold" if not row.shipped and not row.method.is_anchor else ("dim" if row.method.is_anchor else None)
        shown.add_row(*cells, *budget, " ".join(row.flags), style=mark)
    return shown


def estimate(track: Track, *, tune: int, final: int) -> float | None:
    """Seconds of work in so many units, from the telemetry of the track's shipped records; None without any."""
    if track.name not in track_names():
        return None
    seconds: dict[str, list[float]] = {"tune": [], "final": []}
    for record in shelf.load(track_folder(track.name)).records:
        unit = record["result"]["unit"]
        if unit["method"]["loss"] not in ("raw", "untrained"):
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

"""What commands print: documents and tables on stdout, all that explains them on stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from siambench.wording import duration, printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from siambench.board.table import Table
    from siambench.studies.request import Prepared


def print_json(document: Any) -> None:
    """One document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def say_refused(prepared: Prepared) -> None:
    """Which combinations of a grid are skipped, and why."""
    for refused in prepared.refused:
        click.echo(printable(f"skipped {refused.method.name}: {refused.reason}"), err=True)


def say_older(folder: Path, number: int) -> None:
    """How many records of a folder are of another layout, and what brings them to this one; nothing where there are none."""
    if number:
        click.echo(f"passed over {number} records of another layout: siambench upgrade {folder}", err=True)


def show_plan(prepared: Prepared, out: Path, jobs: int | None, *, as_json: bool) -> None:
    """What would run, on stdout: as text or as one document."""
    from siambench.board.show import estimate
    from siambench.execution import coordinator as benchmark
    from siambench.execution.engines.local import automatic_jobs

    say_refused(prepared)
    cached = benchmark.cached_units(prepared, out)
    workers = jobs or automatic_jobs()
    seconds = estimate(prepared.track, tune=sum(s.trials * s.folds for s in prepared.studies), final=sum(s.seeds for s in prepared.studies))
    share = 1 - cached / prepared.planned
    wall = None if seconds is None else seconds * share / workers
    if as_json:
        studies = [
            {"method": s.method.name, "trials": s.trials, "folds": s.folds, "seeds": s.seeds, "dimension": len(s.space)}
            for s in prepared.studies
        ]
        track = {"name": prepared.track.name, "version": prepared.track.version}
        units = {"planned": prepared.planned, "cached": cached}
        print_json({"schema": 1, "track": track, "studies": studies, "units": units, "jobs": workers, "estimated_seconds": wall})
        return
    click.echo(f"track {prepared.track.name} {prepared.track.version}")
    for study in prepared.studies:
        click.echo(
            f"  {study.method.name}: {study.trials} trials × {study.folds} folds + {study.seeds} seeds, {len(study.space)} parameters"
        )
    click.echo(f"  anchors: {len(prepared.anchors)} units")
    guess = "no estimate: no unit of this track was timed yet" if wall is None else f"about {duration(wall)} with {workers} workers"
    click.echo(f"{prepared.planned} units, {cached} cached; {guess}")


def show_table(table: Table) -> None:
    """A table on stdout, its captions and the meaning of its flags on stderr."""
    from siambench.board import captions as text
    from siambench.board.show import console_table

    print_grid(console_table(table))
    for caption in text.captions(table, classes=False):
        click.echo(caption, err=True)
    for flag in text.flags_of(table):
        click.echo(f"{flag}: {text.FLAGS[flag]}", err=True)
    shown = text.main_metrics(table)
    for line in table.lines:
        if line.row.reason:
            click.echo(printable(f"{line.row.name}: {line.row.reason}"), err=True)
        for what, reason in line.row.missing.items():
            if what in shown:
                click.echo(printable(f"{line.row.name}, no {what}: {reason}"), err=True)


def print_grid(grid: RichTable) -> None:
    """A table on stdout: as wide as the terminal, or wide enough for a file."""
    from rich.console import Console

    console = Console(soft_wrap=False) if sys.stdout.isatty() else Console(width=180)
    console.print(grid)


def jobs_of(text: str) -> int | None:
    """What ``--jobs`` says: a number of workers, or None for ``auto``."""
    if text == "auto":
        return None
    if text.isdigit() and int(text) >= 1:
        return int(text)
    raise click.BadParameter(f"--jobs takes a number of at least 1, or auto, got {text!r}")

"""What commands print: documents and tables on stdout, all that explains them on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from siambench.wording import in_json, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table as RichTable

    from siambench.board.table import Table
    from siambench.interfaces import TableView
    from siambench.studies.request import Prepared

DEFAULT_FORMAT = "table"


def print_json(document: Any) -> None:
    """One document on stdout."""
    text = json.dumps(document, indent=2, ensure_ascii=not _can_say_all(sys.stdout), allow_nan=False)
    click.echo(in_json(text))


def _can_say_all(stream: Any) -> bool:
    """Whether a stream can encode any letter; a document must not lose one."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def stdout_for_documents() -> contextlib.AbstractContextManager[object]:
    """Send what loaders, losses and libraries print to stderr: on stdout it would spoil a document."""
    return contextlib.redirect_stdout(sys.stderr)


def say_build() -> None:
    """Say once on a machine that another build of torch would suit it better."""
    from siambench.data.locate import cache_folder
    from siambench.machine import unfit_torch

    said = unfit_torch()
    told = cache_folder() / "told-of-torch"
    if said is None:
        return
    with contextlib.suppress(OSError, ValueError):
        if told.read_text(encoding="utf-8") == said:
            return
    click.echo(said, err=True)
    with contextlib.suppress(OSError):
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(said, encoding="utf-8")


def say_refused(prepared: Prepared) -> None:
    """Which combinations of a grid are skipped, and why."""
    for refused in prepared.refused:
        click.echo(printable(f"skipped {refused.method.name}: {refused.reason}"), err=True)


def say_older(folder: Path, number: int) -> None:
    """How many records of a folder are of another layout, and what brings them to this one; nothing where there are none."""
    if number:
        click.echo(f"passed over {number} records of another layout: siambench upgrade {quoted(str(folder))}", err=True)


def say_damaged(damaged: Mapping[Path, str]) -> None:
    """Which files hold no record, and why; those of another layout by their number."""
    from siambench.records.record import schema_of
    from siambench.spec import RECORD_SCHEMA

    shown = 5
    old = Counter(path.parent.parent for path in damaged if (schema_of(path) or RECORD_SCHEMA) < RECORD_SCHEMA)
    for folder, number in sorted(old.items()):
        say_older(folder, number)
    newer = sum((schema_of(path) or 0) > RECORD_SCHEMA for path in damaged)
    if newer:
        click.echo(f"passed over {newer} records of a newer layout: install the siambench that wrote them", err=True)
    broken = {path: reason for path, reason in damaged.items() if schema_of(path) is None}
    for path, reason in list(broken.items())[:shown]:
        click.echo(printable(f"passed over {path}, which holds no intact record: {reason}"), err=True)
    if len(broken) > shown:
        click.echo(f"passed over {len(broken) - shown} more files: no intact records", err=True)


def formatted(table: TableView, name: str) -> str:
    """A table in the format of that name; plugins are loaded only where it is none that ships.

    Raises:
        UnknownNameError: if nothing provides it.
        PluginError: if the format of a plugin breaks.
    """
    from siambench.board.formats import shipped_formats

    shipped = shipped_formats().get(name)
    if shipped is not None:
        return shipped.render(table)
    from siambench.components.catalogue import Catalogue
    from siambench.errors import PluginError, SiambenchError, named
    from siambench.plugin import call_factory

    with stdout_for_documents():
        component = Catalogue.load().get("formats", name)
        try:
            text = call_factory(component.entry.render, {"table": table})
        except (SiambenchError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginError(f"the format {name!r} of {component.provenance} breaks: {named(error)}") from error
    if not isinstance(text, str):
        raise PluginError(f"the format {name!r} of {component.provenance} must give text, got {type(text).__name__}")
    return text


def show_table(table: Table) -> None:
    """A table on stdout, its captions and the meaning of its flags on stderr."""
    from siambench.board import captions
    from siambench.board.view import view

    click.echo(formatted(view(table), DEFAULT_FORMAT), nl=False)
    if not table.lines:
        name = table.track.name
        click.echo(printable(f"no row of {name} is here yet: siambench run --track {name} --loss LOSS makes one"), err=True)
        return
    for caption in captions.captions(table, classes=False):
        click.echo(caption, err=True)
    if table.ranked:
        click.echo(f"between two rules: {captions.GROUP}", err=True)
    for flag, text in captions.flag_texts(table).items():
        click.echo(f"{flag}: {text}", err=True)
    for other in table.others:
        click.echo(printable(other.told), err=True)
    for line in table.lines:
        for made in line.row.also_made_with:
            click.echo(printable(f"{line.row.name}: not shown as made with {made}"), err=True)
    for name, what in _without(table):
        click.echo(printable(f"{name}{what}"), err=True)


def _without(table: Table) -> Iterator[tuple[str, str]]:
    """Rows without a score, or without one that is shown, and why."""
    from siambench.board import columns

    shown = columns.main_metrics(table)
    for line in table.lines:
        if line.row.reason:
            yield line.row.name, f": {line.row.reason}"
        for what, reason in line.row.missing.items():
            if what in shown:
                yield line.row.name, f", no {what}: {reason}"


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

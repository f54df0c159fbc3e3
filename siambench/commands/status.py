"""Where a run stands, from another terminal: ``status``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from siambench.commands.terminal import print_json
from siambench.wording import duration, printable, quoted

if TYPE_CHECKING:
    from siambench.records.status import Begun, Count, Status

_SHOWN = 5


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def status(directory: Path, as_json: bool) -> None:  # noqa: FBT001
    """Show where the run stands whose output folder is DIR, while it runs or after it ended.

    DIR is what run has as --out, or the folder of one track in it. Nothing is written, and a running run is not disturbed.
    """
    from siambench.records.status import folders, status_of

    found = [status_of(folder, now=time.time()) for folder in folders(directory)]
    if as_json:
        print_json({"schema": 1, "directory": str(directory), "tracks": [_document(one) for one in found]})
        return
    for one in found:
        for line in _lines(one):
            click.echo(printable(line))


def _lines(one: Status) -> Iterator[str]:
    yield f"{one.name} {one.version or ''}".rstrip() + f" in {one.folder}: {_work(one)}"
    width = max((len(row.method) for row in one.begun), default=0)
    for row in one.begun:
        yield f"  {row.method:<{width}}  {row.state:<6}  {_counts(row)}"
    for unit in one.running:
        yield f"  running: {unit.told}, process {unit.process} on {unit.host}"
    units = f"{one.records} records"
    if one.age is not None:
        units += f", the last {duration(one.age)} ago"
    if one.pace is not None:
        units += f"; {one.pace:.3g} units per minute"
    if one.left is not None:
        units += f", about {duration(one.left)} left for what has begun"
    yield f"  {units}"
    for failure in one.failures[:_SHOWN]:
        yield f"  failed: {failure.unit}: {failure.error}"
    if len(one.failures) > _SHOWN:
        yield f"  failed: {len(one.failures) - _SHOWN} more, see --json"
    for sentence in _troubles(one):
        yield f"  {sentence}"


def _work(one: Status) -> str:
    if one.owner is None:
        # A lock that another machine or container holds is not to be seen from here.
        return "no process of this machine works on it"
    if one.owner.process is None:
        return "a process works on it"
    command = f" ({one.owner.command})" if one.owner.command else ""
    return f"process {one.owner.process} works on it{command}"


def _counts(row: Begun) -> str:
    parts = [f"{name} {_of(count)}" for name, count in (("tuning", row.tune), ("final", row.final)) if count.planned != 0]
    # A verdict is a note beside the counts: what was not judged, or is ok, has none.
    parts += [f"{number} {verdict}" for verdict, number in row.verdicts.items() if verdict != "ok"]
    return ", ".join(parts)


def _of(count: Count) -> str:
    failed = f" ({count.failed} failed)" if count.failed else ""
    return f"{count.ended}/{'?' if count.planned is None else count.planned}{failed}"


def _troubles(one: Status) -> Iterator[str]:
    """What is wrong with a folder of records, and what to do about it, a sentence each."""
    if one.trouble is not None:
        yield f"the rules cannot be read: {one.trouble}"
    for path, reason in list(one.damaged.items())[:_SHOWN]:
        yield f"damaged: {path} holds no intact record; the run that made it makes it anew ({reason})"
    if len(one.damaged) > _SHOWN:
        yield f"damaged: {len(one.damaged) - _SHOWN} more files"
    if one.older:
        yield f"{one.older} records of an older layout: siambench upgrade {quoted(str(one.folder))}"
    if one.newer:
        yield f"{one.newer} records of a newer layout: install the siambench that wrote them"
    for other in one.others:
        yield f"not counted: {other.units} records of {other.called}"


def _document(one: Status) -> dict[str, Any]:
    owner = None
    if one.owner is not None:
        owner = {"process": one.owner.process, "command": None if one.owner.command is None else printable(one.owner.command)}
    rows = [
        {
            "method": printable(row.method),
            "row": row.row,
            "state": row.state,
            **{
                name: {"ended": count.ended, "failed": count.failed, "planned": count.planned}
                for name, count in (("tune", row.tune), ("final", row.final))
            },
            "verdicts": {printable(verdict): number for verdict, number in row.verdicts.items()},
        }
        for row in one.begun
    ]
    return {
        "track": one.name,
        "version": one.version,
        "exam": None if one.exam is None else {"id": one.exam},
        "other_exams": [{**other.to_json(), "methods": [printable(name) for name in other.methods]} for other in one.others],
        "folder": str(one.folder),
        "owner": owner,
        "running": [
            {
                "unit": unit.unit,
                "label": printable(unit.label),
                "epoch": unit.epoch,
                "epochs": unit.epochs,
                "seconds": unit.seconds,
                "host": unit.host,
                "process": unit.process,
            }
            for unit in one.running
        ],
        "rows": rows,
        "records": one.records,
        "last_record_seconds": one.age,
        "units_per_minute": one.pace,
        "seconds_left": one.left,
        "failed": [{"unit": printable(failure.unit), "error": printable(failure.error)} for failure in one.failures],
        "damaged": [str(path) for path in one.damaged],
        "older": one.older,
        "newer": one.newer,
        "trouble": one.trouble,
    }

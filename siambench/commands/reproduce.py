"""A row run again: ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, say_damaged, stdout_for_documents
from siambench.commands.waiting import Waiting
from siambench.errors import DifferenceError, UsageError

if TYPE_CHECKING:
    from siambench.board.files import Found
    from siambench.execution.reproduction import Rerun
    from siambench.records.record import Record


@click.command()
@click.argument("track")
@click.argument("row")
@click.option("--study", "studies", multiple=True, type=click.IntRange(min=0), help="Which of its studies; repeatable.  [default: all]")
@click.option("--repetition", "repetitions", multiple=True, type=click.IntRange(min=0), help="Likewise of each study.  [default: all]")
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(min=0), hidden=True)
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run that holds the row.")
@click.option("--exam", metavar="ID", help="Another exam whose records are there.  [default: the track's]")
@click.option("--where", "places", multiple=True, metavar="NAME=PATH", help="Where a file or folder is that the row was made with.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Allowed distance of scores where versions differ.  [default: half their deviation over repetitions]",
)
@click.option("--figures", is_flag=True, help="Run the unit that stands for the row, and keep beside its record what pictures need.")
@click.option("--jobs", default="auto", show_default=True, help="Worker processes: a number, or auto.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def reproduce(
    track: str,
    row: str,
    studies: tuple[int, ...],
    repetitions: tuple[int, ...],
    seeds: tuple[int, ...],
    more: tuple[Path, ...],
    exam: str | None,
    places: tuple[str, ...],
    tolerance: float | None,
    figures: bool,  # noqa: FBT001
    jobs: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run the final units of ROW in TRACK again, from their records alone, and compare the results.

    Exit code 6 if a result is not the recorded one: bit for bit with the same versions on the same machine, else within the
    tolerance. With `--figures` the one unit is run that stands for the row in pictures, and what they are drawn from is kept beside its
    record if the result is the recorded one.
    """
    from siambench.commands.terminal import jobs_of
    from siambench.data.locate import cache_folder
    from siambench.execution.calls import local_engine
    from siambench.execution.reproduction import final_records, rerun, spread

    workers = jobs_of(jobs)
    where = dict(place(text) for text in places)
    found_in, records = final_records(track, row, more, exam=exam)
    say_damaged(found_in.damaged)
    rules = found_in.track
    if seeds:
        if repetitions:
            raise UsageError("--seed is the older word for --repetition: give one of the two")
        click.echo("--seed is read as --repetition; the next version will not know it", err=True)
    if figures and (studies or repetitions or seeds):
        raise UsageError("--figures runs the one unit that stands for the row: give no --study and no --repetition beside it")
    chosen = _pictured(row, records) if figures else _chosen(row, records, studies, repetitions or seeds)
    primary, allowed = rules.metrics.primary, spread(records)
    if tolerance is not None:
        allowed = {name: tolerance for record in records for name in record.outcome.scores}
    # The test part is opened again: that is logged, in a place that outlives the folder.
    openings = cache_folder() / "reproduced" / f"{rules.name}.jsonl"
    found = []
    with Waiting(f"running {row} again", total=len(chosen), silent=as_json) as waiting, stdout_for_documents():
        for one in rerun(
            chosen, primary, local_engine(workers), where=where, openings=openings, allowed=allowed, widened=tolerance is None
        ):
            waiting.step()
            click.echo(_line(row, primary, one), err=True)
            found.append(one)
    found.sort(key=lambda one: (one.study, one.repetition))
    if as_json:
        print_json(
            {
                "schema": 1,
                "track": {"name": rules.name, "version": rules.version},
                "exam": {"id": records[0].exam.id},
                "row": row,
                "units": [_document(one) for one in found],
            }
        )
    _say_what_differs(found)
    different = [one for one in found if one.state == "different"]
    if different:
        raise DifferenceError(_difference(row, different, same=not any(one.surroundings for one in different)))
    if figures:
        click.echo(f"wrote {_kept(found_in, chosen[0], found[0])}", err=True)
    identical = sum(one.state == "identical" for one in found)
    click.echo(
        f"{row}: {identical} of {len(found)} results identical, the others within the tolerance"
        if identical < len(found)
        else f"{row}: all {len(found)} results identical",
        err=True,
    )


def _say_what_differs(found: list[Rerun]) -> None:
    """Versions and machine where they are others than recorded, and what comes nearer."""
    from siambench.execution.reproduction import nearer

    for name, (before, now) in sorted({pair for one in found for pair in one.surroundings.items()}):
        click.echo(f"{name}: {before} recorded, {now} here", err=True)
    hints = {nearer(one.surroundings) for one in found} - {None}
    for hint in hints:
        click.echo(hint, err=True)


def _chosen(row: str, records: list[Record], studies: tuple[int, ...], repetitions: tuple[int, ...]) -> list[Record]:
    """Those of some studies and repetitions; where none are named, of all."""
    asked = (("study", "studies", studies), ("repetition", "repetitions", repetitions))
    for name, several, numbers in asked:
        known = sorted({getattr(record.unit, name) for record in records})
        for number in numbers:
            if number not in known:
                raise UsageError(f"{row} has no {name} {number}; its {several}: {', '.join(map(str, known))}")
    found = [record for record in records if all(not numbers or getattr(record.unit, name) in numbers for name, _, numbers in asked)]
    if not found:
        raise UsageError(f"{row} has no repetition {', '.join(map(str, repetitions))} in study {', '.join(map(str, studies))}")
    return found


def _pictured(row: str, records: list[Record]) -> list[Record]:
    """The one that stands for the row in pictures."""
    from siambench.board.unit_figures import pictured

    one = pictured(records)
    if one is None:
        raise UsageError(f"no final unit of {row} ended well: there is nothing to draw pictures from")
    return [one]


def _kept(found: Found, record: Record, now: Rerun) -> Path:
    """Keep what pictures are drawn from in the folder that holds the record; the path of the file."""
    from siambench.board.unit_figures import as_kept

    if now.figures is None:
        raise UsageError(
            f"what pictures of {record.unit.label} are drawn from could not be taken: {now.unfigured or 'it was not handed back'}"
        )
    # What is shown of a unit that lies in several folders is that of the last: there it is kept.
    folder = next(folder for folder in reversed(found.folders) if folder.holds(record.id))
    try:
        return folder.keep_figures(as_kept(now.figures, folder.path, found.track))
    except OSError as error:
        raise UsageError(f"{folder.figures} cannot be written: {error.strerror}") from error


def place(text: str) -> tuple[str, str]:
    """What ``--where`` says: what stands for a file or a folder, and its path as the context has it.

    Raises:
        click.BadParameter: if it is not ``NAME=PATH``.
    """
    name, found, path = text.partition("=")
    if not found or not name or not path:
        raise click.BadParameter(f"--where takes NAME=PATH, got {text!r}")
    kind, has_kind, _ = name.partition(":")
    resolved = str(Path(path).expanduser().resolve())
    if has_kind and kind.endswith(".py"):
        return name, f"{resolved}:{name.rpartition(':')[2]}"
    return name, f"{kind}:{resolved}" if has_kind else resolved


def _line(row: str, primary: str, one: Rerun) -> str:
    before, now = ("none" if value is None else f"{value:.6f}" for value in one.primary)
    return f"{row} study {one.study} repetition {one.repetition}: {one.state}, {primary} {before} recorded, {now} now"


def _difference(row: str, different: list[Rerun], *, same: bool) -> str:
    one = different[0]
    scores = ", ".join(f"{name} {before} recorded and {now} now" for name, (before, now) in one.scores.items())
    what = scores or f"its {' and '.join(one.elsewhere)}"
    why = "with the same versions on the same machine" if same else "by more than the tolerance, or in what is no score"
    versions = "; ".join(f"{name} {before} → {now}" for name, (before, now) in one.surroundings.items())
    return f"{row}: {len(different)} results differ {why}; study {one.study} repetition {one.repetition}: {what}" + (
        f"; versions: {versions}" if versions else ""
    )


def _document(one: Rerun) -> dict[str, object]:
    return {
        "study": one.study,
        "repetition": one.repetition,
        # The older word, for one more version.
        "seed": one.repetition,
        "state": one.state,
        "scores": {name: list(pair) for name, pair in one.scores.items()},
        "elsewhere": list(one.elsewhere),
        "surroundings": {name: list(pair) for name, pair in one.surroundings.items()},
    }

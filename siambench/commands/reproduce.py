"""A row run again: ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, say_damaged, stdout_for_documents
from siambench.errors import DifferenceError, UsageError

if TYPE_CHECKING:
    from siambench.execution.reproduction import Rerun


@click.command()
@click.argument("track")
@click.argument("row")
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(min=0), help="Which of the row's seeds; repeatable.  [default: all]")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run that holds the row.")
@click.option("--exam", metavar="ID", help="Another exam whose records are there.  [default: the track's]")
@click.option("--where", "places", multiple=True, metavar="NAME=PATH", help="Where a file or folder is that the row was made with.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Allowed distance of scores where versions differ.  [default: half their deviation over seeds]",
)
@click.option("--jobs", default="auto", show_default=True, help="Worker processes: a number, or auto.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def reproduce(
    track: str,
    row: str,
    seeds: tuple[int, ...],
    more: tuple[Path, ...],
    exam: str | None,
    places: tuple[str, ...],
    tolerance: float | None,
    jobs: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Run the final units of ROW in TRACK again, from their records alone, and compare the results.

    Exit code 6 if a result is not the recorded one: bit for bit with the same versions on the same machine, else within the
    tolerance.
    """
    from siambench.commands.terminal import jobs_of
    from siambench.data.locate import cache_folder
    from siambench.execution.calls import local_engine
    from siambench.execution.reproduction import final_records, rerun, spread

    workers = jobs_of(jobs)
    where = dict(_place(text) for text in places)
    found_in, records = final_records(track, row, more, exam=exam)
    say_damaged(found_in.damaged)
    rules = found_in.track
    known = [record.unit.repetition for record in records]
    for seed in seeds:
        if seed not in known:
            raise UsageError(f"{row} has no seed {seed}; its seeds: {', '.join(map(str, known))}")
    chosen = [record for record in records if not seeds or record.unit.repetition in seeds]
    primary, allowed = rules.metrics.primary, spread(records)
    if tolerance is not None:
        allowed = {name: tolerance for record in records for name in record.outcome.scores}
    # The test part is opened again: that is logged, in a place that outlives the folder.
    openings = cache_folder() / "reproduced" / f"{rules.name}.jsonl"
    found = []
    with stdout_for_documents():
        for one in rerun(
            chosen, primary, local_engine(workers), where=where, openings=openings, allowed=allowed, widened=tolerance is None
        ):
            click.echo(_line(row, primary, one), err=True)
            found.append(one)
    found.sort(key=lambda one: one.repetition)
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
    for name, (before, now) in sorted({pair for one in found for pair in one.surroundings.items()}):
        click.echo(f"{name}: {before} recorded, {now} here", err=True)
    different = [one for one in found if one.state == "different"]
    if different:
        raise DifferenceError(_difference(row, different, same=not any(one.surroundings for one in different)))
    identical = sum(one.state == "identical" for one in found)
    click.echo(
        f"{row}: {identical} of {len(found)} results identical, the others within the tolerance"
        if identical < len(found)
        else f"{row}: all {len(found)} results identical",
        err=True,
    )


def _place(text: str) -> tuple[str, str]:
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
    return f"{row} seed {one.repetition}: {one.state}, {primary} {before} recorded, {now} now"


def _difference(row: str, different: list[Rerun], *, same: bool) -> str:
    one = different[0]
    scores = ", ".join(f"{name} {before} recorded and {now} now" for name, (before, now) in one.scores.items())
    what = scores or f"its {' and '.join(one.elsewhere)}"
    why = "with the same versions on the same machine" if same else "by more than the tolerance, or in what is no score"
    versions = "; ".join(f"{name} {before} → {now}" for name, (before, now) in one.surroundings.items())
    return f"{row}: {len(different)} results differ {why}; seed {one.repetition}: {what}" + (f"; versions: {versions}" if versions else "")


def _document(one: Rerun) -> dict[str, object]:
    return {
        "seed": one.repetition,
        "state": one.state,
        "scores": {name: list(pair) for name, pair in one.scores.items()},
        "elsewhere": list(one.elsewhere),
        "surroundings": {name: list(pair) for name, pair in one.surroundings.items()},
    }

"""A model to take away: ``model``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, say_damaged, stdout_for_documents
from siambench.commands.waiting import Waiting
from siambench.wording import printable, several

if TYPE_CHECKING:
    from siambench.execution.coordinator import Run
    from siambench.studies.request import Prepared


@click.command()
@click.argument("track")
@click.argument("row")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to: FILE.safetensors, .onnx or .pt2; a card beside it.",
)
@click.option("--study", type=click.IntRange(min=0), help="Of which of its studies.  [default: the first]")
@click.option("--repetition", type=click.IntRange(min=0), help="Which final model of that.  [default: the first]")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run that holds the row.")
@click.option("--exam", metavar="ID", help="Another exam whose records are there.  [default: the track's]")
@click.option("--where", "places", multiple=True, metavar="NAME=PATH", help="Where a file or folder is that the row was made with.")
@click.option("--again", is_flag=True, help="Train it again even where it was kept.")
@click.option("--json", "as_json", is_flag=True, help="What the file says of it, as one JSON document on stdout.")
def model(
    track: str,
    row: str,
    out: Path,
    study: int | None,
    repetition: int | None,
    more: tuple[Path, ...],
    exam: str | None,
    places: tuple[str, ...],
    again: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Hand over a final model of ROW in TRACK: its weights with all that is needed to use them, and a card beside them.

    The model is the one that `run --keep-models` kept; else it is trained again from its record. No test score chooses it: it is the
    first of the row unless you say which.
    """
    from siambench.commands.reproduce import place
    from siambench.execution.calls import local_engine
    from siambench.execution.handover import Asked, hand_over

    asked = Asked(track, row, more, exam=exam, study=study, repetition=repetition, where=dict(place(text) for text in places), again=again)
    with Waiting(f"handing over a model of {row}", silent=as_json), stdout_for_documents():
        handed = hand_over(asked, out, local_engine(1))
    say_damaged(handed.damaged)
    from siambench.models.cautions import cautions

    for note in (*handed.notes, *cautions(handed.document)):
        click.echo(printable(note), err=True)
    document, unit = handed.document, handed.record.unit
    if as_json:
        print_json(document.to_json())
    how = "trained again from its record" if handed.made_again else "as it was kept"
    primary = unit.scoring.primary
    score = document.scores.get(primary)
    told = "" if score is None else f", {primary} {score:.4f}"
    click.echo(
        printable(f"{row}, study {unit.study}, repetition {unit.repetition}, {how}{told}: {out}, and its card {handed.card}"), err=True
    )


def models_told(prepared: Prepared, outcome: Run, out: Path) -> Iterator[str]:
    """Where the final models of a run are kept, and those that are not, and why."""
    from siambench.records.folder import Folder

    folder = Folder.of(out, prepared.track, prepared.exam)
    finals = [
        record
        for record in outcome.records
        if record.unit.kind == "final" and record.unit.model is not None and record.outcome.state == "done"
    ]
    without = [record for record in finals if folder.model(record.id) is None]
    if len(finals) > len(without):
        yield f"{several(len(finals) - len(without), 'final model', 'final models')} kept in {folder.models}"
    reasons: dict[str, int] = {}
    for record in without:
        said = record.telemetry.get("model")
        reason = said.get("not_kept") if isinstance(said, dict) else None
        text = str(reason or "the unit was run before, without --keep-models")
        reasons[text] = reasons.get(text, 0) + 1
    for reason, number in reasons.items():
        yield f"{several(number, 'final model', 'final models')} not kept: {reason}; siambench model trains one again"

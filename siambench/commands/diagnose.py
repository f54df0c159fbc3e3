"""What is wrong with a method or a row: ``diagnose``."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.run import Fed
from siambench.commands.terminal import print_json, stdout_for_documents
from siambench.commands.waiting import Waiting
from siambench.errors import VerdictError
from siambench.wording import printable

if TYPE_CHECKING:
    from siambench.interfaces import Diagnosis

_WIDTH = 100
_MOST_EPOCHS = 10_000


@click.command()
@click.argument("track", required=False)
@click.argument("row", required=False)
@click.option("--loss", help="A loss, or ./file.py:Class.")
@click.option("--miner", help="A miner.  [default: none]")
@click.option(
    "--feed",
    type=Fed(),
    metavar="[classes|pairs|triplets|views|pairs=FILE|triplets=FILE]",
    default="classes",
    show_default=True,
    help="How batches are formed.",
)
@click.option("--backbone", help="Replaces that of glyphs.")
@click.option("--dataset", help="Another data set than glyphs, or folder:PATH, csv:PATH, npz:PATH, safetensors:PATH.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Set a parameter (loss.margin=0.2) or change a rule.")
@click.option("--epochs", type=click.IntRange(min=1, max=_MOST_EPOCHS), help="How many to train.  [default: the track's]")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run that holds the row.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def diagnose(
    track: str | None,
    row: str | None,
    loss: str | None,
    miner: str | None,
    feed: str,
    backbone: str | None,
    dataset: str | None,
    changes: tuple[str, ...],
    epochs: int | None,
    more: tuple[Path, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Say why a method does not train, or that it does: by its flags, or as the first study of ROW in TRACK selected it.

    It trains fold 0 of the training part, a minute at most, and never reads the test part. Exit code 6 for any verdict but ok. One's own
    model, loss and batches are diagnosed in Python: siambench.diagnose.
    """
    given = {
        "--miner": miner,
        "--backbone": backbone,
        "--dataset": dataset,
        "--set": changes,
        "--feed": None if feed == "classes" else feed,
    }
    check_words((track, row), loss, [name for name, value in given.items() if value], places=more)
    from siambench.components.catalogue import Catalogue
    from siambench.diagnosis.methods import diagnose_method, of_flags, of_row
    from siambench.studies.request import Request
    from siambench.tracks.files import parse_set

    with Waiting(f"diagnosing {loss or row}", silent=as_json), stdout_for_documents():
        catalogue = Catalogue.load()
        if loss is None:
            assert track is not None
            assert row is not None
            asked = of_row(track, row, more, epochs=epochs)
        else:
            request = Request(
                losses=(loss,),
                miners=() if miner is None else (miner,),
                backbone=backbone,
                dataset=dataset,
                feed=feed,
                changes=parse_set(changes),
            )
            asked = of_flags(catalogue, request, epochs=epochs)
        click.echo(printable(f"diagnosing {asked.told}"), err=True)
        found = diagnose_method(asked, catalogue)
    if as_json:
        print_json({"schema": 1, **dataclasses.asdict(found)})
    else:
        _show(found)
    if found.verdict != "ok":
        raise VerdictError(f"{asked.unit.method.name}: the verdict is {found.verdict}")


def check_words(words: tuple[str | None, str | None], loss: str | None, given: list[str], *, places: tuple[Path, ...]) -> None:
    """Whether a method is asked for, or a row.

    Raises:
        UsageError: for neither, for both, and for an option of the other.
    """
    from siambench.errors import UsageError

    track, row = words
    if track is None and loss is None:
        raise UsageError("diagnose takes a method, --loss L, or a row, TRACK ROW; your own objects: siambench.diagnose in Python")
    if loss is not None and track is not None:
        raise UsageError(f"diagnose takes either a method or a row, got --loss {loss} and {track!r}")
    if track is not None and row is None:
        raise UsageError(f"diagnose takes a track and a row of it, got {track!r} alone: siambench leaderboard {track} shows its rows")
    if track is not None and given:
        raise UsageError(f"{given[0]} goes with --loss: the row says what it is made of")
    if loss is not None and places:
        raise UsageError("--from goes with a row, TRACK ROW, and not with --loss")


def _show(found: Diagnosis) -> None:
    """The verdict, and the findings in order of likelihood, on stdout."""
    click.echo(f"verdict: {printable(found.verdict)}")
    for finding in found.findings:
        click.echo(f"\n{printable(finding.name)} ({finding.severity})")
        texts = [("", part) for part in finding.evidence.split("; ")] if finding.severity == "note" else [("", finding.evidence)]
        texts += [("what to do: ", finding.remedy)] if finding.severity != "note" else []
        texts += [("try: ", finding.attempt)] if finding.attempt else []
        for head, text in texts:
            click.echo(
                textwrap.fill(f"{head}{printable(text)}", _WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
            )

"""Whether an item is of a class, by a model that was taken away: ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, stdout_for_documents
from siambench.commands.waiting import Waiting
from siambench.wording import exact, printable, several

if TYPE_CHECKING:
    from siambench.models.comparison import Comparison


@click.command()
@click.argument("file", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("item", metavar="IMAGE")
@click.argument("references", metavar="REFERENCE...", nargs=-1, required=True)
@click.option("--threshold", default="eer", show_default=True, metavar="eer|far=RATE|DISTANCE", help="One of the model's, or a distance.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def compare(
    file: Path,
    item: str,
    references: tuple[str, ...],
    threshold: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Say whether IMAGE shows what the REFERENCEs show, by MODEL, a file that siambench model wrote.

    A REFERENCE is an image, or a folder of images; of a model of texts all are texts. The distance to the nearest reference decides.
    Exits 0 whatever the decision.
    """
    with Waiting(f"comparing {item}", silent=as_json, elsewhere=True), stdout_for_documents():
        # torch alone takes seconds, more of them on a machine that is busy or cold.
        from siambench.models.comparison import compare as compared
        from siambench.models.loaded import load_model

        found = compared(load_model(file), item, references, threshold=threshold)
    if as_json:
        print_json(_document(found))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    for note in found.notes:
        click.echo(printable(note), err=True)


def _lines(found: Comparison) -> list[str]:
    point, number = found.point, several(found.references, "reference", "references")
    decision = "same" if found.same else "different"
    lines = [f"{decision}: {exact(found.nearest)} to the nearest of {number} ({found.name}), {exact(found.mean)} to their mean"]
    at = "your own" if point is None else f"{point.at} of the model's test part"
    ends = "" if point is None or point.low is None or point.high is None else f", 95 % interval {exact(point.low)} … {exact(point.high)}"
    lines.append(f"threshold {exact(found.threshold)}: {at}{ends}")
    if point is not None and found.accuracy is not None:
        accepted = f"{point.false_accepts:.1%} of impostors accepted, {point.false_rejects:.1%} of genuine items rejected"
        lines.append(f"to expect of unseen classes: {accepted}; {found.accuracy:.1%} of decisions right where half are genuine")
    return lines


def _document(found: Comparison) -> dict[str, object]:
    point = found.point
    return {
        "schema": 1,
        "same": found.same,
        "distance": {"nearest": found.nearest, "mean": found.mean},
        "nearest": found.name,
        "references": found.references,
        "threshold": {
            "value": found.threshold,
            "at": None if point is None else point.at,
            "low": None if point is None else point.low,
            "high": None if point is None else point.high,
            "references": None if point is None else point.references,
        },
        "expected": None
        if point is None
        else {"false_accepts": point.false_accepts, "false_rejects": point.false_rejects, "accuracy": found.accuracy},
        "notes": list(found.notes),
    }

"""New items by a model that was taken away: ``embed``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, stdout_for_documents
from siambench.commands.waiting import Waiting
from siambench.errors import UsageError
from siambench.wording import printable, quoted

if TYPE_CHECKING:
    from siambench.models.document import ModelDocument

_OPTIONS = "dataset.options."


@click.command()
@click.argument("file", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE.npz", help="Where to.")
@click.option(
    "--part",
    default="all",
    show_default=True,
    metavar="all|test|trainval|EPISODES",
    help="Which part: of the model's own data set as its exam cuts it; or official episodes, such as one-shot.",
)
@click.option("--batch-size", default=512, show_default=True, type=click.IntRange(min=1), help="Items at once.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto: a GPU where there is one.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="An option of the data set: dataset.options.level=2.")
@click.option("--json", "as_json", is_flag=True, help="What was written, as one JSON document on stdout.")
def embed(
    file: Path,
    data: str,
    out: Path,
    part: str,
    batch_size: int,
    device: str,
    changes: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Embed DATA, whatever run takes as --dataset, by MODEL, a file that siambench model wrote.

    FILE.npz holds embeddings, labels and names as siambench evaluate reads them, and class_names; of episodes support, query and answer.
    """
    from siambench.tracks.files import parse_set

    options = {}
    for key, value in parse_set(changes).items():
        if not key.startswith(_OPTIONS):
            raise UsageError(f"--set takes options of the data set, {_OPTIONS}KEY=VALUE, got {key!r}")
        options[key.removeprefix(_OPTIONS)] = value
    with Waiting(f"embedding {data}", silent=as_json, elsewhere=True), stdout_for_documents():
        # torch alone takes seconds, more of them on a machine that is busy or cold.
        from siambench.models.arrays import check_npz, embed_data, write_arrays
        from siambench.models.loaded import load_model

        check_npz(out)
        model = load_model(file, device=device)
        found = embed_data(model, data, part=part, options=options, batch_size=batch_size)
        if found.is_opened:
            _log(model.document)
    write_arrays(out, found.arrays)
    for note in found.notes:
        click.echo(printable(note), err=True)
    document = model.document
    evaluate = f"siambench evaluate {quoted(str(out))} --distance {document.distance}"
    evaluate += f" --seed {document.seed}" if found.is_exam else ""
    if as_json:
        arrays = {name: list(array.shape) for name, array in found.arrays.items()}
        seed = document.seed if found.is_exam else None
        print_json({"schema": 1, "file": str(out), "unit": document.unit, "arrays": arrays, "distance": document.distance, "seed": seed})
    if "embeddings" in found.arrays:
        dimensions = found.arrays["embeddings"].shape[1]
        # Without two classes, one of them with two items, there is nothing to score; there is to look at.
        after = evaluate if 1 < found.classes < found.items else f"siambench plot map {quoted(str(out))} --out map.png"
        told = f"{found.items} items of {found.classes} classes, {dimensions} numbers each: {out}; {after}"
    else:
        told = f"{len(found.arrays['answer'])} episodes of {found.items} items: {out}"
    click.echo(printable(told), err=True)


def _log(document: ModelDocument) -> None:
    """Who looks at the test part leaves a line, in a place that outlives every folder."""
    from siambench.data.locate import cache_folder
    from siambench.records.openings import append_opening

    line = {"time": round(time.time(), 3), "unit": document.unit, "track": document.track, "method": document.row, "study": document.study}
    append_opening(cache_folder() / "reproduced" / f"{document.track}.jsonl", line)

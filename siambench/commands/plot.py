"""Figures as files: ``plot``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import click

from siambench.commands.terminal import say_damaged
from siambench.commands.waiting import Waiting
from siambench.errors import UsageError
from siambench.wording import printable


@click.command()
@click.argument("kind", required=False)
@click.argument("target", default="glyphs", metavar="[TRACK|RECORD|FILE]")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The file to write: .png, .svg or .pdf.")
@click.option("--rows", multiple=True, metavar="NAMES", help="Rows to show, separated by commas; repeatable.  [default: all]")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose rows join.")
@click.option("--exam", metavar="ID", help="Another exam whose records are there: the first digits of its id.  [default: the track's]")
@click.option("--method", metavar="M", help="Of a map of embeddings: pca, tsne, or umap, an extra.  [default: pca]")
@click.option("--distance", type=click.Choice(["cosine", "euclidean"]), help="Of a map of embeddings: what near means.  [default: cosine]")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Of a map of embeddings: where their names are image files.")
@click.option("--width", default=720, show_default=True, type=click.IntRange(240, 4000), help="In pixels, of which 96 are an inch.")
@click.option("--dots", default=200, show_default=True, type=click.IntRange(50, 1200), help="Of a PNG, per inch.")
@click.option("--theme", default="light", show_default=True, type=click.Choice(["light", "dark"]), help="The colours.")
@click.option("--caption", "captioned", is_flag=True, help="Write the caption below the figure, too.")
@click.option("--list", "listed", is_flag=True, help="Name the kinds of figures, each with what it shows.")
def plot(
    kind: str | None,
    target: str,
    out: Path | None,
    rows: tuple[str, ...],
    more: tuple[Path, ...],
    exam: str | None,
    method: str | None,
    distance: str | None,
    images: Path | None,
    width: int,
    dots: int,
    theme: str,
    captioned: bool,  # noqa: FBT001
    listed: bool,  # noqa: FBT001
) -> None:
    """Draw the figure KIND of a track's table, of one RECORD, or of the embeddings in FILE.

    TRACK is the name of a track or the path of a track's folder (default: glyphs), RECORD the file of a record in such a folder, FILE a
    .npz or .safetensors with the arrays `embeddings` and `labels`, of which there is a map. What must be known of the figure is said on
    stderr, and stands in the file.
    """
    from siambench.board.pictures import KINDS
    from siambench.board.pictures.files import EMBEDDINGS, Asked, Drawing, check_out, kind_of, picture_of, write

    if listed:
        width_of_names = max(map(len, KINDS))
        for one in KINDS.values():
            click.echo(f"{one.name:<{width_of_names}}  {one.about}")
        return
    if kind is None:
        raise click.UsageError(f"say which figure: {', '.join(KINDS)} (`siambench plot --list` says what each shows)")
    kind_of(kind)
    if out is None:
        raise click.UsageError(f"say where to write it: siambench plot {kind} {target} --out {kind}.png")
    check_out(out)
    colours = cast('Literal["light", "dark"]', theme)
    damaged: Mapping[Path, str] = {}
    is_file = Path(target).suffix.lower() in EMBEDDINGS
    if is_file and (rows or more or exam is not None):
        raise UsageError(f"{target} holds embeddings: --rows, --from and --exam are for tables")
    if not is_file and (method is not None or distance is not None or images is not None):
        raise UsageError(f"--method, --distance and --images are for a map of a file of embeddings, {' or '.join(EMBEDDINGS)}")
    with Waiting(f"drawing {out}"):
        if is_file:
            from siambench.evaluation.maps import map_of_file

            picture = map_of_file(kind, Path(target), method=method or "pca", distance=distance or "cosine", images=images)
        else:
            picture, found = picture_of(Asked(kind=kind, target=target, rows=rows, more=more, exam=exam))
            damaged = found.damaged
        missing = write(picture, out, Drawing(width=width, theme=colours, captioned=captioned, dots=dots))
    say_damaged(damaged)
    click.echo(printable(picture.caption), err=True)
    if missing:
        click.echo(printable(missing), err=True)
    click.echo(printable(f"wrote {out}"), err=True)

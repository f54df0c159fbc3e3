"""Figures as files: ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import click

from siambench.commands.terminal import say_damaged
from siambench.commands.waiting import Waiting
from siambench.wording import printable


@click.command()
@click.argument("kind", required=False)
@click.argument("target", default="glyphs", metavar="[TRACK|RECORD]")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The file to write: .png, .svg or .pdf.")
@click.option("--rows", multiple=True, metavar="NAMES", help="Rows to show, separated by commas; repeatable.  [default: all]")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose rows join.")
@click.option("--exam", metavar="ID", help="Another exam whose records are there: the first digits of its id.  [default: the track's]")
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
    width: int,
    dots: int,
    theme: str,
    captioned: bool,  # noqa: FBT001
    listed: bool,  # noqa: FBT001
) -> None:
    """Draw the figure KIND of a track's table, or of one RECORD, into a file.

    TRACK is the name of a track or the path of a track's folder (default: glyphs), RECORD the file of a record in such a folder. What
    must be known of the figure is said on stderr, and stands in the file.
    """
    from siambench.board.pictures import KINDS
    from siambench.board.pictures.files import Asked, Drawing, check_out, kind_of, picture_of, write

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
    with Waiting(f"drawing {out}"):
        picture, found = picture_of(Asked(kind=kind, target=target, rows=rows, more=more, exam=exam))
        write(picture, out, Drawing(width=width, theme=colours, captioned=captioned, dots=dots))
    say_damaged(found.damaged)
    click.echo(printable(picture.caption), err=True)
    click.echo(printable(f"wrote {out}"), err=True)

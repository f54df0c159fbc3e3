"""Tables from records: ``leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_grid, print_json, say_older, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose rows join.")
@click.option("--format", "form", default="table", show_default=True, type=click.Choice(["table", "md", "csv", "json"]))
@click.option("--write", is_flag=True, help="Adopt the records of --from and write README.md, table.csv, costs.csv in the track's folder.")
@click.option("--check", is_flag=True, help="Exit 6 where page and table differ from what the records give.")
def leaderboard(tracks: tuple[str, ...], more: tuple[Path, ...], form: str, write: bool, check: bool) -> None:  # noqa: FBT001
    """Show the table of TRACK (default: glyphs), from the records that ship with siambench.

    With two tracks or more: the mean rank of each method that has a score on all of them.
    """
    if write and check:
        raise click.UsageError("give one of --write and --check")
    if len(tracks) < 2:
        _leaderboard(tracks[0] if tracks else "glyphs", more, form, write=write, check=check)
    elif write or check:
        raise click.UsageError(f"--write and --check take one track, got {len(tracks)}: {', '.join(tracks)}")
    else:
        _across(tracks, more, form)


def _leaderboard(track: str, more: tuple[Path, ...], form: str, *, write: bool, check: bool) -> None:
    from siambench.board import captions as text
    from siambench.board import files as shelf
    from siambench.board.formats import markdown as page
    from siambench.board.table import to_json
    from siambench.tracks.rules import load_track, track_folder

    if write and more:
        new = shelf.adopt(track_folder(track), load_track(track), more)
        click.echo(f"{new} records adopted", err=True)
        more = ()
    table, found = shelf.leaderboard(track, more)
    _say_damaged(found.damaged)
    if write:
        for path in shelf.write(track_folder(track), table):
            click.echo(f"wrote {path}", err=True)
    elif check:
        shelf.check(track_folder(track), table)
        click.echo(f"{track}: the generated files are what {len(found.records)} records give", err=True)
    elif form == "json":
        print_json(to_json(table))
    elif form == "csv":
        click.echo(text.csv_text(table), nl=False)
    elif form == "md":
        click.echo(page.markdown(table, title=text.title_of(table), command=f"siambench leaderboard {track} --write"), nl=False)
    else:
        show_table(table)


def _across(tracks: tuple[str, ...], more: tuple[Path, ...], form: str) -> None:
    from siambench.board import across
    from siambench.board import files as shelf
    from siambench.board.show import across_table

    found, damaged = shelf.leaderboards(tracks, more)
    _say_damaged(damaged)
    if form == "json":
        print_json(across.to_json(found))
    elif form == "csv":
        click.echo(across.csv_text(found), nl=False)
    elif form == "md":
        click.echo(across.markdown(found), nl=False)
    else:
        print_grid(across_table(found))
        for caption in across.captions(found):
            click.echo(caption, err=True)


def _say_damaged(paths: Sequence[Path]) -> None:
    from siambench.records.record import schema_of

    shown = 5
    old = {path: path.parent.parent for path in paths if schema_of(path) is not None}
    for folder in sorted(set(old.values())):
        say_older(folder, list(old.values()).count(folder))
    damaged = [path for path in paths if path not in old]
    for path in damaged[:shown]:
        click.echo(f"passed over {path}: no intact record", err=True)
    if len(damaged) > shown:
        click.echo(f"passed over {len(damaged) - shown} more files: no intact records", err=True)

"""Tables from records: ``leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import DEFAULT_FORMAT, formatted, say_older, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose rows join.")
@click.option(
    "--format", "form", default=DEFAULT_FORMAT, show_default=True, metavar="NAME", help="table, md, csv, json, or a plugin's format."
)
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
    from siambench.board import files
    from siambench.board.view import view
    from siambench.tracks.files import load_track, track_folder

    if write:
        files.check_own(track_folder(track))
    if write and more:
        new = files.adopt(track_folder(track), load_track(track), more)
        click.echo(f"{new} records adopted", err=True)
        more = ()
    table, found = files.leaderboard(track, more)
    _say_damaged(found.damaged)
    if write:
        for path in files.write(track_folder(track), table):
            click.echo(f"wrote {path}", err=True)
    elif check:
        files.check(track_folder(track), table)
        click.echo(f"{track}: the generated files are what {len(found.records)} records give", err=True)
    elif form == DEFAULT_FORMAT:
        show_table(table)
    else:
        click.echo(formatted(view(table), form), nl=False)


def _across(tracks: tuple[str, ...], more: tuple[Path, ...], form: str) -> None:
    from siambench.board import across, files

    found, damaged = files.leaderboards(tracks, more)
    _say_damaged(damaged)
    seen = across.view(found)
    click.echo(formatted(seen, form), nl=False)
    if form == DEFAULT_FORMAT:
        for caption in seen.captions:
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

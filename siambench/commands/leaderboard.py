"""Tables from records: ``leaderboard``."""

from __future__ import annotations

from pathlib import Path

import click

from siambench.commands.terminal import DEFAULT_FORMAT, formatted, say_damaged, show_table
from siambench.commands.waiting import Waiting
from siambench.wording import printable, quoted


@click.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose rows join.")
@click.option(
    "--format",
    "form",
    default=DEFAULT_FORMAT,
    show_default=True,
    metavar="NAME",
    help="table, md, csv, json, html, latex, or a plugin's format.",
)
@click.option("--exam", metavar="ID", help="Another exam whose records are there: the first digits of its id.  [default: the track's]")
@click.option(
    "--write",
    is_flag=True,
    help="Adopt the records of --from and write README.md, index.html, table.csv, costs.csv in the track's folder.",
)
@click.option("--check", is_flag=True, help="Exit 6 where pages and table differ from what the records give.")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="All tracks that ship, or those in the folder that TRACK names, such as an output folder of run: their pages, and one of all.",
)
def leaderboard(
    tracks: tuple[str, ...],
    more: tuple[Path, ...],
    exam: str | None,
    form: str,
    write: bool,  # noqa: FBT001
    check: bool,  # noqa: FBT001
    every: bool,  # noqa: FBT001
) -> None:
    """Show the table of TRACK (default: glyphs), from the records that ship with siambench.

    With two tracks or more: the mean rank of each method that has a score on all of them.
    """
    if write and check:
        raise click.UsageError("give one of --write and --check")
    if exam is not None and (write or check or len(tracks) > 1):
        raise click.UsageError("--exam picks what one table shows: pages are of the exam that follows their track's rules")
    if every and (write or check):
        _all_pages(tracks, more, write=write)
    elif every:
        _all(tracks, more, form)
    elif write or check:
        _page(tracks, more, write=write)
    elif len(tracks) < 2:
        _table(tracks[0] if tracks else "glyphs", more, form, exam)
    else:
        _across(tracks, more, form)


def _table(track: str, more: tuple[Path, ...], form: str, exam: str | None) -> None:
    from siambench.board import files
    from siambench.board.view import view

    with Waiting(f"reading the records of {track}", silent=form == "json"):
        table, found = files.leaderboard(track, more, exam=exam)
    say_damaged(found.damaged)
    if form == DEFAULT_FORMAT:
        show_table(table)
    else:
        said = [*(word for folder in more for word in ("--from", str(folder))), *(["--exam", exam] if exam is not None else [])]
        command = " ".join(["siambench leaderboard", *map(quoted, (track, *said, "--format", form))])
        click.echo(formatted(view(table, command=command), form), nl=False)


def _page(tracks: tuple[str, ...], more: tuple[Path, ...], *, write: bool) -> None:
    """Write the page of a track, or compare it with what its records give."""
    from siambench.board import files, pages, unit_figures

    if len(tracks) > 1:
        raise click.UsageError(f"--write and --check take one track, or --all, got {len(tracks)}: {', '.join(tracks)}")
    name = tracks[0] if tracks else "glyphs"
    folder, _ = files.located(name, more)
    if write:
        pages.check_own(folder)
    with Waiting(f"reading the records of {name}"):
        table, found = files.leaderboard(name, more)
    say_damaged(found.damaged)
    pages.check_intact(found.damaged)
    if not write:
        pages.check(folder, table)
        click.echo(f"{name}: the generated files are what {len(found.chosen.records)} records give", err=True)
        return
    if more:
        new, replaced = pages.adopt(folder, found)
        taken = f", in place of {replaced} of baselines" if replaced else ""
        click.echo(f"{new} records adopted{taken}", err=True)
        table, _ = files.leaderboard(name)
        unit_figures.adopt(folder, found.track, [line.row.pictured for line in table.lines], found.folders)
    for path in pages.write(folder, table):
        click.echo(f"wrote {path}", err=True)
    for line in table.lines:
        if not line.row.is_full and line.row.method.baseline is None:
            click.echo(printable(f"{line.row.name} is not ranked: {', '.join(line.row.flags)}"), err=True)


def _all(tracks: tuple[str, ...], more: tuple[Path, ...], form: str) -> None:
    """The page of all tracks on stdout."""
    from siambench.board import overview, pages

    if form != "html":
        raise click.UsageError(f"--all goes with --write, --check or --format html, got --format {form}")
    directory = _one_folder(tracks, more)
    tables = []
    for table, found, folder in overview.tables_of(overview.tracks_of(directory)[1]):
        say_damaged(found.damaged)
        tables.append((table, folder))
    click.echo(overview.page_of(tables, directory)[pages.INDEX], nl=False)


def _all_pages(tracks: tuple[str, ...], more: tuple[Path, ...], *, write: bool) -> None:
    """The pages of many tracks and the one above them: written, or compared."""
    from siambench.board import overview, pages

    directory = _one_folder(tracks, more)
    home, known = overview.tracks_of(directory)
    if write:
        for folder, names in ((home, (pages.INDEX,)), *((folder, pages.WRITTEN) for _, folder in known)):
            pages.check_owned(folder, names)
    tables = []
    for table, found, folder in overview.tables_of(known):
        say_damaged(found.damaged)
        pages.check_intact(found.damaged)
        (pages.write if write else pages.check)(folder, table)
        tables.append((table, folder))
    index = overview.page_of(tables, directory)
    if write:
        (path,) = pages.write_all(home, index)
        click.echo(f"wrote {path} and the pages of {len(tables)} tracks", err=True)
    else:
        pages.compare(home, index, overview.command(directory))
        click.echo(f"the generated files of {len(tables)} tracks, and the page of all, are what their records give", err=True)


def _one_folder(tracks: tuple[str, ...], more: tuple[Path, ...]) -> Path | None:
    if more or len(tracks) > 1:
        raise click.UsageError("--all takes one folder of tracks at most, and no --from")
    return Path(tracks[0]).expanduser() if tracks else None


def _across(tracks: tuple[str, ...], more: tuple[Path, ...], form: str) -> None:
    from siambench.board import across, files

    with Waiting(f"reading the records of {', '.join(tracks)}", silent=form == "json"):
        found, damaged = files.leaderboards(tracks, more)
    say_damaged(damaged)
    seen = across.view(found)
    click.echo(formatted(seen, form), nl=False)
    if form == DEFAULT_FORMAT:
        for caption in seen.captions:
            click.echo(caption, err=True)

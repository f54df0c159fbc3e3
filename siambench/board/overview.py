"""All tracks of a folder on one page: what each asks, who leads, and where its page lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from siambench.board.files import Found, leaderboard
from siambench.board.page import MARK, index_page
from siambench.board.pages import INDEX
from siambench.board.scores import Score
from siambench.board.table import Line, Table
from siambench.board.values import Ranks, text_of
from siambench.data.shipped import shipped
from siambench.errors import DataMissingError
from siambench.records.folder import track_folders
from siambench.tracks.files import track_names
from siambench.wording import quoted

_SHOWN = 6
"""Leaders that are named; of more the number."""


def tracks_of(directory: Path | None) -> tuple[Path, list[tuple[str, Path]]]:
    """The folder that tracks lie in, and of each by what commands know it, and its folder.

    Args:
        directory: such as an output folder of ``run``; None: the tracks that ship with siambench.

    Raises:
        DataMissingError: if none lies there.
    """
    if directory is None:
        home = shipped("leaderboards")
        return home, [(name, home / name) for name in track_names()]
    try:
        found = [path for path in track_folders(directory) if path != directory]
    except OSError as error:
        raise DataMissingError(f"{directory} cannot be read: {error.strerror}") from error
    if not found:
        raise DataMissingError(f"{directory} holds no folder of a track: expected {directory / '<track>' / 'records'}")
    return directory, [(str(path), path) for path in found]


def tables_of(tracks: Iterable[tuple[str, Path]]) -> Iterator[tuple[Table, Found, Path]]:
    """The table of each track, made when it is asked for, what it was made from, and its folder."""
    for name, folder in tracks:
        table, found = leaderboard(name)
        yield table, found, folder


def page_of(tables: Iterable[tuple[Table, Path]], directory: Path | None) -> dict[str, str]:
    """The page of all tracks, by the name of its file.

    Args:
        tables: of the tracks, and their folders.
        directory: see `tracks_of`.
    """
    entries = [entry_of(table, f"{folder.name}/{INDEX}") for table, folder in tables]
    return {INDEX: index_page(entries, mark=MARK, made_by=command(directory))}


def command(directory: Path | None) -> str:
    """What writes the page."""
    return "siambench leaderboard --all --write" + ("" if directory is None else f" {quoted(str(directory))}")


def entry_of(table: Table, link: str) -> dict[str, Any]:
    """What the page says of a track: see `siambench.board.page.index_page`. Rows that nobody else could make are left out."""
    track = table.track
    lines = [line for line in table.lines if "local" not in line.row.flags and line.row.method.baseline is None]
    scored = [line for line in lines if track.metrics.primary in line.row.scores]
    leaders = [line for line in scored if line.group == 1]
    # Without two full rows nobody leads, and the first row is told as what it is.
    shown = leaders or scored[:1]
    told = [_leader(table, line) for line in shown[:_SHOWN]]
    if len(shown) > _SHOWN:
        told.append({"name": "…", "rank": f"and {len(shown) - _SHOWN} more", "score": ""})
    return {
        "name": track.name,
        "version": track.version,
        "title": track.title.removeprefix(f"{track.name}:").strip() or track.dataset.name,
        "primary": track.metrics.primary,
        "lower": table.direction == "min",
        "methods": len(lines),
        "link": link,
        "leaders": told,
        "state": "not run yet" if not lines else "no scores yet",
    }


def _leader(table: Table, line: Line) -> dict[str, str]:
    rank = "not ranked" if line.rank is None else f"rank {text_of(Ranks(*line.rank))}"
    return {"name": line.row.name, "rank": rank, "score": text_of(line.row.scores[table.track.metrics.primary], Score)}

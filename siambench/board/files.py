"""The files of a leaderboard: records in, generated tables out."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from siambench.board import across, costs
from siambench.board.formats import csv, markdown
from siambench.board.rows import Row, records_by_row, rows_of
from siambench.board.table import Table, build
from siambench.board.tuning import Tuning, tuning_of
from siambench.board.view import view
from siambench.errors import DataMissingError, DifferenceError, UnknownNameError, UsageError
from siambench.interfaces import Done
from siambench.records.folder import Contents, Folder
from siambench.records.record import Record, read_all
from siambench.tracks.files import load_track, track_folder, track_names
from siambench.tracks.rules import Track

COSTS = "costs.csv"
"""Written beside what is `generated`, and never compared: whoever repeats a row takes another time over it."""


def records_folder(directory: Path, track: Track) -> Path:
    """The track's folder in what ``--from`` names: an output folder of ``run``, or the track's folder itself.

    Raises:
        DataMissingError: if there are no records.
    """
    for folder in (Folder.of(directory, track), Folder(directory)):
        if folder.records.is_dir():
            return folder.path
    raise DataMissingError(f"{directory} holds no records of track {track.name}: expected {directory / track.name / 'records'}")


def shipped_rows(track: Track) -> list[Row]:
    """The rows that ship with siambench for exactly these rules; none for an edited or a foreign track."""
    if track.name not in track_names() or load_track(track.name) != track:
        return []
    found = Folder(track_folder(track.name)).read()
    return rows_of(track, found.records, openings=found.openings, shipped=True)


def direction_of(records: Sequence[Record], metric: str) -> Literal["max", "min"]:
    """Which way a metric is better, as the records say; ``"max"`` where none does."""
    known = (r.outcome.directions for r in records if isinstance(r.outcome, Done))
    return next((directions[metric] for directions in known if metric in directions), "max")


def counts(records: Sequence[Record]) -> dict[str, int]:
    """The units behind a table that was made from records alone."""
    failed = sum(r.outcome.state == "failed" for r in records)
    return {"planned": len(records), "done": len(records) - failed, "cached": 0, "failed": failed, "lost": 0}


def leaderboard(name: str, more: Sequence[Path] = ()) -> tuple[Table, Contents]:
    """The table of a track's own records, and of those of further folders.

    Args:
        name: of a shipped track, or the path of a track's folder.
        more: output folders of ``run`` whose rows join, replacing their shipped twins.
    """
    track = load_track(name)
    found = Folder(track_folder(name)).read()
    is_shipped = name in track_names()
    fresh: dict[str, Record] = {}
    openings = list(found.openings)
    for directory in more:
        other = Folder(records_folder(directory, track)).read()
        # What several folders hold of one row is one row, and a record that two of them hold counts once.
        fresh |= {record.id: record for record in other.records}
        openings += other.openings
        found.damaged += other.damaged
    rows = rows_of(track, found.records, openings=openings, shipped=is_shipped)
    rows += rows_of(track, fresh.values(), openings=openings)
    known = {record.id for record in found.records}
    found.records += [record for record in fresh.values() if record.id not in known]
    table = build(track, rows, units=counts(found.records), direction=direction_of(found.records, track.metrics.primary))
    return table, found


def leaderboards(names: Sequence[str], more: Sequence[Path] = ()) -> tuple[across.Across, list[Path]]:
    """Several tracks at once, and the files passed over.

    Args:
        names: of shipped tracks, or paths of tracks' folders.
        more: output folders of ``run``; each need hold records of one of the tracks only.

    Raises:
        UsageError: if a track comes twice.
        DataMissingError: if a folder holds records of none of the tracks.
    """
    tracks = [load_track(name) for name in names]
    for directory in more:
        if not any(_holds(directory, track) for track in tracks):
            raise DataMissingError(f"{directory} holds no records of any of {', '.join(track.name for track in tracks)}")
    found = [leaderboard(name, [d for d in more if _holds(d, track)]) for name, track in zip(names, tracks, strict=True)]
    return across.build([table for table, _ in found]), [path for _, contents in found for path in contents.damaged]


def _holds(directory: Path, track: Track) -> bool:
    try:
        records_folder(directory, track)
    except DataMissingError:
        return False
    return True


def rows_by_name(track: Track, folders: Sequence[Path]) -> dict[str, list[list[Record]]]:
    """The records of each row in some folders of a track, by its name; of rows of one name in order of their keys."""
    records = {record.id: record for folder in folders for record in Folder(folder).read().records}
    rows: dict[str, list[list[Record]]] = {}
    for _, members in sorted(records_by_row(track, records.values()).items()):
        rows.setdefault(members[0].unit.method.name, []).append(members)
    return rows


def tuning(name: str, row: str, more: Sequence[Path] = ()) -> tuple[Tuning, int]:
    """How a row was tuned, and how many rows bear its name: of several the one with most trials, then by its key.

    Args:
        name: of a shipped track, or the path of a track's folder.
        row: name of the method.
        more: output folders of ``run`` whose records join.

    Raises:
        UnknownNameError: if there is no such row.
        UsageError: if the row is a baseline, for which nothing is tuned.
    """
    track = load_track(name)
    rows = rows_by_name(track, [track_folder(name), *(records_folder(directory, track) for directory in more)])
    if row not in rows:
        raise UnknownNameError("row", row, rows)
    if rows[row][0][0].unit.method.baseline is not None:
        raise UsageError(f"{row} is a baseline of {track.name}: nothing is tuned for it")
    found = [tuning_of(members, budget=track.budget.trials) for members in rows[row]]
    return max(found, key=lambda one: len(one.trials)), len(found)


def estimate(track: Track, *, tune: int, final: int) -> float | None:
    """Seconds of work in so many units, from the telemetry of the track's shipped records; None without any."""
    if track.name not in track_names():
        return None
    seconds: dict[str, list[float]] = {"tune": [], "final": []}
    for record in Folder(track_folder(track.name)).read().records:
        if record.unit.method.baseline is None and record.seconds is not None:
            seconds[record.unit.kind].append(record.seconds)
    if not seconds["tune"] or not seconds["final"]:
        return None
    return tune * statistics.median(seconds["tune"]) + final * statistics.median(seconds["final"])


def generated(table: Table) -> dict[str, str]:
    """The files that ``--write`` writes and ``--check`` compares, by name."""
    shown = view(_repeatable(table))
    return {"README.md": markdown.render(shown), "table.csv": csv.render(shown)}


def _repeatable(table: Table) -> Table:
    """The table without local rows: nobody else could make them again."""
    own = [line.row for line in table.lines if "local" not in line.row.flags]
    return table if len(own) == len(table.lines) else build(table.track, own, units=table.units, direction=table.direction)


def costs_csv(table: Table) -> str:
    """What the rows took, one line each; local rows are left out."""
    return csv.csv_of(costs.HEAD, [costs.cells(line.row.name, line.row.costs) for line in _repeatable(table).lines])


def adopt(folder: Path, track: Track, directories: Sequence[Path]) -> int:
    """Copy the records of further folders into a track's own; how many were new. Local ones are left where they are."""
    new = 0
    own = Folder(folder)
    own.records.mkdir(parents=True, exist_ok=True)
    for directory in directories:
        source = Folder(records_folder(directory, track))
        for path, record in read_all(source.records):
            target = own.records / path.name
            if record is None or record.unit.is_local or target.exists():
                continue
            if (record.unit.track, record.unit.track_version) == (track.name, track.version):
                shutil.copyfile(path, target)
                new += 1
        known = set(own.openings.read_text(encoding="utf-8").splitlines()) if own.openings.is_file() else set()
        if source.openings.is_file():
            lines = [line for line in source.openings.read_text(encoding="utf-8").splitlines() if line and line not in known]
            with own.openings.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
    return new


def write(folder: Path, table: Table) -> list[Path]:
    """Write the generated files, and what the rows took; their paths."""
    paths = []
    for name, content in {**generated(table), COSTS: costs_csv(table)}.items():
        path = folder / name
        path.write_bytes(content.encode())
        paths.append(path)
    return paths


def check(folder: Path, table: Table) -> None:
    """Compare the generated files with what the records give.

    Raises:
        DifferenceError: naming the first file that differs, and the first line.
    """
    for name, content in generated(table).items():
        path = folder / name
        found = path.read_bytes().decode() if path.is_file() else ""
        if found != content:
            pairs = zip([*found.splitlines(), ""], [*content.splitlines(), ""], strict=False)
            line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), 1)
            raise DifferenceError(
                f"{path} differs from what its records give, first in line {line}: run `siambench leaderboard {table.track.name} --write`"
            )

"""The files of a leaderboard: records in, generated tables out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from siambench.board import across, costs
from siambench.board import captions as text
from siambench.board.formats import markdown as page
from siambench.board.rows import Row, rows_of, studies_of
from siambench.board.table import Table, build
from siambench.board.tuning import Ledger, ledger_of
from siambench.errors import DataMissingError, DifferenceError, UnknownNameError, UsageError
from siambench.records.record import OPENINGS, Record, read_all, read_openings
from siambench.spec import Method
from siambench.tracks.rules import Track, load_track, track_folder, track_names

COSTS = "costs.csv"
"""Written beside what is `generated`, and never compared: whoever repeats a row takes another time over it."""


@dataclass
class Shelf:
    """What a folder of records holds.

    Args:
        records: the intact ones, in order of id.
        openings: lines of its log of test openings.
        damaged: files that hold no record.
    """

    records: list[Record] = field(default_factory=list)
    openings: list[dict[str, object]] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)


def load(folder: Path) -> Shelf:
    """Read a track's folder: its ``records/`` and its log."""
    shelf = Shelf(openings=read_openings(folder / OPENINGS))
    for path, record in read_all(folder / "records"):
        if record is None:
            shelf.damaged.append(path)
        else:
            shelf.records.append(record)
    return shelf


def records_folder(directory: Path, track: Track) -> Path:
    """The track's folder in what ``--from`` names: an output folder of ``run``, or the track's folder itself.

    Raises:
        DataMissingError: if there are no records.
    """
    for folder in (directory / track.name, directory):
        if (folder / "records").is_dir():
            return folder
    raise DataMissingError(f"{directory} holds no records of track {track.name}: expected {directory / track.name / 'records'}")


def shipped_rows(track: Track) -> list[Row]:
    """The rows that ship with siambench for exactly these rules; none for an edited or a foreign track."""
    if track.name not in track_names() or load_track(track.name) != track:
        return []
    shelf = load(track_folder(track.name))
    return rows_of(track, shelf.records, openings=shelf.openings, shipped=True)


def direction_of(records: Sequence[Record], metric: str) -> str:
    """Which way a metric is better, as the records say; ``"max"`` where none does."""
    return next((r["result"]["directions"][metric] for r in records if metric in r["result"].get("directions", {})), "max")


def counts(records: Sequence[Record]) -> dict[str, int]:
    """The units behind a table that was made from records alone."""
    failed = sum(r["result"]["state"] == "failed" for r in records)
    return {"planned": len(records), "done": len(records) - failed, "cached": 0, "failed": failed, "lost": 0}


def leaderboard(name: str, more: Sequence[Path] = ()) -> tuple[Table, Shelf]:
    """The table of a track's own records, and of those of further folders.

    Args:
        name: of a shipped track, or the path of a track's folder.
        more: output folders of ``run`` whose rows join, replacing their shipped twins.
    """
    track = load_track(name)
    shelf = load(track_folder(name))
    is_shipped = name in track_names()
    fresh: dict[str, Record] = {}
    openings = list(shelf.openings)
    for directory in more:
        other = load(records_folder(directory, track))
        # What several folders hold of one study is one row, and a record that two of them hold counts once.
        fresh |= {record["id"]: record for record in other.records}
        openings += other.openings
        shelf.damaged += other.damaged
    rows = rows_of(track, shelf.records, openings=openings, shipped=is_shipped)
    rows += rows_of(track, fresh.values(), openings=openings)
    known = {record["id"] for record in shelf.records}
    shelf.records += [record for record in fresh.values() if record["id"] not in known]
    table = build(track, rows, units=counts(shelf.records), direction=direction_of(shelf.records, track.metrics.primary))
    return table, shelf


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
    return across.build([table for table, _ in found]), [path for _, shelf in found for path in shelf.damaged]


def _holds(directory: Path, track: Track) -> bool:
    try:
        records_folder(directory, track)
    except DataMissingError:
        return False
    return True


def studies_by_name(track: Track, folders: Sequence[Path]) -> dict[str, list[list[Record]]]:
    """The records of each study and anchor in some folders of a track, by the name of its row; in order of their keys."""
    records = {record["id"]: record for folder in folders for record in load(folder).records}
    studies: dict[str, list[list[Record]]] = {}
    for _, members in sorted(studies_of(track, records.values()).items()):
        studies.setdefault(Method(**members[0]["result"]["unit"]["method"]).name, []).append(members)
    return studies


def study(name: str, row: str, more: Sequence[Path] = ()) -> tuple[Ledger, int]:
    """The ledger behind a row, and how many studies bear its name: of several the one with most trials, then by its key.

    Args:
        name: of a shipped track, or the path of a track's folder.
        row: name of the method.
        more: output folders of ``run`` whose records join.

    Raises:
        UnknownNameError: if there is no such row.
        UsageError: if the row is an anchor, for which nothing is tuned.
    """
    track = load_track(name)
    studies = studies_by_name(track, [track_folder(name), *(records_folder(directory, track) for directory in more)])
    if row not in studies:
        raise UnknownNameError("row", row, studies)
    if Method(**studies[row][0][0]["result"]["unit"]["method"]).is_anchor:
        raise UsageError(f"{row} is an anchor of {track.name}: nothing is tuned for it")
    ledgers = [ledger_of(members, budget=track.budget.trials) for members in studies[row]]
    return max(ledgers, key=lambda ledger: len(ledger.trials)), len(ledgers)


def generated(table: Table) -> dict[str, str]:
    """The files that ``--write`` writes and ``--check`` compares, by name."""
    shown = _repeatable(table)
    return {
        "README.md": page.markdown(shown, title=text.title_of(shown), command=f"siambench leaderboard {table.track.name} --write"),
        "table.csv": text.csv_text(shown),
    }


def _repeatable(table: Table) -> Table:
    """The table without local rows: nobody else could make them again."""
    own = [line.row for line in table.lines if "local" not in line.row.flags]
    return table if len(own) == len(table.lines) else build(table.track, own, units=table.units, direction=table.direction)


def costs_csv(table: Table) -> str:
    """What the rows took, one line each; local rows are left out."""
    return text.csv_of(costs.HEAD, [costs.cells(line.row.name, line.row.costs) for line in _repeatable(table).lines])


def adopt(folder: Path, track: Track, directories: Sequence[Path]) -> int:
    """Copy the records of further folders into a track's own; how many were new. Local ones are left where they are."""
    new = 0
    (folder / "records").mkdir(parents=True, exist_ok=True)
    for directory in directories:
        source = records_folder(directory, track)
        for path, record in read_all(source / "records"):
            unit = record["result"]["unit"] if record else {}
            foreign = (unit.get("track"), unit.get("track_version")) != (track.name, track.version)
            local = any(where.startswith("local ") for where in unit.get("components", {}).values())
            target = folder / "records" / path.name
            if record is None or foreign or local or target.exists():
                continue
            shutil.copyfile(path, target)
            new += 1
        known = set((folder / OPENINGS).read_text(encoding="utf-8").splitlines()) if (folder / OPENINGS).is_file() else set()
        if (source / OPENINGS).is_file():
            lines = [line for line in (source / OPENINGS).read_text(encoding="utf-8").splitlines() if line and line not in known]
            with (folder / OPENINGS).open("a", encoding="utf-8") as file:
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

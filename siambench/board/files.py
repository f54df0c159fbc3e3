"""The files of a leaderboard: the records that are found, and the tables that they give."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from siambench.board import across
from siambench.board.asked import rows_asked
from siambench.board.exams import Chosen, choose
from siambench.board.rows import Row, one_make, records_by_row, rows_of
from siambench.board.table import Setting, Table, build
from siambench.board.tuning import Tuning, tunings_of
from siambench.board.unit_figures import FiguresIn
from siambench.errors import DataMissingError, UnknownNameError, UsageError
from siambench.interfaces import Done
from siambench.records.folder import Folder, folders_of, track_folders
from siambench.records.record import Record
from siambench.spec import Exam
from siambench.tracks.exam import base_name, departures
from siambench.tracks.files import home_of, load_track, track_folder
from siambench.tracks.rules import Track

DEFAULT_OUT = "siambench-runs"
"""Where ``run`` leaves its records if nobody says otherwise."""


@dataclass(frozen=True)
class Found:
    """What a table was made from.

    Args:
        track: the rules.
        chosen: the exam, its records, and the others.
        own: ids of the records that lie in the track's own folder.
        openings: lines of all logs of test openings.
        damaged: why each file holds no record that does not.
        reference: by what commands know the track: the name of one that came with siambench or a plugin, else a path.
        shipped: whether it came so.
        folders: of all that was looked into, the track's own first.
        sources: the further folders, as they were named.
    """

    track: Track
    chosen: Chosen
    own: frozenset[str]
    openings: tuple[Mapping[str, Any], ...]
    damaged: Mapping[Path, str]
    reference: str
    shipped: bool = False
    folders: tuple[Folder, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def setting(self) -> Setting:
        """What stands around the rows of the table."""
        return Setting(self.chosen.exam, self.chosen.others, self.reference, FiguresIn(self.folders), self.sources)


def found_in(name: str, more: Sequence[Path] = (), *, exam: str | None = None) -> Found:
    """The records of one exam of a track, of its own folder and of further ones.

    Args:
        name: of a track of siambench or a plugin, the path of a track's folder, or the name of a track in one of the further folders.
        more: output folders of ``run``, or folders of exams in them.
        exam: the id of an exam, or its first digits; None: that which follows the track's rules.

    Raises:
        UnknownNameError: if there is no such track, or no record of that exam.
        DataMissingError: if one of the folders holds no records of the track.
    """
    home, reference = located(name, more)
    # A folder here is no reason to look for a plugin's track of its name.
    came = reference == name and home != Path(name).expanduser() and home_of(name) == home
    track = load_track(name if came else str(home))
    contents = Folder(home).read()
    damaged, openings = dict(contents.damaged), list(contents.openings)
    further: list[Record] = []
    folders = {folder.resolve(): folder for directory in more for folder in records_folders(directory, track)}
    for folder in (folder for place, folder in folders.items() if place != home.resolve()):
        other = Folder(folder).read()
        further += other.records
        openings += other.openings
        damaged |= other.damaged
    chosen = choose(track, contents.records, further, asked=exam)
    if exam is not None:
        track = _rules_of(chosen.exam, track, folders.values())
    own = frozenset(record.id for record in contents.records if chosen.exam is not None and record.exam.id == chosen.exam.id)
    # One line of a log that two folders hold is one opening; rows count distinct units anyway.
    looked_into = (Folder(home), *(Folder(folder) for place, folder in folders.items() if place != home.resolve()))
    sources = tuple(map(str, more))
    return Found(track, chosen, own, tuple(openings), damaged, reference, shipped=came, folders=looked_into, sources=sources)


def located(name: str, more: Sequence[Path] = ()) -> tuple[Path, str]:
    """The folder of a track, and by what commands know it.

    Raises:
        UnknownNameError: if there is none.
    """
    try:
        folder = track_folder(name)
    except UnknownNameError:
        # The name of an ad-hoc track, which only its own output knows.
        for directory in (*more, Path(DEFAULT_OUT)):
            for place in track_folders(directory) if directory.is_dir() else []:
                rules = Folder(place).track
                if rules is not None and name in (rules.name, place.name):
                    return place, str(place)
        raise
    return folder, name


def records_folders(directory: Path, track: Track) -> list[Path]:
    """The track's folders in what ``--from`` names: an output folder of ``run``, or an exam's folder itself.

    Raises:
        DataMissingError: if there are no records.
    """
    found = folders_of(directory, track)
    if not found:
        raise DataMissingError(
            f"{directory} holds no records of track {track.name}: expected {directory / f'{track.name}-<exam>' / 'records'}"
        )
    return found


def _rules_of(exam: Exam | None, track: Track, folders: Iterable[Path]) -> Track:
    """The rules that an exam follows, of those that lie beside its records; the track's own where none do."""
    if exam is None or not departures(track, exam):
        return track
    rules = (Folder(folder).track for folder in folders)
    return next((found for found in rules if found is not None and not departures(found, exam)), track)


def shipped_folder(track: Track) -> Folder | None:
    """Where the records of a track lie that came with siambench, or with a plugin; None for a track that did not."""
    return Folder(home) if (home := home_of(base_name(track.name))) is not None else None


def shipped_rows(track: Track, exam: Exam) -> list[Row]:
    """The rows that came with siambench, or with the plugin of the track, for exactly this exam."""
    folder = shipped_folder(track)
    if folder is None:
        return []
    found = folder.read()
    records = [record for record in found.records if record.exam.id == exam.id]
    return rows_of(track, records, openings=found.openings, shipped=True)


def direction_of(records: Sequence[Record], metric: str) -> Literal["max", "min"]:
    """Which way a metric is better, as the records say; ``"max"`` where none does."""
    known = (r.outcome.directions for r in records if isinstance(r.outcome, Done))
    return next((directions[metric] for directions in known if metric in directions), "max")


def counts(records: Sequence[Record]) -> dict[str, int]:
    """The units behind a table that was made from records alone."""
    failed = sum(r.outcome.state == "failed" for r in records)
    return {"planned": len(records), "done": len(records) - failed, "cached": 0, "failed": failed, "lost": 0}


def leaderboard(name: str, more: Sequence[Path] = (), *, exam: str | None = None) -> tuple[Table, Found]:
    """The table of a track's own records, and of those of further folders.

    Args:
        name: see `found_in`.
        more: output folders of ``run`` whose rows join, replacing their shipped twins.
        exam: see `found_in`.
    """
    found = found_in(name, more, exam=exam)
    records = found.chosen.records
    own = [record for record in records if record.id in found.own]
    if found.shipped:
        rows = rows_of(found.track, own, openings=found.openings, shipped=True)
        fresh = [record for record in records if record.id not in found.own]
        rows += rows_of(found.track, fresh, openings=found.openings, baselines=own)
    else:
        # Nothing here came with siambench: what several folders hold of one row is one row.
        rows = rows_of(found.track, records, openings=found.openings)
    direction = direction_of(records, found.track.metrics.primary)
    return build(found.track, rows, units=counts(records), direction=direction, setting=found.setting), found


def leaderboards(names: Sequence[str], more: Sequence[Path] = ()) -> tuple[across.Across, dict[Path, str]]:
    """Several tracks at once, and why each file holds no record that was passed over.

    Args:
        names: of shipped tracks, or paths of tracks' folders.
        more: output folders of ``run``; each need hold records of one of the tracks only.

    Raises:
        UsageError: if a track comes twice.
        DataMissingError: if a folder holds records of none of the tracks.
    """
    tracks = [load_track(name) for name in names]
    for directory in more:
        if not any(folders_of(directory, track) for track in tracks):
            raise DataMissingError(f"{directory} holds no records of any of {', '.join(track.name for track in tracks)}")
    found = [leaderboard(name, [d for d in more if folders_of(d, track)]) for name, track in zip(names, tracks, strict=True)]
    damaged = {path: reason for _, one in found for path, reason in one.damaged.items()}
    return across.build([table for table, _ in found]), damaged


def rows_by_name(records: Iterable[Record]) -> dict[str, list[list[Record]]]:
    """The records of each row of an exam, by its name; of rows of one name in order of their keys."""
    rows: dict[str, list[list[Record]]] = {}
    for _, members in sorted(records_by_row(records).items()):
        rows.setdefault(members[0].unit.method.name, []).append(one_make(members)[0])
    return rows


def tunings(name: str, row: str, more: Sequence[Path] = (), *, exam: str | None = None) -> tuple[tuple[Tuning, ...], int, Found]:
    """The studies of a row, how many rows bear its name, and where it was looked for: of several the one with most trials, then by its key.

    Args:
        name: see `found_in`.
        row: name of the method, or the first digits of the row's key.
        more: output folders of ``run`` whose records join.
        exam: see `found_in`.

    Raises:
        UnknownNameError: if there is no such row.
        UsageError: if the row is a baseline, for which nothing is tuned.
    """
    found = found_in(name, more, exam=exam)
    track, rows = found.track, rows_asked(rows_by_name(found.chosen.records), row)
    if rows[0][0].unit.method.baseline is not None:
        raise UsageError(f"{row} is a baseline of {track.name}: nothing is tuned for it")
    known = [tunings_of(members, budget=track.budget.trials) for members in rows]
    return max(known, key=lambda one: sum(len(study.trials) for study in one)), len(known), found


def estimate(track: Track, *, tune: int, final: int, own: Path | None = None) -> float | None:
    """Seconds of work in so many units, from the telemetry of records; None without any.

    Args:
        track: the rules.
        tune: units that tune.
        final: final units.
        own: the exam's folder of somebody's own run, which tells where it holds units of both kinds; else the track's shipped records do.
    """
    homes = (own if own is not None and own.is_dir() else None, home_of(track.name))
    told = (_estimated(home, tune=tune, final=final) for home in homes if home is not None)
    return next((seconds for seconds in told if seconds is not None), None)


def _estimated(home: Path, *, tune: int, final: int) -> float | None:
    seconds: dict[str, list[float]] = {"tune": [], "final": []}
    for record in Folder(home).read().records:
        if record.unit.method.baseline is None and record.seconds is not None:
            seconds[record.unit.kind].append(record.seconds)
    if not seconds["tune"] or not seconds["final"]:
        return None
    return tune * statistics.median(seconds["tune"]) + final * statistics.median(seconds["final"])

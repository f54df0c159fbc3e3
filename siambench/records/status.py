"""Where a run stands, told from its output folder alone: what is done, who works on it, how long it may take."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from siambench.errors import ConfigError, DataMissingError, RecordError
from siambench.records.exams import OtherExam, other_exams
from siambench.records.folder import Budget, Folder, track_folders
from siambench.records.lock import Owner, owner_of
from siambench.records.record import Record, read_all, reason_of, row_key, schema_of
from siambench.records.running import Running, running
from siambench.records.selection import most_tune_units
from siambench.spec import BASELINES, FIXED_BASELINES, RECORD_SCHEMA, Exam, Method
from siambench.tracks.exam import departures
from siambench.tracks.files import load_track
from siambench.tracks.rules import Track

RECENT = 20
"""From how many of the last records the pace is taken."""

State = Literal["tuning", "final", "done", "failed"]


@dataclass(frozen=True)
class Count:
    """Units of one kind.

    Args:
        ended: how many have a record.
        failed: how many of those failed.
        planned: how many there will be at the most, as the last run of the row asked, else by the track's budget; None where neither is
            told.
    """

    ended: int
    failed: int
    planned: int | None

    @property
    def left(self) -> int:
        """How many are still to come, as far as is known."""
        return max(0, (self.planned or 0) - self.ended)


@dataclass(frozen=True)
class Begun:
    """A row that has begun.

    Args:
        method: its name, that of a baseline included.
        row: its key.
        state: ``"failed"`` where every trial failed, so that there is nothing to train.
        tune: of tune units; nothing is planned for a baseline.
        final: of final units of the trial that each study selected last.
        verdicts: how many units of both kinds have which verdict; of those of which nothing is said none.
    """

    method: str
    row: str
    state: State
    tune: Count
    final: Count
    verdicts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A unit that failed, and why."""

    unit: str
    error: str


@dataclass(frozen=True)
class Status:
    """Where one track in an output folder stands.

    Args:
        folder: of the track.
        name: of the track.
        version: of the track; None where the rules cannot be read.
        trouble: why the rules cannot be read; None where they can.
        owner: the process of this machine that works on it.
        running: the units that run now, the longest first.
        begun: the rows that have begun, baselines first; what has no record yet is not known here.
        failures: the latest first.
        exam: id of the exam; None where the rules cannot be read, or no record follows them.
        records: how many intact ones there are of this exam.
        others: the other exams that have records here.
        age: seconds since the last unit ended; None without records.
        pace: units per minute over the last records of the latest run; None with too few of them.
        left: estimated seconds until what has begun is done; None where nobody works on it, or no pace is known.
        damaged: why each file holds no record that does not.
        older: how many records an older siambench wrote.
        newer: how many a newer one wrote.
    """

    folder: Path
    name: str
    version: str | None
    trouble: str | None
    owner: Owner | None
    running: tuple[Running, ...]
    begun: tuple[Begun, ...]
    failures: tuple[Failure, ...]
    exam: str | None
    records: int
    others: tuple[OtherExam, ...]
    age: float | None
    pace: float | None
    left: float | None
    damaged: Mapping[Path, str]
    older: int
    newer: int


@dataclass(frozen=True)
class _Seen:
    # What is kept of a record: ten thousand whole ones would be hundreds of megabytes.
    exam: Exam
    key: str
    row: str
    method: Method
    kind: str
    study: int
    selected: tuple[int | None, int | None]
    label: str
    searched: bool
    error: str | None
    ended: float
    verdict: str | None


def folders(directory: Path) -> list[Path]:
    """The folders of tracks in a directory: an output folder of ``run``, or a track's folder itself.

    Raises:
        DataMissingError: if there are none.
    """
    try:
        found = track_folders(directory)
    except FileNotFoundError as error:
        raise DataMissingError(f"no such folder: {directory}; give the folder that run has as --out") from error
    except OSError as error:
        raise DataMissingError(f"{directory} cannot be read: {error.strerror}") from error
    if not found:
        raise DataMissingError(f"{directory} holds no run: expected {directory / 'records'} or {directory / '<track>' / 'records'}")
    return found


def status_of(folder: Path, *, now: float) -> Status:
    """Where the track in a folder stands.

    Every record is read: with the check of its name, 10,000 of them take some two seconds, so that none are sampled.

    Args:
        folder: of the track.
        now: seconds since the epoch.
    """
    files = Folder(folder)
    track, trouble = _rules(files)
    seen: list[_Seen] = []
    damaged: dict[Path, str] = {}
    schemas: list[int] = []
    for path, record in read_all(files.records):
        schema = schema_of(path) if isinstance(record, RecordError) else None
        if isinstance(record, Record):
            seen.append(_seen(record))
        elif schema not in (None, RECORD_SCHEMA):
            schemas.append(int(schema or 0))
        elif path.exists() or path.is_symlink():
            damaged[path] = reason_of(record, path)
    exam, others = _exams(seen, track, folder)
    own = [one for one in seen if exam is not None and one.exam.id == exam.id]
    own.sort(key=lambda one: one.ended)
    begun = _begun(own, track, files.budgets)
    owner, pace = owner_of(files.lock), _pace([one.ended for one in own], _started(files))
    units_left = sum(row.tune.left + row.final.left for row in begun)
    return Status(
        folder=folder,
        name=folder.name if track is None else track.name,
        version=None if track is None else track.version,
        trouble=trouble,
        owner=owner,
        running=tuple(running(files.running)),
        begun=begun,
        failures=tuple(Failure(one.label, one.error) for one in reversed(own) if one.error is not None),
        exam=None if exam is None else exam.id,
        records=len(own),
        others=others,
        age=max(0.0, now - own[-1].ended) if own else None,
        pace=pace,
        left=60 * units_left / pace if owner is not None and pace and units_left else None,
        damaged=damaged,
        older=sum(schema < RECORD_SCHEMA for schema in schemas),
        newer=sum(schema > RECORD_SCHEMA for schema in schemas),
    )


def _exams(seen: Sequence[_Seen], track: Track | None, folder: Path) -> tuple[Exam | None, tuple[OtherExam, ...]]:
    """The exam of a folder, which its name tells, else its rules, else the number of records; and the others."""
    exams = {one.exam.id: one.exam for one in seen}
    sizes = Counter(one.exam.id for one in seen)

    def fit(name: str) -> tuple[bool, bool, int, str]:
        follows = track is not None and not departures(track, exams[name])
        return folder.name.endswith(f"-{name[:8]}"), follows, sizes[name], name

    chosen = max(exams, key=fit, default=None)
    shown = None if chosen is None else exams[chosen]
    if shown is not None and track is not None and departures(track, shown):
        shown = None
    return shown, other_exams(((one.exam, one.method) for one in seen), shown, track)


def _rules(folder: Folder) -> tuple[Track | None, str | None]:
    file = next((path for path in (folder.rules, folder.path / "track.toml") if path.is_file()), None)
    if file is None:
        return None, f"no {folder.rules}: how many units are planned is not known"
    try:
        return load_track(str(file)), None
    except ConfigError as error:
        return None, str(error)


def _started(folder: Folder) -> float:
    # A run writes the rules when it has the lock; what ended before belongs to an earlier one.
    try:
        return folder.rules.stat().st_mtime
    except OSError:
        return -math.inf


def _seen(record: Record) -> _Seen:
    unit = record.unit
    return _Seen(
        exam=record.exam,
        key=row_key(unit),
        row=unit.row,
        method=unit.method,
        kind=unit.kind,
        study=unit.study,
        selected=(unit.trial, unit.stop_epoch),
        label=unit.label,
        searched=bool(unit.space),
        error=record.outcome.error,
        ended=record.started + (record.seconds or 0.0),
        verdict=None if (said := record.diagnosis) is None else said.verdict,
    )


def _begun(seen: Sequence[_Seen], track: Track | None, budgets: Mapping[str, Budget]) -> tuple[Begun, ...]:
    """From records in order of their end."""
    groups: dict[str, list[_Seen]] = {}
    for one in seen:
        groups.setdefault(one.key, []).append(one)
    rows = []
    for group in groups.values():
        look = _method if group[0].method.baseline is None else _baseline
        rows.append(look(group, track, budgets.get(group[0].row)))
    return tuple(sorted(rows, key=lambda row: (row.method.split("@")[0] not in BASELINES, row.method, row.row)))


def _baseline(group: Sequence[_Seen], track: Track | None, asked: Budget | None) -> Begun:
    budget = asked or _planned(track, searched=False)
    once = group[0].method.baseline in FIXED_BASELINES
    final = _count(group, 1 if once else None if budget is None else budget.studies * budget.repetitions)
    return Begun(group[0].method.name, group[0].row, "final" if final.left else "done", Count(0, 0, 0), final)


def _method(group: Sequence[_Seen], track: Track | None, asked: Budget | None) -> Begun:
    budget = asked or _planned(track, searched=group[0].searched)
    begun: dict[int, list[_Seen]] = {}
    for one in group:
        begun.setdefault(one.study, []).append(one)
    studies = [_study(begun[number], track, budget) for number in sorted(begun)]
    missing = 0 if budget is None else max(0, budget.studies - len(studies))
    tune, final = _sum([study.tune for study in studies]), _sum([study.final for study in studies])
    if missing and track is not None and budget is not None:
        tune = dataclasses.replace(tune, planned=(tune.planned or 0) + missing * _most(track, budget))
        final = dataclasses.replace(final, planned=(final.planned or 0) + missing * budget.repetitions)
    states = {study.state for study in studies}
    state: State = "failed" if states == {"failed"} and not missing else "tuning" if "tuning" in states or missing else "final"
    if state == "final" and "final" not in states:
        state = "done"
    verdicts = Counter(one.verdict for one in group if one.verdict is not None)
    return Begun(group[0].method.name, group[0].row, state, tune, final, dict(sorted(verdicts.items())))


@dataclass(frozen=True)
class _Study:
    state: State
    tune: Count
    final: Count


def _study(group: Sequence[_Seen], track: Track | None, budget: Budget | None) -> _Study:
    """One study, from its records in order of their end."""
    tuned = [one for one in group if one.kind == "tune"]
    finals = [one for one in group if one.kind == "final"]
    # A larger budget than before may have selected another trial: what was trained for the one before is no part of the row.
    chosen = [one for one in finals if one.selected == finals[-1].selected]
    if track is None or budget is None:
        return _Study("final" if finals else "tuning", _count(tuned, None), _count(chosen, None))
    failed = sum(one.error is not None for one in tuned)
    # A trial that fails on the fold that is raced on runs no other.
    all_in_vain = failed == len(tuned) and len(tuned) >= budget.trials * (1 if track.training.racing else track.split.folds)
    if finals and (not tuned or tuned[-1].ended <= finals[-1].ended):
        # Final models come after tuning, so it has ended: how many units a race spared is known by now.
        tuning = _count(tuned, len(tuned))
    else:
        tuning = _count(tuned, len(tuned) if all_in_vain and not finals else _most(track, budget))
    if all_in_vain and not finals:
        return _Study("failed", tuning, _count(chosen, 0))
    final = _count(chosen, budget.repetitions)
    return _Study("tuning" if tuning.left else "final" if final.left else "done", tuning, final)


def _most(track: Track, budget: Budget) -> int:
    return most_tune_units(budget.trials, track.split.folds, racing=track.training.racing)


def _sum(counts: Sequence[Count]) -> Count:
    planned = [count.planned for count in counts if count.planned is not None]
    ended, failed = sum(count.ended for count in counts), sum(count.failed for count in counts)
    return Count(ended, failed, sum(planned) if len(planned) == len(counts) else None)


def _planned(track: Track | None, *, searched: bool) -> Budget | None:
    """What a run asks where nothing else is told: one study."""
    if track is None:
        return None
    # With nothing to search every trial would be the same: one is run.
    return Budget(1, track.budget.trials if searched else 1, track.budget.repetitions)


def _count(seen: Sequence[_Seen], planned: int | None) -> Count:
    # A run with a larger budget than the track's has more than planned.
    return Count(len(seen), sum(one.error is not None for one in seen), None if planned is None else max(planned, len(seen)))


def _pace(ended: Sequence[float], started: float) -> float | None:
    """Units per minute between the last of these times, which are in order."""
    recent = [time for time in ended if time >= started][-RECENT:]
    if len(recent) < 3 or recent[-1] <= recent[0]:
        return None
    return 60 * (len(recent) - 1) / (recent[-1] - recent[0])

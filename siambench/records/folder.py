"""The output folder of one track. It alone knows what its files are called: records, log of test openings, rules, budgets, lock."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from siambench.data.files import read_regular
from siambench.errors import RecordError, SiambenchError, UsageError
from siambench.identity import Document, from_json, to_json
from siambench.machine import FULL, UNWRITABLE, is_alive
from siambench.records import unit_figures
from siambench.records.lock import owner_of
from siambench.records.openings import append_opening, opening, read_openings
from siambench.records.record import LARGEST, Record, load, read, read_all, reason_of, write
from siambench.records.running import forget
from siambench.records.unit_figures import UnitFigures
from siambench.spec import Exam, Unit
from siambench.tracks.exam import base_name
from siambench.tracks.files import load_track
from siambench.tracks.rules import Track

_NAMED = re.compile(r"-[0-9a-f]{8}$")

OPENINGS = "test-openings.jsonl"
"""The log of test openings in a track's folder."""

BUDGETS = "budgets.json"
"""Row → the `Budget` that the last run asked of it; ``--trials`` is in no other file."""

LOCK = ".lock"


@dataclass(frozen=True)
class Budget(Document):
    """What a run asks of a row.

    Args:
        studies: independent tunings.
        trials: of each; 0 of a baseline.
        repetitions: final models of each.
    """

    studies: int
    trials: int
    repetitions: int


@dataclass
class Contents:
    """What a track's folder holds.

    Args:
        records: the intact ones, in order of id.
        openings: lines of its log of test openings.
        damaged: why each file holds no record that does not.
    """

    records: list[Record] = field(default_factory=list)
    openings: list[dict[str, Any]] = field(default_factory=list)
    damaged: dict[Path, str] = field(default_factory=dict)


def model_path(folder: Path, unit: str) -> Path:
    """The file of a final unit's model, by the unit's id, in a folder of models."""
    return folder / f"{unit}.safetensors"


@dataclass(frozen=True)
class Folder:
    """The folder of one track: of a run's output, or of a leaderboard.

    Args:
        path: where it is.
    """

    path: Path

    @classmethod
    def of(cls, out: Path, track: Track, exam: Exam) -> Folder:
        """That of an exam in an output folder of ``run``."""
        return cls(out / f"{track.name}-{exam.short}")

    @property
    def records(self) -> Path:
        """Where the records lie."""
        return self.path / "records"

    @property
    def openings(self) -> Path:
        """The log of test openings."""
        return self.path / OPENINGS

    @property
    def running(self) -> Path:
        """Where running units say how far they are."""
        return self.path / "running"

    @property
    def observed(self) -> Path:
        """Where observers may write, each in a folder of its name: made by the first that does."""
        return self.path / "observers"

    @property
    def figures(self) -> Path:
        """Where lies what pictures of final units are drawn from: beside the records, under the same names."""
        return self.path / "figures"

    @property
    def models(self) -> Path:
        """Where final units keep their models: made by the first that does."""
        return self.path / "models"

    def model(self, unit: str) -> Path | None:
        """The model that a final unit has kept, by the unit's id; None where there is none."""
        path = model_path(self.models, unit)
        return path if path.is_file() else None

    @property
    def lock(self) -> Path:
        """What a coordinator holds."""
        return self.path / LOCK

    @property
    def rules(self) -> Path:
        """The track's rules, as the last run followed them."""
        return self.path / "track.json"

    @property
    def budgets(self) -> dict[str, Budget]:
        """Row → what the last run asked of it; empty where nothing can be read."""
        try:
            document = json.loads(read_regular(self.path / BUDGETS, most=LARGEST))
            return {str(row): from_json(Budget, json.dumps(asked), where=BUDGETS) for row, asked in document.items()}
        except (UsageError, RecordError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def read(self) -> Contents:
        """Everything that is there."""
        found = Contents(openings=read_openings(self.openings))
        for path, record in read_all(self.records):
            if isinstance(record, RecordError):
                found.damaged[path] = reason_of(record, path)
            else:
                found.records.append(record)
        return found

    @contextlib.contextmanager
    def held(self, track: Track, asked: Mapping[str, Budget] | None = None) -> Iterator[None]:
        """Hold the folder against a second coordinator.

        Args:
            track: its rules.
            asked: row → what this run asks of it, for who looks at the folder.

        Raises:
            UsageError: if another run holds it, or it cannot be written.
        """
        note = self.path / ".held-by.json"
        try:
            self.records.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.lock).acquire(timeout=0):
                document = {"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S %z")}
                note.write_text(json.dumps(document) + "\n", encoding="utf-8")
                # What units of a killed run said of themselves.
                self.running.mkdir(exist_ok=True)
                forget(self.running)
                self._sweep()
                rules = track.model_dump(by_alias=True, mode="json")
                self.rules.write_text(json.dumps(rules, indent=2) + "\n", encoding="utf-8")
                self._leave_budgets(asked or {})
                try:
                    yield
                finally:
                    note.unlink(missing_ok=True)
                    forget(self.running)
        except filelock.Timeout as error:
            raise UsageError(
                f"another siambench run{_who(note, self.lock)} holds {self.path}: wait for it, or choose another folder with --out"
            ) from error
        except OSError as error:
            if error.errno not in UNWRITABLE | FULL:
                raise
            raise UsageError(f"{self.path} cannot be written: {error.strerror}; choose another folder with --out") from error

    def _sweep(self) -> None:
        """Take away what units of a killed run had written of their models."""
        for part in self.models.glob(".*.part"):
            with contextlib.suppress(OSError):
                part.unlink()

    def _leave_budgets(self, asked: Mapping[str, Budget]) -> None:
        """Beside what earlier runs left of theirs."""
        temporary = (self.path / BUDGETS).with_suffix(".part")
        document = {row: to_json(budget) for row, budget in {**self.budgets, **asked}.items()}
        temporary.write_text(json.dumps(document, indent=0) + "\n", encoding="utf-8")
        temporary.replace(self.path / BUDGETS)

    @property
    def track(self) -> Track | None:
        """The rules that lie here; None where there are none, or none that hold."""
        try:
            return load_track(str(self.path))
        except (SiambenchError, OSError):
            return None

    def cached(self, unit: Unit) -> Record | None:
        """The unit's record, if it was run before."""
        return read(self.records / f"{unit.id}.json")

    def holds(self, unit_id: str) -> bool:
        """Whether a file bears the name of a unit's record; it has not been looked into."""
        return (self.records / f"{unit_id}.json").is_file()

    def damage(self, unit: Unit) -> str | None:
        """Why the unit's file holds no record; None where it does, or there is no such file."""
        path = self.records / f"{unit.id}.json"
        try:
            load(path)
        except RecordError as error:
            return f"{path}: {reason_of(error, path)}" if path.exists() or path.is_symlink() else None
        return None

    def keep(self, unit: Unit, record: Record) -> None:
        """Write what a worker handed back and could not write here itself: the folder is not shared with it."""
        if self.cached(unit) is not None:
            return
        write(self.records, record)
        if record.figures is not None:
            # Without them there is a record all the same.
            with contextlib.suppress(OSError):
                self.keep_figures(record.figures)
        opened = {line.get("unit") for line in read_openings(self.openings)}
        if unit.kind == "final" and unit.id not in opened:
            append_opening(self.openings, opening(unit, record.started))

    def keep_figures(self, figures: UnitFigures) -> Path:
        """Write what a unit's pictures are drawn from, in the place of what there was of it; the path of the file.

        Raises:
            OSError: if it cannot be written.
        """
        return unit_figures.write(self.figures, figures)

    def drop_figures(self, unit_id: str) -> None:
        """Remove those of a unit, if there are any."""
        (self.figures / f"{unit_id}.json").unlink(missing_ok=True)

    @property
    def figured(self) -> frozenset[str]:
        """Ids of the units that there is a file of figures of; it has not been looked into."""
        return frozenset(path.stem for path in self.figures.glob("*.json")) if self.figures.is_dir() else frozenset()

    def figures_of(self, unit_id: str, damaged: dict[Path, str] | None = None) -> UnitFigures | None:
        """Those of a unit; None where there are none, or the file holds none.

        Args:
            unit_id: its id.
            damaged: is told why a file that is there holds none.
        """
        path = self.figures / f"{unit_id}.json"
        try:
            return unit_figures.load(path)
        except RecordError as error:
            if damaged is not None and (path.exists() or path.is_symlink()):
                damaged[path] = reason_of(error, path)
            return None


def track_folders(directory: Path) -> list[Path]:
    """The folders of exams in a directory: an output folder of ``run``, or a track's folder itself.

    Raises:
        OSError: if the directory cannot be read.
    """
    return [path for path in (directory, *sorted(directory.iterdir())) if (path / "records").is_dir()]


def folders_of(directory: Path, track: Track) -> list[Path]:
    """Those of them in which a track's records may lie, as it is or with changed rules: by the rules that lie there, else by name."""
    if not directory.is_dir():
        return []
    wanted = base_name(track.name)

    def is_of(folder: Path) -> bool:
        rules = Folder(folder).track
        name = folder.name if rules is None else rules.name
        return base_name(name) == wanted or (rules is None and _NAMED.sub("", name) == wanted)

    # The folder that was named is meant, whatever it is called.
    found = [folder for folder in track_folders(directory) if is_of(folder) or (folder == directory and Folder(folder).track is None)]
    return list(dict.fromkeys(found))


def _who(note: Path, lock: Path) -> str:
    """The run that holds a folder, by the note that it left; a note of a run that was killed says nothing of the next."""
    with contextlib.suppress(UsageError, ValueError, KeyError, TypeError, RecursionError):
        left = json.loads(read_regular(note, most=LARGEST))
        if left["host"] != socket.gethostname() or is_alive(int(left["process"])):
            return f" (process {left['process']} on {left['host']}, since {left['since']})"
    owner = owner_of(lock)
    return f" (process {owner.process} on this machine)" if owner is not None and owner.process is not None else ""

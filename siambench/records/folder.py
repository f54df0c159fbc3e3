"""The output folder of one track: its records, its log of test openings, its rules, and who works on it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import filelock

from siambench.errors import UsageError
from siambench.machine import is_alive
from siambench.records import record as records
from siambench.records.lock import holder_of
from siambench.records.record import Record
from siambench.records.running import RUNNING, forget
from siambench.records.status import leave_budgets
from siambench.spec import Unit
from siambench.tracks.rules import Track

_UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC, errno.EDQUOT})


class Folder:
    """The output folder of one track: records, log of test openings, rules, lock.

    Args:
        out: what ``--out`` names.
        track: whose folder below it.
    """

    def __init__(self, out: Path, track: Track) -> None:
        self.path = out / track.name
        self.records = self.path / "records"
        self.openings = self.path / records.OPENINGS
        self.running = self.path / RUNNING
        self._track = track

    @contextlib.contextmanager
    def held(self, asked: Mapping[str, tuple[int, int]] | None = None) -> Iterator[None]:
        """Hold the folder against a second coordinator.

        Args:
            asked: study or anchor → how many tune and final units this run asks of it, for who looks at the folder.

        Raises:
            UsageError: if another run holds it, or it cannot be written.
        """
        lock, note = self.path / ".lock", self.path / ".held-by.json"
        try:
            self.records.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(lock).acquire(timeout=0):
                document = {"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S %z")}
                note.write_text(json.dumps(document) + "\n", encoding="utf-8")
                # What units of a killed run said of themselves.
                self.running.mkdir(exist_ok=True)
                forget(self.running)
                rules = self._track.model_dump(by_alias=True, mode="json")
                (self.path / "track.json").write_text(json.dumps(rules, indent=2) + "\n", encoding="utf-8")
                leave_budgets(self.path, asked or {})
                try:
                    yield
                finally:
                    note.unlink(missing_ok=True)
                    forget(self.running)
        except filelock.Timeout as error:
            raise UsageError(
                f"another siambench run{_who(note, lock)} holds {self.path}: wait for it, or choose another folder with --out"
            ) from error
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            raise UsageError(f"{self.path} cannot be written: {error.strerror}; choose another folder with --out") from error

    def cached(self, unit: Unit) -> Record | None:
        """The unit's record, if it was run before."""
        return records.read(self.records / f"{unit.id}.json")

    def keep(self, unit: Unit, record: Record) -> None:
        """Write what a worker handed back and could not write here itself: the folder is not shared with it."""
        if self.cached(unit) is not None:
            return
        records.write(self.records, record)
        opened = {line.get("unit") for line in records.read_openings(self.openings)}
        if unit.kind == "final" and unit.id not in opened:
            records.append_opening(self.openings, records.opening(unit, record["telemetry"]["started"]))


def _who(note: Path, lock: Path) -> str:
    """The run that holds a folder, by the note that it left; a note of a run that was killed says nothing of the next."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        left = json.loads(note.read_text(encoding="utf-8"))
        if left["host"] != socket.gethostname() or is_alive(int(left["process"])):
            return f" (process {left['process']} on {left['host']}, since {left['since']})"
    holder = holder_of(lock)
    return f" (process {holder.process} on this machine)" if holder is not None and holder.process is not None else ""

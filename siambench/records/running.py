"""Which units run, and how far each is: a small file per unit, written by the unit itself and read by whoever looks.

Files, because a unit may run on another machine: whoever shares the output folder sees them, from any terminal. What cannot be
written is left out: a unit never fails for want of being watched.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from siambench.data.files import read_regular
from siambench.errors import UsageError
from siambench.machine import is_alive
from siambench.wording import duration

if TYPE_CHECKING:
    from siambench.spec import Unit


@dataclass(frozen=True)
class Running:
    """A unit that runs.

    Args:
        unit: its id.
        row: what it belongs to, as `siambench.spec.Unit.row`.
        study: number of the study.
        label: for people.
        epoch: how many epochs have ended.
        epochs: how many there will be at most; 0 where nothing is trained.
        host: where it runs.
        process: which process runs it.
        seconds: for how long it has run, as far as the clocks of two machines agree.
    """

    unit: str
    row: str
    study: int
    label: str
    epoch: int
    epochs: int
    host: str
    process: int
    seconds: float

    @property
    def told(self) -> str:
        """``triplet trial 3 fold 1: epoch 2 of 3, 4 s``: the epoch that it is in, and for how long it has run."""
        epoch = "" if not self.epochs else ": evaluating" if self.epoch >= self.epochs else f": epoch {self.epoch + 1} of {self.epochs}"
        return f"{self.label}{epoch}, {duration(self.seconds)}"


class RunningNote:
    """A running unit's own file; use as a context manager around its work.

    Args:
        folder: of such files; None, or one that is not there: nothing is written.
        unit: which.
        epochs: how many there will be at most; 0 where nothing is trained.
    """

    def __init__(self, folder: str | None, unit: Unit, *, epochs: int) -> None:
        self._path = None if folder is None or not Path(folder).is_dir() else Path(folder) / f"{unit.id}.json"
        self._epoch = 0
        self._facts = {
            "row": unit.row,
            "study": unit.study,
            "label": unit.label,
            "epochs": epochs,
            "host": socket.gethostname(),
            "process": os.getpid(),
        }
        self._started = time.time()

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def epoch(self) -> None:
        """An epoch has ended."""
        self._epoch += 1
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        document = {**self._facts, "epoch": self._epoch, "started": self._started}
        temporary = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            # No fsync, unlike a record's: whoever reads it after a crash is to find out that nobody works any more.
            temporary.write_text(json.dumps(document), encoding="utf-8")
            temporary.replace(self._path)


def running(folder: Path) -> list[Running]:
    """The units that run now, in order of their start; those whose process of this machine is gone are left out."""
    found = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(UsageError, ValueError, KeyError, TypeError, RecursionError):
            left = json.loads(read_regular(path, most=1 << 20))
            if left["host"] == socket.gethostname() and not is_alive(int(left["process"])):
                continue
            seconds = max(0.0, time.time() - float(left["started"]))
            numbers = (int(left["epoch"]), int(left["epochs"]), str(left["host"]), int(left["process"]))
            found.append(Running(path.stem, str(left["row"]), int(left["study"]), str(left["label"]), *numbers, seconds))
    return sorted(found, key=lambda one: (-one.seconds, one.unit))


def forget(folder: Path, unit: str | None = None) -> None:
    """Take away what a killed unit left, or with None what all units of an earlier run left."""
    for path in folder.glob("*" if unit is None else f"{unit}.*"):
        with contextlib.suppress(OSError):
            path.unlink()

"""MLflow and Weights & Biases: what they were told of a unit is handed to them when it ends, in a process of its own.

Their clients start threads and services, set variables of the environment and hook into Python; none of it may be where a method trains.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench_trackers.told import Point, facts_of, name_of, point_of, scores_of

if TYPE_CHECKING:
    from siambench.interfaces import EpochEnded, UnitEnded, UnitStarted

_PATIENCE = 300.0
"""Seconds in which a tracker has to be done with a unit."""


def mlflow(argument: str | None, folder: Path) -> Apart:
    """MLflow's client, with the address of a server or of a database; None: a database in its folder."""
    where = argument or f"sqlite:///{folder.resolve() / 'mlflow.db'}"
    return Apart("mlflow", folder, where)


def wandb(argument: str | None, folder: Path) -> Apart:
    """Weights & Biases, offline, with the name of a project; None: ``siambench``."""
    return Apart("wandb", folder, argument or "siambench")


class Apart:
    """Remembers what it is told of a unit, and hands it on in the end.

    Args:
        tracker: the module of this package that writes it.
        folder: where the tracker may write.
        where: the address, or the project.
    """

    def __init__(self, tracker: str, folder: Path, where: str) -> None:
        self._tracker, self._folder, self._where = tracker, folder, where
        self._points: list[Point] = []
        self._begun: dict[str, Any] = {}

    def unit_started(self, event: UnitStarted) -> None:
        """Its name, parameters and what kind of unit it is."""
        self._begun = {
            "name": name_of(event),
            "facts": facts_of(event),
            "params": dict(event.params),
            "started": time.time(),
        }

    def epoch_ended(self, event: EpochEnded) -> None:
        """Its numbers."""
        self._points.append(point_of(event))

    def unit_ended(self, event: UnitEnded) -> None:
        """All of it goes to the tracker.

        Raises:
            RuntimeError: with the last line that it said, where it failed or took too long.
        """
        document = {
            **self._begun,
            "points": [asdict(point) for point in self._points],
            "scores": scores_of(event.outcome),
            "error": event.outcome.error,
            "seconds": event.seconds,
            "where": self._where,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", f"siambench_trackers.{self._tracker}_run", str(self._folder)]
        try:
            # As UTF-8 whatever the locale: labels have letters of any script.
            done = subprocess.run(  # noqa: S603  this interpreter, and a module of this package
                command, input=json.dumps(document).encode(), capture_output=True, timeout=_PATIENCE, check=False, env=_quiet()
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self._tracker} was not done with {self._begun['name']} after {_PATIENCE:.0f} s") from None
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"{self._tracker} failed: {lines[-1] if lines else f'exit code {done.returncode}'}")


def _quiet() -> dict[str, str]:
    """The environment without what trackers would send home; what the user set of it stays."""
    return {"MLFLOW_DISABLE_TELEMETRY": "true", "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true", **os.environ}

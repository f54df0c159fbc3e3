"""The observers: what happens to units, as lines of JSON."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench.errors import UsageError
from siambench.plugin import ObserverEntry, hookimpl

if TYPE_CHECKING:
    from siambench.interfaces import EpochEnded, UnitEnded, UnitStarted


class JsonLines:
    """Appends each event as one line of JSON to a file; lines of units that run at once do not mix.

    Args:
        argument: path of the file.

    Raises:
        UsageError: if no path is given.
    """

    def __init__(self, argument: str | None) -> None:
        if argument is None:
            raise UsageError("the observer jsonl needs the path of a file: --observe jsonl:PATH")
        self._path = Path(argument).expanduser()

    def unit_started(self, event: UnitStarted) -> None:
        """``{"event": "unit_started", …}``."""
        self._append("unit_started", {**vars(event), "params": dict(event.params)})

    def epoch_ended(self, event: EpochEnded) -> None:
        """``{"event": "epoch_ended", …}``, with the figures of the epoch and what was measured in it."""
        self._append("epoch_ended", dataclasses.asdict(event))

    def unit_ended(self, event: UnitEnded) -> None:
        """``{"event": "unit_ended", …}``, with its scores, or why it failed."""
        outcome = event.outcome
        told = {"state": outcome.state, "error": outcome.error, "scores": dict(outcome.scores)}
        self._append("unit_ended", {"unit": event.unit, "label": event.label, "seconds": event.seconds, **told})

    def _append(self, event: str, facts: dict[str, Any]) -> None:
        line = json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def without_path(argument: str | None) -> str | None:
    """Why lines cannot be written there: there is no path, or no folder for the file."""
    if argument is None:
        return "it needs the path of a file: --observe jsonl:PATH"
    path = Path(argument).expanduser()
    if path.is_dir():
        return f"{path} is a folder: name a file in it"
    return None if path.parent.is_dir() else f"there is no folder {path.parent} for its file"


@hookimpl
def siambench_observers() -> dict[str, ObserverEntry]:
    """Who may be told of what happens to units."""
    source = "siambench's own: one line of JSON per event, --observe jsonl:PATH"
    return {"jsonl": ObserverEntry(JsonLines, source=source, ready=without_path)}

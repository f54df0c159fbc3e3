"""The log of test openings: one line for each unit that was given the test part."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siambench.data.files import read_regular
from siambench.errors import UsageError
from siambench.identity import canonical
from siambench.spec import Unit

_LARGEST = 1 << 30


def opening(unit: Unit, seconds: float) -> dict[str, Any]:
    """The line for a unit that opens the test part at that time, in seconds since the epoch."""
    return {
        "time": round(seconds, 3),
        "unit": unit.id,
        "track": unit.track,
        "method": unit.method.name,
        "row": unit.row,
        "study": unit.study,
    }


def append_opening(path: Path, line: Mapping[str, Any]) -> None:
    """Append one line, in a single write: lines of concurrent units do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not waiting: a pipe of that name has no reader, and says so.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
    try:
        # A line that a crash cut is ended first, so that this one is not lost with it; empty lines are passed over.
        os.write(handle, ("\n" + canonical(line) + "\n").encode())
    finally:
        os.close(handle)


def read_openings(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; one that a crash cut, or that is no object, is passed over."""
    found = []
    with contextlib.suppress(UsageError):
        for text in read_regular(path, most=_LARGEST).split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                line = json.loads(text)
                if isinstance(line, dict):
                    found.append(line)
    return found

"""Scores → record → one JSON file. The only writer of results."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from siambench.data.files import share
from siambench.errors import ConfigError
from siambench.spec import ANCHORS, RECORD_SCHEMA, Unit, canonical, digest

Record = dict[str, Any]

OPENINGS = "test-openings.jsonl"
"""The log of test openings in a track's folder."""


def make(unit: Unit, *, state: str, outcome: Mapping[str, Any], telemetry: Mapping[str, Any]) -> Record:
    """A record.

    Args:
        unit: what was run.
        state: ``"done"`` or ``"failed"``; what was lost leaves no record.
        outcome: scores, curve, notes, error: what is the same wherever the unit is run.
        telemetry: times, memory, host, versions: what is not.
    """
    return {
        "schema": RECORD_SCHEMA,
        "id": unit.id,
        "result": {"unit": unit.to_json(), "state": state, **outcome},
        "telemetry": dict(telemetry),
    }


def write(folder: Path, record: Record) -> Path:
    """Write a record under its id, so that a killed writer leaves either nothing or the whole file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['id']}.json"
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(canonical(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
        share(Path(temporary))
        Path(temporary).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
    return path


def read(path: Path) -> Record | None:
    """A record, or None where the file holds none: truncated, foreign, or of another schema."""
    record = read_any(path)
    return record if record is not None and record["schema"] == RECORD_SCHEMA else None


def schema_of(path: Path) -> int | None:
    """The schema of an intact record, older or newer ones included; None where the file holds no record."""
    record = read_any(path)
    return None if record is None else int(record["schema"])


def read_any(path: Path) -> Record | None:
    """An intact record of whatever schema; None where the file holds none."""
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        intact = isinstance(record["schema"], int) and record["id"] == path.stem == digest(record["result"]["unit"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if intact else None


def older(folder: Path) -> int:
    """How many records of an older schema a folder of records holds, told by a look at each rather than by reading it."""
    mark = f'"schema":{RECORD_SCHEMA},'.encode()
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    unlike = [path for path in paths if mark not in path.read_bytes()]
    return sum((schema_of(path) or RECORD_SCHEMA) < RECORD_SCHEMA for path in unlike)


def upgraded(record: Mapping[str, Any]) -> Record:
    """A record of an older schema in today's layout, under the id of its unit in that layout.

    What an older siambench did not write stays unknown: ``class_queries`` of a record of schema 1 is None, so that its row
    has no interval over test classes.

    Raises:
        ConfigError: for a schema that this siambench does not know.
    """
    schema = record["schema"]
    if schema == RECORD_SCHEMA:
        return dict(record)
    if schema != 1:
        raise ConfigError(
            f"record {record['id'][:16]}… has schema {schema}, this siambench reads 1 to {RECORD_SCHEMA}: install a newer one"
        )
    unit = {
        **record["result"]["unit"],
        # Verification pairs are drawn from another seed since: such a row is marked.
        "revision": 0,
        "space_versions": {},
        "evaluation": {"distance": "cosine", "protocol": "retrain", "pairs": ""},
    }
    if unit["training"]:
        unit["training"] = {**unit["training"], "rotate_classes": False}
    return {
        "schema": RECORD_SCHEMA,
        "id": digest(unit),
        "result": {**record["result"], "unit": unit, "class_queries": None},
        "telemetry": {**record["telemetry"], "upgraded_from": {"schema": schema, "id": record["id"]}},
    }


def row_key(unit: Mapping[str, Any]) -> str:
    """What the records of one row share: the study, or for an anchor, which has none, its backbone, data and harness."""
    if unit["method"]["loss"] in ANCHORS:
        return f"{unit['study']}@{unit['method']['backbone']}@{unit['data']['fingerprint']}@{unit['components'].get('harness')}"
    return str(unit["study"])


def track_folders(directory: Path) -> list[Path]:
    """The folders of tracks in a directory: an output folder of ``run``, or a track's folder itself.

    Raises:
        OSError: if the directory cannot be read.
    """
    return [path for path in (directory, *sorted(directory.iterdir())) if (path / "records").is_dir()]


def read_all(folder: Path) -> Iterator[tuple[Path, Record | None]]:
    """Every ``.json`` file of a folder in order of name, with its record or None."""
    if folder.is_dir():
        for path in sorted(folder.glob("*.json")):
            yield path, read(path)


def opening(unit: Unit, seconds: float) -> dict[str, Any]:
    """The line of the log of test openings for a unit that opens the test part at that time."""
    return {"time": round(seconds, 3), "unit": unit.id, "track": unit.track, "method": unit.method.name, "study": unit.study}


def append_opening(path: Path, line: Mapping[str, Any]) -> None:
    """Append one line to the log of test openings, in a single write: lines of concurrent units do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        # A line that a crash cut is ended first, so that this one is not lost with it; empty lines are passed over.
        os.write(handle, ("\n" + canonical(line) + "\n").encode())
    finally:
        os.close(handle)


def read_openings(path: Path) -> list[dict[str, Any]]:
    """The lines of the log of test openings; a line that a crash cut is passed over."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for text in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(text))
    return found


def best_epoch(records: Sequence[Mapping[str, Any]], primary: str, *, maximise: bool) -> tuple[int, float] | None:
    """The epoch (from 1) of the best mean over folds, and that mean; the earliest of equals; None if a fold has no score.

    Folds that stopped early count up to the shortest of them.
    """
    curves = []
    for record in records:
        curve = record["result"]["curve"] if record["result"]["state"] == "done" else []
        values = [epoch["validation"][primary] for epoch in curve]
        if not values or None in values:
            return None
        curves.append(values)
    means = [math.fsum(values) / len(values) for values in zip(*curves, strict=False)]
    best = max(means) if maximise else min(means)
    return means.index(best) + 1, best

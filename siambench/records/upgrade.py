"""Folders of records that an older siambench wrote, brought to today's layout; what was there is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import filelock

from siambench.errors import DataMissingError, UsageError
from siambench.records import record as records
from siambench.spec import RECORD_SCHEMA, canonical


@dataclass(frozen=True)
class Upgraded:
    """What became of one folder.

    Args:
        folder: the folder of a track.
        records: how many records were brought to today's layout.
        current: how many were there already.
        damaged: files that hold no record; they are left as they are.
    """

    folder: Path
    records: int
    current: int
    damaged: tuple[Path, ...]


def upgrade(directory: Path) -> list[Upgraded]:
    """Upgrade every track's folder in a directory: an output folder of ``run``, or a track's folder itself.

    An old record is written anew under its new id first and moved to ``records-schema-N`` beside ``records`` then, so that an
    interrupted upgrade loses nothing and the next one goes on. The log of test openings follows the new ids.

    Raises:
        DataMissingError: if there are no records.
        ConfigError: for a record of a schema that this siambench does not know.
        UsageError: if a run works on the folder.
    """
    folders = records.track_folders(directory) if directory.is_dir() else []
    if not folders:
        raise DataMissingError(f"{directory} holds no records: expected {directory / 'records'} or {directory / '<track>' / 'records'}")
    return [_held(folder) for folder in folders]


def _held(folder: Path) -> Upgraded:
    try:
        with filelock.FileLock(folder / ".lock").acquire(timeout=0):
            return _upgrade_one(folder)
    except filelock.Timeout as error:
        raise UsageError(f"a run works on {folder}: upgrade it when the run has ended") from error


def _upgrade_one(folder: Path) -> Upgraded:
    renamed: dict[str, str] = {}
    done, current, damaged = 0, 0, []
    for path in sorted((folder / "records").glob("*.json")):
        record = records.read_any(path)
        if record is None:
            damaged.append(path)
        elif record["schema"] == RECORD_SCHEMA:
            current += 1
            # What an interrupted upgrade has moved already is known by what it became.
            if "upgraded_from" in record["telemetry"]:
                renamed[record["telemetry"]["upgraded_from"]["id"]] = record["id"]
        else:
            new = records.upgraded(record)
            records.write(folder / "records", new)
            renamed[path.stem] = new["id"]
            kept = folder / f"records-schema-{record['schema']}"
            kept.mkdir(exist_ok=True)
            path.replace(kept / path.name)
            done += 1
    _rename_openings(folder / records.OPENINGS, renamed)
    return Upgraded(folder, done, current, tuple(damaged))


def _rename_openings(path: Path, renamed: dict[str, str]) -> None:
    lines = records.read_openings(path)
    if any(line.get("unit") in renamed for line in lines):
        text = "".join(canonical({**line, "unit": renamed.get(str(line.get("unit")), line.get("unit"))}) + "\n" for line in lines)
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)

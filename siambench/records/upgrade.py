"""Records that an older siambench wrote, brought to today's layout; what was there is kept beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from siambench.errors import ConfigError, DataMissingError, UsageError
from siambench.identity import canonical, digest
from siambench.records.folder import BUDGETS, LOCK, OPENINGS, track_folders
from siambench.records.openings import read_openings
from siambench.records.record import Record, read, schema_of, write
from siambench.spec import RECORD_SCHEMA

_PROVENANCE = re.compile(r"(?P<distribution>.+) (?P<version>\S+?)(?:\+(?P<digest>[0-9a-f]{16}))?")

_OVER_PAIRS = ("verification_accuracy", "roc_auc", "eer", "tar")
"""The metrics over pairs of the first edition, whose records do not say which they are."""


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


def upgraded(document: Mapping[str, Any]) -> Record:
    """A record of an older schema in today's layout, under the id of its unit in that layout.

    What an older siambench did not write stays unknown: ``class_queries`` of a record of schema 1 is None, so that its row
    has no interval over test classes; the ranges of its metrics are empty; its outcome is not verified, for no digest was kept of it.

    Args:
        document: as it stands in the file.

    Raises:
        ConfigError: for a schema that this siambench does not know.
        RecordError: if the record does not hold.
    """
    steps: list[dict[str, Any]] = []
    found = dict(document)
    while found["schema"] != RECORD_SCHEMA:
        if found["schema"] not in _STEPS:
            known = f"{min(_STEPS)} to {RECORD_SCHEMA}"
            text = f"record {found['id'][:16]}… has schema {found['schema']}, this siambench reads {known}: install a newer one"
            raise ConfigError(text)
        steps.append({"schema": found["schema"], "id": found["id"]})
        found = _STEPS[found["schema"]](found)
    before = found["telemetry"].get("upgraded_from")
    if steps:
        # The first edition kept one step, not a list of them.
        earlier = [before] if isinstance(before, Mapping) else list(before or [])
        found["telemetry"] = {**found["telemetry"], "upgraded_from": [*earlier, *steps]}
    return Record.from_json(canonical(found), where=f"record {document['id'][:16]}…")


def _from_1(document: Mapping[str, Any]) -> dict[str, Any]:
    unit = {
        **document["result"]["unit"],
        # Verification pairs are drawn from another seed since: such a row is marked.
        "revision": 0,
        "space_versions": {},
        "evaluation": {"distance": "cosine", "protocol": "retrain", "pairs": ""},
    }
    if unit["training"]:
        unit["training"] = {**unit["training"], "rotate_classes": False}
    result = {**document["result"], "unit": unit, "class_queries": None}
    return {**document, "schema": 2, "id": digest(unit), "result": result}


def _from_2(document: Mapping[str, Any]) -> dict[str, Any]:
    result = document["result"]
    unit = _unit_from_2(result["unit"], result.get("directions") or {})
    outcome = {
        **{key: result[key] for key in ("state", "scores", "per_class", "notes", "error")},
        "class_queries": result.get("class_queries"),
        "ended": result["verdict"],
        "curve": [{**epoch, "validation": epoch.get("validation")} for epoch in result["curve"]],
    }
    if result["state"] == "done":
        over_pairs = [name for name in unit["scoring"]["metrics"] if name.partition("@")[0] in _OVER_PAIRS]
        outcome |= {"repeat_rate": result.get("repeat_rate"), "directions": result.get("directions") or {}}
        outcome |= {"ranges": {}, "over_pairs": over_pairs}
    telemetry = document["telemetry"]
    return {"schema": 3, "id": digest(unit), "unit": unit, "outcome": outcome, "outcome_digest": None, "telemetry": telemetry}


def _unit_from_2(unit: Mapping[str, Any], directions: Mapping[str, str]) -> dict[str, Any]:
    kept = (
        *("kind", "track", "track_version", "method", "trial", "fold", "repetition", "stop_epoch", "data"),
        *("params", "space", "space_versions", "edited", "seeds", "api", "revision"),
    )
    training = dict(unit["training"])
    maximise = training.pop("maximise", directions.get(unit["primary"], "max") == "max")
    rules = unit["evaluation"]
    return {
        **{key: unit[key] for key in kept},
        "row": _row(unit["study"]),
        "study": 0,
        "model": unit["model"] or None,
        "training": {**training, "augment": unit["augment"]} if training else None,
        "scoring": {
            "primary": unit["primary"],
            "maximise": maximise,
            "metrics": unit["metrics"],
            "distance": rules["distance"],
            "protocol": rules["protocol"],
            "pairs": _pairs_from_2(rules),
        },
        "components": _components_from_2(unit["components"]),
    }


def _row(study: str) -> str:
    """What the first two schemas called a study; an anchor is a baseline since."""
    return study.replace("anchor-", "baseline-") if study.startswith("anchor-") else study


def _pairs_from_2(rules: Mapping[str, Any]) -> dict[str, Any]:
    if not rules["pairs"]:
        return {"kind": "drawn"}
    if rules["pairs"] == "all":
        return {"kind": "every"}
    return {"kind": "listed", "name": rules["pairs"], "digest": rules["pairs_digest"]}


def _components_from_2(components: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found = {}
    for role, text in components.items():
        # The metrics of several distributions stood in one text.
        for part in text.split("; "):
            match = _PROVENANCE.fullmatch(part)
            facts = match.groupdict() if match else {"distribution": part, "version": "0", "digest": None}
            name = f"metrics:{facts['distribution']}" if role == "metrics" else role
            # Which plugin of a distribution it was, they did not say.
            found[name] = {"plugin": facts["distribution"], **facts}
    return found


_STEPS = {1: _from_1, 2: _from_2}


def upgrade(directory: Path) -> list[Upgraded]:
    """Upgrade every track's folder in a directory: an output folder of ``run``, a folder of such folders, or a track's own.

    An old record is written anew under its new id first and moved to ``records-schema-N`` beside ``records`` then, so that an
    interrupted upgrade loses nothing and the next one goes on. The log of test openings and the budgets follow.

    Raises:
        DataMissingError: if there are no records.
        ConfigError: for a record of a schema that this siambench does not know.
        UsageError: if a run works on the folder.
    """
    folders = _folders(directory) if directory.is_dir() else []
    if not folders:
        raise DataMissingError(f"{directory} holds no records: expected {directory / 'records'} or {directory / '<track>' / 'records'}")
    return [_held(folder) for folder in folders]


def _folders(directory: Path) -> list[Path]:
    found = track_folders(directory)
    if found:
        return found
    # One level further: a folder in which several runs left their output folders.
    inside = [path for path in sorted(directory.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return [folder for path in inside for folder in track_folders(path)]


def _held(folder: Path) -> Upgraded:
    try:
        with filelock.FileLock(folder / LOCK).acquire(timeout=0):
            return _upgrade_one(folder)
    except filelock.Timeout as error:
        raise UsageError(f"a run works on {folder}: upgrade it when the run has ended") from error


def _upgrade_one(folder: Path) -> Upgraded:
    renamed: dict[str, str] = {}
    done, current, damaged = 0, 0, []
    for path in sorted((folder / "records").glob("*.json")):
        schema = schema_of(path)
        if schema is None:
            damaged.append(path)
        elif schema == RECORD_SCHEMA:
            current += 1
            # What an interrupted upgrade has moved already is known by what it became.
            record = read(path)
            renamed |= dict.fromkeys(record.former_ids, record.id) if record is not None else {}
        else:
            new = upgraded(json.loads(path.read_bytes()))
            write(folder / "records", new)
            renamed |= dict.fromkeys(new.former_ids, new.id)
            kept = folder / f"records-schema-{schema}"
            kept.mkdir(exist_ok=True)
            path.replace(kept / path.name)
            done += 1
    _rename_openings(folder / OPENINGS, renamed)
    _rename_budgets(folder / BUDGETS)
    return Upgraded(folder, done, current, tuple(damaged))


def _rename_openings(path: Path, renamed: Mapping[str, str]) -> None:
    lines = read_openings(path)
    new = [_line(line, renamed) for line in lines]
    if new != lines:
        _replace(path, "".join(canonical(line) + "\n" for line in new))


def _line(line: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    found = {**line, "unit": renamed.get(str(line.get("unit")), line.get("unit"))}
    if "row" not in found and isinstance(found.get("study"), str):
        found |= {"row": _row(found["study"]), "study": 0}
    return found


def _rename_budgets(path: Path) -> None:
    try:
        budgets = json.loads(path.read_bytes())
        renamed = {_row(row): asked for row, asked in budgets.items()}
    except (OSError, ValueError, AttributeError):
        # A budget that cannot be read is not told; the track's is taken.
        return
    if renamed != budgets:
        _replace(path, json.dumps(renamed, indent=0) + "\n")


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)

"""Records that an older siambench wrote, brought to today's layout; what was there is kept beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from siambench.data.files import read_regular
from siambench.data.forms import AUGMENT_OF_FORM
from siambench.errors import ConfigError, DataMissingError, RecordError, UsageError
from siambench.identity import canonical, digest, to_json
from siambench.machine import COMPUTING
from siambench.records.folder import BUDGETS, LOCK, OPENINGS, Budget, Folder, track_folders
from siambench.records.openings import read_openings
from siambench.records.record import LARGEST, Record, read, schema_of, write
from siambench.spec import RECORD_SCHEMA, Exam
from siambench.tracks.exam import base_name
from siambench.tracks.files import load_track
from siambench.tracks.rules import Track

GroupsOf = Callable[[Mapping[str, Any]], str | None]
"""From the data of a unit, as its record says it, to the digest of the groups of its classes; None where that is not to be had."""

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


@dataclass(frozen=True)
class Beside:
    """What is known beside a record of an older layout.

    Args:
        track: the rules that lie there; None: none.
        groups: gives the digest of the groups of the classes that a unit's data has, where the data is to be had; None: nothing does.
        exams: of units that were trained, by track, its version and the fingerprint of the data: a baseline beside them was run for theirs.
    """

    track: Track | None = None
    groups: GroupsOf | None = None
    exams: dict[tuple[str, ...], Exam] = field(default_factory=dict)


def upgraded(document: Mapping[str, Any], beside: Beside | None = None) -> Record:
    """A record of an older schema in today's layout, under the id of its unit in that layout.

    What an older siambench did not write stays unknown: ``class_queries`` of a record of schema 1 is None, so that its row
    has no interval over test classes; of schema 2 the ranges of its metrics are empty, and its outcome is not verified, for no digest
    was kept of it. Which exam a unit was run for is told by the rules beside it, as far as they are those it followed.

    Args:
        document: as it stands in the file.
        beside: what is known beside it; None: nothing.

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
        try:
            found = _STEPS[found["schema"]](found, beside or Beside())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"record {document['id'][:16]}… does not hold what schema {found['schema']} does: {type(error).__name__}: {error}"
            raise RecordError(text) from error
    before = found["telemetry"].get("upgraded_from")
    if steps:
        # The first edition kept one step, not a list of them.
        earlier = [before] if isinstance(before, Mapping) else list(before or [])
        found["telemetry"] = {**found["telemetry"], "upgraded_from": [*earlier, *steps]}
    return Record.from_json(canonical(found), where=f"record {document['id'][:16]}…")


def _from_1(document: Mapping[str, Any], _: Beside) -> dict[str, Any]:
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


def _from_2(document: Mapping[str, Any], _: Beside) -> dict[str, Any]:
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


def _from_3(document: Mapping[str, Any], beside: Beside) -> dict[str, Any]:
    unit, outcome, telemetry = dict(document["unit"]), document["outcome"], dict(document["telemetry"])
    components = unit["components"]
    versions = {role: f"{one['distribution']} {one['version']}" for role, one in components.items()}
    # As that layout wrote them itself: with the digest of the code, where there was one.
    telemetry["components"] = {**versions, **telemetry.get("components", {})}
    unit["components"] = {
        role: {key: one[key] for key in ("plugin", "distribution", "digest")} for role, one in components.items() if role != "harness"
    }
    libraries = telemetry.get("versions") or {}
    unit["libraries"] = {name: ".".join(str(libraries[name]).split("+")[0].split(".")[:2]) for name in COMPUTING if name in libraries}
    unit["data"] = {**unit["data"], "groups": None}
    unit["data"]["groups"] = None if beside.groups is None else beside.groups(unit["data"])
    pairs = unit["scoring"]["pairs"]
    if pairs["kind"] == "listed":
        unit["scoring"] = {**unit["scoring"], "pairs": {"kind": "listed", "digest": pairs["digest"]}}
        telemetry["files"] = {"pairs": pairs["name"]}
    return {
        "schema": 4,
        "id": digest(unit),
        "exam": to_json(_exam(unit, beside)),
        "unit": unit,
        "outcome": outcome,
        "outcome_digest": document["outcome_digest"],
        "telemetry": telemetry,
    }


def _from_4(document: Mapping[str, Any], _: Beside) -> dict[str, Any]:
    unit, exam = dict(document["unit"]), dict(document["exam"])
    # Every epoch was validated, under every schedule, and every trial ran all folds.
    if unit["training"]:
        unit["training"] = {"validate_every": 1, **unit["training"]}
    if exam["training"]:
        exam["training"] = {**exam["training"], "validate_every": 1, "racing": False}
    unit = {"space_name": "", **unit}
    return {**document, "schema": 5, "id": digest(unit), "unit": unit, "exam": exam}


def _exam(unit: Mapping[str, Any], beside: Beside) -> Exam:
    """The exam that a unit was run for: what itself does not tell is taken from the rules beside it, or stays empty."""
    scoring, training, primary, track = unit["scoring"], unit["training"], unit["scoring"]["primary"], beside.track
    fingerprint = unit["data"]["fingerprint"]
    known = unit["track"], unit["track_version"], fingerprint
    if not training and known in beside.exams:
        return beside.exams[known]
    direction = "max" if scoring["maximise"] else "min"
    ruled = track is not None and (base_name(track.name), track.version) == (base_name(unit["track"]), unit["track_version"])
    rules = track if ruled else None
    of_method = ("sampler", "images_per_class", "normalise", "augment")
    trained = {key: value for key, value in training.items() if key not in of_method} if training else None
    model = unit["model"] or {}
    told = rules.augment.model_dump(mode="json", include=_IMAGES) if rules is not None and rules.augment is not None else {}
    exam = Exam(
        version=unit["track_version"],
        data=fingerprint,
        groups=unit["data"]["groups"],
        model=rules.model.model_dump(mode="json") if rules is not None else dict(model),
        training=trained or (rules.training.model_dump(mode="json") if rules is not None else {}),
        augment=training["augment"] if training else told,
        space=rules.space.model_dump(mode="json") if rules is not None else {},
        # A baseline is made the same way under every protocol, and says ``retrain``.
        evaluation={
            "distance": scoring["distance"],
            "protocol": scoring["protocol"] if training or rules is None else rules.evaluation.protocol,
            "pairs": scoring["pairs"],
        },
        metrics={"primary": primary, "direction": direction},
    )
    if training:
        beside.exams.setdefault(known, exam)
    return exam


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


_STEPS = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4}

_IMAGES = set(AUGMENT_OF_FORM["images"])
"""All that older layouts knew."""


def upgrade(directory: Path, groups: GroupsOf | None = None) -> list[Upgraded]:
    """Upgrade every track's folder in a directory: an output folder of ``run``, a folder of such folders, or a track's own.

    An old record is written anew under its new id first and moved to ``records-schema-N`` beside ``records`` then, so that an
    interrupted upgrade loses nothing and the next one goes on. The log of test openings and the budgets follow.

    Args:
        directory: where to look.
        groups: see `upgraded`.

    Raises:
        DataMissingError: if there are no records.
        ConfigError: for a record of a schema that this siambench does not know.
        UsageError: if a run works on the folder.
    """
    folders = _folders(directory) if directory.is_dir() else []
    if not folders:
        raise DataMissingError(f"{directory} holds no records: expected {directory / 'records'} or {directory / '<track>' / 'records'}")
    return [_held(folder, groups) for folder in folders]


def _folders(directory: Path) -> list[Path]:
    found = track_folders(directory)
    if found:
        return found
    # One level further: a folder in which several runs left their output folders.
    inside = [path for path in sorted(directory.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return [folder for path in inside for folder in track_folders(path)]


def _held(folder: Path, groups: GroupsOf | None) -> Upgraded:
    try:
        with filelock.FileLock(folder / LOCK).acquire(timeout=0):
            return _upgrade_one(folder, groups)
    except filelock.Timeout as error:
        raise UsageError(f"a run works on {folder}: upgrade it when the run has ended") from error


def _trained(path: Path) -> bool:
    try:
        return b'"augment":{"' in read_regular(path, most=LARGEST)
    except UsageError:
        return False


def _rules(folder: Path) -> Track | None:
    try:
        return load_track(str(folder))
    except UsageError:
        return None


def _upgrade_one(folder: Path, groups: GroupsOf | None) -> Upgraded:
    beside = Beside(_rules(folder), groups)
    renamed: dict[str, str] = {}
    done, current, damaged = 0, 0, []
    # Those that were trained first: they tell which exam they sat, which the baselines beside them do not.
    for path in sorted((folder / "records").glob("*.json"), key=lambda path: (not _trained(path), path)):
        schema = schema_of(path)
        if schema is None:
            damaged.append(path)
        elif schema == RECORD_SCHEMA:
            current += 1
            # What an interrupted upgrade has moved already is known by what it became.
            record = read(path)
            renamed |= dict.fromkeys(record.former_ids, record.id) if record is not None else {}
        else:
            try:
                new = upgraded(json.loads(path.read_bytes()), beside)
            except RecordError:
                damaged.append(path)
                continue
            write(folder / "records", new)
            renamed |= dict.fromkeys(new.former_ids, new.id)
            kept = folder / f"records-schema-{schema}"
            kept.mkdir(exist_ok=True)
            path.replace(kept / path.name)
            done += 1
    _rename_openings(folder / OPENINGS, renamed)
    _rename_budgets(folder / BUDGETS, 1 if beside.track is None else beside.track.split.folds)
    _complete_rules(Folder(folder).rules)
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


def _rename_budgets(path: Path, folds: int) -> None:
    try:
        budgets = json.loads(path.read_bytes())
        renamed = {_row(row): _budget(asked, folds) for row, asked in budgets.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        # A budget that cannot be read is not told; the track's is taken.
        return
    if renamed != budgets:
        _replace(path, json.dumps(renamed, indent=0) + "\n")


def _budget(asked: Any, folds: int) -> Any:
    """What older layouts kept as the numbers of tune and final units: a row was one study."""
    if not isinstance(asked, list):
        return asked
    tune, final = asked
    return to_json(Budget(1, int(tune) // folds, int(final)))


def _complete_rules(path: Path) -> None:
    """The rules in a folder of ``run``, with what its units followed and the older layout had no key for."""
    try:
        rules = json.loads(path.read_bytes())
        training = {"validate_every": 1, "racing": False, **rules["training"]}
        # So that a second upgrade finds nothing to do, and rules of today stay as they are.
        is_older = set(training) != set(rules["training"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if is_older:
        _replace(path, json.dumps({**rules, "training": training}, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)

"""What several test files use."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from siambench.components.catalogue import Catalogue
from siambench.identity import to_json
from siambench.interfaces import Epoch
from siambench.machine import unfit_torch
from siambench.records.record import Record
from siambench.spec import Exam, Unit
from siambench.studies.request import Request, prepare

TINY_TRACK = """
schema = 1
name = "tiny"
version = "1.0"
title = "tiny: digits, for tests"
[dataset]
name = "digits"
[model]
backbone = "mlp"
embedding_size = 8
[model.options]
width = 16
layers = 1
[training]
epochs = 2
steps_per_epoch = 3
batch_size = 16
[budget]
trials = 6
studies = 1
repetitions = 3
"""


def told_of_torch(cache: Path) -> None:
    """Leave in a cache that its user was told of this machine's torch, as after a first command: tests see what any other says."""
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "told-of-torch").write_text(unfit_torch() or "")


def curve(*validation: float | None, metric: str = "map@r") -> tuple[Epoch, ...]:
    """An epoch for each of these validation scores."""
    return tuple(Epoch(number, 0.5, 1.0, None, {metric: value}) for number, value in enumerate(validation, 1))


def exam_folder(out: Path, name: str = "tiny") -> Path:
    """Where a run with that output folder leaves a track's records, ``OUT/NAME-<exam>``; of the tiny track before it has begun, too."""
    found = [path for path in out.glob(f"{name}-*") if re.fullmatch(r"[0-9a-f]{8}", path.name.removeprefix(f"{name}-"))]
    assert len(found) <= 1, f"several exams of {name}: {found}"
    return found[0] if found else out / f"{name}-{_tiny_exam()}"


@cache
def _tiny_exam() -> str:
    with tempfile.TemporaryDirectory() as folder:
        track = Path(folder) / "track.toml"
        track.write_text(TINY_TRACK)
        return prepare(Request(track=str(track), losses=("triplet",)), Catalogue.load()).exam.short


def exam_of(unit: Unit, **changes: object) -> Exam:
    """An exam that a unit may have been run for; ``changes`` replace any of its parts."""
    scoring = unit.scoring
    parts = {
        "version": unit.track_version,
        "data": unit.data.fingerprint,
        "groups": unit.data.groups,
        "model": {},
        "training": {},
        "augment": {} if unit.training is None else dict(unit.training.augment),
        "space": {},
        "evaluation": {"distance": scoring.distance, "protocol": scoring.protocol, "pairs": to_json(scoring.pairs)},
        "metrics": {"primary": scoring.primary, "direction": "max" if scoring.maximise else "min"},
    }
    return Exam(**{**parts, **changes})


def record_of(unit: Unit, outcome: object, telemetry: object, *, verified: bool = True) -> Record:
    """A record of a unit, run for an exam that suits it."""
    return Record(unit, exam_of(unit), outcome, telemetry, verified=verified)


def records_of(folder: Path) -> dict[str, object]:
    """Unit and outcome of every record of a folder, by id: what is the same wherever a unit runs."""
    documents = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {name: {"unit": document["unit"], "outcome": document["outcome"]} for name, document in documents.items()}


def wait_for_records(folder: Path, number: int, process: subprocess.Popen) -> None:
    """Return as soon as a run has left so many records; fails where it ends before, or takes too long."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if folder.is_dir() and len(list(folder.glob("*.json"))) >= number:
            return
        time.sleep(0.01)
    raise AssertionError(f"no {number} records after 120 s, or the run ended with {process.poll()}")


def plugin_folder(folder: Path, name: str, top: str, body: str, hook: str = "losses") -> Path:
    """A folder in which a plugin is installed that begins with `top` and whose one hook has that body; put it on the path."""
    module = f"made_{name.replace('-', '_')}"
    text = f"{top}\nfrom siambench.plugin import *\n\n\n@hookimpl\ndef siambench_{hook}():\n    {body}\n"
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[siambench]\n{name} = {module}\n", encoding="utf-8")
    return folder

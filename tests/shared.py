"""What several test files use."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from siambench.interfaces import Epoch

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
seeds = 3
"""


def curve(*validation: float | None, metric: str = "map@r") -> tuple[Epoch, ...]:
    """An epoch for each of these validation scores."""
    return tuple(Epoch(number, 0.5, 1.0, None, {metric: value}) for number, value in enumerate(validation, 1))


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

"""What several test files use."""

from __future__ import annotations

import json
from pathlib import Path

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


def results(folder: Path) -> dict[str, object]:
    """The ``result`` of every record of a folder, by id."""
    return {path.stem: json.loads(path.read_text())["result"] for path in sorted(folder.glob("*.json"))}

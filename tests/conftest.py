"""What all tests share: no third-party plugins, a cache of their own, one thread, and a tiny track."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(autouse=True, scope="session")
def _own_surroundings(tmp_path_factory):
    before = dict(os.environ)
    os.environ["SIAMBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.setdefault("SIAMBENCH_PLUGINS", "")
    os.environ["COLUMNS"] = "200"
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def tiny_track(tmp_path):
    """The folder of a track that a method sits in a second."""
    folder = tmp_path / "tracks" / "tiny"
    folder.mkdir(parents=True)
    (folder / "track.toml").write_text(TINY_TRACK)
    return folder


@pytest.fixture
def siambench(tmp_path):
    """Run the command line in a process of its own, in an empty folder."""

    def call(*arguments, cwd=None, env=None, **options):
        surroundings = {**os.environ, **(env or {})}
        return subprocess.run(
            [sys.executable, "-m", "siambench", *map(str, arguments)],
            cwd=cwd or tmp_path,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **options,
        )

    return call


def results(folder: Path) -> dict[str, object]:
    """The ``result`` of every record of a folder, by id."""
    return {path.stem: json.loads(path.read_text())["result"] for path in sorted(folder.glob("*.json"))}

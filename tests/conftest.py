"""What all tests share: no third-party plugins, a cache of their own, one thread, and a tiny track."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from shared import TINY_TRACK


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

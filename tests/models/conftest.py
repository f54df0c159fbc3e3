"""A run of the tiny track whose final models were kept, once for all tests of models."""

from __future__ import annotations

import shutil

import pytest
from conftest import in_process
from shared import TINY_TRACK, exam_folder

from siambench.records.record import read

SMALL = TINY_TRACK.replace("trials = 6", "trials = 1").replace("repetitions = 3", "repetitions = 2")


class Kept:
    """A folder with the track's file, its output folder with kept models, and the records of its final units by row and repetition."""

    def __init__(self, folder):
        self.root = folder
        self.track = folder / "track.toml"
        self.out = folder / "out"
        self.folder = exam_folder(self.out)
        found = [read(path) for path in sorted((self.folder / "records").glob("*.json"))]
        self.finals = {(one.unit.method.name, one.unit.repetition): one for one in found if one.unit.kind == "final"}

    def model(self, row="triplet", repetition=0):
        """The file that the unit kept."""
        return self.folder / "models" / f"{self.finals[row, repetition].id}.safetensors"

    def copy(self, to):
        """A copy of all, to be tampered with."""
        shutil.copytree(self.root, to)
        return Kept(to)


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """The run; nobody may change what it left."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "track.toml").write_text(SMALL)
    arguments = ("run", "--track", folder / "track.toml", "--loss", "triplet", "--keep-models", "--out", folder / "out", "--jobs", 1)
    done = in_process(*arguments, cwd=folder)
    assert 0 == done.returncode, done.stderr
    assert "4 final models kept in" in done.stderr
    return Kept(folder)

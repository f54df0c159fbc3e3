"""What running units say of themselves, and what is left of those that were killed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from siambench.records.running import RunningNote, forget, running
from siambench.spec import Method
from siambench.studies.baselines import baselines_of
from siambench.testing import synthetic_study


@pytest.fixture(scope="module")
def study():
    return synthetic_study(Method("contrastive"))


@pytest.fixture
def tuned(study):
    """The tune unit of trial 0 on fold 1: two epochs."""
    return study.tune_unit(0, 1, study.defaults)


def test_a_unit_tells_its_epochs_and_takes_its_file_away(tuned, tmp_path):
    """While it runs it is there with the epoch it is in, its host and process; when it has ended it is not."""
    with RunningNote(str(tmp_path), tuned, epochs=2) as note:
        said = []
        for _ in range(3):
            (one,) = running(tmp_path)
            said.append(one.told)
            note.epoch()
    assert (tuned.id, tuned.row, 2, socket.gethostname(), os.getpid()) == (one.unit, one.row, one.epochs, one.host, one.process)
    assert ["epoch 1 of 2", "epoch 2 of 2", "evaluating"] == [text.split(": ")[1].split(",")[0] for text in said]
    assert said[0].startswith("contrastive trial 0 fold 1: epoch 1 of 2, ")
    assert [] == list(tmp_path.iterdir())


def test_a_unit_that_raises_takes_its_file_away(tuned, tmp_path):
    """An error leaves nothing behind."""

    def breaks():
        with RunningNote(str(tmp_path), tuned, epochs=2):
            assert 1 == len(running(tmp_path))
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        breaks()
    assert [] == list(tmp_path.iterdir())


def test_what_trains_nothing_has_no_epochs(study, tmp_path):
    """A final unit counts to the epochs that it is told of; a baseline trains nothing, and no epoch of it is told."""
    final = study.final_unit(0, 1, study.defaults, 0)
    baseline = next(unit for unit in baselines_of([study]) if unit.method.loss == "raw")
    with RunningNote(str(tmp_path), final, epochs=1), RunningNote(str(tmp_path), baseline, epochs=0):
        epochs = {one.label: one.epochs for one in running(tmp_path)}
        told = next(one.told for one in running(tmp_path) if one.epochs == 0)
    assert {"contrastive repetition 0": 1, "raw repetition 0": 0} == epochs
    assert told.startswith("raw repetition 0, ")


@pytest.mark.parametrize("folder", [None, "not there", "a file"])
def test_a_unit_does_not_fail_for_want_of_being_watched(tuned, tmp_path, folder):
    """Without a folder that can be written, nothing is told and nothing raised."""
    (tmp_path / "a file").touch()
    with RunningNote(None if folder is None else str(tmp_path / folder), tuned, epochs=2) as note:
        note.epoch()
    assert ["a file"] == [path.name for path in tmp_path.iterdir()]


def test_a_folder_that_goes_away_fails_no_unit(tuned, tmp_path):
    """The folder may be removed, or its disk be full, while a unit runs."""
    (tmp_path / "running").mkdir()
    with RunningNote(str(tmp_path / "running"), tuned, epochs=2) as note:
        (tmp_path / "running" / f"{tuned.id}.json").unlink()
        (tmp_path / "running").rmdir()
        note.epoch()
        assert [] == running(tmp_path / "running")


def test_what_a_killed_unit_left_is_not_taken_for_a_running_one(tuned, tmp_path):
    """A file whose process of this machine is gone is passed over, one of another host is not; what holds no such text is passed over."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with RunningNote(str(tmp_path), tuned, epochs=2):
        left = json.loads((tmp_path / f"{tuned.id}.json").read_text())
    for name, change in {
        "gone": {"process": ended.pid},
        "far": {"process": ended.pid, "host": "another"},
        "bare": {"process": None},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({**left, **change}))
    (tmp_path / "cut.json").write_text('{"row": "')
    assert ["far"] == [one.unit for one in running(tmp_path)]
    forget(tmp_path, "far")
    assert [] == running(tmp_path)
    assert 3 == len(list(tmp_path.iterdir()))
    forget(tmp_path)
    assert [] == list(tmp_path.iterdir())

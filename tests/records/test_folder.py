"""The output folder of a track: who holds it, and what its coordinator keeps that workers could not write."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys

import filelock
import pytest

from siambench.errors import UsageError
from siambench.records import record as records
from siambench.records.folder import Folder
from siambench.spec import Method
from siambench.studies.plan import anchor_units
from siambench.testing import synthetic_study
from siambench.tracks.rules import Track

TRACK = Track.model_validate({"schema": 1, "name": "tiny", "version": "1.0", "dataset": {"name": "digits"}})


def refusal(out):
    with pytest.raises(UsageError) as refused, Folder(out, TRACK).held():
        pass
    return str(refused.value)


def test_the_refusal_names_who_holds_the_folder(tmp_path):
    """A second coordinator is told process, host and since when; after the first has ended the folder is free."""
    with Folder(tmp_path, TRACK).held():
        said = refusal(tmp_path)
    who = re.escape(f"(process {os.getpid()} on {socket.gethostname()}, since ")
    assert re.match(rf"another siambench run {who}\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{{4}}\) holds .*tiny: wait for it, or", said)
    with Folder(tmp_path, TRACK).held():
        assert (tmp_path / "tiny" / ".held-by.json").exists()
    assert not (tmp_path / "tiny" / ".held-by.json").exists()


def test_a_note_from_another_machine_is_believed(tmp_path):
    """Whether a process of another host lives cannot be told from here: its note stands."""
    with Folder(tmp_path, TRACK).held():
        note = {"host": "far-away", "process": 7, "since": "yesterday"}
        (tmp_path / "tiny" / ".held-by.json").write_text(json.dumps(note))
        assert "(process 7 on far-away, since yesterday)" in refusal(tmp_path)


@pytest.mark.parametrize("left", ["dead", "{", "[]", ""])
def test_a_stale_note_says_nothing_of_the_next_holder(tmp_path, left):
    """Of a killed run the note stays: it is neither in the way of the next one nor taken for it."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = tmp_path / "tiny"
    folder.mkdir()
    note = json.dumps({"host": socket.gethostname(), "process": gone.pid, "since": "long ago"}) if left == "dead" else left
    (folder / ".held-by.json").write_text(note)
    with filelock.FileLock(folder / ".lock"):
        said = refusal(tmp_path)
    assert "long ago" not in said
    assert said.startswith("another siambench run")
    with Folder(tmp_path, TRACK).held():
        assert str(os.getpid()) in (folder / ".held-by.json").read_text()


def test_what_was_handed_back_is_kept_once(tmp_path):
    """A record that its worker could not write is written, and the opening of the test part logged; what is there is left alone."""
    folder = Folder(tmp_path, TRACK)
    unit = anchor_units(synthetic_study(Method("contrastive")), "tests 0")[0]
    record = records.make(unit, state="failed", outcome={"error": "made up"}, telemetry={"started": 12.5, "seconds": 1})
    with folder.held():
        folder.keep(unit, record)
        assert record == folder.cached(unit)
        folder.keep(unit, {**record, "telemetry": {"started": 99}})
    assert record == folder.cached(unit)
    assert [(unit.id, 12.5)] == [(line["unit"], line["time"]) for line in records.read_openings(folder.openings)]


def test_what_killed_units_said_of_themselves_is_taken_away(tmp_path):
    """Whoever takes the folder clears what an earlier run's killed workers left, and leaves nothing itself."""
    folder = Folder(tmp_path, TRACK)
    folder.running.mkdir(parents=True)
    (folder.running / "of-a-killed-unit.json").write_text("{}")
    with folder.held():
        assert [] == list(folder.running.iterdir())
        (folder.running / "another.json").write_text("{}")
    assert [] == list(folder.running.iterdir())

"""The output folder of a track: who holds it, and what its coordinator keeps that workers could not write."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys

import filelock
import pytest
from shared import exam_of, record_of

from siambench.errors import UsageError
from siambench.interfaces import Failed
from siambench.records.folder import BUDGETS, Budget, Folder, track_folders
from siambench.records.openings import read_openings
from siambench.records.record import write
from siambench.spec import Method
from siambench.studies.baselines import baselines_of
from siambench.testing import synthetic_study
from siambench.tracks.files import load_track
from siambench.tracks.rules import Track

EXAM = exam_of(synthetic_study(Method("contrastive")).template)
TRACK = Track.model_validate({"schema": 1, "name": "tiny", "version": "1.0", "dataset": {"name": "digits"}})


@pytest.fixture
def folder(tmp_path):
    """The folder of that track in an output folder."""
    return Folder.of(tmp_path, TRACK, EXAM)


@pytest.fixture(scope="module")
def record():
    """That of the raw baseline, which failed."""
    unit = baselines_of([synthetic_study(Method("contrastive"))])[0]
    return record_of(unit, Failed(error="made up", ended="raised"), {"started": 12.5, "seconds": {"embed": 1}})


def refusal(folder):
    with pytest.raises(UsageError) as refused, folder.held(TRACK):
        pass
    return str(refused.value)


def test_the_refusal_names_who_holds_the_folder(folder):
    """A second coordinator is told process, host and since when; after the first has ended the folder is free."""
    with folder.held(TRACK):
        said = refusal(folder)
    who = re.escape(f"(process {os.getpid()} on {socket.gethostname()}, since ")
    assert re.match(
        rf"another siambench run {who}\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{{4}}\) holds .*tiny-[0-9a-f]{{8}}: wait for it, or", said
    )
    with folder.held(TRACK):
        assert (folder.path / ".held-by.json").exists()
    assert not (folder.path / ".held-by.json").exists()


def test_a_note_from_another_machine_is_believed(folder):
    """Whether a process of another host lives cannot be told from here: its note stands."""
    with folder.held(TRACK):
        note = {"host": "far-away", "process": 7, "since": "yesterday"}
        (folder.path / ".held-by.json").write_text(json.dumps(note))
        assert "(process 7 on far-away, since yesterday)" in refusal(folder)


@pytest.mark.parametrize("left", ["dead", "{", "[]", ""])
def test_a_stale_note_says_nothing_of_the_next_holder(folder, left):
    """Of a killed run the note stays: it is neither in the way of the next one nor taken for it."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder.path.mkdir()
    note = json.dumps({"host": socket.gethostname(), "process": gone.pid, "since": "long ago"}) if left == "dead" else left
    (folder.path / ".held-by.json").write_text(note)
    with filelock.FileLock(folder.lock):
        said = refusal(folder)
    assert "long ago" not in said
    assert said.startswith("another siambench run")
    with folder.held(TRACK):
        assert str(os.getpid()) in (folder.path / ".held-by.json").read_text()


def test_what_was_handed_back_is_kept_once(folder, record):
    """A record that its worker could not write is written, and the opening of the test part logged; what is there is left alone."""
    with folder.held(TRACK):
        folder.keep(record.unit, record)
        assert record == folder.cached(record.unit)
        folder.keep(record.unit, dataclasses.replace(record, telemetry={"started": 99}))
    assert record == folder.cached(record.unit)
    (line,) = read_openings(folder.openings)
    assert (record.id, 12.5, "raw", "baseline-raw", 0) == tuple(line[key] for key in ("unit", "time", "method", "row", "study"))


def test_what_killed_units_said_of_themselves_is_taken_away(folder):
    """Whoever takes the folder clears what an earlier run's killed workers left, and leaves nothing itself."""
    folder.running.mkdir(parents=True)
    (folder.running / "of-a-killed-unit.json").write_text("{}")
    with folder.held(TRACK):
        assert [] == list(folder.running.iterdir())
        (folder.running / "another.json").write_text("{}")
    assert [] == list(folder.running.iterdir())


def test_the_rules_that_a_run_follows_are_left(folder):
    """`track.json` holds the track as it was followed: read back, it is the same track."""
    with folder.held(TRACK):
        pass
    assert load_track(str(folder.rules)) == TRACK
    assert load_track(str(folder.path)) == TRACK


def test_budgets_of_earlier_runs_stay(folder):
    """What a run asks of its rows is left beside what earlier ones asked of theirs; of one row the last one counts."""
    assert {} == folder.budgets
    with folder.held(TRACK, {"a": Budget(1, 20, 7), "b": Budget(1, 0, 1)}):
        pass
    with folder.held(TRACK, {"a": Budget(1, 2, 1)}):
        assert {"a": Budget(1, 2, 1), "b": Budget(1, 0, 1)} == folder.budgets
    with folder.held(TRACK):
        pass
    assert {"a": Budget(1, 2, 1), "b": Budget(1, 0, 1)} == folder.budgets


@pytest.mark.parametrize("text", ["", "[]", "[1]", '{"a": 3}', '{"a": ["x", 1]}'])
def test_budgets_that_cannot_be_read_are_none(folder, text):
    """A budget that is no budget is not told, and the next run writes it anew."""
    folder.path.mkdir()
    (folder.path / BUDGETS).write_text(text)
    assert {} == folder.budgets
    with folder.held(TRACK, {"a": Budget(1, 20, 7)}):
        pass
    assert {"a": Budget(1, 20, 7)} == folder.budgets


def test_a_folder_is_read_as_a_whole(folder, record):
    """Records, openings and the files that hold none are there together; of a folder that is not there, nothing."""
    assert ([], [], {}) == ((found := folder.read()).records, found.openings, found.damaged)
    folder.keep(record.unit, record)
    (folder.records / "garbage.json").write_text("{")
    found = folder.read()
    assert ([record], [folder.records / "garbage.json"]) == (found.records, list(found.damaged))
    assert [record.id] == [line["unit"] for line in found.openings]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    """Where a file stands in the way, the sentence names the folder and what to choose."""
    Folder.of(tmp_path, TRACK, EXAM).path.write_text("a file")
    with (
        pytest.raises(UsageError, match=r"tiny-[0-9a-f]{8} cannot be written: .*; choose another folder with --out"),
        Folder.of(tmp_path, TRACK, EXAM).held(TRACK),
    ):
        pass


def test_the_folders_of_tracks_are_found(tmp_path, record):
    """In an output folder those of its tracks, in order of name; of a track's own folder itself."""
    for name in ("two", "one"):
        write(tmp_path / name / "records", record)
    (tmp_path / "notes").mkdir()
    assert [tmp_path / "one", tmp_path / "two"] == track_folders(tmp_path)
    assert [tmp_path / "one"] == track_folders(tmp_path / "one")

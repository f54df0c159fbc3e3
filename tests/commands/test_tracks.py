"""`tracks`: the exams that ship; those of plugins are in tests/tracks/test_provided.py."""

from __future__ import annotations

import json
import re

from siambench.tracks.files import load_track, track_names


def test_every_shipped_track_is_a_line(siambench):
    """Name, version, title, budget and primary metric of each track stand in a line of stdout."""
    done = siambench("tracks")
    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert len(track_names()) == len(lines)
    for name, line in zip(track_names(), lines, strict=True):
        track = load_track(name)
        plural = "" if track.budget.repetitions == 1 else "s"
        studies = f"{track.budget.studies} {'study' if track.budget.studies == 1 else 'studies'}"
        budget = f"{studies} of {track.budget.trials} trials and {track.budget.repetitions} repetition{plural}"
        budget += f", by {track.metrics.primary}"
        assert f"{name} {track.version}  {track.title}: {budget}" == line


def test_the_document_has_the_documented_keys(siambench):
    """`--json` gives one document with name, version, title and data set of each, and who ships it."""
    found = json.loads(siambench("tracks", "--json").stdout)
    assert {"glyphs", "glyphs-long", "omniglot-minimal", "omniglot-one-shot"} <= {track["name"] for track in found}
    assert track_names() == [track["name"] for track in found]
    for track in found:
        assert {"name", "version", "title", "dataset", "distribution"} == set(track)
        assert "siambench" == track["distribution"]
        assert load_track(track["name"]).dataset.name == track["dataset"]


def test_tracks_need_no_torch(siambench_process):
    """The exams are told without torch, and without looking for plugins."""
    done = siambench_process("tracks", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "siambench.tracks.files" in done.stderr
    assert not re.search(r"\| +(torch|pluggy)\b", done.stderr)

"""The files of a leaderboard: which records come in, and which tables come out."""

from __future__ import annotations

import dataclasses

import pytest
from made import TRACK, final, leave, studies, timed, trials, tuned

from siambench.board import files
from siambench.errors import DataMissingError, UnknownNameError, UsageError
from siambench.records.openings import append_opening
from siambench.tracks.files import load_track, track_names


def table_in(folder, more=()):
    return files.leaderboard(str(folder), more)[0]


def test_the_table_of_a_folder_is_that_of_its_records(folder):
    """A track's own records give its rows, its units are counted from them, and files without a record are named."""
    (folder / "records" / "broken.json").write_text("{")
    table, found = files.leaderboard(str(folder))
    assert ["./mine.py:Loss", "triplet", "raw"] == [line.row.name for line in table.lines]
    assert {"planned": 31, "done": 31, "cached": 0, "failed": 0, "lost": 0} == dict(table.units)
    assert [folder / "records" / "broken.json"] == list(found.damaged)
    assert "invalid JSON" in found.damaged[folder / "records" / "broken.json"]


def test_records_of_further_folders_join(folder, tmp_path):
    """What several folders hold of one row is one row, and a record that two of them hold counts once."""
    whole = studies("npair", [0.2, 0.21, 0.22])
    one = leave(tmp_path / "one" / "made", whole[:5], rules=False)
    two = leave(tmp_path / "two" / "made", whole[4:], rules=False)
    append_opening(one / "test-openings.jsonl", {"unit": "gone", "method": "npair"})
    table = table_in(folder, [tmp_path / "one", two])
    (row,) = (line.row for line in table.lines if line.row.name == "npair")
    assert (3, 4) == (row.seeds, row.opened)
    assert 31 + len(whole) == table.units["planned"]


def test_a_folder_without_records_of_the_track_is_an_error(tmp_path, folder):
    """An output folder of ``run`` or the track's folder itself will do; where neither holds records the error says what was expected."""
    assert [folder] == files.records_folders(tmp_path, TRACK) == files.records_folders(folder, TRACK)
    with pytest.raises(DataMissingError, match=r"holds no records of track made: expected .*made-<exam>/records"):
        files.records_folders(tmp_path / "nowhere", TRACK)


def test_shipped_rows_are_those_of_exactly_the_shipped_exam():
    """Shipped rows are there for the exam that their records sat, under the edited name too; for any other, and another track, none is."""
    glyphs = load_track("glyphs")
    table, found = files.leaderboard("glyphs")
    exam = found.chosen.exam
    shown = [line.row.key for line in table.lines]
    assert sorted(shown) == sorted(row.key for row in files.shipped_rows(glyphs, exam))
    assert sorted(shown) == sorted(row.key for row in files.shipped_rows(glyphs.model_copy(update={"name": "glyphs+edited"}), exam))
    assert [] == files.shipped_rows(glyphs, dataclasses.replace(exam, training={**exam.training, "epochs": 99}))
    assert [] == files.shipped_rows(TRACK, exam)
    assert "made" not in track_names()


def test_shipped_rows_stand_beside_another_reported_metric():
    """One more reported metric is the same exam: its shipped rows stand there, and say that they were made without it."""
    glyphs = load_track("glyphs")
    exam = files.leaderboard("glyphs")[1].chosen.exam
    report = (*glyphs.metrics.report, "made_up")
    rows = files.shipped_rows(glyphs.model_copy(update={"metrics": glyphs.metrics.model_copy(update={"report": report})}), exam)
    assert {"it was not among the metrics reported when the row was made"} == {row.missing["made_up"] for row in rows if row.scores}


def test_a_direction_is_what_the_records_say():
    """The first record that names a metric says which way it is better; of one that none names more is."""
    records = [*studies("npair", [0.1]), final("triplet", 0, 0.3, outcome={"directions": {"odd": "min"}})]
    assert ["max", "min", "min", "max"] == [files.direction_of(records, name) for name in ("map@r", "eer", "odd", "unheard")]
    assert "max" == files.direction_of([], "eer")


def test_failed_records_are_counted():
    """The units behind a table that was made from records are done or failed."""
    records = [*studies("triplet", [0.5]), final("triplet", 1, 0, state="failed", trial=1)]
    assert {"planned": 6, "done": 5, "cached": 0, "failed": 1, "lost": 0} == files.counts(records)


def test_rows_are_found_by_their_names(folder, tmp_path):
    """Rows of one name stand in order of their keys, each with its own records, a record of two folders once."""
    more = leave(tmp_path / "run" / "made", [*studies("triplet", [0.4], row="another"), *studies("triplet", [0.5])], rules=False)
    found = files.rows_by_name(files.found_in(str(folder), [more]).chosen.records)
    assert {"triplet", "./mine.py:Loss", "raw"} == set(found)
    assert [("another", 5), ("row-triplet", 15)] == [(records[0].unit.row, len(records)) for records in found["triplet"]]


def test_of_several_rows_of_a_name_the_longest_tuning_is_told(folder, tmp_path):
    """The one with most trials is told, with how many bear the name, another by its key; a baseline and an unknown row are errors."""
    newer = [tuned("triplet", trial, fold, [0.4], row="newer") for trial in range(7) for fold in range(2)]
    leave(tmp_path / "run" / "made", newer, rules=False)
    (found, *_), rows, _ = files.tunings(str(folder), "triplet")
    assert ("row-triplet", 2, 1) == (found.row, len(found.trials), rows)
    (found,), rows, _ = files.tunings(str(folder), "triplet", [tmp_path / "run"])
    assert ("newer", 7, 2) == (found.row, len(found.trials), rows)
    for asked in ("row-triplet", "row:row-t", "row-tri"):
        (found, *_), rows, _ = files.tunings(str(folder), asked, [tmp_path / "run"])
        assert ("row-triplet", 1) == (found.row, rows), asked
    for asked in ("row", "row-", "nothing"):
        with pytest.raises(UnknownNameError, match=f"unknown row '{asked}'"):
            files.tunings(str(folder), asked, [tmp_path / "run"])
    with pytest.raises(UsageError, match="raw is a baseline of made: nothing is tuned for it"):
        files.tunings(str(folder), "raw")
    with pytest.raises(UnknownNameError, match="unknown row 'tripet', did you mean 'triplet'"):
        files.tunings(str(folder), "tripet")


def test_an_estimate_needs_shipped_records(monkeypatch, tmp_path):
    """Seconds are medians over the tune and final units of methods, one's own before the shipped; without any there is no estimate."""
    assert files.estimate(TRACK, tune=1, final=1) is None
    records = timed(trials([0, 1]) + [final("triplet", i, 0.3, trial=0) for i in range(3)])
    leave(tmp_path / "shipped", [*records, *timed([final("raw", 0, 0.1)])])
    monkeypatch.setattr(files, "home_of", lambda _: tmp_path / "shipped")
    seconds = {kind: sorted(r.seconds for r in records if r.unit.kind == kind) for kind in ("tune", "final")}
    expected = 4 * (seconds["tune"][1] + seconds["tune"][2]) / 2 + 3 * seconds["final"][1]
    assert expected == pytest.approx(files.estimate(load_track("glyphs"), tune=4, final=3), abs=1e-9)
    own = leave(tmp_path / "own", [dataclasses.replace(one, telemetry={**one.telemetry, "total_seconds": 7.0}) for one in records])
    assert 49.0 == files.estimate(load_track("glyphs"), tune=4, final=3, own=own)
    assert expected == pytest.approx(files.estimate(load_track("glyphs"), tune=4, final=3, own=tmp_path / "gone"), abs=1e-9)
    monkeypatch.setattr(files, "home_of", lambda _: tmp_path / "empty")
    assert files.estimate(load_track("glyphs"), tune=4, final=3) is None


def test_the_rows_of_a_shipped_track_are_shipped(folder):
    """Rows of a shipped track's own records are marked as such, those of any other folder are not."""
    assert {True} == {line.row.shipped for line in table_in("glyphs").lines}
    assert {False} == {line.row.shipped for line in table_in(folder).lines}


def test_a_track_comes_once_among_several(folder):
    """The same track twice, and a folder that holds records of none of the tracks, are errors."""
    with pytest.raises(UsageError, match="track made comes twice"):
        files.leaderboards([str(folder), str(folder)])
    with pytest.raises(DataMissingError, match="holds no records of any of made"):
        files.leaderboards([str(folder)], [folder / "records"])

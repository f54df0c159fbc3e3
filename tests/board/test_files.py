"""The files of a leaderboard: which records come in, which tables come out, and that they are compared byte for byte."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
from made import LOCAL, TRACK, final, studies, table_of, timed, trials, tuned

from siambench.board import costs, files
from siambench.errors import DataMissingError, DifferenceError, UnknownNameError, UsageError
from siambench.records.openings import append_opening, read_openings
from siambench.records.record import write
from siambench.tracks.files import load_track, track_names


def leave(folder, records, *, rules=True):
    """A track's folder with these records; gives its path."""
    for record in records:
        write(folder / "records", record)
    if rules:
        (folder / "track.json").write_text(TRACK.model_dump_json(by_alias=True))
    return folder


def local(score=0.7):
    """A row that nobody else could make again."""
    return studies("./mine.py:Loss", [score, score + 0.01, score + 0.02], components={"loss": LOCAL})


@pytest.fixture
def folder(tmp_path):
    """The folder of a track with two rows, one of them local, and a baseline."""
    return leave(tmp_path / "made", timed([*studies("triplet", [0.5, 0.51, 0.52]), *local(), final("raw", 0, 0.1)]))


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


def test_written_files_are_what_the_records_give(folder):
    """Page, table and costs are written without the rows that nobody else could make again, and the written ones pass the check."""
    paths = files.write(folder, table_in(folder))
    assert ["README.md", "table.csv", "costs.csv"] == [path.name for path in paths]
    page = (folder / "README.md").read_text()
    assert "## Tuning" in page
    assert "mine.py" not in page
    assert [("triplet", ""), ("raw", "")] == [
        (row["method"], row["rank_low"]) for row in csv.DictReader(io.StringIO((folder / "table.csv").read_text()))
    ]
    files.check(folder, table_in(folder))


def test_costs_stand_beside_the_table(folder):
    """`costs.csv` has a line per row that anybody can make again, numbers as in the rows."""
    files.write(folder, table_in(folder))
    head, *lines = csv.reader(io.StringIO((folder / files.COSTS).read_text()))
    assert list(costs.HEAD) == head
    assert ["triplet", "raw"] == [line[0] for line in lines]
    (row,) = (line.row for line in table_in(folder).lines if line.row.name == "triplet")
    found = dict(zip(head, lines[0], strict=True))
    assert row.costs.tuning.seconds == float(found["tuning_seconds"])
    assert row.costs.final.phases["train"] == float(found["final_train_seconds"])
    assert ("", "cpu", "12", "3") == tuple(found[name] for name in ("final_embed_seconds", "device", "tuning_units", "final_units"))


def test_the_first_difference_is_named(folder):
    """A file that differs, or is not there, is named with the first line that does, and with the command that mends it."""
    files.write(folder, table_in(folder))
    text = (folder / "table.csv").read_text()
    (folder / "table.csv").write_text(text.replace("triplet", "tripet", 1))
    with pytest.raises(DifferenceError, match=r"table\.csv differs .*, first in line 2: run `siambench leaderboard /.*/made --write`"):
        files.check(folder, table_in(folder))
    (folder / "README.md").unlink()
    with pytest.raises(DifferenceError, match=r"README\.md differs .*, first in line 1:"):
        files.check(folder, table_in(folder))


def test_costs_are_never_compared(folder):
    """With another `costs.csv`, or none, the check still passes; with another `table.csv` it does not."""
    files.write(folder, table_in(folder))
    (folder / files.COSTS).write_text("anything\n")
    files.check(folder, table_in(folder))
    (folder / files.COSTS).unlink()
    files.check(folder, table_in(folder))
    (folder / "table.csv").write_text("anything\n")
    with pytest.raises(DifferenceError):
        files.check(folder, table_in(folder))


def test_what_is_compared_does_not_depend_on_costs():
    """Records that took another time give other costs, and byte for byte the same page and table."""
    slow, fast = (table_of(timed(studies("triplet", [0.5, 0.51, 0.52]), seed=seed)) for seed in (1, 2))
    assert files.costs_csv(slow) != files.costs_csv(fast)
    assert files.generated(slow) == files.generated(fast)
    assert files.COSTS not in files.generated(slow)


def test_what_is_generated_does_not_depend_on_the_order_of_records():
    """Any permutation of the records gives the same page and table, byte for byte."""
    records = studies("triplet", [0.3, 0.31, 0.32]) + studies("npair", [0.1, 0.12, 0.11]) + [final("raw", 0, 0.05)]
    first, *others = [files.generated(table_of(chosen)) for chosen in (records, records[::-1], records[5:] + records[:5])]
    assert [first, first] == others


def test_adopted_are_records_that_anybody_can_make(folder, tmp_path):
    """New records of the exam are copied, local ones and others are not; their lines of the log of openings follow, each once."""
    other = leave(tmp_path / "run" / "made", [*studies("npair", [0.2, 0.21, 0.22]), *local(0.6)], rules=False)
    leave(other, [*studies("supcon", [0.3], track_version="9.0"), *studies("triplet", [0.5])], rules=False)
    (other / "records" / "broken.json").write_text("{")
    adopted = {"unit": final("npair", 0, 0.2, trial=1).id, "method": "npair"}
    for line in (adopted, {"unit": "of another exam", "method": "npair"}):
        append_opening(other / "test-openings.jsonl", line)
    before = len(list((folder / "records").glob("*.json")))
    assert (15, 0) == files.adopt(folder, files.found_in(str(folder), [tmp_path / "run"]))
    assert (0, 0) == files.adopt(folder, files.found_in(str(folder), [tmp_path / "run"]))
    assert before + 15 == len(list((folder / "records").glob("*.json")))
    assert [adopted] == read_openings(folder / "test-openings.jsonl")
    assert ["./mine.py:Loss", "triplet", "npair", "raw"] == [line.row.name for line in table_in(folder).lines]


def test_rows_are_found_by_their_names(folder, tmp_path):
    """Rows of one name stand in order of their keys, each with its own records, a record of two folders once."""
    more = leave(tmp_path / "run" / "made", [*studies("triplet", [0.4], row="another"), *studies("triplet", [0.5])], rules=False)
    found = files.rows_by_name(files.found_in(str(folder), [more]).chosen.records)
    assert {"triplet", "./mine.py:Loss", "raw"} == set(found)
    assert [("another", 5), ("row-triplet", 15)] == [(records[0].unit.row, len(records)) for records in found["triplet"]]


def test_of_several_rows_of_a_name_the_longest_tuning_is_told(folder, tmp_path):
    """The one with most trials is told, with how many bear the name; a baseline and an unknown row are errors."""
    newer = [tuned("triplet", trial, fold, [0.4], row="newer") for trial in range(7) for fold in range(2)]
    leave(tmp_path / "run" / "made", newer, rules=False)
    (found, *_), rows, _ = files.tunings(str(folder), "triplet")
    assert ("row-triplet", 2, 1) == (found.row, len(found.trials), rows)
    (found,), rows, _ = files.tunings(str(folder), "triplet", [tmp_path / "run"])
    assert ("newer", 7, 2) == (found.row, len(found.trials), rows)
    with pytest.raises(UsageError, match="raw is a baseline of made: nothing is tuned for it"):
        files.tunings(str(folder), "raw")
    with pytest.raises(UnknownNameError, match="unknown row 'tripet', did you mean 'triplet'"):
        files.tunings(str(folder), "tripet")


def test_an_estimate_needs_shipped_records(monkeypatch, tmp_path):
    """Seconds are medians over the shipped tune and final units of methods; without any, or on another track, there is no estimate."""
    assert files.estimate(TRACK, tune=1, final=1) is None
    records = timed(trials([0, 1]) + [final("triplet", i, 0.3, trial=0) for i in range(3)])
    leave(tmp_path / "shipped", [*records, *timed([final("raw", 0, 0.1)])])
    monkeypatch.setattr(files, "home_of", lambda _: tmp_path / "shipped")
    seconds = {kind: sorted(r.seconds for r in records if r.unit.kind == kind) for kind in ("tune", "final")}
    expected = 4 * (seconds["tune"][1] + seconds["tune"][2]) / 2 + 3 * seconds["final"][1]
    assert expected == pytest.approx(files.estimate(load_track("glyphs"), tune=4, final=3), abs=1e-9)
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


@pytest.mark.parametrize("name", ["README.md", "table.csv", "costs.csv"])
def test_somebody_elses_file_is_not_overwritten(folder, name):
    """Beside a page or a table that siambench did not write, `write` names it and leaves every file as it was."""
    for other in ("README.md", "table.csv", "costs.csv"):
        (folder / other).write_text("name,value\nmine,1\n" if other.endswith(".csv") else "# My notes\n\nAbout this exam.\n")
        if other != name:
            (folder / other).unlink()
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=f"{name} was not written by siambench"):
        files.write(folder, table_in(folder))
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_its_own_files_are_replaced(folder):
    """What `write` wrote it replaces, and so what the first edition did, whose mark stood in the third line."""
    files.write(folder, table_in(folder))
    page = (folder / "README.md").read_text()
    assert files.MARK == page.splitlines()[0]
    sentence = "Track `made` version 1.0. Generated by `siambench leaderboard made --write`; do not edit."
    (folder / "README.md").write_text(f"# made\n\n{sentence}\n")
    (folder / "table.csv").write_text("method,loss,miner,feed,rank_low,rank_high,tie_group\n")
    files.write(folder, table_in(folder))
    assert page == (folder / "README.md").read_text()
    files.check(folder, table_in(folder))
    assert [] == list(folder.glob(".*.part"))


def test_a_directory_in_the_place_of_a_page_is_refused(folder):
    """What is no file at all is somebody else's too."""
    (folder / "README.md").mkdir()
    with pytest.raises(UsageError, match=r"README\.md was not written by siambench"):
        files.write(folder, table_in(folder))

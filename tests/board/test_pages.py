"""The pages of a track: written, compared, and the records that are adopted with them."""

from __future__ import annotations

import csv
import io
import re

import pytest
from made import final, leave, local, studies, table_of, timed

from siambench.board import costs, files, pages
from siambench.errors import DifferenceError, UsageError
from siambench.records.openings import append_opening, read_openings


def table_in(folder, more=()):
    return files.leaderboard(str(folder), more)[0]


def test_written_files_are_what_the_records_give(folder):
    """Page, table and costs are written without the rows that nobody else could make again, and the written ones pass the check."""
    paths = pages.write(folder, table_in(folder))
    assert ["README.md", "table.csv", "index.html", "costs.csv"] == [path.name for path in paths]
    page = (folder / "README.md").read_text()
    assert "## Tuning" in page
    assert "mine.py" not in page
    assert [("triplet", ""), ("raw", "")] == [
        (row["method"], row["rank_low"]) for row in csv.DictReader(io.StringIO((folder / "table.csv").read_text()))
    ]
    pages.check(folder, table_in(folder))


def test_costs_stand_beside_the_table(folder):
    """`costs.csv` has a line per row that anybody can make again, numbers as in the rows."""
    pages.write(folder, table_in(folder))
    head, *lines = csv.reader(io.StringIO((folder / pages.COSTS).read_text()))
    assert list(costs.HEAD) == head
    assert ["triplet", "raw"] == [line[0] for line in lines]
    (row,) = (line.row for line in table_in(folder).lines if line.row.name == "triplet")
    found = dict(zip(head, lines[0], strict=True))
    assert row.costs.tuning.seconds == float(found["tuning_seconds"])
    assert row.costs.final.phases["train"] == float(found["final_train_seconds"])
    assert ("", "cpu", "12", "3") == tuple(found[name] for name in ("final_embed_seconds", "device", "tuning_units", "final_units"))


def test_the_first_difference_is_named(folder):
    """A file that differs, or is not there, is named with the first line that does, and with the command that mends it."""
    pages.write(folder, table_in(folder))
    text = (folder / "table.csv").read_text()
    (folder / "table.csv").write_text(text.replace("triplet", "tripet", 1))
    with pytest.raises(DifferenceError, match=r"table\.csv differs .*, first in line 2: run `siambench leaderboard /.*/made --write`"):
        pages.check(folder, table_in(folder))
    page = (folder / "README.md").read_text()
    number = len(page.splitlines()) + 1
    for other, line in ((f"{page}\nmore\n", number), ("".join(page.splitlines(keepends=True)[:-1]), number - 1)):
        (folder / "README.md").write_text(other)
        with pytest.raises(DifferenceError, match=rf"README\.md differs .*, first in line {line}:"):
            pages.check(folder, table_in(folder))
    (folder / "README.md").unlink()
    with pytest.raises(DifferenceError, match=r"README\.md differs .*, first in line 1:"):
        pages.check(folder, table_in(folder))


def test_costs_are_never_compared(folder):
    """With another `costs.csv`, or none, the check still passes; with another `table.csv` it does not."""
    pages.write(folder, table_in(folder))
    (folder / pages.COSTS).write_text("anything\n")
    pages.check(folder, table_in(folder))
    (folder / pages.COSTS).unlink()
    pages.check(folder, table_in(folder))
    (folder / "table.csv").write_text("anything\n")
    with pytest.raises(DifferenceError):
        pages.check(folder, table_in(folder))


def test_what_is_compared_does_not_depend_on_costs():
    """Records that took another time give other costs, and byte for byte the same pages and table, but for the figures of seconds."""
    slow, fast = (table_of(timed(studies("triplet", [0.5, 0.51, 0.52]), seed=seed)) for seed in (1, 2))
    assert pages.costs_csv(slow) != pages.costs_csv(fast)
    of_seconds = re.compile(r'<figure id="figure-(?:seconds|cost)">.*?</figure>', re.DOTALL)
    assert re.search(of_seconds, pages.generated(slow)[pages.INDEX])
    untimed = [{name: re.sub(of_seconds, "", text) for name, text in pages.generated(table).items()} for table in (slow, fast)]
    assert untimed[0] == untimed[1]
    assert pages.COSTS not in pages.generated(slow)


def test_what_is_generated_does_not_depend_on_the_order_of_records():
    """Any permutation of the records gives the same page and table, byte for byte."""
    records = studies("triplet", [0.3, 0.31, 0.32]) + studies("npair", [0.1, 0.12, 0.11]) + [final("raw", 0, 0.05)]
    first, *others = [pages.generated(table_of(chosen)) for chosen in (records, records[::-1], records[5:] + records[:5])]
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
    assert (15, 0) == pages.adopt(folder, files.found_in(str(folder), [tmp_path / "run"]))
    assert (0, 0) == pages.adopt(folder, files.found_in(str(folder), [tmp_path / "run"]))
    assert before + 15 == len(list((folder / "records").glob("*.json")))
    assert [adopted] == read_openings(folder / "test-openings.jsonl")
    assert ["./mine.py:Loss", "triplet", "npair", "raw"] == [line.row.name for line in table_in(folder).lines]


@pytest.mark.parametrize("name", ["README.md", "table.csv", "index.html", "costs.csv"])
def test_somebody_elses_file_is_not_overwritten(folder, name):
    """Beside a page or a table that siambench did not write, `write` names it and leaves every file as it was."""
    for other in ("README.md", "table.csv", "index.html", "costs.csv"):
        (folder / other).write_text("name,value\nmine,1\n" if other.endswith(".csv") else "# My notes\n\nAbout this exam.\n")
        if other != name:
            (folder / other).unlink()
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=f"{name} was not written by siambench"):
        pages.write(folder, table_in(folder))
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_its_own_files_are_replaced(folder):
    """What `write` wrote it replaces, and so what the first edition did, whose mark stood in the third line."""
    pages.write(folder, table_in(folder))
    page = (folder / "README.md").read_text()
    assert pages.MARK == page.splitlines()[0]
    sentence = "Track `made` version 1.0. Generated by `siambench leaderboard made --write`; do not edit."
    (folder / "README.md").write_text(f"# made\n\n{sentence}\n")
    (folder / "table.csv").write_text("method,loss,miner,feed,rank_low,rank_high,tie_group\n")
    pages.write(folder, table_in(folder))
    assert page == (folder / "README.md").read_text()
    pages.check(folder, table_in(folder))
    assert [] == list(folder.glob(".*.part"))


def test_a_directory_in_the_place_of_a_page_is_refused(folder):
    """What is no file at all is somebody else's too."""
    (folder / "README.md").mkdir()
    with pytest.raises(UsageError, match=r"README\.md was not written by siambench"):
        pages.write(folder, table_in(folder))

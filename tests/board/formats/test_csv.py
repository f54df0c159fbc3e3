"""Comma-separated values: twelve digits, names with spaces between, mappings as JSON, whatever a cell holds."""

from __future__ import annotations

import csv
import io
import json

import pytest
from made import LOCAL, PER_MODEL, QUERIES, SHIPPED, final, several, studies, table_of, tuned, with_classes

from siambench.board.formats import csv as as_csv
from siambench.board.formats.csv import cell_of, csv_of, digits
from siambench.board.view import view


def rows_of(table):
    return list(csv.DictReader(io.StringIO(as_csv.render(view(table)))))


def test_a_line_per_row_by_the_flat_names():
    """The head has the flat names in their order, and each row a line, baselines included."""
    seen = view(table_of([*several(), final("raw", 0, 0.01)]))
    head, *lines = csv.reader(io.StringIO(as_csv.render(seen)))
    assert list(seen.flat[0]) == head
    assert ["supcon", "triplet", "npair", "arcface", "raw"] == [line[head.index("method")] for line in lines]
    assert {len(head)} == {len(line) for line in lines}


def test_line_ends_are_plain():
    """Lines end as on Unix everywhere, so that the same records give the same bytes."""
    text = as_csv.render(view(table_of(several())))
    assert "\r" not in text
    assert text.endswith("\n")


def test_numbers_have_twelve_digits():
    """The last digits of a double are left out, and whole numbers stay whole."""
    records = [*with_classes("triplet", PER_MODEL, QUERIES), *studies("npair", [0.01, 0.02, 0.03]), final("raw", 0, 1 / 3)]
    table = table_of(records)
    low, high = table.lines[0].row.scores["map@r"].classes95
    first, _, second = rows_of(table)
    assert [f"{low:.12g}", f"{high:.12g}"] == [first["map@r_classes_low"], first["map@r_classes_high"]]
    assert ("0.333333333333", "", "1") == (second["map@r"], second["map@r_ci95"], second["map@r_n"])
    assert ("1", "1", "1", "3") == (first["group"], first["rank_low"], first["rank_high"], first["seeds"])


def test_what_is_missing_is_empty():
    """A row without scores or without a rank has empty cells, and of a missing score no seeds are counted."""
    failed, raw = rows_of(table_of([*(tuned("triplet", 0, f, [], state="failed") for f in range(2)), final("raw", 0, 0.1)]))
    assert ("", "", "0") == (failed["map@r"], failed["map@r_ci95"], failed["map@r_n"])
    assert ("", "", "") == (failed["rank_low"], failed["rank_high"], failed["group"])
    assert "every trial failed: it diverged" == failed["reason"]
    assert ("", "") == (raw["map@r_classes_low"], raw["map@r_classes_high"])


def test_the_distribution_of_components_is_named():
    """What each component comes from stands as JSON, by its role, and so do the parameters."""
    (row,) = rows_of(table_of(studies("triplet", [0.3, 0.31], components={"loss": LOCAL, "backbone": SHIPPED})))
    assert {"loss": "local 0", "backbone": "siambench 0.1.0"} == json.loads(row["distribution"])
    assert {"loss.margin": 0.4} == json.loads(row["params"])
    assert ("triplet", "none", "classes", "conv4") == (row["loss"], row["miner"], row["feed"], row["backbone"])


def test_a_baselines_budget_is_there_for_machines():
    """Trials and parameters of a baseline are nought, its seeds its units: a column of numbers stays one."""
    raw = rows_of(table_of([*studies("triplet", [0.3]), final("raw", 0, 0.1)]))[1]
    assert ("0", "1", "0", "") == (raw["trials"], raw["seeds"], raw["dimension"], raw["params"])


def test_several_names_have_spaces_between():
    """Flags, and the rows that one is better than, are names with spaces between."""
    first = rows_of(table_of(several()))[0]
    assert "npair arcface" == first["better_than"]
    assert "" == first["flags"]
    (short,) = rows_of(table_of(studies("triplet", [0.3], revision=0)))
    assert "revision-0 short-budget" == short["flags"]


@pytest.mark.parametrize("name", ["a,b", 'a "b"', "a|b", "two\nlines", "tab\tbed", "ümlaut"])
def test_any_name_comes_back(name):
    """Commas, quotes, bars, line breaks, tabs and other alphabets are read back as they were."""
    assert [name] == [row["method"] for row in rows_of(table_of(studies(name, [0.3, 0.31])))]


@pytest.mark.parametrize(("name", "cell"), [("\x1b[2J", "\\x1b[2J"), ("=cmd()", "'=cmd()"), ("a\u202eb", "a\\x202eb")])
def test_what_a_reader_would_obey_is_spelt_out(name, cell):
    """Control characters and marks of direction are spelt out, and a formula is text."""
    assert [cell] == [row["method"] for row in rows_of(table_of(studies(name, [0.3, 0.31])))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (0.1 + 0.2, "0.3"),
        (3, "3"),
        (True, "True"),
        ("x", "x"),
        (["a", "b"], "a b"),
        ([], ""),
        ({}, ""),
        ({"b": 1 / 3, "a": "ü"}, '{"a": "ü", "b": 0.333333333333}'),
    ],
)
def test_a_cell_is_written_by_what_it_is(value, expected):
    """Nothing where there is nothing, twelve digits of a real number, names with spaces between, a mapping as sorted JSON."""
    assert expected == cell_of(value)


def test_twelve_digits_are_the_same_on_every_machine():
    """The last digits of a double, which builds of the mathematical library may differ in, are left out."""
    assert digits(0.1 + 0.2) == digits(0.3) == "0.3"
    assert "0.333333333333" == digits(1 / 3)


def test_lines_are_written_as_they_are():
    """Head and rows come in their order, and a cell with a comma is quoted."""
    assert 'a,b\n1,"x,y"\n' == csv_of(["a", "b"], [[1, "x,y"]])


def test_without_rows_there_is_one_line():
    """A table without rows has one line."""
    assert 1 == len(as_csv.render(view(table_of([]))).splitlines())

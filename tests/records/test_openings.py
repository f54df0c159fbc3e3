"""The log of test openings: a line for each, whole whatever happens."""

from __future__ import annotations

import threading

from siambench.records.openings import append_opening, opening, read_openings
from siambench.spec import Method
from siambench.testing import synthetic_study


def test_a_line_says_who_opened_the_test_part(tmp_path):
    """It holds the unit's id, track, method, row and study, and the time to the millisecond; and it is read back as written."""
    study = synthetic_study(Method("triplet", "hard"))
    unit = study.final_unit(0, 1, study.defaults, 2)
    line = opening(unit, 1.23456)
    expected = {"time": 1.235, "unit": unit.id, "track": "synthetic", "method": "triplet+hard", "row": study.row, "study": 0}
    assert expected == line
    append_opening(tmp_path / "openings.jsonl", line)
    assert [expected] == read_openings(tmp_path / "openings.jsonl")


def test_openings_are_appended(tmp_path):
    """Each opening is one line; the log and its folder are made when the first comes."""
    log = tmp_path / "deep" / "openings.jsonl"
    assert read_openings(log) == []
    for number in range(3):
        append_opening(log, {"unit": str(number)})

    assert read_openings(log) == [{"unit": "0"}, {"unit": "1"}, {"unit": "2"}]
    assert len(log.read_text().split()) == 3


def test_openings_of_many_writers_do_not_mix(tmp_path):
    """Lines of eight threads stand whole beside each other."""
    log = tmp_path / "openings.jsonl"

    def work(thread):
        for number in range(25):
            append_opening(log, {"unit": f"{thread}-{number}", "padding": "x" * 500})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {f"{thread}-{number}" for thread in range(8) for number in range(25)} == {line["unit"] for line in read_openings(log)}


def test_a_torn_line_is_passed_over(tmp_path):
    """A line that a crash cut, inside a character too, is left out, and those before it are read."""
    log = tmp_path / "openings.jsonl"
    append_opening(log, {"unit": "whole"})
    whole = log.read_bytes()
    for torn in (b'{"unit": "to', '{"method": "é'.encode()[:-1]):
        log.write_bytes(whole + torn)
        assert read_openings(log) == [{"unit": "whole"}]


def test_an_opening_after_a_torn_line_is_kept(tmp_path):
    """What is logged after a crash cut a line is not lost with it: an opening that happened counts."""
    log = tmp_path / "openings.jsonl"
    log.write_bytes(b'{"unit": "to')
    append_opening(log, {"unit": "later"})

    assert {"unit": "later"} in read_openings(log)


def test_what_is_no_object_is_passed_over(tmp_path):
    """A line of JSON that is no object is no opening."""
    log = tmp_path / "openings.jsonl"
    log.write_text('3\n[1]\nnull\n"text"\n{"unit": "one"}\n')

    assert read_openings(log) == [{"unit": "one"}]

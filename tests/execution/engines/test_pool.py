"""A pool of workers: each serves one place at a time, and what reads ahead can neither spoil nor hold up a call."""

from __future__ import annotations

import os
import queue
import time

import pytest
from acting import act, mark, marks, misread

from siambench.execution.engines import pool as pools
from siambench.execution.engines.pool import Ended, Pool
from siambench.interfaces import Place


@pytest.fixture
def pool():
    """A maker of pools, which are closed; and what they report."""
    made = []

    def make(jobs=1, **options):
        reports = queue.Queue()
        made.append(Pool(jobs, reports.put, **options))
        return made[-1], reports

    yield make
    for one in made:
        one.close(now=True)


def values(reports, number):
    """What so many calls returned, by key."""
    found = [reports.get(timeout=60) for _ in range(number)]
    assert [None] * number == [ended.reason for ended in found]
    return {ended.key: ended.value for ended in found}


def test_a_worker_serves_one_place(pool):
    """Calls of one place share a process, calls of another never meet it, whatever the order; what one left, the other does not see."""
    made, reports = pool()
    for number, place in enumerate("aabbaccb"):
        made.submit(f"{number}", Place((place,)), mark, (place,))
    found = values(reports, 8)
    by_place = {place: {found[f"{number}"][0] for number, one in enumerate("aabbaccb") if one == place} for place in "abc"}
    assert [1, 1, 1] == [len(processes) for processes in by_place.values()]
    assert 3 == len(set.union(*by_place.values()))
    assert {place: {place} for place in "abc"} == {
        place: set().union(*(found[f"{number}"][1] for number, one in enumerate("aabbaccb") if one == place)) for place in "abc"
    }


def test_workers_have_in_memory_what_was_read_ahead(pool):
    """What is called ahead is called once, in a process that workers of all places are forked from."""
    made, reports = pool(2)
    for number in range(4):
        made.submit(f"{number}", Place((f"{number}",), (mark, ("ahead",))), marks, ())
    assert {f"{number}": ["ahead"] for number in range(4)} == values(reports, 4)


@pytest.mark.parametrize("way", ["raises", "dies", "leaves"])
def test_what_goes_wrong_ahead_costs_no_call(pool, way):
    """Reading ahead raises, is killed or ends its process: the call runs all the same, and will say itself what is wrong."""
    made, reports = pool()
    made.submit("call", Place((), (misread, (way,))), act, ("pid",))
    assert os.getpid() != values(reports, 1)["call"]


def test_reading_ahead_that_hangs_is_given_up(pool, monkeypatch):
    """Beyond limit and grace the call runs without what was to be read ahead."""
    monkeypatch.setattr(pools, "GRACE", 2.0)
    made, reports = pool(limits=(1.0, None))
    made.submit("call", Place((), (misread, ("hangs",))), act, ("pid",))
    values(reports, 1)


def test_a_call_can_be_dropped_wherever_it_is(pool):
    """One that waits and one that runs are ended and reported with the reason that is given; the pool goes on."""
    made, reports = pool()
    made.submit("runs", Place(), act, ("sleep", 60))
    made.submit("waits", Place(), act, ("pid",))
    time.sleep(1)
    made.drop("waits", "nobody asks")
    made.drop("runs", "nobody asks")
    made.drop("no such call", "nobody asks")
    assert {Ended("waits", None, "nobody asks"), Ended("runs", None, "nobody asks", fault=True)} == {
        reports.get(timeout=30) for _ in range(2)
    }
    made.submit("next", Place(), act, ("pid",))
    values(reports, 1)


def test_what_cannot_be_pickled_is_told(pool):
    """An argument or a result that cannot be sent is the reason of its call, and of no other."""
    made, reports = pool()
    made.submit("argument", Place(), act, (lambda: None,))
    assert "pickle" in reports.get(timeout=30).reason
    made.submit("result", Place(), act, ("function",))
    assert "pickle" in reports.get(timeout=30).reason
    made.submit("function", Place(), act, ("pid",))
    values(reports, 1)


def test_closing_waits_for_the_calls_or_not():
    """`close` lets what was submitted end; ``now`` drops it."""
    reports = queue.Queue()
    patient = Pool(1, reports.put)
    for number in range(3):
        patient.submit(f"{number}", Place(), act, ("sleep", 0.2))
    patient.close(now=False)
    assert 3 == reports.qsize()
    hasty = Pool(1, reports.put)
    hasty.submit("long", Place(), act, ("sleep", 60))
    start = time.monotonic()
    hasty.close(now=True)
    assert 3 == reports.qsize()
    assert time.monotonic() - start < 30


def test_a_pool_that_breaks_says_so(pool, monkeypatch):
    """Where workers cannot be made at all, calls are lost with the reason instead of waiting for ever, later ones too."""

    def refuse(*arguments):
        raise OSError("too many processes")

    monkeypatch.setattr(pools, "Server", refuse)
    made, reports = pool()
    for key in ("first", "second"):
        made.submit(key, Place(), act, ("pid",))
        assert Ended(key, None, "its worker processes cannot be looked after: OSError: too many processes") == reports.get(timeout=30)


def test_where_nothing_forks_workers_are_started_anew(pool, monkeypatch):
    """On a system without `fork` each worker is a new interpreter: results, deaths and limits are told all the same."""
    monkeypatch.setattr(pools, "FORKS", False)
    made, reports = pool(limits=(8.0, None))
    made.submit("fine", Place(("a",), (mark, ("ahead",))), mark, ("a",))
    assert ["a"] == values(reports, 1)["fine"][1]
    made.submit("dies", Place(("b",)), act, ("die",))
    assert Ended("dies", None, "its worker process was killed (exit code -9)", fault=True) == reports.get(timeout=60)
    made.submit("hangs", Place(("b",)), act, ("sleep", 60))
    assert Ended("hangs", None, "it ran longer than the limit of 8 s", fault=True) == reports.get(timeout=90)

"""What every engine keeps: a call that hangs or grows is ended, and why is told in half a sentence."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from siambench.errors import LostError
from siambench.execution.engines.limits import told, watched, why


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["killed"], "killed"),
        (["killed", "killed"], "killed, 2 times"),
        (["killed", "it hung"], "killed, then it hung"),
        ([], ""),
    ],
)
def test_the_reasons_of_all_attempts_are_told_as_one(reasons, expected):
    """Equal reasons are counted, others stand one after the other."""
    assert expected == told(reasons)


def test_why_a_call_has_no_result():
    """A loss says it itself; of any other error the class is named."""
    assert "the data is gone" == why(LostError("the data is gone"))
    assert "ValueError: odd" == why(ValueError("odd"))


def run(**limits):
    """What a call that takes a third of a second is ended for."""
    reasons = []
    with watched(reasons.append, **limits):
        time.sleep(0.35)
    return reasons


def test_a_call_over_its_limit_is_told_of_once():
    """Beyond its seconds or its megabytes the reason comes once, from a thread of its own; below them, or without limits, never."""
    assert ["it ran longer than the limit of 0.05 s"] == run(seconds=0.05)
    assert ["it used more than the limit of 1 MB"] == run(megabytes=1)
    assert ["it ran longer than the limit of 0.05 s"] == run(seconds=0.05, megabytes=1e6)
    assert [] == run(seconds=60, megabytes=1e6)
    assert [] == run()


def test_nothing_looks_on_after_a_call():
    """The thread that looked ends with the call, also with one that raises."""
    before = threading.active_count()

    def breaks():
        with watched(print, seconds=60):
            assert before + 1 == threading.active_count()
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        breaks()
    assert before == threading.active_count()


def test_memory_is_that_of_this_process():
    """Holding a hundred megabytes more shows, in a process of its own, where nothing else comes and goes."""
    source = """
from siambench.execution.engines.limits import resident_megabytes
before = resident_megabytes()
held = b"x" * (100 << 20)
print(resident_megabytes() - before, len(held))
"""
    printed = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert 90 < float(printed.split()[0]) < 200

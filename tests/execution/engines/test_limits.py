"""What every engine keeps: why a call was ended is told in half a sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from siambench.errors import LostError
from siambench.execution.engines.limits import over_memory, over_time, resident_megabytes, told, why


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


def test_a_reason_is_one_line_whatever_the_error_is():
    """An error without words is named by its class, one that cannot be put into words too, and no reason is too long or no UTF-8."""

    class MuteError(Exception):
        def __str__(self):
            raise KeyboardInterrupt

    assert "GeneratorExit" == why(GeneratorExit())
    assert "MuteError: it cannot say what it is: its __str__ raised KeyboardInterrupt" == why(MuteError())
    assert "ValueError: half \\ud83d of a pair" == why(ValueError("half \ud83d\nof a pair"))
    assert 2000 <= len(why(ValueError("x" * 10_000_000))) < 2100


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


def test_a_process_that_is_gone_holds_nothing():
    """Memory is asked of processes that may have ended in between: of one that has it is 0."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert resident_megabytes(ended.pid) == 0
    assert resident_megabytes() > 1


def test_limits_are_named_with_their_number():
    """Why a call was ended says which limit it ran over."""
    assert "it ran longer than the limit of 0.5 s" == over_time(0.5)
    assert "it used more than the limit of 1200 MB" == over_memory(1200)

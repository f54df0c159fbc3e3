"""One call in a process beside this one, for engines that know nothing of places."""

from __future__ import annotations

import os
import threading
import time

import pytest
from acting import act, mark

from siambench.execution.engines.apart import Apart, apart
from siambench.execution.engines.pool import Ended
from siambench.interfaces import Place


@pytest.fixture(scope="module")
def beside():
    """A process beside this one."""
    return Apart()


def test_a_call_leaves_this_process_alone(beside):
    """It runs in another process, the same for calls of one place and another for those of another."""
    first, again, other = (beside.call(Place((place,)), mark, (place,)).value for place in "aab")
    assert os.getpid() not in {first[0], other[0]}
    assert first[0] == again[0] != other[0]
    assert ["a"] == again[1]
    assert ["b"] == other[1]


def test_what_became_of_a_call_is_told(beside):
    """What it raised is a reason; that it was killed too, and marked as something that another attempt may mend."""
    assert Ended("", None, "ValueError: odd") == beside.call(Place(), act, ("raise", "odd"))
    assert Ended("", None, "its worker process was killed (exit code -9)", fault=True) == beside.call(Place(), act, ("die",))


def test_what_nobody_wants_is_ended(beside):
    """A call whose result is no longer waited for ends, and the next one runs."""
    start = time.monotonic()
    ended = beside.call(Place(), act, ("sleep", 60), wanted=lambda: time.monotonic() - start < 1)
    assert Ended("", None, "nobody waits for it any more", fault=True) == ended
    assert beside.call(Place(), act, ("pid",)).reason is None


def test_two_threads_take_turns(beside):
    """Calls from several threads run one after the other, each with its own answer."""
    found = {}

    def ask(name):
        found[name] = beside.call(Place(), act, ("environment", name)).value

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("PATH", "HOME")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {name: os.environ.get(name) for name in ("PATH", "HOME")} == found


def test_it_is_made_once():
    """The same is asked for, the same is given; other limits are another."""
    assert apart() is apart()
    assert apart() is not apart(limits=(60.0, None))

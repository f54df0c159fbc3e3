"""The local engine: what it is handed runs in processes of its own, and whatever happens to them is reported once."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from siambench.engine import Finished
from siambench.engine.local import LocalEngine, automatic_jobs, gpu_count


def act(kind, argument=None):
    """What the workers of these tests do."""
    if kind == "raise":
        raise ValueError(argument)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die-once" and not os.path.exists(argument):  # noqa: PTH110
        with open(argument, "w"):  # noqa: PTH123
            os.kill(os.getpid(), signal.SIGKILL)
    if kind == "sleep":
        time.sleep(argument)
    if kind == "threads":
        import torch

        return torch.get_num_threads()
    if kind == "environment":
        return os.environ.get("SIAMBENCH_PLUGINS")
    return os.getpid()


def everything(engine, number):
    found = []
    deadline = time.monotonic() + 90
    while len(found) < number and time.monotonic() < deadline:
        found += engine.wait(0.5)
    return {finished.key: finished for finished in found}


@pytest.fixture
def engine():
    made = LocalEngine(act, jobs=2, time_limit=8)
    yield made
    made.close(now=True)


def test_every_call_is_reported_once_whatever_happens(engine, tmp_path):
    """Results, errors, time limits and killed workers are each reported once, and take nothing else down."""
    engine.submit("fine", "pid")
    engine.submit("raises", "raise", "its reason")
    engine.submit("dies", "die")
    engine.submit("dies once", "die-once", str(tmp_path / "died"))
    engine.submit("sleeps", "sleep", 60)
    engine.submit("one thread", "threads")
    engine.submit("environment", "environment")
    found = everything(engine, 7)
    assert {"fine", "raises", "dies", "dies once", "sleeps", "one thread", "environment"} == set(found)
    assert os.getpid() != found["fine"].value
    assert Finished("raises", None, "ValueError: its reason") == found["raises"]
    assert "killed 2 times" in found["dies"].reason
    assert found["dies once"].reason is None
    assert "limit of 8 s" in found["sleeps"].reason
    assert 1 == found["one thread"].value
    assert os.environ["SIAMBENCH_PLUGINS"] == found["environment"].value
    assert [] == engine.wait(0.2)


def test_cancel_drops_what_has_not_started(engine):
    """`cancel` names the calls that will not run; those that run are still reported."""
    for number in range(8):
        engine.submit(str(number), "sleep", 2)
    time.sleep(0.5)
    dropped = engine.cancel()
    assert dropped
    found = everything(engine, 8 - len(dropped))
    assert {str(number) for number in range(8)} == set(found) | set(dropped)
    assert set() == set(found) & set(dropped)


def test_it_describes_itself(engine):
    """People see what the engine is."""
    assert "local, 2 workers" == engine.describe()


def test_automatic_jobs_follow_the_machine(monkeypatch):
    """`--jobs auto` is one worker per GPU, or per core that the process may use."""
    monkeypatch.setattr("siambench.engine.local.gpu_count", lambda: 3)
    assert 3 == automatic_jobs()
    monkeypatch.setattr("siambench.engine.local.gpu_count", lambda: 0)
    assert len(os.sched_getaffinity(0)) == automatic_jobs()


@pytest.mark.skipif(sys.platform != "linux" or os.path.exists("/dev/nvidiactl"), reason="asks a machine without a GPU")  # noqa: PTH110
def test_a_machine_without_a_gpu_is_told_without_torch():
    """Counting GPUs where there is no driver needs no torch."""
    assert 0 == gpu_count()

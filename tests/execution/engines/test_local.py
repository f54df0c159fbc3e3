"""The local engine: what it is handed runs in processes of its own, and whatever happens to them is reported once."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing import Pipe

import pytest
from acting import act, everything, submit_all_sorts

from siambench.execution.engines.local import LocalEngine, automatic_jobs, gpu_count, gpu_names
from siambench.execution.engines.pool import UNBEGUN
from siambench.execution.engines.processes import Server, Worker
from siambench.interfaces import Engine, Finished, Lost


@pytest.fixture
def engine():
    made = LocalEngine(act, jobs=2, preload=("torch",), time_limit=6)
    yield made
    made.close(now=True)


def warm(engine):
    """Workers that have imported what they need."""
    for number in range(2):
        engine.submit(f"warm {number}", "sleep", 0.5)
    everything(engine, 2)


@pytest.mark.slow
def test_every_call_is_reported_once_whatever_happens(engine, tmp_path):
    """Results, errors, hung and killed workers are each reported once, and take nothing else down."""
    submit_all_sorts(engine, tmp_path)
    engine.submit("one thread", "threads")
    engine.submit("environment", "environment", "SIAMBENCH_PLUGINS")
    found = everything(engine, 9)
    assert 9 == len(found)
    assert os.getpid() != found["fine"].value
    assert Lost("raises", "ValueError: its reason") == found["raises"]
    assert Lost("a timeout of its own", "TimeoutError: the disk") == found["a timeout of its own"]
    assert Lost("dies", "its worker process was killed (exit code -9), 2 times") == found["dies"]
    assert isinstance(found["dies once"], Finished)
    assert Lost("hangs", "it ran longer than the limit of 6 s, 2 times") == found["hangs"]
    assert isinstance(found["hangs once"], Finished)
    assert 1 == found["one thread"].value
    assert os.environ["SIAMBENCH_PLUGINS"] == found["environment"].value
    assert [] == engine.wait(0.2)


def test_a_call_that_grows_is_ended(tmp_path):
    """A worker above the memory limit is ended and its call tried once more, then lost; a call below it is left alone."""
    engine = LocalEngine(act, jobs=1, preload=("torch",), memory_limit=1200)
    try:
        engine.submit("grows", "grow", 1300)
        engine.submit("does not", "pid")
        found = everything(engine, 2)
    finally:
        engine.close(now=True)
    assert Lost("grows", "it used more than the limit of 1200 MB, 2 times") == found["grows"]
    assert isinstance(found["does not"], Finished)


def test_cancel_drops_what_has_not_started(engine):
    """`cancel` names the calls that will not run; those that run are still reported."""
    warm(engine)
    for number in range(8):
        engine.submit(str(number), "sleep", 1)
    time.sleep(0.5)
    dropped = engine.cancel()
    assert {str(number) for number in range(2, 8)} >= set(dropped) >= {"4", "5", "6", "7"}
    found = everything(engine, 8 - len(dropped))
    assert {str(number) for number in range(8)} == set(found) | set(dropped)
    assert set() == set(found) & set(dropped)


@pytest.mark.slow
def test_what_hangs_while_draining_is_not_tried_again(engine):
    """After `cancel` nothing is begun anew: a call that is ended then is lost."""
    warm(engine)
    engine.submit("hangs", "sleep", 60)
    time.sleep(0.5)
    engine.cancel()
    assert {"hangs": Lost("hangs", "it ran longer than the limit of 6 s")} == everything(engine, 1, seconds=60)


def test_it_keeps_the_protocol_and_describes_itself(engine):
    """It is an engine, and people see which."""
    assert isinstance(engine, Engine)
    assert "local, 2 workers" == engine.describe()


def test_a_gpu_never_gets_two_workers(monkeypatch):
    """Each worker sees one GPU of its own; the one that takes the place of a killed worker gets that worker's GPU."""
    monkeypatch.setattr("siambench.execution.engines.local.gpu_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    engine = LocalEngine(act, jobs=2, preload=("torch",))
    try:
        for number in range(8):
            engine.submit(str(number), "environment", "CUDA_VISIBLE_DEVICES")
        before = {finished.value for finished in everything(engine, 8).values()}
        engine.submit("dies", "die")
        everything(engine, 1)
        for number in range(8):
            engine.submit(str(number), "environment", "CUDA_VISIBLE_DEVICES")
        after = {finished.value for finished in everything(engine, 8).values()}
    finally:
        engine.close(now=True)
    assert {"3", "5"} == before == after


def test_automatic_jobs_follow_the_machine(monkeypatch):
    """`--jobs auto` is one worker per GPU, or per core that the process may use."""
    monkeypatch.setattr("siambench.execution.engines.local.gpu_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert 3 == automatic_jobs()
    assert ["0", "1", "2"] == gpu_names()
    monkeypatch.setattr("siambench.execution.engines.local.gpu_count", lambda: 0)
    assert len(os.sched_getaffinity(0)) == automatic_jobs()
    assert [] == gpu_names()


@pytest.mark.skipif(sys.platform != "linux" or os.path.exists("/dev/nvidiactl"), reason="asks a machine without a GPU")  # noqa: PTH110
def test_a_machine_without_a_gpu_is_told_without_torch():
    """Counting GPUs where there is no driver needs no torch."""
    assert 0 == gpu_count()


def test_a_worker_that_dies_idle_takes_no_call_with_it():
    """The only worker is killed between two calls: another takes its place, and the calls that come then all finish."""
    engine = LocalEngine(act, jobs=1)
    try:
        engine.submit("first", "pid")
        worker = everything(engine, 1)["first"].value
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.5)
        for number in range(3):
            engine.submit(str(number), "pid")
        found = everything(engine, 3, seconds=90)
    finally:
        engine.close(now=True)
    assert {"0", "1", "2"} == set(found)
    assert all(isinstance(ended, Finished) and ended.value != worker for ended in found.values())


def test_workers_that_always_die_idle_lose_the_calls(monkeypatch):
    """Where no worker comes to its call, calls are lost with a true reason rather than tried for ever; what comes later runs."""
    fork = Server.fork

    def stillborn(self):
        near, far = Pipe()
        far.close()
        return Worker(near, lambda pid: None)

    engine = LocalEngine(act, jobs=2)
    try:
        monkeypatch.setattr(Server, "fork", stillborn)
        engine.submit("first", "pid")
        found = everything(engine, 1, seconds=60)
        monkeypatch.setattr(Server, "fork", fork)
        engine.submit("second", "pid")
        found |= everything(engine, 1, seconds=60)
    finally:
        engine.close(now=True)
    assert Lost("first", f"its worker processes died before they began it, {UNBEGUN + 1} times") == found["first"]
    assert isinstance(found["second"], Finished)

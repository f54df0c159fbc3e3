"""The near side of worker processes: the first server is shared and replaced, and workers are given clean surroundings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from acting import act

from siambench.execution.engines import processes
from siambench.execution.engines.processes import Server, given
from siambench.machine import remember_surroundings


@pytest.fixture
def remembered(monkeypatch):
    """Nothing is remembered of the surroundings before the test, nor after it."""
    from siambench import machine

    monkeypatch.setattr(machine, "_before", [])


def test_the_first_server_is_shared_and_replaced():
    """It takes seconds to import what is needed: servers of the same needs are forked from one; where that was killed, from a new one."""
    one = Server((), None)
    two = Server((), None)
    first = processes._first(())
    assert first is processes._first(())
    first.process.kill()
    first.process.wait()
    three = Server((), None)
    assert processes._first(()) is not first
    for server in (one, two, three):
        server.close(5)


def test_a_first_server_that_has_closed_its_pipe_forks_nothing_more(monkeypatch):
    """One that is killed closes its pipe before the system says that it has ended: from then on servers are forked from a new one."""
    one = Server((), None)
    first = processes._first(())
    first.process.kill()
    first.process.wait()
    monkeypatch.setattr(first.process, "poll", lambda: None)
    two = Server((), None)
    worker = two.fork()
    worker.told(b"c", (act, ("threads", None)))
    while not any(said[:1] == b"r" for said in worker.said()):
        assert not two.ended
        two.said()

    assert processes._first(()) is not first
    for server in (one, two):
        server.close(5)


def test_workers_are_given_what_was_there_before_foreign_code(remembered, monkeypatch, tmp_path):
    """Variables, path and folder are those that were kept before plugins were imported, with one thread for each library."""
    monkeypatch.setenv("SIAMBENCH_TEST", "before")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.chdir(tmp_path)
    remember_surroundings()
    monkeypatch.setenv("SIAMBENCH_TEST", "after")
    monkeypatch.setattr(sys, "path", ["/nowhere"])
    monkeypatch.chdir("/")
    found = given({"CUDA_VISIBLE_DEVICES": "1"})
    assert "before" == found.environment["SIAMBENCH_TEST"]
    assert {"1"} == {found.environment[name] for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}
    assert str(tmp_path) == found.folder
    assert "/nowhere" not in found.path


def test_without_foreign_code_they_are_given_what_is_there(remembered, monkeypatch):
    """Where nothing was kept, surroundings are those of now."""
    monkeypatch.setenv("SIAMBENCH_TEST", "now")
    assert "now" == given().environment["SIAMBENCH_TEST"]
    assert os.getcwd() == given().folder  # noqa: PTH109  a string is what is handed over


def test_what_a_worker_prints_is_no_document():
    """Standard output is for documents: what a worker writes to it, even below Python, comes out as an error does."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from acting import act\nfrom siambench.execution.engines.local import LocalEngine\n"
        "engine = LocalEngine(act, jobs=1)\nengine.submit('x', 'write', 'from below')\n"
        "while not engine.wait(1): pass\nengine.close(now=True)\nprint('document')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "document\n" == done.stdout
    assert "from below" in done.stderr


def test_nobody_is_waited_for_who_is_gone():
    """Telling something to a worker that has ended raises nothing, and neither does closing its server twice."""
    server = Server((), None)
    worker = server.fork()
    worker.told(b"c", (act, ("die",)))
    while b"" not in worker.said():
        pass
    worker.told(b"c", (act, ("pid",)))
    worker.kill()
    server.close(5)

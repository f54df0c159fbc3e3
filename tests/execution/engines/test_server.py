"""The server that workers are forked from: it ends with whoever talks to it, and its workers with it, whatever they do."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time

import psutil
import pytest
from acting import act

from siambench.execution.engines.processes import Server

CODE = """
import sys
sys.path[:] = {path!r}
from acting import act
from siambench.execution.engines.processes import Server
server = Server((), None)
workers = [server.fork() for _ in range(2)]
for worker, call in zip(workers, (("sleep", 600), ("backtrack", 0))):
    worker.told(b"c", (act, call))
for worker in workers:
    while b"b" not in worker.said():
        pass
print("ready", flush=True)
{then}
"""


@pytest.fixture
def server():
    """A server, and its workers, which are ended."""
    made = Server((), None)
    yield made
    made.close(5)


def said_of(worker, what, seconds=30):
    """What a worker says of that kind, as soon as it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for said in worker.said():
            if said[:1] == what:
                return said
        time.sleep(0.01)
    raise AssertionError(f"it never said {what}")


def ends_of(server, seconds=30):
    """The exit codes of the workers that end next."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = server.said()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("no worker ended")


def test_how_a_worker_ends_is_told(server):
    """By its number, with its exit code or the signal that killed it; an idle one ends when it is let go."""
    for argument, code in ((("exit", 86), 86), (("die",), -9)):
        worker = server.fork()
        worker.told(b"c", (act, argument))
        said_of(worker, b"b")
        assert [(worker.pid, code)] == ends_of(server)
    idle = server.fork()
    said_of(idle, b"h")
    idle.close()
    assert [(idle.pid, 0)] == ends_of(server)


def test_what_a_worker_starts_ends_with_it(server):
    """A process that a call has started is gone when the worker is, however that ended."""
    worker = server.fork()
    worker.told(b"c", (act, ("start", 600)))

    child = pickle.loads(said_of(worker, b"r")[1:])[0]
    assert psutil.pid_exists(child)
    worker.kill()
    assert [(worker.pid, -9)] == ends_of(server)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def is_gone(pid, seconds=10):
    """Whether a process ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server adopt what its workers leave behind")
@pytest.mark.parametrize("how", ["killed", "let go"])
def test_what_left_its_workers_group_ends_with_it(server, how):
    """A process that a call has started in a session of its own, and one that is handed from parent to parent, are gone with the worker."""
    worker = server.fork()
    worker.told(b"c", (act, ("start apart", 600)))

    child = pickle.loads(said_of(worker, b"r")[1:])[0]
    assert psutil.pid_exists(child)
    worker.kill() if how == "killed" else worker.close()
    assert [(worker.pid, -9 if how == "killed" else 0)] == ends_of(server)
    assert is_gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server adopt what its workers leave behind")
@pytest.mark.parametrize("killed", ["coordinator", "server"])
def test_what_left_its_workers_group_ends_with_whoever_is_killed(killed, tmp_path):
    """The process that started everything, or the server of the worker, is killed: what the worker has started ends, too."""
    code = CODE.format(path=sys.path, then="import time; time.sleep(600)")
    code = code.replace('("backtrack", 0)', f'("start apart there", "{tmp_path}")')
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert "ready\n" == run.stdout.readline()
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        child = int((tmp_path / "pid").read_text())
        first = psutil.Process(run.pid).children()[0]
        try:
            (run if killed == "coordinator" else first.children()[0]).kill()
            assert is_gone(child)
        finally:
            run.kill()


def test_no_thread_runs_in_a_server_or_an_idle_worker(server):
    """Forking a process with threads copies whatever they held: neither has any but its first."""
    worker = server.fork()
    said_of(worker, b"h")
    assert 1 == psutil.Process(worker.pid).num_threads()
    assert 1 == psutil.Process(psutil.Process(worker.pid).ppid()).num_threads()
    assert 1 <= threading.active_count()


@pytest.mark.parametrize("then", ["import time; time.sleep(600)", "pass"])
def test_all_end_with_the_process_that_started_them(then):
    """Killed or at its end: first server, second server, a worker that sleeps and one that lets no thread run are gone in ten seconds."""
    code = CODE.format(path=sys.path, then=then)
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert "ready\n" == run.stdout.readline()
    processes = psutil.Process(run.pid).children(recursive=True)
    if then != "pass":
        assert 4 == len(processes)
        run.kill()
    run.stdout.close()
    run.wait(timeout=30)
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert [] == alive


def test_a_server_that_still_imports_ends_with_the_process_that_started_it(tmp_path):
    """Killed while its first server imports what takes a minute: that is gone in ten seconds all the same."""
    (tmp_path / "slow_to_import.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    code = (
        f"import sys, time; sys.path[:] = {[str(tmp_path), *sys.path]!r}\n"
        "from siambench.execution.engines.processes import Server\nserver = Server(('slow_to_import',), None)\ntime.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert "importing\n" == run.stderr.readline()
    processes = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.stderr.close()
    run.wait()
    assert 1 == len(processes)
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert [] == alive


def test_workers_end_with_a_killed_server(server):
    """The server itself is killed: the system ends its workers, and whoever talks to it sees that it has ended."""
    worker = server.fork()
    worker.told(b"c", (act, ("backtrack", 0)))
    said_of(worker, b"b")
    process = psutil.Process(worker.pid)
    os.kill(process.ppid(), 9)
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    deadline = time.monotonic() + 10
    while not server.ended and time.monotonic() < deadline:
        server.said()
    assert server.ended

"""The dask engine: the same promises as the local one, kept by the workers of a real cluster."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import distributed
import psutil
import pytest
from acting import act, everything, mark, submit_all_sorts, unfit
from shared import exam_folder, records_of, wait_for_records

from siambench.errors import UsageError
from siambench.execution.engines import dask as dask_engine
from siambench.execution.engines.dask import DaskEngine
from siambench.interfaces import Engine, Finished, Lost, Place

pytestmark = pytest.mark.filterwarnings("ignore")  # dask, tornado and the sockets of ended clusters warn as they like
HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def collected():
    """Sockets of ended clusters are closed by the collector: here, where their warnings are expected, and not in a later module."""
    yield
    gc.collect()


@pytest.fixture
def engine(monkeypatch):
    # Workers are started anew, and must find what they are handed.
    monkeypatch.setenv("PYTHONPATH", HERE)
    made = DaskEngine(act, jobs=2, time_limit=6, memory_limit=1200)
    yield made
    made.close(now=True)


@pytest.mark.slow
def test_every_call_is_reported_once_whatever_happens(engine, tmp_path):
    """Results, errors, hung, grown and killed workers are each reported once; a killed worker costs only its own call an attempt."""
    assert isinstance(engine, Engine)
    assert engine.describe().startswith("dask, 2 workers at tcp://127.0.0.1:")
    submit_all_sorts(engine, tmp_path)
    engine.submit("grows", "grow", 1300)
    engine.submit("one thread", "environment", "OMP_NUM_THREADS")
    found = everything(engine, 9)
    assert 9 == len(found)
    assert os.getpid() != found["fine"].value
    assert Lost("raises", "ValueError: its reason") == found["raises"]
    assert Lost("a timeout of its own", "TimeoutError: the disk") == found["a timeout of its own"]
    assert Lost("dies", "its worker process was killed (exit code -9), 2 times") == found["dies"]
    assert isinstance(found["dies once"], Finished)
    assert Lost("hangs", "it ran longer than the limit of 6 s, 2 times") == found["hangs"]
    assert isinstance(found["hangs once"], Finished)
    assert Lost("grows", "it used more than the limit of 1200 MB, 2 times") == found["grows"]
    assert "1" == found["one thread"].value
    assert [] == engine.wait(0.2)


def test_cancel_drops_what_has_not_started(engine):
    """`cancel` names the calls that will not run; those that run are still reported, and are not tried again."""
    for number in range(6):
        engine.submit(str(number), "sleep", 1)
    engine.submit("hangs", "sleep", 60)
    assert ["2", "3", "4", "5", "hangs"] == engine.cancel()
    found = everything(engine, 2)
    assert {"0", "1"} == set(found)
    engine.submit("hangs", "sleep", 60)
    assert {"hangs": Lost("hangs", "it ran longer than the limit of 6 s")} == everything(engine, 1)


def end(process):
    """A worker that runs a call waits for it before it ends: for some seconds so do we."""
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=30)


@contextmanager
def cluster(*workers, port):
    """A scheduler and workers in processes of their own; of each worker its further environment and arguments."""
    address = f"tcp://127.0.0.1:{port}"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen(command, **silent)]
    try:
        for environment, arguments in workers:
            command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", *arguments]
            surroundings = {**os.environ, **environment}
            started.append(subprocess.Popen(command, env=surroundings, **silent))
        with distributed.Client(address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(len(workers), timeout=30)
        yield address, started[1:]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            end(process)


@pytest.fixture
def port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def disguised(folder):
    """Surroundings in which siambench bears another version."""
    info = folder / "siambench-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: siambench\nVersion: 9.9\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{HERE}"}


@pytest.mark.slow
def test_a_worker_with_another_siambench_is_refused(port, tmp_path):
    """Before anything runs, a worker with another version is refused with a sentence that names both versions."""
    with cluster((disguised(tmp_path), []), port=port) as (address, _), pytest.raises(UsageError) as refused:
        DaskEngine(act, address=address)
    assert f"of the Dask cluster at {address} cannot run this: it has siambench 9.9, this is 0.1.0" in str(refused.value)


def test_workers_come_late_and_go(port, tmp_path, monkeypatch):
    """A later worker with another version is passed over; where none is left, calls are lost instead of waiting for ever.

    The scheduler does not know what it passes on: `acting` is not on its path.
    """
    monkeypatch.setattr(dask_engine, "PATIENCE", 3)
    with cluster(({"PYTHONPATH": HERE}, ["--no-nanny"]), port=port) as (address, workers):
        engine = DaskEngine(act, address=address)
        try:
            command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
            late = subprocess.Popen(command, env={**os.environ, **disguised(tmp_path)}, stderr=subprocess.DEVNULL)
            engine._client.wait_for_workers(2, timeout=30)
            engine.submit("runs when the worker is killed", "sleep", 60)
            engine.submit("waits", "pid")
            time.sleep(1)
            workers[0].kill()
            found = everything(engine, 2, seconds=30)
        finally:
            engine.close(now=True)
            late.terminate()
            end(late)
    assert {"runs when the worker is killed", "waits"} == set(found)
    assert {f"there was no worker at {address} for 3 s"} == {lost.reason for lost in found.values()}


@pytest.mark.slow
def test_a_scheduler_that_goes_takes_the_calls_with_it(port):
    """When the scheduler ends, what was open is lost with that reason, and the engine can be closed."""
    with cluster(({"PYTHONPATH": HERE}, ["--no-nanny"]), port=port) as (address, _):
        engine = DaskEngine(act, address=address)
        engine.submit("runs", "sleep", 60)
        engine.submit("waits", "pid")
        assert [] == engine.wait(1)
    found = everything(engine, 2, seconds=60)
    engine.close(now=True)
    assert {"runs", "waits"} == set(found)
    assert all(isinstance(ended, Lost) and ended.reason for ended in found.values())


def first_word(word):
    """Where a call of that argument may run."""
    return Place((word,))


def test_places_are_kept_on_a_cluster(monkeypatch):
    """Calls run beside the Dask worker: those of one place in one process, those of another in another, and none in the worker itself."""
    monkeypatch.setenv("PYTHONPATH", HERE)
    engine = DaskEngine(mark, jobs=1, place=first_word)
    try:
        workers = {child.pid for child in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(child.cmdline())}
        for number, place in enumerate("aab"):
            engine.submit(str(number), place)
        found = {key: ended.value for key, ended in everything(engine, 3).items()}
    finally:
        engine.close(now=True)
    assert found["0"][0] == found["1"][0] != found["2"][0]
    assert (["a"], ["b"]) == (found["1"][1], found["2"][1])
    assert workers
    assert set() == workers & {process for process, _ in found.values()}


LEAVES = """
import sys
sys.path[:] = {path!r}
from acting import act, everything
from siambench.execution.engines.dask import DaskEngine
engine = DaskEngine(act, address={address!r})
engine.submit("first", "pid")
print(everything(engine, 1)["first"].value, flush=True)
engine.submit("hangs", "backtrack")
engine.wait(1)
print("hangs", flush=True)
engine.wait(600)
"""


@pytest.mark.slow
def test_what_hangs_ends_when_its_client_leaves(port):
    """The coordinator is killed while its call hangs on somebody's cluster: the call ends, and the worker serves the next client."""
    with cluster(({"PYTHONPATH": os.pathsep.join([HERE, *sys.path])}, ["--no-nanny"]), port=port) as (address, _):
        code = LEAVES.format(path=sys.path, address=address)
        run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        process = psutil.Process(int(run.stdout.readline()))
        assert "hangs\n" == run.stdout.readline()
        run.kill()
        run.stdout.close()
        run.wait()
        psutil.wait_procs([process], timeout=10)
        assert not process.is_running()
        engine = DaskEngine(act, address=address)
        try:
            engine.submit("next", "pid")
            assert isinstance(everything(engine, 1, seconds=60)["next"], Finished)
        finally:
            engine.close(now=True)


def test_a_worker_that_does_not_fit_is_refused(monkeypatch):
    """What a worker says against the calls is the reason of the refusal."""
    monkeypatch.setenv("PYTHONPATH", HERE)
    with pytest.raises(UsageError, match=r"cannot run this: the loss soft is not installed; 1 more cannot either$"):
        DaskEngine(act, jobs=2, fits=unfit)


def test_without_the_extra_a_sentence_names_it(monkeypatch):
    """Where distributed is not installed, the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"needs the extra dask, pip install 'siambench\[dask\]'"):
        DaskEngine(act)


def test_an_address_where_nothing_answers(port):
    """Within seconds, one sentence that names the address and what one looks like."""
    start = time.monotonic()
    with pytest.raises(UsageError, match=rf"no Dask scheduler answers at --address 'tcp://127.0.0.1:{port}'"):
        DaskEngine(act, address=f"tcp://127.0.0.1:{port}")
    with pytest.raises(UsageError, match="is tcp://host:port of a scheduler, or local, got 'here'"):
        DaskEngine(act, address="here")
    assert time.monotonic() - start < 20


# ---- whole comparisons


def command(track, out, *more):
    words = ["run", "--track", str(track), "--loss", "triplet", "--miner", "hard", "--out", str(out), "--json"]
    return [sys.executable, "-m", "siambench", *words, *more]


@pytest.mark.slow
def test_a_killed_worker_changes_no_result(undisturbed, tmp_path):
    """On a cluster of two processes, one of them killed in the middle, every record is the one that `--jobs 1` leaves."""
    more = ["--engine", "dask", "--address", "local", "--jobs", "2"]
    run = subprocess.Popen(command(undisturbed.track, tmp_path, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(exam_folder(tmp_path) / "records", 3, run)
    workers = [child for child in psutil.Process(run.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert 2 == len(workers)
    workers[0].kill()
    out, err = run.communicate(timeout=300)
    assert 0 == run.returncode, err
    assert {"planned": 18, "done": 18, "cached": 0, "failed": 0, "lost": 0} == json.loads(out)["units"]
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path) / "records")


@pytest.mark.slow
def test_ctrl_c_drains_a_cluster(undisturbed, tmp_path):
    """Ctrl-C on a terminal reaches all processes of a local cluster: the running units end all the same, and the exit code is 2."""
    more = ["--engine", "dask", "--jobs", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    run = subprocess.Popen(command(undisturbed.track, tmp_path, *more), start_new_session=True, **pipes)
    wait_for_records(exam_folder(tmp_path) / "records", 3, run)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert 2 == run.returncode, err
    assert "0 lost" in err
    assert "Traceback" not in err
    assert 3 <= len(records_of(exam_folder(tmp_path) / "records")) < 18


@pytest.mark.slow
def test_four_methods_on_a_cluster_give_the_tables_of_one_worker(tiny_track, tmp_path):
    """On a cluster of two processes of which one is killed: page and table are those of `--jobs 1`, byte for byte."""
    methods = ["--loss", "contrastive", "--loss", "supcon", "--loss", "multi-similarity", "--loss", "triplet"]
    base, track = [sys.executable, "-m", "siambench"], str(tiny_track / "track.toml")
    run = [*base, "run", "--track", track, *methods, "--trials", "2", "--repetitions", "2", "--json"]
    calm = subprocess.run([*run, "--jobs", "1", "--out", "calm"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert 0 == calm.returncode, calm.stderr
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    stormy = subprocess.Popen([*run, "--engine", "dask", "--address", "local", "--jobs", "2", "--out", "stormy"], cwd=tmp_path, **pipes)
    wait_for_records(tmp_path / "stormy" / exam_folder(tmp_path / "calm").name / "records", 6, stormy)
    workers = [child for child in psutil.Process(stormy.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert 2 == len(workers)
    workers[0].kill()
    out, err = stormy.communicate(timeout=600)
    assert 0 == stormy.returncode, err
    assert json.loads(calm.stdout)["units"] == json.loads(out)["units"]
    for form in ("csv", "md"):
        table = partial(subprocess.run, cwd=tmp_path, capture_output=True, check=True)
        shown = [table([*base, "leaderboard", track, "--from", name, "--format", form]).stdout for name in ("calm", "stormy")]
        assert b"contrastive" in shown[0]
        # A page says by which command it was made: there, and nowhere else, the two folders have names of their own.
        assert shown[0].replace(b"--from calm", b"--from stormy") == shown[1]

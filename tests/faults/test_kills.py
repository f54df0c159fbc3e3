"""Any process of a run killed at any moment: the results are those of an undisturbed run, and no process is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid

import psutil
import pytest
from shared import exam_folder, records_of

"""On each engine; half of them of the coordinator, the others of any process that it has started."""

MARK = "SIAMBENCH_TEST_MARK"


def started(track, out, engine):
    """A run of the tiny track, and the mark that all its processes carry in their environment."""
    mark = uuid.uuid4().hex
    words = ["run", "--track", track, "--loss", "triplet", "--miner", "hard", "--engine", engine, "--jobs", "2", "--out", out]
    command = [sys.executable, "-m", "siambench", *map(str, words)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env={**os.environ, MARK: mark}, **silent), mark


def marked(mark):
    """The processes that carry a mark; those that have ended do not."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_after(mark, seconds):
    """The processes with a mark that are still there after so many seconds; returns as soon as there are none."""
    deadline = time.monotonic() + seconds
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [" ".join(process.cmdline())[:200] for process in found]


def wait_for_more(records, process):
    """Until a run has left one more record than there is, or has ended."""
    before = len(list(records.glob("*.json")))
    deadline = time.monotonic() + 60
    while process.poll() is None and len(list(records.glob("*.json"))) <= before and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("engine", "kills"),
    [
        pytest.param("local", 10, marks=pytest.mark.slow),
        pytest.param("local", 40, marks=pytest.mark.long),
        pytest.param("dask", 40, marks=pytest.mark.long),
    ],
)
def test_kills_over_all_processes_change_nothing(siambench, undisturbed, tmp_path, engine, kills):
    """Coordinator, servers, workers and what else runs, killed again and again: identical results; ten seconds later nothing runs any more.

    A run that ends is compared, and the next one begins in a new folder, until there are so many kills.
    """
    moments, expected, killed, ended = random.Random(f"forty {engine}"), undisturbed.outcomes, 0, 0
    while killed < kills:
        records = exam_folder(tmp_path / str(ended)) / "records"
        run, mark = started(undisturbed.track, tmp_path / str(ended), engine)
        while killed < kills and run.poll() is None:
            if moments.random() < 0.7:
                wait_for_more(records, run)
            time.sleep(moments.uniform(0, 1.5))
            others = [process.pid for process in marked(mark) if process.pid != run.pid]
            victim = moments.choice(others) if others and moments.random() < 0.5 else run.pid
            if run.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                killed += 1
            if victim == run.pid:
                break
        # A unit that was hit twice is lost, exit 1, and is tried again by the same command.
        assert run.wait(timeout=300) in (0, 1, -9)
        assert [] == left_after(mark, 10)
        if run.returncode == 0:
            assert expected == records_of(records)
            ended += 1
    last = siambench("run", "--track", undisturbed.track, "--loss", "triplet", "--miner", "hard", "--out", tmp_path / str(ended), "--json")
    assert 0 == last.returncode, last.stderr
    assert 0 == json.loads(last.stdout)["units"]["lost"]
    assert expected == records_of(exam_folder(tmp_path / str(ended)) / "records")


HANGS = """
import re
import torch

class Hangs(torch.nn.Module):
    def forward(self, embeddings, labels):
        # Backtracking for ever in C, with the interpreter's lock held: no thread of this process gets to run.
        re.match("(a+)+b", "a" * 60)
"""


@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=pytest.mark.slow)])
def test_what_hangs_with_the_lock_held_ends_with_a_killed_coordinator(undisturbed, tmp_path, engine):
    """A unit that lets no thread of its process run, and hears nothing: `kill -9` of the coordinator ends it all the same."""
    (tmp_path / "hangs.py").write_text(HANGS)
    mark = uuid.uuid4().hex
    words = ["run", "--track", undisturbed.track, "--loss", f"{tmp_path / 'hangs.py'}:Hangs", "--engine", engine, "--jobs", "2"]
    command = [sys.executable, "-m", "siambench", *map(str, words), "--out", str(tmp_path / "out")]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = subprocess.Popen(command, env={**os.environ, MARK: mark}, **silent)
    running, deadline = exam_folder(tmp_path / "out") / "running", time.monotonic() + 90
    while len(list(running.glob("*.json"))) < 2 or len(records_of(exam_folder(tmp_path / "out") / "records")) < 4:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    assert len(marked(mark)) >= 4
    run.kill()
    run.wait()
    assert [] == left_after(mark, 10)

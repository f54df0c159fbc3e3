"""The job by hand still runs, and its cost and siambench's are counted; how large they are `beside_by_hand.py` tells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE = Path(__file__).with_name("beside_by_hand.py")


@pytest.mark.parametrize("method", ["triplet+hard", "arcface"])
def test_the_three_ways_do_one_job(method, tmp_path):
    """One trial of three steps and one final model: each way says what it cost, and siambench and the scripts give scores in [0, 1]."""
    budget = ["--trials", "1", "--repetitions", "1", "--epochs", "1"]
    command = [sys.executable, str(BESIDE), "cost", method, *budget, "--out", str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"| {method} |" in told
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [f"cost {way} {method} 1x1" for way in ("ours", "hand", "tuned")] == [run["name"] for run in runs]
    for run in runs:
        assert run["cpu"] > 0
        assert len(run["scores"]) == 1
        assert 0 <= run["scores"][0] <= 1


def test_processes_that_are_left_behind_count_too():
    """A grandchild that outlives its parent and works for half a second costs half a second."""
    work = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {work!r}])"
    counted = "import beside_by_hand, sys; print(beside_by_hand.cpu_seconds([sys.executable, '-c', sys.argv[1]])[0])"
    told = subprocess.run([sys.executable, "-c", counted, parent], check=True, capture_output=True, text=True, cwd=BESIDE.parent).stdout
    assert float(told) >= 0.5

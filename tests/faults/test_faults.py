"""What a run survives, each fault made for real: nothing is lost, nothing counted twice, and the exit codes are as documented."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from shared import TINY_TRACK, results, wait_for_records

UNITS = 19
"""Of the tiny track with its anchors: 6 trials on 2 folds, 3 seeds, 1 and 3 anchors."""


def words(root, out, *more):
    return [
        sys.executable,
        "-m",
        "siambench",
        "run",
        "--track",
        str(root),
        "--loss",
        "contrastive",
        "--jobs",
        "2",
        "--out",
        str(out),
        "--json",
        *more,
    ]


def call(root, out, *more, env=None):
    surroundings = {**os.environ, **(env or {})}
    return subprocess.run(words(root, out, *more), cwd=root, env=surroundings, capture_output=True, text=True, check=False, timeout=600)


def units(done):
    return json.loads(done.stdout)["units"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the tiny track."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "track.toml").write_text(TINY_TRACK)
    return folder


@pytest.fixture(scope="module")
def undisturbed(root):
    """The results of a run that nothing happened to."""
    done = call(root, root / "undisturbed")
    assert 0 == done.returncode, done.stderr
    return results(root / "undisturbed" / "tiny" / "records")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB; skipped where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small disk needs mount(8) and the right to use it")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_units_and_no_record(root, undisturbed, small_disk):
    """While a record is written the disk is full: those units are lost, exit 1, no half record; with room the same command ends well."""
    done = call(root, small_disk / "out")
    assert 1 == done.returncode
    assert "units were lost" in done.stderr.splitlines()[-1]
    assert "No space left" in done.stderr
    kept = results(small_disk / "out" / "tiny" / "records")
    assert 0 < len(kept) < UNITS
    assert [] == list((small_disk / "out" / "tiny" / "records").glob(".*"))
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    again = call(root, small_disk / "out")
    assert 0 == again.returncode, again.stderr
    assert len(kept) == units(again)["cached"]
    assert undisturbed == results(small_disk / "out" / "tiny" / "records")


def test_a_read_only_folder_is_refused_in_one_sentence(root, small_disk):
    """An output folder on a disk that cannot be written is exit 4 before anything runs."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = call(root, small_disk / "out")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert 4 == done.returncode
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert "" == done.stdout


@pytest.mark.slow
def test_sigterm_drains(root, undisturbed, tmp_path):
    """SIGTERM, as a cluster sends it, lets the running units end: exit 2, their records kept; the same command goes on."""
    run = subprocess.Popen(words(root, tmp_path), cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(tmp_path / "tiny" / "records", 2, run)
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=120)
    assert 2 == run.returncode
    assert "interrupted" in err.splitlines()[-1]
    again = call(root, tmp_path)
    assert 0 == again.returncode, again.stderr
    assert UNITS == units(again)["cached"] + units(again)["done"]
    assert undisturbed == results(tmp_path / "tiny" / "records")


def logged(folder):
    lines = (folder / "tiny" / "test-openings.jsonl").read_text().splitlines()
    return {json.loads(line)["unit"] for line in lines if line.strip()}


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(root, undisturbed, tmp_path):
    """`kill -9` of the coordinator at twenty random moments, each time the same command again: the results of an undisturbed run.

    A run that ends before it is killed is compared, and the next one begins in a new folder, so that there are twenty kills.
    """
    moments = random.Random(20)
    finals = {key for key, result in undisturbed.items() if result["unit"]["kind"] == "final"}
    out, killed, ended = tmp_path / "0", 0, 0
    while killed < 20:
        run = subprocess.Popen(words(root, out), cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert 0 == run.wait(timeout=moments.uniform(0.3, 4.0))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            killed += 1
            continue
        assert undisturbed == results(out / "tiny" / "records")
        assert finals == logged(out)
        ended += 1
        out = tmp_path / str(ended)
    last = call(root, out)
    assert 0 == last.returncode, last.stderr
    assert UNITS == units(last)["cached"] + units(last)["done"]
    assert undisturbed == results(out / "tiny" / "records")
    assert finals == logged(out)


@pytest.mark.slow
def test_a_clock_set_back_changes_nothing(root, undisturbed, tmp_path):
    """The wall clock jumps an hour back at every look: results are the same, and no time in a record is negative."""
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import itertools, time\n_real, _looks = time.time, itertools.count()\ntime.time = lambda: _real() - 3600 * next(_looks)\n"
    )
    done = call(root, tmp_path / "out", env={"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])})
    assert 0 == done.returncode, done.stderr
    assert undisturbed == results(tmp_path / "out" / "tiny" / "records")
    for path in (tmp_path / "out" / "tiny" / "records").glob("*.json"):
        telemetry = json.loads(path.read_text())["telemetry"]
        assert min(telemetry["total_seconds"], *telemetry["seconds"].values()) >= 0


LOSSES = """
import torch

class Coded(torch.nn.Module):
    def forward(self, embeddings, labels):
        raise ValueError("\\x1b[2J\\x1b]0;owned\\x07 gone\\x1b[31m")

class Vector(torch.nn.Module):
    def forward(self, embeddings, labels):
        return embeddings.sum(dim=1)

class Nan(torch.nn.Module):
    def forward(self, embeddings, labels):
        return embeddings.sum() * float("nan")

class Greedy(torch.nn.Module):
    def forward(self, embeddings, labels):
        self.held = [torch.ones(64 << 18) for _ in range(200)]  # 64 MB each
        return embeddings.square().sum()

class Chatty(torch.nn.Module):
    def forward(self, embeddings, labels):
        print("{'not': 'json'}")
        return embeddings.square().sum() * labels.float().mean()
"""


@pytest.mark.parametrize(
    ("name", "verdict", "sentence"),
    [
        ("Coded", "raised", "gone"),
        ("Vector", "raised", "must return a scalar tensor, got shape"),
        ("Nan", "diverged", "the loss became nan"),
    ],
)
def test_a_loss_that_fails_is_a_result_without_control_codes(root, tmp_path, name, verdict, sentence):
    """A loss that raises (with terminal codes in its text), or gives a wrong shape or NaN: exit 0, the reason, nothing a terminal obeys."""
    (tmp_path / "losses.py").write_text(LOSSES)
    command = [*words(root, tmp_path / "out", "--trials", "1", "--seeds", "1")]
    command[command.index("contrastive")] = str(tmp_path / "losses.py") + f":{name}"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert 0 == done.returncode, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    row = json.loads(done.stdout)["rows"][0]
    assert sentence in row["reason"]
    failed = [json.loads(path.read_text())["result"] for path in (tmp_path / "out" / "tiny" / "records").glob("*.json")]
    assert {verdict} == {result["verdict"] for result in failed if result["state"] == "failed"}


@pytest.mark.slow
def test_a_loss_that_exhausts_memory_loses_its_unit_alone(root, tmp_path):
    """A loss that grows beyond `--memory-limit`: each of its units is tried twice, then lost with the reason; anchors are kept; exit 1."""
    (tmp_path / "losses.py").write_text(LOSSES)
    command = [*words(root, tmp_path / "out", "--trials", "1", "--seeds", "1", "--memory-limit", "1500")]
    command[command.index("contrastive")] = str(tmp_path / "losses.py") + ":Greedy"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert 1 == done.returncode, done.stderr
    # Final models are not begun: nothing was selected.
    assert {"planned": 5, "done": 2, "cached": 0, "failed": 0, "lost": 2} == units(done)
    assert 2 == done.stderr.count("lost: it used more than the limit of 1500 MB, 2 times")
    assert {"raw", "untrained"} == {result["unit"]["method"]["loss"] for result in results(tmp_path / "out" / "tiny" / "records").values()}
    assert [] == list((tmp_path / "out" / "tiny" / "running").iterdir())


@pytest.mark.parametrize(
    "arguments", [["plugins"], ["plugins", "--json"], ["plugins", "--errors"], ["list"], ["run", "--loss", "tripplet"], ["doctor"]], ids=str
)
def test_a_plugin_whose_name_carries_terminal_codes_moves_no_cursor(tmp_path, arguments):
    """A package whose entry point, and whose error, hold escape sequences: it is named, and nothing a terminal obeys is printed."""
    code = "\x1b[2J\x1b]0;owned\x07"
    (tmp_path / "painted.py").write_text(f"raise ValueError({code!r} + ' gone')\n")
    info = tmp_path / "painted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: painted\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[siambench]\npain{code}ted = painted\n", encoding="utf-8")
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path)}
    del surroundings["SIAMBENCH_PLUGINS"]
    command = [sys.executable, "-m", "siambench", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False, timeout=120)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout + done.stderr
    assert "owned" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_loss_that_prints_does_not_spoil_the_document(root, tmp_path):
    """What a loss prints goes to stderr: `--json` stays one document."""
    (tmp_path / "losses.py").write_text(LOSSES)
    command = [*words(root, tmp_path / "out", "--trials", "1", "--seeds", "1")]
    command[command.index("contrastive")] = str(tmp_path / "losses.py") + ":Chatty"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert 0 == done.returncode, done.stderr
    assert "losses.py:Chatty" == json.loads(done.stdout)["rows"][0]["method"]


FAULTS = Path(__file__).parent / "README.md"


def test_every_fault_of_the_table_names_a_test_that_is_there():
    """Each line of the table of faults names a test, and that test exists."""
    lines = [line.split("|") for line in FAULTS.read_text().splitlines() if line.startswith("| ") and "`test_" in line]
    assert len(lines) >= 15
    tests = {path: path.read_text() for path in Path(__file__).parent.parent.rglob("test_*.py")}
    for cells in lines:
        for name in [part.strip("` ") for part in cells[-2].split(",")]:
            assert any(f"def {name}(" in text for text in tests.values()), name

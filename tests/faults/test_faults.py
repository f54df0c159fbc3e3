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

import psutil
import pytest
from shared import exam_folder, plugin_folder, records_of, wait_for_records

UNITS = 18
"""Of the tiny track with its baselines: 6 trials on 2 folds, 3 repetitions, 1 and 3 baselines."""

METHOD = ("--loss", "triplet", "--miner", "hard")


def words(track, out, *more, method=METHOD):
    return ["run", "--track", str(track), *method, "--jobs", "2", "--out", str(out), "--json", *more]


def command(track, out):
    return [sys.executable, "-m", "siambench", *words(track, out)]


def units(done):
    return json.loads(done.stdout)["units"]


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
def test_a_full_disk_loses_units_and_no_record(siambench, undisturbed, small_disk):
    """While a record is written the disk is full: those units are lost, exit 1, no half record; with room the same command ends well."""
    done = siambench(*words(undisturbed.track, small_disk / "out"))
    assert 1 == done.returncode
    assert "units were lost" in done.stderr.splitlines()[-1]
    assert "No space left" in done.stderr
    kept = records_of(exam_folder(small_disk / "out") / "records")
    assert 0 < len(kept) < UNITS
    assert [] == list((exam_folder(small_disk / "out") / "records").glob(".*"))
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    again = siambench(*words(undisturbed.track, small_disk / "out"))
    assert 0 == again.returncode, again.stderr
    assert len(kept) == units(again)["cached"]
    assert undisturbed.outcomes == records_of(exam_folder(small_disk / "out") / "records")


def test_a_read_only_folder_is_refused_in_one_sentence(siambench, undisturbed, small_disk):
    """An output folder on a disk that cannot be written is exit 4 before anything runs."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = siambench(*words(undisturbed.track, small_disk / "out"))
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert 4 == done.returncode
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert "" == done.stdout


@pytest.mark.slow
def test_sigterm_drains(siambench, undisturbed, tmp_path):
    """SIGTERM, as a cluster sends it, lets the running units end: exit 2, their records kept; the same command goes on."""
    run = subprocess.Popen(command(undisturbed.track, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(exam_folder(tmp_path) / "records", 2, run)
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=120)
    assert 2 == run.returncode
    assert "interrupted" in err.splitlines()[-1]
    again = siambench(*words(undisturbed.track, tmp_path))
    assert 0 == again.returncode, again.stderr
    assert UNITS == units(again)["cached"] + units(again)["done"]
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path) / "records")


def logged(folder):
    lines = (exam_folder(folder) / "test-openings.jsonl").read_text().splitlines()
    return {json.loads(line)["unit"] for line in lines if line.strip()}


@pytest.mark.long
def test_twenty_kills_at_random_moments_change_nothing(siambench, undisturbed, tmp_path):
    """`kill -9` of the coordinator at twenty random moments, each time the same command again: the results of an undisturbed run.

    A run that ends before it is killed is compared, and the next one begins in a new folder, so that there are twenty kills.
    """
    moments, expected = random.Random(20), undisturbed.outcomes
    finals = {key for key, found in expected.items() if found["unit"]["kind"] == "final"}
    out, killed, ended = tmp_path / "0", 0, 0
    while killed < 20:
        run = subprocess.Popen(command(undisturbed.track, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert 0 == run.wait(timeout=moments.uniform(0.3, 4.0))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            killed += 1
            continue
        assert expected == records_of(exam_folder(out) / "records")
        assert finals == logged(out)
        ended += 1
        out = tmp_path / str(ended)
    last = siambench(*words(undisturbed.track, out))
    assert 0 == last.returncode, last.stderr
    assert UNITS == units(last)["cached"] + units(last)["done"]
    assert expected == records_of(exam_folder(out) / "records")
    assert finals == logged(out)


@pytest.mark.slow
def test_a_clock_set_back_changes_nothing(siambench_process, undisturbed, tmp_path):
    """The wall clock jumps an hour back at every look: results are the same, and no time in a record is negative."""
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import itertools, time\n_real, _looks = time.time, itertools.count()\ntime.time = lambda: _real() - 3600 * next(_looks)\n"
    )
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    done = siambench_process(*words(undisturbed.track, tmp_path / "out"), env={"PYTHONPATH": path})
    assert 0 == done.returncode, done.stderr
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path / "out") / "records")
    for record in (exam_folder(tmp_path / "out") / "records").glob("*.json"):
        telemetry = json.loads(record.read_text())["telemetry"]
        assert min(telemetry["total_seconds"], *telemetry["seconds"].values()) >= 0


LOSSES = """
import asyncio, os, sys, time
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

class Exits86(torch.nn.Module):
    def forward(self, embeddings, labels):
        os._exit(86)

class Exits0(torch.nn.Module):
    def forward(self, embeddings, labels):
        os._exit(0)

class Leaves(torch.nn.Module):
    def forward(self, embeddings, labels):
        sys.exit(0)

class Cancels(torch.nn.Module):
    def forward(self, embeddings, labels):
        raise asyncio.CancelledError("by a task")

class Surrogate(torch.nn.Module):
    def forward(self, embeddings, labels):
        raise ValueError("half \\ud83d of a pair" + "x" * 50_000_000)

class Closes(torch.nn.Module):
    def forward(self, embeddings, labels):
        os.closerange(3, 4096)
        return embeddings.square().sum()

class Orphans(torch.nn.Module):
    def forward(self, embeddings, labels):
        if os.fork() == 0:
            time.sleep(600)
        os._exit(1)

class Chatty(torch.nn.Module):
    def forward(self, embeddings, labels):
        print("{'not': 'json'}")
        return embeddings.square().sum() * labels.float().mean()
"""


@pytest.fixture
def with_loss(undisturbed, tmp_path):
    """A run of the tiny track with one of these losses: one trial, one repetition."""
    (tmp_path / "losses.py").write_text(LOSSES)

    def make(name, *more):
        method = ("--loss", f"{tmp_path / 'losses.py'}:{name}")
        return words(undisturbed.track, tmp_path / "out", "--trials", "1", "--repetitions", "1", *more, method=method)

    return make


@pytest.mark.parametrize(
    ("name", "ended", "sentence"),
    [
        ("Coded", "raised", "gone"),
        ("Vector", "raised", "must return a scalar tensor, got shape"),
        ("Nan", "diverged", "the loss became nan"),
    ],
)
def test_a_loss_that_fails_is_a_result_without_control_codes(siambench, siambench_process, with_loss, tmp_path, name, ended, sentence):
    """A loss that raises (with terminal codes in its text), or gives a wrong shape or NaN: exit 0, the reason, nothing a terminal obeys."""
    # Of a process of its own the workers' output is seen too.
    done = (siambench_process if name == "Coded" else siambench)(*with_loss(name))
    assert 0 == done.returncode, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    row = json.loads(done.stdout)["rows"][0]
    assert sentence in row["reason"]
    outcomes = [found["outcome"] for found in records_of(exam_folder(tmp_path / "out") / "records").values()]
    assert {ended} == {outcome["ended"] for outcome in outcomes if outcome["state"] == "failed"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Exits86", "lost: its worker process ended itself (exit code 86), 2 times"),
        pytest.param("Exits0", "lost: its worker process ended itself (exit code 0), 2 times", marks=pytest.mark.slow),
        pytest.param("Closes", "lost: its worker process ", marks=pytest.mark.slow),
        pytest.param("Orphans", "lost: its worker process ended itself (exit code 1), 2 times", marks=pytest.mark.slow),
    ],
)
def test_a_loss_that_ends_its_process_loses_its_unit_alone(siambench, with_loss, name, sentence):
    """`os._exit` in a loss, whatever the code, and all descriptors closed: tried twice, then lost with a true reason; the rest is kept."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    done = siambench(*with_loss(name, "--memory-limit", "5000"))
    assert 1 == done.returncode, done.stderr
    assert {"planned": 5, "done": 2, "cached": 0, "failed": 0, "lost": 1} == units(done)
    assert 1 == done.stderr.count(sentence), done.stderr
    assert "MB" not in done.stderr
    # What a worker started has ended with it; the server that all workers are forked from stays for the next run.
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert len(left) <= 1


@pytest.mark.parametrize(
    ("name", "sentence"), [("Leaves", "SystemExit: 0"), ("Cancels", "CancelledError: by a task"), ("Surrogate", "half")]
)
def test_a_loss_that_raises_what_ends_programs_has_failed(siambench, with_loss, tmp_path, name, sentence):
    """SystemExit, CancelledError and 50 MB of text that is no UTF-8 are results: exit 0, the reason, records that can be read."""
    done = siambench(*with_loss(name))
    assert 0 == done.returncode, done.stderr
    assert sentence in json.loads(done.stdout)["rows"][0]["reason"]
    outcomes = [found["outcome"] for found in records_of(exam_folder(tmp_path / "out") / "records").values()]
    # The one that failed is that of the fold on which trials race: the other fold is not run.
    assert 1 == [outcome["state"] for outcome in outcomes].count("failed")


LEAVING = {
    "siambench_metrics": "return {'leaves': MetricEntry(leave, source='ours')}",
    "siambench_engines": "return {'leaves': EngineEntry(Engine, source='ours')}",
    "siambench_observers": "return {'leaves': ObserverEntry(leave, source='ours')}",
    "siambench_datasets": "return {'leaves': DatasetEntry(leave, source='ours')}",
    "siambench_formats": "return {'leaves': FormatEntry(leave, source='ours')}",
    "siambench_losses": "sys.exit(0)",
}
LEAVE = """
import sys

def leave(*given, **named):
    sys.exit(0)

class Engine:
    def __init__(self, function): pass
    submit = wait = cancel = close = describe = leave
"""


@pytest.mark.parametrize(
    ("hook", "arguments", "code", "sentence"),
    [
        ("losses", ["plugins"], 0, "SystemExit: 0"),
        ("losses", ["run", "--loss", "leaves", "--plan"], 4, "plugins that failed to load: leaver"),
        ("datasets", ["run", "--loss", "triplet", "--dataset", "leaves", "--plan"], 4, "cannot be loaded: SystemExit: 0"),
        ("formats", ["leaderboard", "glyphs", "--format", "leaves"], 4, "breaks: SystemExit: 0"),
        ("engines", ["run", "--loss", "triplet", "--dataset", "digits", "--engine", "leaves", "--out", "out"], 4, "SystemExit: 0"),
    ],
)
def test_sys_exit_in_foreign_code_is_never_silence(siambench, tmp_path, monkeypatch, hook, arguments, code, sentence):
    """`sys.exit(0)` in a hook, a reader, a format, or any method of an engine: a sentence, and no exit code that says all is well."""
    monkeypatch.syspath_prepend(
        str(plugin_folder(tmp_path, f"leaver-{hook}-{len(arguments)}", LEAVE, LEAVING[f"siambench_{hook}"], hook=hook))
    )
    monkeypatch.delenv("SIAMBENCH_PLUGINS")
    done = siambench(*arguments)
    assert code == done.returncode, done.stderr
    assert sentence in done.stderr + done.stdout


@pytest.mark.slow
def test_a_loss_that_exhausts_memory_loses_its_unit_alone(siambench, with_loss, tmp_path):
    """A loss that grows beyond `--memory-limit`: each unit is tried twice, then lost with the reason; baselines are kept; exit 1."""
    done = siambench(*with_loss("Greedy", "--memory-limit", "1500"))
    assert 1 == done.returncode, done.stderr
    # Final models are not begun: nothing was selected.
    assert {"planned": 5, "done": 2, "cached": 0, "failed": 0, "lost": 1} == units(done)
    assert 1 == done.stderr.count("lost: it used more than the limit of 1500 MB, 2 times")
    kept = records_of(exam_folder(tmp_path / "out") / "records").values()
    assert {"raw", "untrained"} == {found["unit"]["method"]["loss"] for found in kept}
    assert [] == list((exam_folder(tmp_path / "out") / "running").iterdir())


@pytest.mark.parametrize(
    "arguments", [["plugins"], ["plugins", "--json"], ["plugins", "--errors"], ["list"], ["run", "--loss", "tripplet"], ["doctor"]], ids=str
)
def test_a_plugin_whose_name_carries_terminal_codes_moves_no_cursor(siambench, tmp_path, monkeypatch, arguments):
    """A package whose entry point, and whose error, hold escape sequences: it is named, and nothing a terminal obeys is printed."""
    code = "\x1b[2J\x1b]0;owned\x07"
    (tmp_path / "painted.py").write_text(f"raise ValueError({code!r} + ' gone')\n")
    info = tmp_path / "painted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: painted\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[siambench]\npain{code}ted = painted\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("SIAMBENCH_PLUGINS")
    done = siambench(*arguments)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout + done.stderr
    assert "owned" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_loss_that_prints_does_not_spoil_the_document(siambench_process, with_loss):
    """What a loss prints goes to stderr: `--json` stays one document."""
    done = siambench_process(*with_loss("Chatty"))
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

"""Whole comparisons: any number of workers, killed and resumed, give the same results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from shared import TINY_TRACK, results, wait_for_records

METHOD = ["--loss", "triplet", "--miner", "hard"]


def command(track, out, *more):
    return [sys.executable, "-m", "siambench", "run", "--track", str(track), *METHOD, "--out", str(out), "--json", *more]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny track and the results of an undisturbed run of it with one worker."""
    folder = tmp_path_factory.mktemp("undisturbed")
    track = folder / "track.toml"
    track.write_text(TINY_TRACK)
    done = subprocess.run(command(track, folder / "out", "--jobs", "1"), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return track, folder / "out" / "tiny", json.loads(done.stdout)


def test_two_workers_give_the_records_of_one(tiny, tmp_path):
    """`--jobs 2` leaves the same records as `--jobs 1`: same units, bit-identical results."""
    track, undisturbed, _ = tiny
    done = subprocess.run(command(track, tmp_path, "--jobs", "2"), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert results(undisturbed / "records") == results(tmp_path / "tiny" / "records")


@pytest.mark.parametrize("after", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4, 12, 15)), 8])
def test_a_killed_coordinator_resumes_to_the_same_results(tiny, tmp_path, after):
    """`kill -9` of the coordinator after some records, then the same command: every result is that of an undisturbed run."""
    track, undisturbed, _ = tiny
    records = tmp_path / "tiny" / "records"
    first = subprocess.Popen(command(track, tmp_path, "--jobs", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_records(records, after, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(results(records)) < 19
    again = subprocess.run(command(track, tmp_path, "--jobs", "2"), capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    units = json.loads(again.stdout)["units"]
    assert 19 == units["done"] + units["cached"]
    assert units["cached"] >= after
    assert results(undisturbed / "records") == results(records)


def test_a_run_leaves_what_it_asks_of_each_study(tiny):
    """Beside the records stand the budgets of the study and of the anchors, by which `status` tells what is planned."""
    _, undisturbed, _ = tiny
    studies = {result["unit"]["study"] for result in results(undisturbed / "records").values()}
    asked = json.loads((undisturbed / "budgets.json").read_text())
    assert studies == set(asked)
    assert {(12, 3), (0, 1), (0, 3)} == {tuple(numbers) for numbers in asked.values()}


def test_a_killed_worker_is_tried_again(tiny, tmp_path):
    """`kill -9` of a worker in the middle of a unit loses nothing: the unit is tried once more, and all results are the same."""
    track, undisturbed, _ = tiny
    run = subprocess.Popen(command(track, tmp_path, "--jobs", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(tmp_path / "tiny" / "records", 2, run)
    victim = workers_of(run.pid)[0]
    os.kill(victim, signal.SIGKILL)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert 0 == json.loads(out)["units"]["lost"]
    assert results(undisturbed / "records") == results(tmp_path / "tiny" / "records")


def workers_of(coordinator: int) -> list[int]:
    """The worker processes: children of the fork server, which is a child of the coordinator."""
    found = []
    for parent in children(coordinator):
        found += [child for child in children(parent) if "resource_tracker" not in cmdline(child)]
    return found


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


@pytest.mark.slow
def test_workers_end_with_a_killed_coordinator(tiny, tmp_path):
    """Nothing keeps running when the coordinator is killed: workers end after their unit."""
    track, _, _ = tiny
    run = subprocess.Popen(command(track, tmp_path, "--jobs", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_records(tmp_path / "tiny" / "records", 2, run)
    processes = [*children(run.pid), *workers_of(run.pid)]
    assert len(processes) >= 3
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [] == [cmdline(pid) for pid in processes if alive(pid)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_the_first_ctrl_c_drains(tiny, tmp_path):
    """SIGINT lets the running units end, keeps their records, and exits 2 with one sentence; the same command goes on."""
    track, undisturbed, _ = tiny
    run = subprocess.Popen(command(track, tmp_path, "--jobs", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(tmp_path / "tiny" / "records", 2, run)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert 2 == run.returncode
    assert "Traceback" not in err
    assert "interrupted" in err.splitlines()[-1]
    kept = results(tmp_path / "tiny" / "records")
    assert 2 <= len(kept) < 19
    again = subprocess.run(command(track, tmp_path, "--jobs", "2"), capture_output=True, text=True, check=True, timeout=300)
    assert len(kept) == json.loads(again.stdout)["units"]["cached"]
    assert results(undisturbed / "records") == results(tmp_path / "tiny" / "records")


@pytest.mark.slow
def test_the_second_ctrl_c_stops(tmp_path):
    """While the first Ctrl-C waits for units that take long, a second ends the run and its workers at once: exit 2, one sentence."""
    (tmp_path / "track.toml").write_text(TINY_TRACK)
    (tmp_path / "slow.py").write_text(
        "import time, torch\n"
        "class Slow(torch.nn.Module):\n"
        "    def forward(self, embeddings, labels):\n"
        "        time.sleep(120)\n"
        "        return embeddings.sum()\n"
    )
    words = [sys.executable, "-m", "siambench", "run", "--track", "track.toml", "--loss", "./slow.py:Slow", "--jobs", "2", "--out", "out"]
    run = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for_records(tmp_path / "out" / "tiny" / "records", 4, run)  # the anchors
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out" / "tiny" / "running").glob("*.json"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    processes = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(timeout=3)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert 2 == run.returncode
    assert "interrupted" in err.splitlines()[-1]
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert [] == alive
    assert [] == list((tmp_path / "out" / "tiny" / "running").iterdir())


def test_garbage_among_the_records_is_passed_over(tiny, tmp_path):
    """A truncated record is run again, foreign files are left alone, and the results are the same."""
    track, undisturbed, first = tiny
    records = tmp_path / "tiny" / "records"
    records.mkdir(parents=True)
    for path in (undisturbed / "records").glob("*.json"):
        (records / path.name).write_bytes(path.read_bytes())
    broken = sorted(records.glob("*.json"))[3]
    broken.write_bytes(broken.read_bytes()[:200])
    (records / "notes.json").write_text("{}")
    (records / ".half.part").write_text("{")
    again = subprocess.run(command(track, tmp_path), capture_output=True, text=True, check=True, timeout=300)
    document = json.loads(again.stdout)
    assert (1, 18) == (document["units"]["done"], document["units"]["cached"])
    assert [row["scores"] for row in first["rows"]] == [row["scores"] for row in document["rows"]]
    assert "{}" == (records / "notes.json").read_text()


def test_only_final_units_open_the_test_part(tiny):
    """The log of test openings names every final unit and anchor once, and no tune unit; the table counts them."""
    _, undisturbed, document = tiny
    opened = [json.loads(line)["unit"] for line in (undisturbed / "test-openings.jsonl").read_text().split()]
    kinds = {key: result["unit"]["kind"] for key, result in results(undisturbed / "records").items()}
    assert sorted(key for key, kind in kinds.items() if kind == "final") == sorted(opened)
    assert {"triplet+hard": 3, "raw": 1, "untrained": 3} == {row["method"]: row["test_opened"] for row in document["rows"]}


def test_tune_records_hold_no_test_scores(tiny):
    """A tune unit's record has validation scores of the primary metric alone."""
    _, undisturbed, _ = tiny
    tuned = [result for result in results(undisturbed / "records").values() if result["unit"]["kind"] == "tune"]
    assert 12 == len(tuned)
    assert [{}] * 12 == [result["scores"] for result in tuned]
    assert {("map@r",)} == {tuple(epoch["validation"]) for result in tuned for epoch in result["curve"]}


def test_final_records_hold_per_class_scores(tiny):
    """A final record has one recall per test class, whose mean over queries is the score."""
    _, undisturbed, _ = tiny
    final = next(r for r in results(undisturbed / "records").values() if r["unit"]["method"]["loss"] == "raw")
    assert 5 == len(final["per_class"]["recall@1"])
    assert all(0 <= value <= 1 for value in final["per_class"]["recall@1"])


def test_trial_0_is_the_declared_default(tiny):
    """The first trial of a study has the declared default of every parameter."""
    _, undisturbed, _ = tiny
    first = next(r["unit"] for r in results(undisturbed / "records").values() if r["unit"]["trial"] == 0 and r["unit"]["kind"] == "tune")
    expected = {"loss.margin": 0.1, "miner.warmup": 0.33, "optimiser.lr": 3e-3, "optimiser.weight_decay": 1e-4}
    assert expected == first["params"]


def test_final_models_stop_at_the_selected_epoch(tiny):
    """Final units train as many epochs as the selected trial's best epoch, with the parameters of that trial."""
    _, undisturbed, document = tiny
    row = document["rows"][0]
    finals = [
        r for r in results(undisturbed / "records").values() if r["unit"]["kind"] == "final" and r["unit"]["method"]["loss"] == "triplet"
    ]
    assert 3 == len(finals)
    for result in finals:
        assert row["params"] == result["unit"]["params"]
        assert result["unit"]["stop_epoch"] == len(result["curve"])


@pytest.mark.slow
def test_more_trials_go_on_from_the_recorded_ones(tiny, tmp_path):
    """Raising the budget keeps the trials that were run: the larger study begins with the smaller one."""
    track, undisturbed, _ = tiny
    records = tmp_path / "tiny" / "records"
    records.mkdir(parents=True)
    for path in (undisturbed / "records").glob("*.json"):
        (records / path.name).write_bytes(path.read_bytes())
    again = subprocess.run(command(track, tmp_path, "--trials", "8"), capture_output=True, text=True, check=True, timeout=300)
    units = json.loads(again.stdout)["units"]
    assert units["cached"] >= 12 + 4
    assert 8 == json.loads(again.stdout)["rows"][0]["trials"]


@pytest.mark.slow
def test_a_lost_unit_exits_1_and_is_tried_again(tmp_path):
    """A unit over its time limit is lost: exit 1 with the reason, no record; without the limit the same command ends well."""
    track = tmp_path / "track.toml"
    track.write_text(TINY_TRACK)
    (tmp_path / "slow.py").write_text(
        "import os, time, torch\n"
        "class Slow(torch.nn.Module):\n"
        "    def forward(self, embeddings, labels, indices=None):\n"
        "        time.sleep(60 if os.environ.get('SIAMBENCH_TEST_SLOW') else 0)\n"
        "        return (embeddings ** 4).sum()\n"
    )
    words = [sys.executable, "-m", "siambench", "run", "--track", str(track), "--loss", "./slow.py:Slow", "--trials", "1", "--seeds", "1"]
    surroundings = {**os.environ, "SIAMBENCH_TEST_SLOW": "1"}
    done = subprocess.run([*words, "--time-limit", "6"], cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "limit of 6 s" in done.stderr
    assert "2 lost" in done.stderr
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == again.returncode, again.stderr


def test_python_run_from_a_script_without_a_guard(tmp_path):
    """`siambench.run` works from a plain script: workers do not import it again."""
    (tmp_path / "track.toml").write_text(TINY_TRACK)
    (tmp_path / "script.py").write_text(
        "print('once')\n"
        "import siambench\n"
        "rows = siambench.run(track='track.toml', loss='contrastive', feed='pairs', trials=1, seeds=1, jobs=1)\n"
        "print(list(rows['method']))\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert 0 == done.returncode, done.stderr
    assert ["once", "['contrastive:pairs', 'raw', 'untrained']"] == done.stdout.splitlines()

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
from shared import TINY_TRACK, exam_folder, plugin_folder, records_of, wait_for_records

from siambench.components.catalogue import Catalogue
from siambench.execution import coordinator
from siambench.records.folder import Folder
from siambench.records.record import write
from siambench.studies.request import Request, prepare

METHOD = ["--loss", "triplet", "--miner", "hard"]


def words(track, out, *more):
    """A run of the tiny track, as arguments of the command line."""
    return ["run", "--track", str(track), *METHOD, "--out", str(out), "--json", *more]


def command(track, out, *more):
    """The same as a command of its own process, for what is done to processes."""
    return [sys.executable, "-m", "siambench", *words(track, out, *more)]


def test_two_workers_give_the_records_of_one(siambench, undisturbed, tmp_path):
    """`--jobs 2` leaves the same records as `--jobs 1`: same units, bit-identical results."""
    done = siambench(*words(undisturbed.track, tmp_path, "--jobs", "2"))
    assert done.returncode == 0, done.stderr
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path) / "records")


@pytest.mark.parametrize("after", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4, 12, 15)), 8])
def test_a_killed_coordinator_resumes_to_the_same_results(siambench, undisturbed, tmp_path, after):
    """`kill -9` of the coordinator after some records, then the same command: every result is that of an undisturbed run."""
    records = exam_folder(tmp_path) / "records"
    first = subprocess.Popen(command(undisturbed.track, tmp_path, "--jobs", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_records(records, after, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(records_of(records)) < 18
    again = siambench(*words(undisturbed.track, tmp_path, "--jobs", "2"))
    assert again.returncode == 0, again.stderr
    units = json.loads(again.stdout)["units"]
    assert 18 == units["done"] + units["cached"]
    assert units["cached"] >= after
    assert undisturbed.outcomes == records_of(records)


def test_a_run_leaves_what_it_asks_of_each_row(undisturbed):
    """Beside the records stand the budgets of the row and of the baselines, by which `status` tells what is planned."""
    rows = {found["unit"]["row"] for found in undisturbed.outcomes.values()}
    asked = json.loads((undisturbed.folder / "budgets.json").read_text())
    assert rows == set(asked)
    expected = [{"studies": 1, "trials": trials, "repetitions": number} for trials, number in ((0, 1), (0, 3), (6, 3))]
    assert expected == sorted(asked.values(), key=lambda budget: (budget["trials"], budget["repetitions"]))


def test_a_killed_worker_is_tried_again(undisturbed, tmp_path):
    """`kill -9` of a worker in the middle of a unit loses nothing: the unit is tried once more, and all results are the same."""
    run = subprocess.Popen(command(undisturbed.track, tmp_path, "--jobs", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(exam_folder(tmp_path) / "records", 2, run)
    victim = workers_of(run.pid)[0]
    os.kill(victim, signal.SIGKILL)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert 0 == json.loads(out)["units"]["lost"]
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path) / "records")


def workers_of(coordinator: int) -> list[int]:
    """The worker processes: children of the server that has read the data, which is forked from the coordinator's child."""
    servers = [server for first in children(coordinator) for server in children(first)]
    return [worker for server in servers for worker in children(server)]


def descendants(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


HANGS = """
import time
import torch

class Hangs(torch.nn.Module):
    def forward(self, embeddings, labels):
        while True:
            time.sleep(1)
"""


def test_workers_whose_unit_hangs_end_with_a_killed_coordinator(undisturbed, tmp_path):
    """`kill -9` of the coordinator while its units hang: workers and fork server are gone within ten seconds."""
    (tmp_path / "hangs.py").write_text(HANGS)
    arguments = ["run", "--track", undisturbed.track, "--loss", f"{tmp_path / 'hangs.py'}:Hangs", "--out", tmp_path / "out", "--jobs", "2"]
    run = subprocess.Popen([sys.executable, "-m", "siambench", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The baselines end; then both workers hang.
    wait_for_records(exam_folder(tmp_path / "out") / "records", 4, run)
    time.sleep(1)
    processes = descendants(run.pid)
    assert len(processes) >= 4
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [] == [cmdline(pid) for pid in processes if alive(pid)]


@pytest.mark.slow
def test_workers_end_with_a_killed_coordinator(undisturbed, tmp_path):
    """Nothing keeps running when the coordinator is killed: workers end after their unit."""
    run = subprocess.Popen(command(undisturbed.track, tmp_path, "--jobs", "2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_records(exam_folder(tmp_path) / "records", 2, run)
    processes = descendants(run.pid)
    assert len(processes) >= 4
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
def test_the_first_ctrl_c_drains(siambench, undisturbed, tmp_path):
    """SIGINT lets the running units end, keeps their records, and exits 2 with one sentence; the same command goes on."""
    run = subprocess.Popen(command(undisturbed.track, tmp_path, "--jobs", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_records(exam_folder(tmp_path) / "records", 2, run)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert 2 == run.returncode
    assert "Traceback" not in err
    assert "interrupted" in err.splitlines()[-1]
    kept = records_of(exam_folder(tmp_path) / "records")
    assert 2 <= len(kept) < 18
    again = siambench(*words(undisturbed.track, tmp_path, "--jobs", "2"))
    assert len(kept) == json.loads(again.stdout)["units"]["cached"]
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path) / "records")


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
    wait_for_records(exam_folder(tmp_path / "out") / "records", 4, run)  # the baselines
    deadline = time.monotonic() + 60
    while len(list((exam_folder(tmp_path / "out") / "running").glob("*.json"))) < 2:
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
    assert [] == list((exam_folder(tmp_path / "out") / "running").iterdir())


def test_garbage_among_the_records_is_passed_over(siambench, undisturbed, tmp_path):
    """A truncated record is run again, foreign files are left alone, and the results are the same."""
    records = exam_folder(tmp_path) / "records"
    records.mkdir(parents=True)
    for path in (undisturbed.folder / "records").glob("*.json"):
        (records / path.name).write_bytes(path.read_bytes())
    broken = sorted(records.glob("*.json"))[3]
    broken.write_bytes(broken.read_bytes()[:200])
    (records / "notes.json").write_text("{}")
    (records / ".half.part").write_text("{")
    again = siambench(*words(undisturbed.track, tmp_path))
    document = json.loads(again.stdout)
    assert (1, 17) == (document["units"]["done"], document["units"]["cached"])
    assert [row["scores"] for row in json.loads(undisturbed.stdout)["rows"]] == [row["scores"] for row in document["rows"]]
    assert "{}" == (records / "notes.json").read_text()


def test_only_final_units_open_the_test_part(undisturbed):
    """The log of test openings names every final unit and baseline once, and no tune unit; the table counts them."""
    opened = [json.loads(line)["unit"] for line in (undisturbed.folder / "test-openings.jsonl").read_text().split()]
    kinds = {key: found["unit"]["kind"] for key, found in undisturbed.outcomes.items()}
    assert sorted(key for key, kind in kinds.items() if kind == "final") == sorted(opened)
    rows = json.loads(undisturbed.stdout)["rows"]
    assert {"triplet+hard": 3, "raw": 1, "untrained": 3} == {row["method"]: row["test_opened"] for row in rows}


def test_tune_records_hold_no_test_scores(undisturbed):
    """A tune unit's record has validation scores of the primary metric alone."""
    tuned = [found["outcome"] for found in undisturbed.outcomes.values() if found["unit"]["kind"] == "tune"]
    assert 4 + 3 + 2 + 2 == len(tuned)
    assert [{}] * 11 == [outcome["scores"] for outcome in tuned]
    assert {("map@r",)} == {tuple(outcome["curve"][-1]["validation"]) for outcome in tuned}


def test_final_records_hold_per_class_scores(undisturbed):
    """A final record has one recall per test class, whose mean over queries is the score."""
    final = next(found["outcome"] for found in undisturbed.outcomes.values() if found["unit"]["method"]["loss"] == "raw")
    values, queries = final["per_class"]["recall@1"], final["class_queries"]
    assert 5 == len(values) == len(queries)
    assert all(0 <= value <= 1 for value in values)
    mean = sum(value * number for value, number in zip(values, queries, strict=True)) / sum(queries)
    assert final["scores"]["recall@1"] == pytest.approx(mean, abs=1e-6)


def test_trial_0_is_the_declared_default(undisturbed):
    """The first trial of a study has the declared default of every parameter."""
    units = [found["unit"] for found in undisturbed.outcomes.values()]
    first = next(unit for unit in units if unit["trial"] == 0 and unit["kind"] == "tune")
    expected = {"loss.margin": 0.1, "miner.warmup": 0.33, "optimiser.lr": 3e-3, "optimiser.weight_decay": 1e-4}
    assert expected == first["params"]


def test_final_models_stop_at_the_selected_epoch(undisturbed):
    """Final units train as many epochs as the selected trial's best epoch, with the parameters of that trial."""
    row = json.loads(undisturbed.stdout)["rows"][0]
    found = undisturbed.outcomes.values()
    finals = [one for one in found if one["unit"]["kind"] == "final" and one["unit"]["method"]["loss"] == "triplet"]
    assert 3 == len(finals)
    for one in finals:
        assert row["params"] == one["unit"]["params"]
        assert one["unit"]["stop_epoch"] == len(one["outcome"]["curve"])


@pytest.mark.slow
def test_more_trials_go_on_from_the_recorded_ones(siambench, undisturbed, tmp_path):
    """Raising the budget keeps the trials that were run: the larger study begins with the smaller one."""
    records = exam_folder(tmp_path) / "records"
    records.mkdir(parents=True)
    for path in (undisturbed.folder / "records").glob("*.json"):
        (records / path.name).write_bytes(path.read_bytes())
    again = siambench(*words(undisturbed.track, tmp_path, "--trials", "8"))
    units = json.loads(again.stdout)["units"]
    assert units["cached"] >= 12 + 4
    assert 8 == json.loads(again.stdout)["rows"][0]["trials"]


@pytest.mark.slow
def test_a_lost_unit_exits_1_and_is_tried_again(siambench, tmp_path):
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
    run = ["run", "--track", track, "--loss", "./slow.py:Slow", "--trials", "1", "--repetitions", "1"]
    done = siambench(*run, "--time-limit", "6", env={"SIAMBENCH_TEST_SLOW": "1"})
    assert 1 == done.returncode
    assert "limit of 6 s" in done.stderr
    assert "1 lost" in done.stderr
    again = siambench(*run)
    assert 0 == again.returncode, again.stderr


def test_python_run_from_a_script_without_a_guard(tmp_path):
    """`siambench.run` works from a plain script: workers do not import it again."""
    (tmp_path / "track.toml").write_text(TINY_TRACK)
    (tmp_path / "script.py").write_text(
        "print('once')\n"
        "import siambench\n"
        "rows = siambench.run(track='track.toml', loss='contrastive', feed='pairs', trials=1, repetitions=1, jobs=1)\n"
        "print(list(rows['method']))\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert 0 == done.returncode, done.stderr
    assert ["once", "['contrastive:pairs', 'raw', 'untrained']"] == done.stdout.splitlines()


OBSERVERS = """
class Counts:
    def __init__(self):
        self.epochs = 0

    def epoch_ended(self, event):
        self.epochs += 1

    def unit_ended(self, event):
        return {"epochs": self.epochs}


class Breaks:
    def unit_started(self, event):
        import torch
        torch.rand(3)

    def epoch_ended(self, event):
        raise OSError("no room")
"""


def test_an_observer_that_raises_is_named_once_and_changes_nothing(siambench, undisturbed, tmp_path, monkeypatch):
    """Dropped in every unit that trains, it is told of once; another gathers what it hears; records are those of an unwatched run."""
    body = 'return {"counts": ObserverEntry(Counts, source="made up"), "breaks": ObserverEntry(Breaks, source="made up")}'
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    plugin_folder(plugin, "watching", OBSERVERS, body, hook="observers")
    watched = words(undisturbed.track, tmp_path / "out", "--jobs", "2", "--observe", "breaks", "--observe", "counts")
    # Workers look where this process looks.
    monkeypatch.syspath_prepend(str(plugin))
    done = siambench(*watched, env={"SIAMBENCH_PLUGINS": "watching"})
    assert 0 == done.returncode, done.stderr
    dropped = [line for line in done.stderr.splitlines() if "was dropped" in line]
    assert 1 == len(dropped)
    assert dropped[0].startswith("the observer breaks was dropped: OSError: no room (first in ")
    assert "the observer counts took " in done.stderr
    assert undisturbed.outcomes == records_of(exam_folder(tmp_path / "out") / "records")
    for path in (exam_folder(tmp_path / "out") / "records").glob("*.json"):
        record = json.loads(path.read_text())
        told, epochs = record["telemetry"]["observers"], len(record["outcome"]["curve"])
        assert ("OSError: no room" if epochs else None) == told["breaks"]["error"]
        assert {"epochs": epochs} == told["counts"]["gathered"]


def test_studies_go_round_by_round_and_the_rest_is_told(siambench, undisturbed, tmp_path):
    """`--studies all` runs every method's study 0 before any study 1 is needed, in the end the row is full; one study says what is left."""
    track = tmp_path / "track.toml"
    track.write_text(
        Path(undisturbed.track).read_text().replace("studies = 1", "studies = 2").replace("repetitions = 3", "repetitions = 1")
    )
    words_of = (
        "run",
        "--track",
        track,
        "--loss",
        "triplet",
        "--loss",
        "contrastive",
        "--trials",
        "2",
        "--jobs",
        "1",
        "--out",
        tmp_path / "out",
    )
    first = siambench(*words_of, "--json")
    assert 0 == first.returncode, first.stderr
    assert "1 of 2 studies, so not ranked yet; the other 1 study would take about " in first.stderr
    assert [None, None] == [row["rank"] for row in json.loads(first.stdout)["rows"] if row["method"] in ("triplet", "contrastive")]
    whole = siambench(*words_of, "--studies", "all", "--json")
    assert 0 == whole.returncode, whole.stderr
    assert "not ranked yet" not in whole.stderr
    document = json.loads(whole.stdout)
    assert {"lost": 0, "failed": 0} == {key: document["units"][key] for key in ("lost", "failed")}
    assert document["units"]["planned"] == document["units"]["done"] + document["units"]["cached"]
    rows = {row["method"]: row for row in document["rows"]}
    assert {2} == {rows[name]["studies"] for name in ("triplet", "contrastive")}
    ordered = [line.split(" study 1 ")[0] for line in whole.stderr.splitlines() if " study 1 " in line]
    assert {"triplet", "contrastive"} <= {line.split()[-1] for line in ordered}


def test_a_baseline_that_came_with_siambench_is_not_made_again(undisturbed, tmp_path, monkeypatch):
    """Where the very unit lies among the shipped records, its record is taken, and kept in the output folder under this exam."""
    records = [record for record in Folder(undisturbed.folder).read().records if record.unit.method.baseline]
    shipped = Folder(tmp_path / "shipped")
    for record in records:
        write(shipped.records, record)
    monkeypatch.setattr("siambench.board.files.shipped_folder", lambda _: shipped)
    prepared = prepare(Request(track=str(undisturbed.track), losses=("triplet",), miners=("hard",)), Catalogue.load())

    def no_engine():
        raise AssertionError("a unit was to be run")

    with pytest.raises(AssertionError, match="a unit was to be run"):
        coordinator.run(prepared, out=tmp_path / "out", engine=no_engine)
    kept = Folder.of(tmp_path / "out", prepared.track, prepared.exam).read().records
    assert {record.id for record in records} == {record.id for record in kept}

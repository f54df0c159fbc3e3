from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from siambench_trackers import apart

HAS_MLFLOW = importlib.util.find_spec("mlflow") is not None
HAS_WANDB = importlib.util.find_spec("wandb") is not None


@pytest.fixture
def handed(monkeypatch):
    """What a tracker's process is started with; ``fails`` says how it ends."""
    calls, how = [], SimpleNamespace(returncode=0, stderr=b"", late=False)

    def run(command, **given):
        if how.late:
            raise subprocess.TimeoutExpired(command, given["timeout"])
        calls.append((command, json.loads(given["input"]), given["env"]))
        return how

    monkeypatch.setattr(apart.subprocess, "run", run)
    return SimpleNamespace(calls=calls, how=how)


def test_a_unit_is_handed_on_whole(tmp_path, handed, life, tell, monkeypatch):
    """When it ends, and not before, its name, parameters, numbers and scores go to a process, once; nothing is sent home unasked."""
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    observer = apart.mlflow("http://there", tmp_path / "mlflow")
    tell(observer, life()[:-1])
    assert handed.calls == []
    assert not (tmp_path / "mlflow").exists()
    tell(observer, life()[-1:])
    ((command, unit, environment),) = handed.calls

    assert command[1:] == ["-m", "siambench_trackers.mlflow_run", str(tmp_path / "mlflow")]
    assert (unit["where"], unit["name"], unit["error"]) == ("http://there", "triplet+hard trial 3 fold 1 1a2b3c4d", None)
    assert [(point["epoch"], point["numbers"]["loss"]) for point in unit["points"]] == [(1, 0.75), (2, 0.5)]
    assert unit["params"] == {"loss.margin": 0.25, "loss.swap": True, "miner.count": 2, "loss.kind": "plain"}
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ


def test_without_an_argument_runs_are_kept_beside_the_records(tmp_path, handed, life, tell):
    """MLflow's database lies in the observer's folder, whole path; W&B's project is siambench."""
    tell(apart.mlflow(None, tmp_path / "mlflow"), life())
    tell(apart.wandb(None, tmp_path / "wandb"), life())

    assert [unit["where"] for _, unit, _ in handed.calls] == [f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}", "siambench"]


def test_a_tracker_that_fails_is_one_sentence(tmp_path, handed, life, tell):
    """What it said last, its exit code where it said nothing, and that it took too long."""
    handed.how.returncode = 1
    for said, sentence in ((b"Traceback\nOSError: no room\n", "mlflow failed: OSError: no room"), (b"", "mlflow failed: exit code 1")):
        handed.how.stderr = said
        with pytest.raises(RuntimeError) as raised:
            tell(apart.mlflow(None, tmp_path), life())
        assert str(raised.value) == sentence
    handed.how.late = True
    with pytest.raises(RuntimeError, match=r"mlflow was not done with triplet.hard trial 3 fold 1 1a2b3c4d after 300 s"):
        tell(apart.mlflow(None, tmp_path), life())


@pytest.mark.skipif(not HAS_MLFLOW, reason="the extra mlflow is not installed")
def test_mlflow_keeps_runs(tmp_path, life, tell):
    """Units that end at the same time, one of them badly, are two runs of one experiment, with all that was told of them."""
    lives = [life(), life(error="the loss became nan", method="npair")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda events: tell(apart.mlflow(None, tmp_path), events), lives))
    code = (
        "import json, sys; from mlflow.tracking import MlflowClient; c = MlflowClient(tracking_uri=sys.argv[1])\n"
        "e, = [e for e in c.search_experiments() if e.name == 'siambench glyphs']\n"
        "runs = sorted(c.search_runs([e.experiment_id]), key=lambda r: r.info.status)\n"
        "history = [(m.step, m.value) for m in c.get_metric_history(runs[1].info.run_id, 'loss')]\n"
        "print(json.dumps([[(r.info.status, r.data.params, r.data.tags, r.data.metrics) for r in runs], history]))"
    )
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    done = subprocess.run([apart.sys.executable, "-c", code, uri], capture_output=True, text=True, check=True, timeout=300)
    ((failed, finished), history) = json.loads(done.stdout)

    assert (failed[0], finished[0]) == ("FAILED", "FINISHED")
    assert finished[1] == {"loss.margin": "0.25", "loss.swap": "True", "miner.count": "2", "loss.kind": "plain"}
    assert finished[2]["siambench.kind"] == "tune"
    assert failed[2]["siambench.error"] == "the loss became nan"
    assert finished[3]["test/map-at-r"] == 0.5
    assert sorted(map(tuple, history)) == [(1, 0.75), (2, 0.5)]


@pytest.mark.skipif(not HAS_WANDB, reason="the extra wandb is not installed")
def test_wandb_leaves_an_offline_run(tmp_path, life, tell):
    """A unit is one offline run beside the records, which holds its parameters, numbers and scores, and no file of the machine's code."""
    tell(apart.wandb("letters", tmp_path), life())
    (run,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    held = run.read_bytes()

    for text in (
        b"letters",
        b"triplet+hard trial 3 fold 1 1a2b3c4d",
        b"loss.margin",
        b"validation/map@r",
        b"test/map@r",
        b"siambench/kind",
    ):
        assert text in held

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys

import pytest
from siambench.testing.contracts import check

import siambench_trackers

ENTRIES = siambench_trackers.siambench_observers()


@pytest.mark.parametrize("name", ["tensorboard", pytest.param("wandb"), pytest.param("mlflow")])
def test_contracts(name):
    """Each tracker that is installed keeps the contracts of observers; of one that is not the reason is that it is missing."""
    outcomes = check(name, kind="observers")

    assert [outcome for outcome in outcomes if outcome.state == "failed"] == []
    if importlib.util.find_spec(name) is None:
        assert f"the package {name} is not installed: pip install 'siambench-trackers[{name}]'" in {o.reason for o in outcomes}
    else:
        assert {outcome.state for outcome in outcomes} == {"passed"}


def test_the_plugin_is_light():
    """Listing observers imports neither torch nor any tracker."""
    code = (
        "import sys\nfrom siambench.cli import main\ntry:\n    main(['list', 'observers'])\n"
        "finally:\n    print([m for m in ('torch', 'tensorboard', 'mlflow', 'wandb') if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0
    assert {"tensorboard", "mlflow", "wandb"} <= set(done.stdout.split())
    assert done.stderr.strip() == "[]"


@pytest.fixture
def there(monkeypatch):
    """All trackers look installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_missing_package_is_one_sentence(monkeypatch, name):
    """Without its package each says which it is and how it is had, before anything runs."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert ENTRIES[name].unready("anything") == f"the package {name} is not installed: pip install 'siambench-trackers[{name}]'"


@pytest.mark.usefixtures("there")
def test_arguments_that_hold(tmp_path):
    """Nothing, a folder that need not be there, a database, a server that listens, a project."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        given = [
            *((name, None) for name in ENTRIES),
            ("tensorboard", str(tmp_path / "new")),
            ("mlflow", f"sqlite:///{tmp_path / 'a.db'}"),
            ("mlflow", address),
            ("wandb", "letters of ten scripts"),
        ]
        assert [ENTRIES[name].unready(argument) for name, argument in given] == [None] * len(given)


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("name", "argument", "sentence"),
    [
        ("tensorboard", __file__, f"{__file__} is a file: name a folder for its event files"),
        ("mlflow", "mlruns", "'mlruns' is no tracking server (http:// or https://) and no database (sqlite:///FILE)"),
        ("mlflow", "http://[::1", "'http://[::1' is no address: "),
        ("mlflow", "http://a:b@127.0.0.1", "an address is written into records: say who you are in MLFLOW_TRACKING_USERNAME"),
        ("mlflow", "http://127.0.0.1:9", "the tracking server http://127.0.0.1:9 does not answer: "),
        ("wandb", "a/b", "'a/b' is no name of a project: at most 128 characters, none of / \\ # ? % :"),
        ("wandb", "x" * 129, "'xxx"),
    ],
)
def test_arguments_that_do_not(name, argument, sentence):
    """What cannot be meant is said in one sentence, without anything being written or a password shown."""
    said = ENTRIES[name].unready(argument)

    assert said.startswith(sentence)
    assert "\n" not in said


def test_a_run_ends_before_it_begins_where_a_tracker_cannot(tmp_path):
    """`siambench run --observe mlflow:…` with what is no address exits 4 with one sentence, and leaves nothing."""
    command = [sys.executable, "-m", "siambench", "run", "--loss", "triplet", "--dataset", "digits", "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, "--observe", "mlflow:nowhere"], capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 4
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("siambench: the observer mlflow cannot be used here: ")
    assert not (tmp_path / "out").exists()


def test_a_run_is_told_to_tensorboard(tmp_path):
    """A run writes an event file for each unit into the exam's folder, beside its records, and outcomes are those without it."""
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    command = [sys.executable, "-m", "siambench", "run", "--loss", "triplet", "--dataset", "digits", "--jobs", "1", "--trials", "1"]
    command += [
        "--repetitions",
        "1",
        *(part for rule in ("epochs=1", "steps_per_epoch=2", "batch_size=16") for part in ("--set", f"training.{rule}")),
    ]
    for out, more in (("told", ["--observe", "tensorboard"]), ("plain", [])):
        done = subprocess.run([*command, "--out", str(tmp_path / out), *more], capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "was dropped" not in done.stderr
    exam, plain = (next((tmp_path / out).glob("*/records")).parent for out in ("told", "plain"))
    trained = {path.name: json.loads(path.read_text()) for path in (exam / "records").glob("*.json")}

    assert {path.name[-8:] for path in (exam / "observers" / "tensorboard").glob("*/*")} == {name[:8] for name in trained}
    for name, record in trained.items():
        assert record["outcome"] == json.loads((plain / "records" / name).read_text())["outcome"]
        assert record["telemetry"]["observers"]["tensorboard"]["error"] is None

"""What people see of a run while it goes on."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from siambench.commands.progress import Pace, Progress
from siambench.execution.coordinator import Event
from siambench.records.running import Pulse
from siambench.spec import Method
from siambench.studies.plan import anchor_units
from siambench.studies.request import Prepared
from siambench.testing import synthetic_study, synthetic_track


@pytest.fixture
def seconds(monkeypatch):
    """A clock that stands until it is set."""
    now = [0.0]
    monkeypatch.setattr("siambench.commands.progress.time.monotonic", lambda: now[0])
    return now


@pytest.fixture(scope="module")
def prepared():
    """One method with 2 trials on 2 folds and 2 seeds, and 3 anchor units."""
    study = synthetic_study(Method("contrastive"))
    return Prepared(synthetic_track(), (study,), tuple(anchor_units(study, "siambench")), (), {}, "max")


def done(unit, took, value=0.25):
    """The event of a unit that took so long."""
    curve = [{"epoch": 1, "validation": {"map@r": value}}] if unit.kind == "tune" else []
    result = {"state": "done", "curve": curve, "scores": {}, "error": None}
    return Event(unit, "done", None, {"result": result, "telemetry": {"total_seconds": took}})


def test_the_tree_shows_running_units_with_their_epochs(prepared, tmp_path, seconds):
    """Each running unit stands below its method with the epoch that it is in, and anchors below theirs."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    plan = prepared.studies[0]
    with Pulse(str(tmp_path), plan.tune_unit(0, 1, plan.defaults)) as pulse, Pulse(str(tmp_path), prepared.anchors[0]):
        pulse.epoch()
        progress = Progress(console, prepared, tmp_path)
        for trial, fold in ((0, 0), (1, 0), (1, 1)):
            progress.notify(done(plan.tune_unit(trial, fold, plan.defaults), 2.0))
        seconds[0] = 6.0
        console.print(progress._tree())
    lines = out.getvalue().splitlines()[-5:]
    # One tune unit, two final ones and three anchors are left: with no final unit timed, at the pace of the others.
    assert "synthetic 0.0: 3 of 9 units, about 12 s left" in lines[0]
    assert "anchors 0/3" in lines[1]
    assert "raw seed 0, 0 s" in lines[2]
    assert "contrastive: tuning 3/4, final 0/2, best validation map@r 0.250" in lines[3]
    assert "contrastive trial 0 fold 1: epoch 2 of 2, 0 s" in lines[4]


def test_running_units_are_looked_up_once_a_second(prepared, tmp_path, seconds):
    """The tree is drawn more often than the folder is read."""
    progress = Progress(Console(file=io.StringIO()), prepared, tmp_path)
    plan = prepared.studies[0]
    assert [] == progress._look()
    with Pulse(str(tmp_path), plan.tune_unit(0, 0, plan.defaults)):
        seconds[0] = 0.9
        assert [] == progress._look()
        seconds[0] = 1.0
        assert 1 == len(progress._look())


def test_control_codes_of_a_name_are_not_obeyed(prepared, tmp_path, seconds):
    """A running unit whose file was tampered with cannot move the cursor."""
    plan = prepared.studies[0]
    unit = plan.tune_unit(0, 0, plan.defaults)
    with Pulse(str(tmp_path), unit):
        path = tmp_path / f"{unit.id}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "label": "\x1b[2Jgone"}))
        out = io.StringIO()
        Console(file=out, width=120).print(Progress(Console(file=io.StringIO()), prepared, tmp_path)._tree())
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[2Jgone" in out.getvalue()


def test_the_time_left_goes_by_kind_and_by_how_many_run_at_once(seconds):
    """Two at a time, tune units of 4 s and final ones of 10 s: what is left takes half of its work."""
    pace = Pace(tune=6, final=3)
    for kind, took in (("tune", 4.0), ("tune", None), ("tune", 4.0)):
        pace.count(kind, took)
    seconds[0] = 4.0
    assert pace.left() is None
    for kind, took in (("tune", 4.0), ("tune", 4.0), ("final", 10.0)):
        pace.count(kind, took)
    seconds[0] = 13.0
    assert pytest.approx((1 * 4 + 2 * 10) / 2) == pace.left()

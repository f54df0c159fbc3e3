"""What people see of a run while it goes on."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from shared import exam_of, record_of

from siambench.commands.progress import Pace, Progress
from siambench.execution.coordinator import Event
from siambench.interfaces import Done, Epoch, Failed
from siambench.records.running import RunningNote
from siambench.spec import Method
from siambench.studies.baselines import baselines_of
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
    """One method with 2 trials on 2 folds and 2 seeds, and 3 baseline units."""
    study = synthetic_study(Method("contrastive"))
    return Prepared(synthetic_track(), exam_of(study.template), (study,), baselines_of([study]), (), {}, "max")


def note(folder, unit, plan=None):
    """What a running unit leaves of itself."""
    return RunningNote(str(folder), unit, epochs=0 if plan is None else plan.template.training.epochs)


def done(unit, took, value=0.25, state="done"):
    """The event of a unit that took so long."""
    validation = {"map@r": value} if unit.kind == "tune" else None
    outcome = Done(
        scores={} if unit.kind == "tune" else {"map@r": value},
        per_class={},
        class_queries=None,
        curve=(Epoch(epoch=1, loss=1.0, gradient_norm=None, tuples=None, validation=validation),),
        notes={},
        repeat_rate=None,
        directions={"map@r": "max"},
        ranges={"map@r": (0.0, 1.0)},
        over_pairs=(),
    )
    return Event(unit, state, None, record_of(unit, outcome, {"total_seconds": took}))


def test_the_tree_shows_running_units_with_their_epochs(prepared, tmp_path, seconds):
    """Each running unit stands below its method with the epoch that it is in, and baselines below theirs."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    plan = prepared.studies[0]
    with note(tmp_path, plan.tune_unit(0, 1, plan.defaults), plan) as running, note(tmp_path, prepared.baselines[0]):
        running.epoch()
        progress = Progress(console, prepared, tmp_path)
        for trial, fold in ((0, 0), (1, 0), (1, 1)):
            progress.notify(done(plan.tune_unit(trial, fold, plan.defaults), 2.0))
        seconds[0] = 6.0
        console.print(progress._tree())
    lines = out.getvalue().splitlines()[-5:]
    # One tune unit, two final ones and three baselines are left: with no final unit timed, at the pace of the others.
    assert "synthetic 0.0: 3 of 9 units, about 12 s left" in lines[0]
    assert "baselines 0/3" in lines[1]
    assert "raw repetition 0, 0 s" in lines[2]
    assert "contrastive: tuning 3/4, final 0/2, best validation map@r 0.250" in lines[3]
    assert "contrastive trial 0 fold 1: epoch 2 of 2, 0 s" in lines[4]


def test_running_units_are_looked_up_once_a_second(prepared, tmp_path, seconds):
    """The tree is drawn more often than the folder is read."""
    progress = Progress(Console(file=io.StringIO()), prepared, tmp_path)
    plan = prepared.studies[0]
    assert [] == progress._look()
    with note(tmp_path, plan.tune_unit(0, 0, plan.defaults), plan):
        seconds[0] = 0.9
        assert [] == progress._look()
        seconds[0] = 1.0
        assert 1 == len(progress._look())


def test_control_codes_of_a_name_are_not_obeyed(prepared, tmp_path, seconds):
    """A running unit whose file was tampered with cannot move the cursor."""
    plan = prepared.studies[0]
    unit = plan.tune_unit(0, 0, plan.defaults)
    with note(tmp_path, unit, plan):
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


def lines_of(prepared, tmp_path, *events):
    """What is printed of events where there is no terminal."""
    out = io.StringIO()
    with Progress(Console(file=out, width=120), prepared, tmp_path) as progress:
        for event in events:
            progress.notify(event)
    return out.getvalue().splitlines()


def test_elsewhere_each_finished_unit_is_a_line(prepared, tmp_path, seconds):
    """Where there is no terminal each unit that ended has a line: how many, which, how, its score and its time; a cached one has none."""
    plan = prepared.studies[0]
    unit, final = plan.tune_unit(0, 0, plan.defaults), plan.final_unit(0, 1, plan.defaults, 1)
    failed = record_of(unit, Failed(error="it diverged", ended="diverged"), {"total_seconds": 1.0})
    assert [
        "· 1/9 contrastive trial 0 fold 0 done map@r 0.250 2.0 s",
        "· 3/9 contrastive repetition 1 done map@r 0.500 3.0 s",
        "✗ 4/9 contrastive trial 0 fold 0 failed: it diverged",
        "? 5/9 contrastive trial 0 fold 0 lost: its worker was killed",
    ] == lines_of(
        prepared,
        tmp_path,
        done(unit, 2.0),
        done(unit, 2.0, state="cached"),
        done(final, 3.0, value=0.5),
        Event(unit, "failed", "it diverged", failed),
        Event(unit, "lost", "its worker was killed", None),
    )


def test_a_reason_with_control_codes_is_spelt_out(prepared, tmp_path, seconds):
    """What a component raised cannot move the cursor, nor be taken for markup."""
    (line,) = lines_of(prepared, tmp_path, Event(prepared.baselines[0], "lost", "\x1b[2J[red]gone", None))
    assert r"? 1/9 raw repetition 0 lost: \x1b[2J[red]gone" == line


def test_the_best_trial_is_that_of_whole_trials(prepared, tmp_path, seconds):
    """The best validation score is that of a trial whose folds have all ended, and stays where a later trial is worse."""
    plan = prepared.studies[0]
    progress = Progress(Console(file=io.StringIO()), prepared, tmp_path)
    branch = progress._branches[plan.key]
    for trial, fold, value, best in ((0, 0, 0.9, None), (0, 1, 0.1, 0.5), (1, 0, 0.2, 0.5), (1, 1, 0.4, 0.5)):
        progress.notify(done(plan.tune_unit(trial, fold, plan.defaults), 1.0, value=value))
        assert best == branch.best

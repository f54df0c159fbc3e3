"""What a unit costs beside its training, and what a second worker gains."""

from __future__ import annotations

import subprocess
import sys

import pytest

from siambench.components.catalogue import Catalogue
from siambench.execution.calls import PRELOAD, execute
from siambench.execution.engines.local import LocalEngine
from siambench.interfaces import Finished
from siambench.spec import Context
from siambench.studies.request import Request, prepare

QUICK = {"training.epochs": 1, "training.steps_per_epoch": 3}
WORK = ("train", "embed", "evaluate")


@pytest.fixture
def units(small):
    """The exam of glyphs, and tune units of it with the defaults of a loss and other learning rates."""
    prepared = prepare(Request(losses=("contrastive",), changes=QUICK if small else {}), Catalogue.load())
    plan = prepared.studies[0]
    found = [plan.tune_unit(trial, 0, {**plan.defaults, "optimiser.lr": 1e-3 * (trial + 1)}) for trial in range(2 if small else 8)]
    return prepared.exam, found


def test_what_a_unit_takes_outside_training(units, row, tmp_path):
    """From its submission to its report on a warm worker, less training, embedding and evaluation; its record is written."""
    import time

    (tmp_path / "records").mkdir()
    (tmp_path / "running").mkdir()
    exam, units = units
    context = Context(records=str(tmp_path / "records"), running=str(tmp_path / "running"), exam=exam)
    engine = LocalEngine(execute, jobs=1, preload=PRELOAD)
    ran = []

    def run(unit):
        start = time.perf_counter()
        engine.submit(unit.id, unit, context)
        finished = []
        while not finished:
            finished = engine.wait(5)
        (one,) = finished
        assert isinstance(one, Finished), one.reason
        ran.append(unit.id)
        return time.perf_counter() - start - sum(one.value.phases.get(phase, 0.0) for phase in WORK)

    try:
        run(units[0])
        waiting = iter(units[1:])
        row(len(units) - 1).single(
            "a unit outside of training, embedding and evaluation, on a warm worker",
            "",
            aim="≤ 0.15 s",
            work=lambda: run(next(waiting)),
            unit="s outside",
        )
    finally:
        engine.close(now=True)
    assert sorted(ran) == sorted(path.stem for path in (tmp_path / "records").glob("*.json"))
    assert len(ran) >= 2


def test_two_jobs_beside_one(row, small, tmp_path):
    """The same command from start to end, each time into an empty folder, with two workers and with one."""
    budget = ["--trials", "1", "--repetitions", "1", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=3"]
    words = ["--loss", "contrastive", "--loss", "supcon", *(budget if small else ["--trials", "4", "--repetitions", "6"])]
    counter = iter(range(1000))

    def run(jobs):
        out = tmp_path / str(next(counter))
        command = [sys.executable, "-m", "siambench", "run", *words, "--jobs", str(jobs), "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True)
        return {path.stem for path in out.rglob("records/*.json")}

    two, one = row(3).pair(
        "`siambench run --loss contrastive --loss supcon --trials 4 --repetitions 6 --jobs 2`",
        "the same with `--jobs 1`",
        aim="≥ 1.7",
        work=lambda: run(2),
        reference=lambda: run(1),
    )
    assert one == two

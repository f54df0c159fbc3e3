"""What engines are handed: functions that are found by name and import torch in the worker alone."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys

import pytest
from shared import TINY_TRACK

from siambench.components.catalogue import Catalogue
from siambench.errors import LostError, UsageError
from siambench.execution import calls
from siambench.execution.engines.choice import Choice
from siambench.execution.engines.local import LocalEngine
from siambench.execution.places import place_of
from siambench.spec import Context, Method
from siambench.studies.request import Request, prepare
from siambench.testing import synthetic_study


@pytest.fixture(scope="module")
def prepared():
    """A request for two methods on digits, resolved: nothing runs."""
    request = Request(losses=("triplet",), miners=("none", "hard"), dataset="digits", observers=("jsonl:x",))
    return prepare(request, Catalogue.load())


class Started:
    """Stands in the place of a chosen engine, and keeps what it is offered."""

    def start(self, **offered):
        """What is offered, instead of an engine."""
        return offered

    def takes(self, name):
        """An engine that knows places."""
        return name == "place"


def test_importing_them_imports_no_torch():
    """The coordinator can name what runs without torch: that is the workers' to load."""
    code = "import sys, siambench.execution.calls; print({'torch', 'optuna', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()\n" == done.stdout


def test_they_are_found_by_name_elsewhere():
    """What is handed over survives pickling as a name, so that any worker that has siambench can run it."""
    assert calls.execute is pickle.loads(pickle.dumps(calls.execute))
    assert len(pickle.dumps(calls.execute)) < 100
    assert [] == [module for module in calls.PRELOAD if importlib.util.find_spec(module) is None]


def test_a_call_runs_a_unit(prepared):
    """`execute` gives the record of its unit; a unit whose data is not there is lost, with the reason."""
    record = calls.execute(prepared.baselines[0], Context(exam=prepared.exam))
    assert (prepared.baselines[0], "done") == (record.unit, record.outcome.state)
    study = synthetic_study(Method("triplet"))
    with pytest.raises(LostError, match="unknown data set 'synthetic'"):
        calls.execute(study.tune_unit(0, 0, study.defaults), Context())


def test_workers_can_be_asked_whether_they_fit(prepared):
    """An engine is offered a question that a worker answers: nothing where every component is there, else which is missing."""
    offered = calls.engine_for(Started(), prepared)()
    assert {"function": calls.execute, "preload": calls.PRELOAD} == {name: offered[name] for name in ("function", "preload")}
    assert place_of is offered["place"]
    question = pickle.loads(pickle.dumps(offered["fits"]))
    assert question() is None
    units, context = question.args
    assert ["triplet", "triplet+hard", "raw"] == [unit.method.name for unit in units]
    assert ("jsonl:x",) == context.observers
    assert "unknown observer 'jsnl'" in calls.unfit(units, Context(observers=("jsnl:x",)))


def test_the_chosen_engine_is_made_when_it_is_needed(prepared):
    """Choosing an engine starts nothing: what cannot be had is found out by the first unit that needs one."""

    class Refuses(Choice):
        def start(self, **offered):
            raise UsageError("no cluster in reach")

        def takes(self, name):
            return False

    make = calls.engine_for(Refuses(None, {}), prepared)
    with pytest.raises(UsageError, match="no cluster in reach"):
        make()


def test_the_local_engine_takes_as_many_workers_as_were_asked_for(monkeypatch):
    """A number of them, or where none is said one per GPU or core."""
    monkeypatch.setattr("siambench.execution.engines.local.automatic_jobs", lambda: 3)
    for jobs, said in ((2, "local, 2 workers"), (1, "local, 1 worker"), (None, "local, 3 workers")):
        engine = calls.local_engine(jobs)()
        try:
            assert isinstance(engine, LocalEngine)
            assert said == engine.describe()
        finally:
            engine.close(now=True)


def test_bf16_without_hardware_is_refused_before_anything_runs(tmp_path, monkeypatch, siambench):
    """A track in bf16 on a processor that does not compute in it is one sentence, exit 4; forced, it runs, and the record says so."""
    from siambench import machine

    monkeypatch.setattr(machine, "_NVIDIA", tmp_path / "nothing")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "nothing")
    track = tmp_path / "track.toml"
    track.write_text(TINY_TRACK.replace("[training]", '[training]\nprecision = "bf16"'))
    ended = siambench("run", "--track", track, "--loss", "triplet", "--trials", "1", "--repetitions", "1", cwd=tmp_path)
    assert 4 == ended.returncode
    assert "training.precision = 'bf16': " in ended.stderr
    assert not (tmp_path / "siambench-runs").exists()
    plan = siambench("run", "--track", track, "--loss", "triplet", "--plan", cwd=tmp_path)
    assert 0 == plan.returncode

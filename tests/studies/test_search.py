"""Tuning: which trials there are, whatever happens to them, and which one is chosen."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import random

import optuna
import pytest
from made import done
from shared import curve, record_of

from siambench.identity import seed_of
from siambench.interfaces import Failed
from siambench.spaces import Choice, Float, Int
from siambench.spec import Method, Source
from siambench.studies.search import BATCH, RANDOM_TRIALS, Study, settings
from siambench.testing import synthetic_catalogue, synthetic_study, synthetic_track

SPACE = {
    "optimiser.lr": Float(1e-4, 1e-1, log=True),
    "loss.margin": Float(-0.2, 2.0),
    "loss.bins": Int(2, 64, log=True),
    "loss.rule": Choice("a", "b", "c"),
}
DEFAULTS = {"optimiser.lr": 3e-3, "loss.margin": 0.1, "loss.bins": 8, "loss.rule": "b", "loss.fixed": 7}


@pytest.fixture(scope="module")
def base():
    """A plan of the tiny exam."""
    return synthetic_study(Method("triplet"), track=synthetic_track(budget={"trials": 12, "seeds": 3}), catalogue=synthetic_catalogue())


@pytest.fixture
def plan(base):
    """A plan with a space of every kind of dimension, 12 trials, 2 folds and 3 seeds."""
    return dataclasses.replace(base, space=SPACE, defaults=DEFAULTS)


def objective(params, fold, epoch):
    """A made-up score with a best region, rough enough that no two are equal."""
    rate = math.log10(params["optimiser.lr"]) + 2
    bonus = {"a": 0.0, "b": 0.1, "c": 0.2}[params["loss.rule"]]
    return round(0.5 - 0.1 * rate**2 - 0.05 * (params["loss.margin"] - 1) ** 2 + bonus + 0.01 * fold + 0.02 * (epoch == 2), 12)


def answer(unit, *, failing=()):
    """The record that a unit would leave."""
    if unit.kind == "tune" and unit.trial in failing:
        return record_of(unit, Failed(error="made up", ended="raised"), {})
    values = [objective(unit.params, unit.fold, epoch) for epoch in (1, 2, 3)] if unit.kind == "tune" else []
    return record_of(unit, done(curve=curve(*values)), {})


def drive(study, *, order=None, failing=(), lost=(), cache=None, stop_after=None):
    """Run a study to its end; ``order`` shuffles what finishes first, ``cache`` keeps records by id.

    Returns the trials' parameters by number and the final units.
    """
    trials, finals = {}, []
    waiting, finished = list(study.start()), 0
    cache = {} if cache is None else cache
    while waiting:
        if order is not None:
            order.shuffle(waiting)
        unit = waiting.pop(0)
        if unit.kind == "tune":
            trials[unit.trial] = dict(unit.params)
        else:
            finals.append(unit)
        fresh = unit.id not in cache
        if fresh and finished == stop_after:
            return trials, finals
        record = None if (unit.trial, unit.fold) in lost else cache.get(unit.id) or answer(unit, failing=failing)
        if record is not None:
            cache[unit.id] = record
        finished += fresh
        waiting += study.finish(unit, record)
    return trials, finals


# ---- which trials there are


def test_trial_0_is_the_defaults(plan):
    """The first trial has every parameter at its declared default."""
    trials, _ = drive(Study(plan))

    assert trials[0] == DEFAULTS


def test_there_are_as_many_trials_as_the_budget_says(plan):
    """Every trial of the budget is run, each on every fold, inside its space, with what is fixed left fixed."""
    seen = []
    study = Study(plan)
    waiting = study.start()
    while waiting:
        unit = waiting.pop(0)
        seen.append((unit.trial, unit.fold) if unit.kind == "tune" else unit.repetition)
        if unit.kind == "tune":
            assert all(dimension.contains(unit.params[name]) for name, dimension in SPACE.items())
            assert unit.params["loss.fixed"] == 7
        waiting += study.finish(unit, answer(unit))

    assert sorted(s for s in seen if isinstance(s, tuple)) == list(itertools.product(range(12), range(2)))
    assert [s for s in seen if isinstance(s, int)] == [0, 1, 2]


def test_trials_1_to_4_are_random(plan):
    """The first trials after the defaults do not depend on any score; later ones do."""

    def trials_with(sign):
        study = Study(plan)
        found, waiting = {}, study.start()
        while waiting:
            unit = waiting.pop(0)
            record = answer(unit)
            if unit.kind == "tune":
                found[unit.trial] = dict(unit.params)
                values = [sign * epoch.validation["map@r"] for epoch in record.outcome.curve]
                record = record_of(unit, done(curve=curve(*values)), {})
            waiting += study.finish(unit, record)
        return found

    usual, reversed_ = trials_with(1), trials_with(-1)

    assert RANDOM_TRIALS == 4
    assert all(usual[number] == reversed_[number] for number in range(5))
    assert len({str(usual[number]) for number in range(5)}) == 5
    assert any(usual[number] != reversed_[number] for number in range(8, 12))


def test_random_trials_are_those_of_their_names(plan):
    """A random trial is drawn by a sampler seeded from the names of track, method and trial, and by nothing else."""
    trials, _ = drive(Study(plan))
    for number in (1, 4):
        names = ("search", plan.template.track, plan.template.data.fingerprint, plan.method.name, number)
        sampler = optuna.samplers.RandomSampler(seed=seed_of(*names) % 2**32)
        reference = optuna.create_study(sampler=sampler)
        asked = reference.ask(
            {
                "loss.bins": optuna.distributions.IntDistribution(2, 64, log=True),
                "loss.margin": optuna.distributions.FloatDistribution(-0.2, 2.0),
                "loss.rule": optuna.distributions.CategoricalDistribution(["a", "b", "c"]),
                "optimiser.lr": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
            }
        )
        assert {**asked.params, "loss.fixed": 7} == trials[number]


def test_units_come_in_batches(plan):
    """Whatever the number of workers, four trials are asked for at once, and the next four when all of them ended."""
    study = Study(plan)
    first = study.start()

    assert BATCH == 4
    assert [(unit.trial, unit.fold) for unit in first] == list(itertools.product(range(4), range(2)))
    for unit in first[:-1]:
        assert study.finish(unit, answer(unit)) == []
    assert [unit.trial for unit in study.finish(first[-1], answer(first[-1]))] == [4, 4, 5, 5, 6, 6, 7, 7]


@pytest.mark.parametrize("trials", [1, 3, 4, 5])
def test_a_budget_need_not_fill_its_batches(plan, trials):
    """Budgets that are no multiple of four end after exactly that many trials."""
    found, finals = drive(Study(dataclasses.replace(plan, trials=trials)))

    assert sorted(found) == list(range(trials))
    assert len(finals) == 3


def test_a_larger_budget_begins_with_the_same_trials(plan):
    """In whole batches, the trials of a small budget are the first ones of a large one."""
    small, _ = drive(Study(dataclasses.replace(plan, trials=8)))
    large, _ = drive(Study(plan))

    assert small == {number: large[number] for number in range(8)}


# ---- the same trials, whatever happens


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_results_changes_nothing(plan, seed):
    """Whatever order results arrive in, trials, selection and final units are those of a serial run."""
    serial, shuffled = Study(plan), Study(plan)
    expected, found = drive(serial), drive(shuffled, order=random.Random(seed))

    assert expected[0] == found[0]
    assert serial.selection == shuffled.selection
    assert {unit.id for unit in expected[1]} == {unit.id for unit in found[1]}


def test_a_replay_after_any_crash_gives_the_same_trials(plan):
    """Stopped after any number of units and started anew on the records that are there, a study ends as if it had not been."""
    uninterrupted = Study(plan)
    expected = drive(uninterrupted)
    for point in range(12 * 2 + 3):
        cache = {}
        drive(Study(plan), cache=cache, stop_after=point, order=random.Random(point))
        assert len(cache) == point
        resumed = Study(plan)
        found = drive(resumed, cache=cache)

        assert expected[0] == found[0]
        assert uninterrupted.selection == resumed.selection
        assert len(cache) == 27


def test_the_world_outside_changes_nothing(plan):
    """Neither the global random state nor another study that runs in between moves a trial."""
    expected, _ = drive(Study(plan))
    random.seed(5)
    study, other = Study(plan), Study(dataclasses.replace(plan, template=dataclasses.replace(plan.template, row="other")))
    drive(other)
    found, _ = drive(study)

    assert expected == found


def test_another_study_has_other_trials(plan):
    """Studies of other names draw other trials, but for the defaults."""
    other = dataclasses.replace(plan, method=dataclasses.replace(plan.method, miner="other"))
    mine, theirs = drive(Study(plan))[0], drive(Study(other))[0]

    assert mine[0] == theirs[0]
    assert all(mine[number] != theirs[number] for number in range(1, 12))


def test_a_study_of_other_versions_has_the_same_trials(plan):
    """A checkout and a wheel, whose components differ in their digests alone, draw the same trials: a row can be repeated."""
    components = {"loss": Source("siambench", "siambench", "abc")}
    other = dataclasses.replace(plan, template=dataclasses.replace(plan.template, row="other", components=components))

    assert drive(Study(plan))[0] == drive(Study(other))[0]


def test_nothing_is_written(plan, tmp_path, monkeypatch):
    """The search keeps its state in memory: a study leaves no file."""
    monkeypatch.chdir(tmp_path)
    drive(Study(plan))

    assert list(tmp_path.iterdir()) == []


# ---- failure, loss and choice


def test_the_best_trial_is_chosen(plan):
    """The selection is the trial with the best maximum over epochs of the fold-mean, with that epoch."""
    study = Study(plan)
    trials, finals = drive(study)
    values = {number: (objective(params, 0, 2) + objective(params, 1, 2)) / 2 for number, params in trials.items()}
    best = max(values, key=values.get)

    assert study.state == "done"
    assert best == study.selection.trial
    assert study.selection.epoch == 2
    assert values[best] == pytest.approx(study.selection.value)
    assert trials[best] == dict(study.selection.params)
    assert [(unit.trial, unit.stop_epoch, unit.repetition) for unit in finals] == [(best, 2, repetition) for repetition in range(3)]


def minimising(plan):
    """The same plan with a metric of which less is better."""
    scoring = dataclasses.replace(plan.template.scoring, maximise=False)
    return dataclasses.replace(plan, template=dataclasses.replace(plan.template, scoring=scoring))


def test_the_worst_is_the_best_where_less_is_better(plan):
    """With a metric to be minimised the smallest value is chosen."""
    study = Study(minimising(plan))
    trials, _ = drive(study)
    values = {number: (objective(params, 0, 1) + objective(params, 1, 1)) / 2 for number, params in trials.items()}

    assert min(values, key=values.get) == study.selection.trial
    assert study.selection.epoch == 1


def finish_all(study, record_of):
    """Run the tuning of a study with records made by a function."""
    waiting = study.start()
    while waiting and waiting[0].kind == "tune":
        unit = waiting.pop(0)
        waiting += study.finish(unit, record_of(unit))
    return waiting


@pytest.mark.parametrize("maximise", [True, False])
def test_of_equal_trials_the_first_is_chosen(plan, maximise):
    """Where every trial has the same value, trial 0 and its first epoch are chosen."""
    study = Study(plan if maximise else minimising(plan))
    finish_all(study, lambda unit: record_of(unit, done(curve=curve(0.5, 0.5)), {}))

    assert (study.selection.trial, study.selection.epoch) == (0, 1)


def test_failed_trials_are_told_as_failed_and_never_chosen(plan):
    """A trial that failed spends budget, is no score of 0, and is not selected, though it might have been the best."""
    whole = Study(plan)
    drive(whole)
    best = whole.selection.trial
    study = Study(plan)
    trials, finals = drive(study, failing={best, 0})

    assert sorted(trials) == list(range(12))
    assert study.selection.trial not in {best, 0}
    assert len(finals) == 3
    states = [trial.state for trial in study._study.get_trials()]
    assert states[0] == states[best] == optuna.trial.TrialState.FAIL
    assert states.count(optuna.trial.TrialState.COMPLETE) == 10
    assert study._study.trials[best].values is None


def test_one_failed_fold_fails_the_trial(plan):
    """A trial with a result on one fold only has failed."""
    study = Study(plan)

    def record_of(unit):
        return answer(unit, failing={unit.trial} if (unit.trial, unit.fold) == (0, 1) else ())

    finish_all(study, record_of)

    assert study._study.trials[0].state == optuna.trial.TrialState.FAIL


def test_a_study_in_which_all_trials_fail_has_failed(plan):
    """With no value at all there is nothing to choose: the study has failed, and no final unit is run."""
    study = Study(plan)
    trials, finals = drive(study, failing=set(range(12)))

    assert study.state == "failed"
    assert study.selection is None
    assert finals == []
    assert len(trials) == 12


def test_a_failure_does_not_change_the_random_trials(plan):
    """Whether trial 0 failed or not, trials 1 to 4 are the same."""
    usual, broken = drive(Study(plan))[0], drive(Study(plan), failing={0})[0]

    assert [usual[number] for number in range(5)] == [broken[number] for number in range(5)]


@pytest.mark.parametrize("where", [(0, 0), (2, 1), (5, 0), (11, 1)])
def test_a_lost_trial_pauses_the_study_and_tells_nothing(plan, where):
    """With a unit lost, its batch is told nowhere, nothing further is asked, and the next run goes on to the same end."""
    expected = drive(Study(plan))
    cache = {}
    study = Study(plan)
    trials, finals = drive(study, lost={where}, cache=cache)

    assert study.state == "paused"
    assert finals == []
    assert max(trials) == where[0] // BATCH * BATCH + BATCH - 1
    told = [trial for trial in study._study.get_trials() if trial.state.is_finished()]
    assert len(told) == where[0] // BATCH * BATCH
    # The rest of the batch was run and is kept.
    assert len(cache) == 2 * (max(trials) + 1) - 1
    assert expected[0] == drive(Study(plan), cache=cache)[0]


def test_a_lost_final_model_pauses_the_study(plan):
    """A study is done when every final model is there; with one lost it is paused."""
    study = Study(plan)
    finals = finish_all(study, answer)
    assert study.state == "final"
    for unit in finals[:-1]:
        assert study.finish(unit, answer(unit)) == []
    study.finish(finals[-1], None)

    assert study.state == "paused"


def test_a_failed_final_model_is_a_result(plan):
    """A final model that failed is there, as failed; the study is done."""
    study = Study(plan)
    for unit in finish_all(study, answer):
        study.finish(unit, record_of(unit, Failed(error="made up", ended="raised"), {}))

    assert study.state == "done"


def test_a_score_that_does_not_apply_is_a_failed_trial(plan):
    """A trial whose primary metric is None on a fold has no value."""
    study = Study(dataclasses.replace(plan, trials=1))
    finish_all(study, lambda unit: record_of(unit, done(curve=curve(None)), {}))

    assert study.state == "failed"


def test_without_a_space_there_is_one_trial(base):
    """A study with nothing to search runs its fixed parameters once and goes on to the final models."""
    plan = dataclasses.replace(base, space={}, trials=1)
    study = Study(plan)
    finals = finish_all(study, answer_flat)

    assert study.selection.trial == 0
    assert dict(study.selection.params) == dict(base.defaults)
    assert len(finals) == 3


def answer_flat(unit):
    """A record with one epoch."""
    return record_of(unit, done(curve=curve(0.5)), {})


def test_the_settings_say_how_it_was_searched():
    """Version and every argument of the sampler are there to be recorded, and the sampler takes no other."""
    found = settings()
    assert found["optuna"] == optuna.__version__
    assert (found["batch"], found["random_trials"]) == (4, 4)
    known = set(inspect.signature(optuna.samplers.TPESampler).parameters)
    assert set(found["tpe"]) <= known
    # What is left out are callbacks without a JSON form, the seed, and arguments that Optuna has deprecated.
    assert known - set(found["tpe"]) <= {
        "prior_weight",
        "warn_independent_sampling",
        "seed",
        "gamma",
        "weights",
        "constraints_func",
        "categorical_distance_func",
        "consider_prior",
        "consider_magic_clip",
        "consider_endpoints",
    }

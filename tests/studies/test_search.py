"""Tuning: which trials there are, whatever happens to them, and which one is chosen."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import random
from collections import Counter

import numpy as np
import optuna
import pytest
from made import done
from scipy.stats import loguniform, qmc, uniform
from shared import curve, record_of

from siambench.identity import seed_of
from siambench.interfaces import Failed
from siambench.records.selection import BATCH, RANDOM_TRIALS
from siambench.spaces import Choice, Float, Int
from siambench.spec import Method, Source
from siambench.studies.search import Study, quasi_random, settings
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
    budget, training = {"studies": 1, "trials": 12, "repetitions": 3}, {"epochs": 3, "schedule": "constant"}
    return synthetic_study(Method("triplet"), track=synthetic_track(budget=budget, training=training), catalogue=synthetic_catalogue())


@pytest.fixture
def plan(base):
    """A plan with a space of every kind of dimension, 12 trials that do not race, 2 folds, 3 repetitions and a constant learning rate."""
    return dataclasses.replace(base, space=SPACE, defaults=DEFAULTS, racing=False)


@pytest.fixture
def raced(plan):
    """The same with trials that race, on three folds."""
    split = dataclasses.replace(plan.template.data.split, folds=3)
    template = dataclasses.replace(plan.template, data=dataclasses.replace(plan.template.data, split=split))
    return dataclasses.replace(plan, racing=True, folds=3, template=template)


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


def test_trials_1_to_4_of_tpe_are_random(plan):
    """The first trials after the defaults do not depend on any score; later ones do."""

    def trials_with(sign):
        study = Study(plan, sampler="tpe")
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
    """A random trial is drawn by a sampler seeded from the names of track, method, study and trial, and by nothing else."""
    plan = dataclasses.replace(plan, study=2)
    trials, _ = drive(Study(plan, sampler="tpe"))
    for number in (1, 4):
        names = ("search", plan.template.track, plan.template.data.fingerprint, plan.method.name, 2, number)
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


# ---- quasi-random trials


def test_quasi_random_trials_are_points_of_one_scrambled_sobol_sequence(plan):
    """Trial n of a study is the n-th point of a sequence seeded by its names, mapped by scipy's own quantiles; choices come by a hash."""
    trials, _ = drive(Study(dataclasses.replace(plan, study=3)))
    seed = seed_of("search", plan.template.track, plan.template.data.fingerprint, plan.method.name, 3, "quasi-random")
    points = qmc.Sobol(3, scramble=True, rng=np.random.default_rng(seed)).random_base2(4)
    for number in range(1, 12):
        bins, margin, rate = points[number - 1]
        assert trials[number]["loss.margin"] == pytest.approx(uniform(-0.2, 2.2).ppf(margin), rel=1e-12)
        assert trials[number]["optimiser.lr"] == pytest.approx(loguniform(1e-4, 1e-1).ppf(rate), rel=1e-12)
        assert trials[number]["loss.bins"] == round(loguniform(1.5, 64.5).ppf(bins))
        assert trials[number]["loss.rule"] == "abc"[seed_of(seed, "loss.rule", number) % 3]


@pytest.mark.parametrize("dimension", [Int(3, 9), Float(-1.0, 1.0), Int(1, 100, log=True), Float(1e-3, 10.0, log=True)])
def test_quasi_random_points_fill_a_dimension_evenly(dimension):
    """Of 64 points an eighth lies in each eighth of the range, or of its logarithm, and every whole number occurs."""
    values = [quasi_random({"x": dimension}, number, seed=4)["x"] for number in range(1, 65)]
    assert all(dimension.contains(value) for value in values)
    if isinstance(dimension, Int) and not dimension.log:
        assert {8, 9, 10} >= set(Counter(values).values())
        return
    low, high = (math.log(end) if dimension.log else end for end in (dimension.low, dimension.high))
    at = [(math.log(value) if dimension.log else value) for value in values]
    shares = np.histogram(at, bins=8, range=(low, high))[0]
    assert isinstance(dimension, Int) or set(shares) == {8}


def test_every_choice_is_tried(plan):
    """Over many trials each option comes about as often as the others, and two studies choose otherwise."""
    space = {"rule": Choice("a", "b", "c")}
    drawn = [[quasi_random(space, number, seed=seed)["rule"] for number in range(1, 301)] for seed in (1, 2)]
    assert all(70 <= Counter(one)[option] <= 130 for one in drawn for option in "abc")
    assert drawn[0] != drawn[1]


def test_quasi_random_trials_do_not_depend_on_scores(plan):
    """They are exchangeable: failures and races among the others move none of them."""
    usual, _ = drive(Study(plan))
    failing, _ = drive(Study(plan), failing={1, 2, 5})
    assert usual == failing


def test_studies_of_one_method_draw_trials_of_their_own(plan):
    """Two studies share the default and nothing else."""
    one, other = (drive(Study(dataclasses.replace(plan, study=number)))[0] for number in (0, 1))
    assert one[0] == other[0] == DEFAULTS
    assert all(one[number] != other[number] for number in range(1, 12))


# ---- races


def first_fold(trials, numbers):
    """Trials of a batch by their value on fold 0, the best first."""
    return sorted(numbers, key=lambda number: -max(objective(trials[number], 0, epoch) for epoch in (1, 2, 3)))


@pytest.mark.parametrize("sampler", ["quasi-random", "tpe"])
def test_the_best_two_of_a_batch_and_the_default_run_every_fold(raced, sampler):
    """All trials run fold 0; then the best two of each batch, and trial 0 always, run the others; nobody else does."""
    folds, study = {}, Study(raced, sampler=sampler)
    waiting, trials = study.start(), {}
    while waiting:
        unit = waiting.pop(0)
        if unit.kind == "tune":
            trials[unit.trial] = dict(unit.params)
            folds.setdefault(unit.trial, []).append(unit.fold)
        waiting += study.finish(unit, answer(unit))
    winners = {number for first in (0, 4, 8) for number in first_fold(trials, range(first, first + 4))[:2]} | {0}
    assert {number: [0, 1, 2] if number in winners else [0] for number in range(12)} == folds


def test_raced_out_trials_are_told_as_pruned_with_their_first_value(raced):
    """Optuna knows them as pruned, at the value of fold 0; they are counted, and never selected."""
    study = Study(raced)
    trials, finals = drive(study)
    pruned = [trial for trial in study._study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert 12 == len(study._study.trials)
    assert 5 <= len(pruned) <= 6
    for trial in pruned:
        assert {0: max(objective(trials[trial.number], 0, epoch) for epoch in (1, 2, 3))} == trial.intermediate_values
        assert study.selection.trial != trial.number
    assert {study.selection.trial} == {unit.trial for unit in finals}


def test_a_race_begins_when_all_of_its_batch_have_run_the_first_fold(raced):
    """The barrier is the batch: no trial runs a second fold before each of the four has ended on the first."""
    study = Study(raced)
    first = study.start()
    assert [(0, 0), (1, 0), (2, 0), (3, 0)] == [(unit.trial, unit.fold) for unit in first]
    for unit in first[:-1]:
        assert [] == study.finish(unit, answer(unit))
    second = study.finish(first[-1], answer(first[-1]))
    assert {1, 2} == {unit.fold for unit in second}
    assert len(second) in (4, 6)


def test_a_trial_that_fails_its_first_fold_runs_no_other(raced):
    """It has failed, the default too; where all of a batch do, the next batch begins."""
    study = Study(raced)
    drive(study, failing={0, 1, 2, 3})
    states = [trial.state for trial in study._study.trials]
    assert [optuna.trial.TrialState.FAIL] * 4 == states[:4]
    assert optuna.trial.TrialState.FAIL not in states[4:]


@pytest.mark.parametrize("seed", range(4))
def test_a_race_does_not_depend_on_the_order_of_results(raced, seed):
    """Whatever order results arrive in, the same trials run the same folds, and the same one is selected."""
    serial, shuffled = Study(raced), Study(raced)
    cache, other = {}, {}
    drive(serial, cache=cache)
    drive(shuffled, cache=other, order=random.Random(seed))
    assert set(cache) == set(other)
    assert serial.selection == shuffled.selection


def test_a_race_goes_on_after_a_crash(raced):
    """Stopped anywhere and begun anew on the records that are there, a study with races ends as if it had not been."""
    whole, records = Study(raced), {}
    drive(whole, cache=records)
    for point in range(0, len(records), 3):
        cache = {}
        drive(Study(raced), cache=cache, stop_after=point, order=random.Random(point))
        resumed = Study(raced)
        drive(resumed, cache=cache)
        assert set(records) == set(cache)
        assert whole.selection == resumed.selection


def test_how_many_units_there_are_is_known_when_races_have_ended(raced):
    """Before anything ran it is the most there can be; at the end it is what there was."""
    study, records = Study(raced), {}
    assert 12 + 2 * (3 + 2 + 2) + 3 == study.planned == raced.tune_units + raced.repetitions
    drive(study, cache=records)
    assert len(records) == study.planned


def test_without_races_or_with_one_fold_every_trial_runs_all(raced):
    """`racing = false` in the track, and a split of one fold, leave nobody out."""
    for plan in (dataclasses.replace(raced, racing=False), dataclasses.replace(raced, folds=1)):
        records = {}
        study = Study(plan)
        drive(study, cache=records)
        assert 12 * plan.folds + 3 == len(records) == study.planned
        assert not any(trial.state == optuna.trial.TrialState.PRUNED for trial in study._study.trials)


def test_under_an_annealing_schedule_the_last_epoch_is_taken(plan):
    """The learning rate has run out there: what a curve says of earlier epochs decides nothing."""
    training = dataclasses.replace(plan.template.training, schedule="one-cycle")
    study = Study(dataclasses.replace(plan, template=dataclasses.replace(plan.template, training=training)))
    trials, finals = drive(study)
    values = {number: (objective(params, 0, 3) + objective(params, 1, 3)) / 2 for number, params in trials.items()}
    assert (max(values, key=values.get), 3) == (study.selection.trial, study.selection.epoch)
    assert {3} == {unit.stop_epoch for unit in finals}


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
    assert {"optuna": optuna.__version__, "batch": 4, "sampler": "quasi-random"} == settings()
    found = settings("tpe")
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


# ---- what proposes them


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_track_says_what_proposes_trials(plan, sampler):
    """What the plan says is what proposes: other trials than the sequence's, the default first, all inside the space."""
    trials, _ = drive(Study(dataclasses.replace(plan, search=sampler)))

    assert trials[0] == DEFAULTS
    assert trials != drive(Study(plan))[0]
    assert all(dimension.contains(params[name]) for params in trials.values() for name, dimension in SPACE.items())


def test_a_gaussian_process_is_asked_for_one_trial_at_a_time_and_learns_from_it(plan):
    """Without races each batch is one trial; after the random ones the values that were told decide what is asked for next."""
    study = Study(dataclasses.replace(plan, search="gp", trials=8))
    assert {unit.trial for unit in study.start()} == {0}
    by_score, _ = drive(Study(dataclasses.replace(plan, search="gp", trials=8)))
    upside_down, _ = drive(Study(dataclasses.replace(minimising(plan), search="gp", trials=8)))

    first = RANDOM_TRIALS + 1
    assert [by_score[n] for n in range(first)] == [upside_down[n] for n in range(first)]
    assert [by_score[n] for n in range(first, 8)] != [upside_down[n] for n in range(first, 8)]


def test_a_gaussian_process_is_replayed_after_a_crash(plan):
    """Stopped after some units and started anew on their records, a study by a Gaussian process asks for the same trials."""
    short = dataclasses.replace(plan, search="gp", trials=7)
    expected, _ = drive(Study(short))
    for point in (3, 11):
        cache = {}
        drive(Study(short), cache=cache, stop_after=point)
        np.random.seed(point)  # noqa: NPY002
        assert drive(Study(short), cache=cache)[0] == expected


def test_what_the_search_was_done_with_is_told():
    """The record names the sampler, every argument of it, and how many trials were asked for together."""
    assert {"batch": 1, "sampler": "gp", "random_trials": RANDOM_TRIALS}.items() <= settings("gp", races=False).items()
    assert settings("gp")["batch"] == BATCH
    assert settings("gp")["gp"]["deterministic_objective"] is False
    assert {"optuna", "batch", "sampler"} == set(settings())

"""How a row was tuned, on records made by hand: every trial, the curve of the best, and what was selected."""

from __future__ import annotations

import dataclasses

import pytest
from made import SCORING, SPACE, TRAINING, final, trials, tuned

from siambench.board.tuning import to_json, tuning_of, tunings_of

KEYS = {
    *(
        "schema",
        "track",
        "method",
        "row",
        "rows",
        "primary",
        "direction",
        "budget",
        "space",
        "space_name",
        "edited",
        "importances",
        "studies",
    ),
}


def test_every_trial_stands_in_the_tuning():
    """Number, kind, state, value, epoch and the best so far are those that the hand-made curves have."""
    tuning = tuning_of(trials(), budget=7)
    assert [
        (0, "default", "done", 0.25, 2, 0.25),
        (1, "random", "done", 0.1, 1, 0.25),
        (2, "random", "failed", None, None, 0.25),
        (3, "random", "done", 0.45, 1, 0.45),
        (4, "random", "done", 0.2, 1, 0.45),
        (5, "tpe", "done", 0.35, 1, 0.45),
        (6, "tpe", "done", pytest.approx(0.55), 2, pytest.approx(0.55)),
    ] == [(t.number, t.kind, t.state, t.value, t.epoch, t.best) for t in tuning.trials]
    assert ((0.1, 0.3), (0.2, 0.2)) == tuning.trials[0].folds
    assert ((0.9, 0.9), ()) == tuning.trials[2].folds
    assert "it diverged" == tuning.trials[2].error
    assert {"loss.margin": pytest.approx(0.6)} == tuning.trials[3].params
    assert (7, 1, 0.25, 6) == (tuning.counted, tuning.failed, tuning.default, tuning.selected.number)
    assert ("failed-trials:1",) == tuple(flag for flag in tuning.flags if not flag.startswith("on-bound"))


def test_the_order_of_records_does_not_matter():
    """Any order of the records gives the same tuning."""
    made = trials()
    assert tuning_of(made, budget=7) == tuning_of(made[::-1], budget=7) == tuning_of(made[5:] + made[:5], budget=7)


def test_where_less_is_better_the_curve_goes_down():
    """For an error the best is the smallest, and the selected trial the one that has it."""
    tuning = tuning_of(trials(scoring=dataclasses.replace(SCORING, maximise=False)), budget=7)
    assert [0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1] == pytest.approx([t.best for t in tuning.trials])
    assert (1, 1) == (tuning.selected.number, tuning.selected.epoch)


def test_the_earliest_of_equal_trials_is_selected():
    """A later trial of the same value changes nothing."""
    made = [tuned("triplet", trial, fold, [0.2, 0.3]) for trial in range(3) for fold in range(2)]
    assert 0 == tuning_of(made, budget=3).selected.number


def test_kinds_follow_what_the_search_recorded():
    """Where records say how many trials were random, that counts; where they do not, four were."""
    search = {"search": {"random_trials": 2, "batch": 4}}
    assert ["default", "random", "random", "tpe", "tpe", "tpe", "tpe"] == [
        t.kind for t in tuning_of(trials(telemetry=search), budget=7).trials
    ]
    search = {"search": {"sampler": "quasi-random", "batch": 4}}
    assert ["default", *["quasi-random"] * 6] == [t.kind for t in tuning_of(trials(telemetry=search), budget=7).trials]


def test_flags_are_both_present_and_absent():
    """Edited spaces, short budgets, failed trials and values on a bound are flags, each only where it applies."""
    fine = trials([0, 1])
    assert () == tuning_of(fine, budget=2).flags
    assert ("short-budget",) == tuning_of(fine, budget=3).flags
    assert ("short-budget",) == tuning_of(fine, budget=2, limit=1).flags
    assert ("edited-space",) == tuning_of(trials([0, 1], edited=("optimiser.lr",)), budget=2).flags
    assert ("space:wide",) == tuning_of(trials([0, 1], space_name="wide"), budget=2).flags
    assert ("failed-trials:1",) == tuning_of(trials([0, 1, 2]), budget=3).flags
    log = {"loss.margin": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}}
    assert ("on-bound:loss.margin",) == tuning_of(trials([0], space=log, params={"loss.margin": 1.05e-4}), budget=1).flags
    assert () == tuning_of(trials([0], space=SPACE, params={"loss.margin": 0.0105}), budget=1).flags
    assert ("on-bound:loss.margin",) == tuning_of(trials([0], space=SPACE, params={"loss.margin": 0.0095}), budget=1).flags


def test_edits_are_told_in_words():
    """A narrowed parameter with the space that was searched, a fixed one with its value, the sampler by its name; JSON names them."""
    params = {"loss.margin": 0.3, "loss.swap": True, "optimiser.lr": 1e-3}
    edited = ("loss.margin", "loss.swap", "optimiser.lr", "training.sampler")
    found = tuning_of(trials([0], params=params, edited=edited, space_name="wide"), budget=1)
    told = ("loss.margin searched in 0.0 to 1.0", "loss.swap fixed at true", "optimiser.lr fixed at 0.001", "training.sampler")
    assert told == found.edits
    document = to_json([found])
    assert (list(edited), "wide") == (document["edited"], document["space_name"])
    plain = to_json([tuning_of(trials([0]), budget=1)])
    assert ([], "") == (plain["edited"], plain["space_name"])


def test_without_a_space_one_trial_is_all():
    """A study with nothing to search has a budget of one trial."""
    tuning = tuning_of(trials([0], space={}), budget=8)
    assert (1, ()) == (tuning.budget, tuning.flags)


def test_incomplete_trials_wait():
    """A trial that lacks a fold, and what comes after a gap, is pending and does not count."""
    tuning = tuning_of([*trials([0, 1, 3, 4]), tuned("triplet", 2, 0, [0.9])], budget=8)
    assert (2, 3, 0) == (len(tuning.trials), tuning.pending, tuning.selected.number)


def test_trials_that_the_final_models_were_not_selected_from_do_not_count():
    """Where more trials lie there than the final models were selected from, so many count as select these."""
    chosen = [final("triplet", i, 0.3, trial=3, stop_epoch=1) for i in range(3)]
    tuning = tuning_of(trials() + chosen, budget=6)
    assert (6, 3, 1) == (tuning.counted, tuning.selected.number, tuning.selected.epoch)
    assert [True] * 6 + [False] == [trial["counted"] for trial in to_json([tuning])["studies"][0]["trials"]]
    assert pytest.approx(0.45) == tuning.best_after(6)
    assert tuning.best_after(7) is None
    assert 6 == tuning_of(trials(), budget=6).selected.number


def test_a_study_of_failures_selects_nothing():
    """Where each trial failed there is no best, no default and no selection, and the reasons are there."""
    made = [tuned("triplet", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)]
    tuning = tuning_of(made, budget=2)
    assert (None, None, 2, None) == (tuning.selected, tuning.default, tuning.failed, tuning.best_after(2))
    assert ["it diverged", "it diverged"] == [trial.error for trial in tuning.trials]


def test_a_score_that_does_not_apply_is_a_reason():
    """A trial whose folds ended well but have no score has failed, and says so."""
    tuning = tuning_of([tuned("triplet", 0, fold, [None]) for fold in range(2)], budget=1)
    assert ("failed", "a fold has no score of map@r") == (tuning.trials[0].state, tuning.trials[0].error)


def test_the_document_has_the_documented_form():
    """`show study --json` has the keys of the documentation, and every fold's curve."""
    document = to_json([tuning_of(trials(), budget=7), tuning_of(trials([0, 1], study=3), budget=7)], rows=2)
    assert KEYS == set(document)
    first, second = document["studies"]
    assert {"study", "trials", "pending", "failed", "pruned", "default", "selected", "flags", "verdicts", "findings"} == set(first)
    trial = {
        *("trial", "kind", "counted", "state", "error", "params", "units"),
        *("folds", "epoch", "value", "first_fold", "best", "diagnosis"),
    }
    assert set(trial) == set(first["trials"][0])
    assert [[0.1, 0.6], [0.1, 0.5]] == first["trials"][6]["folds"]
    assert [record.id for record in trials([6])] == first["trials"][6]["units"]
    assert {"trial": 6, "epoch": 2, "value": pytest.approx(0.55)} == first["selected"]
    assert [(0, 7), (3, 2)] == [(one["study"], len(one["trials"])) for one in (first, second)]
    assert ({"name": "made", "version": "1.0"}, "max", 2) == (document["track"], document["direction"], document["rows"])
    assert ("triplet", "row-triplet") == (document["method"], document["row"])
    assert {"loss.margin": {"type": "float", "low": 0.0, "high": 1.0, "log": False}} == document["space"]


def test_each_study_of_a_row_has_a_tuning_of_its_own():
    """Records of several studies are told apart by their numbers: trials, selection and what is pending of one are not another's."""
    records = [*trials([0, 1, 3], study=2), *trials([0, 1], study=0), final("triplet", 0, 0.3, trial=1, stop_epoch=1, study=2)]
    found = tunings_of(records, budget=2)
    assert [(0, 2, 0, 0), (2, 2, 0, 1)] == [(one.study, one.counted, one.selected.number, one.pending) for one in found]


def test_under_an_annealing_schedule_the_last_epoch_counts():
    """The value of a trial is that of its last epoch, though an earlier one was better."""
    annealed = dataclasses.replace(TRAINING, schedule="cosine")
    tuning = tuning_of(trials([0, 3], training=annealed) + trials([1], training=annealed), budget=2)
    assert [(2, 0.25), (2, 0.1)] == [(trial.epoch, trial.value) for trial in tuning.trials]


# ---- races


def race(firsts, others=(), study=0, failed=()):
    """A study whose trials have these scores on fold 0, and on fold 1 those of ``others`` by trial; those that failed did on fold 0."""
    records = []
    for number, value in enumerate(firsts):
        state = "failed" if number in failed else "done"
        records.append(tuned("triplet", number, 0, [value], state=state, study=study))
    records += [tuned("triplet", number, 1, [value], study=study) for number, value in dict(others).items()]
    return [dataclasses.replace(one, exam=dataclasses.replace(one.exam, training={**one.exam.training, "racing": True})) for one in records]


def test_what_lost_its_race_is_pruned():
    """Of each batch of four the best two on fold 0, and the default, have a value; the others are pruned, with their score on fold 0."""
    others = {0: 0.2, 1: 0.4, 3: 0.2, 5: 0.1, 6: 0.3}
    tuning = tuning_of(race([0.1, 0.5, 0.2, 0.3, 0.3, 0.7, 0.9, 0.6], others), budget=8)
    assert ["done", "done", "pruned", "done", "pruned", "done", "done", "pruned"] == [trial.state for trial in tuning.trials]
    assert [0.1, 0.5, 0.2, 0.3, 0.3, 0.7, 0.9, 0.6] == [trial.first for trial in tuning.trials]
    assert [None, None] == [tuning.trials[2].value, tuning.trials[2].error]
    assert (8, 0, 3, 0) == (tuning.counted, tuning.failed, tuning.pruned, tuning.pending)
    assert (6, 0.6) == (tuning.selected.number, tuning.selected.value)
    assert () == tuning.flags, "what was pruned has spent budget"
    pruned = to_json([tuning])["studies"][0]["trials"][2]
    assert ("pruned", None, 0.2, True) == (pruned["state"], pruned["value"], pruned["first_fold"], pruned["counted"])


def test_a_trial_that_lost_its_race_is_never_selected():
    """Not even where all that won it failed afterwards, or where its score on fold 0 is the best there is."""
    records = [*race([0.1, 0.5, 0.4, 0.3]), *(tuned("triplet", number, 1, [], state="failed") for number in (0, 1, 2))]
    racing = [dataclasses.replace(one, exam=race([0.1])[0].exam) for one in records]
    tuning = tuning_of(racing, budget=4)
    assert ["failed", "failed", "failed", "pruned"] == [trial.state for trial in tuning.trials]
    assert tuning.selected is None


def test_a_race_that_is_not_over_is_pending():
    """A batch whose winners lack a fold does not count, nor does what comes after it; one that failed on fold 0 needs no other."""
    assert (0, 4) == (tuning_of(race([0.1, 0.5, 0.4, 0.3], {0: 0.2, 1: 0.2}), budget=4).counted, 4)
    half = tuning_of(race([0.1, 0.5, 0.4, 0.3, 0.2, 0.3], {0: 0.2, 1: 0.2, 2: 0.1, 5: 0.1}), budget=8)
    assert (4, 2) == (half.counted, half.pending)
    failed = tuning_of(race([0.1, 0.5, 0.4, 0.3], {0: 0.2, 2: 0.3, 3: 0.1}, failed=[1]), budget=4)
    assert ["done", "failed", "done", "done"] == [trial.state for trial in failed.trials]
    assert ("it diverged", 0) == (failed.trials[1].error, failed.pending)


def test_without_racing_a_trial_with_one_fold_is_incomplete():
    """Where the exam's rules have no races, a trial of fold 0 alone has not ended, however it scored."""
    records = [tuned("triplet", number, 0, [value]) for number, value in enumerate([0.1, 0.5, 0.4, 0.3])]
    assert (0, 4) == (tuning_of(records, budget=4).counted, tuning_of(records, budget=4).pending)


def test_the_last_batch_is_as_long_as_the_trials_that_count():
    """Where a budget was extended, trials that stood alone in their batch lose it to later ones, but not for final models made before."""
    firsts, others = [0.1, 0.5, 0.4, 0.3, 0.2, 0.25, 0.7, 0.8], {0: 0.2, 1: 0.4, 2: 0.1, 4: 0.9, 5: 0.3, 6: 0.1, 7: 0.1}
    longer = race(firsts, others)
    assert ["pruned", "pruned", "done", "done"] == [trial.state for trial in tuning_of(longer, budget=8).trials[4:]]
    assert 1 == tuning_of(longer, budget=8).selected.number
    before = tuning_of([*longer, final("triplet", 0, 0.3, trial=4, stop_epoch=1)], budget=6)
    assert (6, 4) == (before.counted, before.selected.number)
    assert ["done", "done", "done", "done"] == [trial.state for trial in before.trials[4:]]
    assert (6, 4) == (tuning_of(longer, budget=6, limit=6).counted, tuning_of(longer, budget=6, limit=6).selected.number)

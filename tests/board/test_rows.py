"""Records → rows: scores over seeds and over classes, flags, openings, reasons; on records made by hand."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from made import (
    CLOSED,
    LOCAL,
    ONE_STUDY,
    PER_MODEL,
    QUERIES,
    SCORING,
    SHIPPED,
    TRACK,
    final,
    made,
    studies,
    study,
    table_of,
    tuned,
    unit,
    untrained,
    with_classes,
)

from siambench.board.rows import rows_of
from siambench.board.scores import DRAWS
from siambench.identity import seed_of
from siambench.stats import class_bootstrap


def test_a_row_of_one_study_has_its_interval_over_repetitions():
    """Its score is the mean over its final models with the half-width of scipy's 95 % t-interval, and says what it is over."""
    from scipy import stats

    scores = [0.31, 0.35, 0.30]
    (row,) = rows_of(ONE_STUDY, study("triplet", scores))
    low, high = stats.t.interval(0.95, 2, loc=sum(scores) / 3, scale=stats.sem(scores))
    assert sum(scores) / 3 == pytest.approx(row.scores["map@r"].mean, abs=1e-15)
    assert (high - low) / 2 == pytest.approx(row.scores["map@r"].ci95, abs=1e-12)
    assert (3, "repetitions") == (row.scores["map@r"].n, row.scores["map@r"].over)
    assert "eer" not in row.scores
    assert {"loss.margin": 0.4} == row.params
    assert (0.2, pytest.approx(0.3)) == row.validation
    assert (1, 2, 3, 3, 1) == (row.studies, row.trials, row.repetitions, row.seeds, row.dimension)
    assert ((), True, True) == (row.flags, row.is_comparable, row.is_full)
    assert {"loss": "siambench 0.1.0"} == row.distributions
    assert ("row-triplet", SCORING) == (row.key, row.scoring)


def test_from_two_studies_on_the_interval_is_over_their_means():
    """Each study counts once, by the mean of its final models, however many it has; the interval is scipy's over these means."""
    from scipy import stats

    scores = [[0.30, 0.34], [0.40, 0.42], [0.29, 0.30, 0.37]]
    means = [0.32, 0.41, 0.32]
    (row,) = rows_of(TRACK, [record for number, one in enumerate(scores) for record in study("triplet", one, study=number)])
    low, high = stats.t.interval(0.95, 2, loc=sum(means) / 3, scale=stats.sem(means))
    assert means == pytest.approx([row.by_study["map@r"][number] for number in range(3)])
    assert sum(means) / 3 == pytest.approx(row.scores["map@r"].mean, abs=1e-15)
    assert (high - low) / 2 == pytest.approx(row.scores["map@r"].ci95, abs=1e-12)
    assert (3, "studies") == (row.scores["map@r"].n, row.scores["map@r"].over)
    assert (3, 2, 7, [0, 1, 2]) == (row.studies, row.repetitions, row.seeds, [tuning.study for tuning in row.tunings])


def test_full_is_exactly_the_tracks_budget():
    """One study, trial or repetition too few or too many, in any study, and the row is not full; too few studies leave it comparable."""
    scores = [0.3, 0.31, 0.32]

    def row(records):
        (found,) = rows_of(TRACK, records)
        return found.is_full, found.is_comparable, [flag for flag in found.flags if flag.endswith("budget")]

    extra = [tuned("triplet", 2, fold, [0.1], study=1) for fold in range(2)]
    fewer = [record for record in studies("triplet", scores) if (record.unit.study, record.unit.kind, record.unit.trial) != (1, "tune", 1)]
    fewer = [record for record in fewer if (record.unit.study, record.unit.kind) != (1, "final")] + [final("triplet", 0, 0.3, study=1)]
    assert (True, True, []) == row(studies("triplet", scores))
    assert (False, True, ["short-budget"]) == row(studies("triplet", scores[:2]))
    assert (False, True, ["long-budget"]) == row(studies("triplet", [*scores, 0.3]))
    assert (False, False, ["long-budget"]) == row([*studies("triplet", scores), *extra])
    assert (False, False, ["short-budget"]) == row(fewer)
    assert (False, False, ["long-budget"]) == row([*studies("triplet", scores), final("triplet", 1, 0.3, trial=1, study=2)])
    assert (False, False, ["short-budget"]) == row(study("triplet", []))


def test_a_study_that_is_only_begun_changes_nothing():
    """A further study without final models leaves scores, number of studies and fullness as they were."""
    begun = [tuned("triplet", 0, 0, [0.2, 0.3], study=3)]
    (row,) = rows_of(TRACK, [*studies("triplet", [0.3, 0.31, 0.32]), *begun])
    assert (3, True, (), 4) == (row.studies, row.is_full, row.flags, len(row.tunings))


def test_a_baseline_has_neither_parameters_nor_a_tuning():
    """Nothing is tuned for a baseline: no parameters, no trials, no validation score, and its studies are drawn, not tuned."""
    (row,) = rows_of(TRACK, untrained([0.04, 0.05, 0.06]))
    assert ({}, 0, 0, (None, None), 3) == (row.params, row.trials, row.dimension, row.validation, row.seeds)
    assert ((), 3, 1) == (row.tunings, row.studies, row.repetitions)


def test_one_repetition_has_no_interval():
    """With one final model of one study the half-width is None, and the row is marked."""
    (row,) = rows_of(TRACK, study("triplet", [0.3]))
    assert row.scores["map@r"].ci95 is None
    assert ("short-budget",) == row.flags


def test_the_parameters_are_those_that_validated_best():
    """Of several studies the parameters shown are those of the one whose selected trial has the best validation score."""
    better = [tuned("triplet", t, f, [0.1, 0.4 + 0.1 * t], study=1, params={"loss.margin": 0.7}) for t in range(2) for f in range(2)]
    records = [*study("triplet", [0.3]), *better, final("triplet", 0, 0.2, trial=1, study=1), *study("triplet", [0.3], study=2)]
    (row,) = rows_of(TRACK, records)
    assert {"loss.margin": 0.7} == row.params
    assert (pytest.approx((0.2 + 0.4 + 0.2) / 3), pytest.approx((0.3 + 0.5 + 0.3) / 3)) == row.validation


# ---- what failed


def test_a_final_model_that_failed_scores_as_the_untrained_network():
    """It counts as the untrained network of its backbone, study, repetition and protocol, in every metric, and the row says how many."""
    lost = [record for record in studies("triplet", [0.3, 0.31, 0.32]) if (record.unit.study, record.unit.kind) != (1, "final")]
    lost.append(final("triplet", 0, None, state="failed", trial=1, study=1))
    baseline = untrained([0.04, 0.05, 0.06])
    rows = {row.name: row for row in rows_of(TRACK, [*lost, *baseline])}
    row = rows["triplet"]
    assert {0: 0.3, 1: 0.05, 2: 0.32} == row.by_study["map@r"]
    assert {0: 0.15, 1: 0.025, 2: 0.16} == row.by_study["recall@1"]
    assert (True, ("failed-repetitions:1",), 3) == (row.is_full, row.flags, row.studies)
    # Of another folder, as where only shipped records have the baseline.
    assert row.by_study == rows_of(TRACK, lost, baselines=baseline)[0].by_study


@pytest.mark.parametrize(
    "changes",
    [{"study": 0}, {"study": 1, "repetition": 1}, {"study": 1, "scoring": dataclasses.replace(SCORING, protocol="reality-check")}],
)
def test_without_its_own_untrained_network_a_failure_has_no_score(changes):
    """One of another study, repetition or protocol is no stand-in: the score is missing, the row is not full and says why."""
    lost = [record for record in studies("triplet", [0.3, 0.31, 0.32]) if (record.unit.study, record.unit.kind) != (1, "final")]
    lost.append(final("triplet", 0, None, state="failed", trial=1, study=1))
    (row, _) = rows_of(TRACK, [*lost, made(unit("untrained", **changes), final("untrained", 0, 0.05).outcome)])[::-1]
    assert {0: 0.3, 2: 0.32} == row.by_study["map@r"]
    assert (False, False, ("failed-repetitions:1",)) == (row.is_full, row.is_comparable, row.flags)
    assert "no untrained network of its study and repetition is there to score it by" == row.missing["map@r of a failed final model"]


def test_a_study_without_a_successful_trial_counts_as_untrained_in_all_its_repetitions():
    """Where each trial of a study failed it has no final models: each counts as the untrained network's, and the row may be full."""
    track = TRACK.model_copy(update={"budget": TRACK.budget.model_copy(update={"repetitions": 2})})
    failed = [tuned("triplet", t, f, [], state="failed", study=1) for t, f in itertools.product(range(2), range(2))]
    good = [*study("triplet", [0.3, 0.34]), *study("triplet", [0.36, 0.38], study=2)]
    baseline = [final("untrained", i, 0.04 + i / 50, study=1) for i in range(2)]
    (row, _) = rows_of(track, [*good, *failed, *baseline])[::-1]
    assert {0: pytest.approx(0.32), 1: pytest.approx(0.05), 2: pytest.approx(0.37)} == row.by_study["map@r"]
    assert (True, ("failed-repetitions:2", "failed-trials:2")) == (row.is_full, row.flags)
    # While it is still being tuned nothing is said of it.
    (row, _) = rows_of(track, [*good, *failed[:2], *baseline])[::-1]
    assert {0, 2} == set(row.by_study["map@r"])


def test_a_row_of_failures_alone_is_last_and_has_no_score():
    """Where nothing of a row ended well it has no scores of its own, no rank and a reason, and stands behind all other methods."""
    failed = [final("npair", 0, None, state="failed", trial=1, study=number) for number in range(3)]
    tuned_well = [record for record in studies("npair", [0.5, 0.5, 0.5]) if record.unit.kind == "tune"]
    table = table_of([*failed, *tuned_well, *studies("triplet", [0.001, 0.002, 0.003]), *untrained([0.04, 0.05, 0.06])])
    assert ["triplet", "npair", "untrained"] == [line.row.name for line in table.lines]
    row = table.lines[1].row
    assert ({}, False, "every final model failed: it raised", None) == (row.scores, row.is_full, row.reason, table.lines[1].rank)
    assert ("failed-repetitions:3",) == row.flags


def test_flags_mark_what_a_reader_must_know():
    """Edited spaces, short budgets, failures, bounds, local files and old revisions are flags."""
    (row,) = rows_of(ONE_STUDY, study("triplet", [0.3, 0.31, 0.32], edited=("optimiser.lr",)))
    assert ("edited-space",) == row.flags
    (row,) = rows_of(ONE_STUDY, study("triplet", [0.3, 0.31, 0.32], params={"loss.margin": 0.995}))
    assert ("on-bound:loss.margin",) == row.flags
    (row,) = rows_of(ONE_STUDY, study("triplet", [0.3, 0.31, 0.32], components={"backbone": SHIPPED, "loss": LOCAL}))
    assert ("local",) == row.flags
    (row,) = rows_of(ONE_STUDY, study("triplet", [0.3, 0.31, 0.32], revision=0))
    assert ("revision-0",) == row.flags
    records = [r for r in study("triplet", [0.3, 0.31, 0.32]) if r.unit.trial == 1]
    records += [tuned("triplet", 0, fold, [], state="failed") for fold in range(2)]
    (row,) = rows_of(ONE_STUDY, records)
    assert ("failed-trials:1",) == row.flags
    (row,) = rows_of(ONE_STUDY, [*study("triplet", [0.3, 0.31]), final("triplet", 2, 0, state="failed", trial=1)])
    assert ("failed-repetitions:1",) == row.flags
    assert 2 == row.scores["map@r"].n


def test_a_row_without_scores_says_why():
    """A method whose trials or final models all failed is shown, without a rank, with the reason."""
    failed = [tuned("triplet", t, f, [], state="failed") for t, f in itertools.product(range(2), range(2))]
    lines = table_of(failed + studies("npair", [0.1, 0.12, 0.11])).lines
    assert ["npair", "triplet"] == [line.row.name for line in lines]
    assert lines[1].rank is None
    assert "every trial failed: it diverged" == lines[1].row.reason
    assert {} == lines[1].row.scores
    broken = study("triplet", [])[:4] + [final("triplet", i, 0, state="failed", trial=1) for i in range(3)]
    (row,) = rows_of(ONE_STUDY, broken)
    assert "every final model failed: it raised" == row.reason


def test_a_row_that_is_not_done_says_how_far_it_is():
    """Without final models the reason says so, and without a complete trial that it is still being tuned."""
    (row,) = rows_of(ONE_STUDY, study("triplet", []))
    assert "no final model yet" == row.reason
    (row,) = rows_of(ONE_STUDY, [tuned("triplet", 0, 0, [0.2])])
    assert "still being tuned" == row.reason


def test_final_models_of_a_trial_that_was_not_selected_do_not_count():
    """Where a folder holds final models of several trials, the row is made of those that its own trials select."""
    records = [*study("triplet", [0.3, 0.31, 0.32]), final("triplet", 0, 0.99, trial=0)]
    (row,) = rows_of(ONE_STUDY, records)
    assert 0.31 == pytest.approx(row.scores["map@r"].mean)
    assert 4 == row.opened


def test_openings_without_a_record_are_counted():
    """A unit that opened the test part and was lost afterwards counts, and so does one of another row of the method."""
    lines = [{"unit": "gone", "row": "row-edited", "method": "triplet"}, {"unit": "other", "method": "triplet+hard"}]
    (row,) = rows_of(ONE_STUDY, study("triplet", [0.3, 0.31, 0.32]), openings=lines)
    assert 4 == row.opened


def test_an_upgraded_record_is_counted_once_among_openings():
    """A record in today's layout and the line that its older self left in the log are one opening, whichever id the log has."""
    former = {"upgraded_from": [{"schema": 1, "id": "oldest"}, {"schema": 2, "id": "old"}]}
    records = [*study("triplet", [0.3, 0.31]), final("triplet", 2, 0.32, trial=1, telemetry=former)]
    for logged in ("oldest", "old", records[-1].id):
        (row,) = rows_of(ONE_STUDY, records, openings=[{"unit": logged, "row": "row-triplet", "method": "triplet"}])
        assert 3 == row.opened


def test_closed_set_rows_are_marked():
    """Rows and baselines of a closed-set split carry the flag; class-disjoint ones do not."""
    closed = rows_of(ONE_STUDY, [*study("triplet", [0.3, 0.31, 0.32], data=CLOSED), final("raw", 0, 0.1, data=CLOSED)])
    assert [("closed-set",), ("closed-set",)] == [row.flags for row in closed]
    disjoint = rows_of(ONE_STUDY, [*study("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)])
    assert [(), ()] == [row.flags for row in disjoint]


def test_baselines_of_which_nothing_is_drawn_need_one_unit():
    """One unit of raw input or of pretrained features is all there is; of an untrained backbone it is a short budget."""
    rows = rows_of(ONE_STUDY, [final(name, 0, 0.1) for name in ("pretrained", "untrained", "raw")])
    assert {"raw": (), "untrained": ("short-budget",), "pretrained": ()} == {row.name: row.flags for row in rows}


def test_a_larger_budget_than_the_tracks_is_marked():
    """More seeds than the track's budget, or more trials, mark the row: equal budgets are a contract in both directions."""
    budget = ONE_STUDY.budget.repetitions
    scores = [0.3 + 0.01 * place for place in range(budget + 1)]
    (longer,) = rows_of(ONE_STUDY, study("triplet", scores))
    (equal,) = rows_of(ONE_STUDY, study("triplet", scores[:budget]))
    assert ("long-budget" in longer.flags, "long-budget" in equal.flags) == (True, False)
    more = [tuned("triplet", 2, fold, [0.1]) for fold in range(2)]
    (searched,) = rows_of(ONE_STUDY, study("triplet", scores[:budget]) + more)
    assert ("long-budget",) == searched.flags


# ---- the interval over test classes


def test_the_interval_over_classes_is_a_direct_bootstrap():
    """Its ends are those of a bootstrap of the classes' means over seeds, weighted by queries, seeded by track and method."""
    (row,) = rows_of(TRACK, with_classes("triplet", PER_MODEL, QUERIES))
    means = [0.2, 0.8, 0.5, 0.2, 0.55, 0.63, 0.07, 0.34]
    expected = class_bootstrap(means, QUERIES, seed=seed_of("classes", "made", "1.0", "triplet"), draws=DRAWS)
    assert (expected.low, expected.high) == pytest.approx(row.scores["map@r"].classes95, abs=1e-12)
    assert expected.mean == pytest.approx(row.scores["map@r"].mean, abs=1e-12)
    assert row.scores["recall@1"].classes95 is None
    (other,) = rows_of(TRACK, with_classes("npair", PER_MODEL, QUERIES))
    assert other.scores["map@r"].classes95 != row.scores["map@r"].classes95


def test_classes_without_a_query_weigh_nothing():
    """A class in which no query has a positive has no score and changes nothing."""
    (row,) = rows_of(TRACK, with_classes("triplet", PER_MODEL, QUERIES))
    (more,) = rows_of(TRACK, with_classes("triplet", [[None, *scores] for scores in PER_MODEL], [0, *QUERIES]))
    assert row.scores["map@r"].classes95 == more.scores["map@r"].classes95


def test_older_records_have_no_interval_over_classes():
    """Without the number of queries per class there is none, and the row says why."""
    (row,) = rows_of(TRACK, with_classes("triplet", PER_MODEL, None))
    assert row.scores["map@r"].classes95 is None
    assert "its records do not say how many queries a class has" == row.missing["map@r over classes"]


@pytest.mark.parametrize(
    ("per_class", "queries"),
    [
        ({"map@r": (0.1,)}, (3,)),
        ({"map@r": (0.1, None)}, (3, 0)),
        ({"map@r": (0.1, 0.2)}, (3, 3, 3)),
        ({}, (3, 3)),
        ({}, None),
    ],
)
def test_what_cannot_be_resampled_has_no_interval_over_classes(per_class, queries):
    """One class, one class with a score, counts that do not fit and metrics without scores per class give none."""
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32], outcome={"per_class": per_class, "class_queries": queries}))
    assert row.scores["map@r"].classes95 is None


def test_seeds_that_disagree_on_their_queries_have_no_interval_over_classes():
    """Final models that were asked other queries of a class cannot be averaged class by class."""
    records = with_classes("triplet", PER_MODEL[:2], QUERIES)
    outcome = {"per_class": {"map@r": tuple(PER_MODEL[2])}, "class_queries": tuple(reversed(QUERIES))}
    (row,) = rows_of(TRACK, [*records, final("triplet", 2, 0.5, trial=1, outcome=outcome)])
    assert row.scores["map@r"].classes95 is None


def test_of_several_finals_of_a_repetition_the_fullest_counts():
    """A metric that was reported later makes final units anew; each repetition counts once, by the unit that reports most."""
    fuller = dataclasses.replace(SCORING, metrics=(*SCORING.metrics, "nmi"))
    again = [final("triplet", i, 0.4, trial=1, outcome={"scores": {"map@r": 0.4, "nmi": 0.7}}, scoring=fuller) for i in range(2)]
    for records in ([*study("triplet", [0.4, 0.4, 0.4]), *again], [*again, *study("triplet", [0.4, 0.4, 0.4])]):
        track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"report": fuller.metrics})})
        (row,) = rows_of(track, records)
        assert (3, 3, 2) == (row.seeds, row.scores["map@r"].n, row.scores["nmi"].n)
        assert fuller == row.scoring
    other = dataclasses.replace(SCORING, metrics=("map@r", "nmi"))
    short = [final("triplet", i, 0.4, trial=1, outcome={"scores": {"map@r": 0.4, "nmi": 0.7}}, scoring=other) for i in range(3)]
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"report": other.metrics})})
    (row,) = rows_of(track, [*study("triplet", [0.4, 0.4, 0.4]), *short])
    assert (other, 3) == (row.scoring, row.scores["nmi"].n), "what the track reports goes before what else was reported"
    (row,) = rows_of(track, study("triplet", [0.4, 0.4, 0.4]))
    assert "it was not among the metrics reported when the row was made" == row.missing["nmi"]


def test_a_missing_score_has_its_reason():
    """A metric without a value is missing for its own note, that on pairs where it needs them, or the plain fact."""
    report = ("map@r", "eer", "tar@1e-3", "one_shot_error", "one_shot@20")
    scoring = dataclasses.replace(SCORING, metrics=report)
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"report": report})})
    notes = {
        "verification": "too few classes",
        "tar@0.001": "needs 1000 impostor pairs, there are 30",
        "one_shot@20": "there are 12 classes",
        "precision": "similarities in fp32",
        "queries_without_positive": 3,
    }
    (row,) = rows_of(track, study("triplet", [0.3, 0.31, 0.32], outcome={"notes": notes}, scoring=scoring))
    assert {
        "eer": "too few classes",
        "tar@1e-3": "needs 1000 impostor pairs, there are 30",
        "one_shot_error": "it does not apply",
        "one_shot@20": "there are 12 classes",
    } == row.missing
    (row,) = rows_of(track, study("npair", [0.3, 0.31, 0.32], scoring=scoring))
    assert "it does not apply" == row.missing["tar@1e-3"]

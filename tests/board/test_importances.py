"""Which parameters moved the validation score of a row: on studies made by hand, whose answers are known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from made import SCORING, table_of, tuned

from siambench.board.importances import importances_of, importances_text, to_json
from siambench.board.tuning import tunings_of
from siambench.board.view import view

SPACE = {
    "optimiser.lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "loss.margin": {"type": "float", "low": 0.0, "high": 1.0, "log": False},
    "loss.mode": {"type": "choice", "options": ["all", "hard", "semi"]},
    "loss.bins": {"type": "int", "low": 2, "high": 9, "log": False},
}
SEARCH = {"search": {"sampler": "quasi-random"}}


def drawn(seed, number):
    """The parameters of a trial; the default in the middle of all."""
    if number == 0:
        return {"optimiser.lr": 3e-3, "loss.margin": 0.5, "loss.mode": "all", "loss.bins": 5}
    generator = np.random.default_rng([seed, number])
    return {
        "optimiser.lr": float(10 ** generator.uniform(-4, -1)),
        "loss.margin": float(generator.uniform()),
        "loss.mode": str(generator.choice(["all", "hard", "semi"])),
        "loss.bins": int(generator.integers(2, 10)),
    }


def searched(score, studies=4, trials=9, telemetry=SEARCH, folds=2, **changes):
    """Records of studies whose trials have the scores that a function of their parameters says; None: the trial failed."""
    records = []
    for study in range(studies):
        for number in range(trials):
            params = drawn(study, number)
            value = score(params, study)
            for fold in range(folds):
                state = "failed" if value is None else "done"
                told = {"study": study, "params": params, "space": SPACE, "state": state, "telemetry": telemetry, **changes}
                records.append(tuned("triplet", number, fold, [] if value is None else [value], **told))
    return records


def found_of(records, budget=9):
    """What tunings of these records come to."""
    return importances_of(tunings_of(records, budget=budget))


def by_rate(params, study):
    """A score that is best at a rate of .003, on the level of its study, and that nothing else moves but a little noise."""
    noise = np.random.default_rng(round(1e9 * params["optimiser.lr"])).normal()
    return 0.4 + 0.1 * study - 0.05 * (np.log10(params["optimiser.lr"]) + 2.5) ** 2 + 0.002 * noise


def test_what_moves_the_score_is_told_and_nothing_else():
    """The rate has nearly all of the share and its best third; what does not matter cannot be told, whatever the levels of studies are."""
    found = found_of(searched(by_rate))
    first, *others = found.parameters
    assert ("optimiser.lr", "middle", True) == (first.parameter, first.best, first.is_told)
    assert 0.8 < first.share <= 1
    assert first.p < 0.01
    assert ["loss.bins", "loss.margin", "loss.mode"] == [one.parameter for one in others]
    assert not any(one.is_told for one in others)
    assert (32, 4, "all") == (found.trials, found.studies, found.folds)


@pytest.mark.parametrize(
    ("score", "parameter", "best"),
    [
        (lambda params, _: np.log10(params["optimiser.lr"]) / 10 + 0.5, "optimiser.lr", "high"),
        (lambda params, _: 0.5 - np.log10(params["optimiser.lr"]) / 10 - 0.45, "optimiser.lr", "low"),
        (
            lambda params, _: 0.1 + 0.1 * ["all", "semi", "hard"].index(params["loss.mode"]) + 0.01 * params["loss.margin"],
            "loss.mode",
            "hard",
        ),
        (lambda params, _: 0.9 - 0.05 * params["loss.bins"], "loss.bins", "low"),
        (lambda params, _: 0.3 + (params["loss.margin"] - 0.5) ** 2, "loss.margin", None),
    ],
)
def test_where_a_parameter_is_best(score, parameter, best):
    """Upper and lower ends, options of a choice, whole numbers; of a valley one of its ends."""
    first = found_of(searched(score)).parameters[0]
    assert parameter == first.parameter
    assert first.is_told
    assert first.best == best or (best is None and first.best in ("low", "high"))


def test_an_error_is_best_where_it_is_small():
    """Of a metric of which less is better the best is the lowest."""
    scoring = dataclasses.replace(SCORING, maximise=False)
    for changes, best in (({}, "high"), ({"scoring": scoring}, "low")):
        first = found_of(searched(lambda params, _: params["loss.margin"] / 2, **changes)).parameters[0]
        assert ("loss.margin", best) == (first.parameter, first.best)


def test_a_failure_is_the_worst_of_its_study():
    """Where trials fail at high rates alone, and all others are alike, the rate is told."""
    found = found_of(searched(lambda params, _: None if params["optimiser.lr"] > 0.01 else 0.3 + 1e-3 * params["loss.bins"]))
    assert "optimiser.lr" == found.parameters[0].parameter
    assert found.parameters[0].best in ("low", "middle")


def test_the_default_and_what_others_results_proposed_do_not_count():
    """A default that is far better than all else tells nothing, nor do TPE's trials: without drawn ones there is nothing to say."""
    plain = found_of(searched(by_rate))
    lifted = found_of(searched(lambda params, study: 0.99 if params == drawn(0, 0) else by_rate(params, study)))
    assert plain == lifted
    tpe = {"search": {"sampler": "tpe", "random_trials": 4}}
    four_each = found_of(searched(by_rate, telemetry=tpe))
    assert (16, 4) == (four_each.trials, four_each.studies)
    assert found_of(searched(by_rate, telemetry={"search": {"sampler": "tpe", "random_trials": 0}})) is None
    assert found_of(searched(by_rate, trials=2)) is None, "one drawn trial has none beside it"
    assert found_of(searched(by_rate, space={})) is None


def test_trials_behind_those_that_count_do_not():
    """Where the row counts fewer trials than were run, so does this."""
    records = searched(by_rate)
    fewer = importances_of(tunings_of(records, budget=9, limit=5))
    assert (16, importances_of(tunings_of(searched(by_rate, trials=5), budget=9))) == (fewer.trials, fewer)


def test_where_folds_race_all_are_compared_on_the_first():
    """Trials that lost have no mean over folds: the first fold, which all have, decides, and not what survivors scored on others."""
    records = searched(by_rate, folds=1)
    winners = searched(lambda params, study: 1 - by_rate(params, study))
    racing = dataclasses.replace(records[0].exam, training={**records[0].exam.training, "racing": True})
    both = [dataclasses.replace(one, exam=racing) for one in [*records, *(one for one in winners if one.unit.fold == 1)]]
    raced = found_of(both)
    assert "first" == raced.folds
    assert found_of(searched(by_rate)).parameters == raced.parameters


def test_few_trials_tell_nothing():
    """One study of four drawn trials: whatever moved them cannot be told, and the words say so."""
    found = found_of(searched(by_rate, studies=1, trials=5))
    assert ("", "loss.bins, loss.margin, loss.mode, optimiser.lr") == importances_text(found)


def test_it_is_the_same_to_the_byte_in_any_order():
    """Records in another order, and another call, give the same document."""
    records = searched(by_rate)
    documents = {json.dumps(to_json(found_of(order))) for order in (records, records[::-1], records[7:] + records[:7])}
    assert 1 == len(documents)


def test_the_document_has_the_documented_form():
    """Trials, studies, folds, and of each parameter its share, p, whether it is told and where it is best; nothing: null."""
    document = to_json(found_of(searched(by_rate)))
    assert {"trials", "studies", "folds", "parameters"} == set(document)
    assert {"parameter", "share", "p", "told", "best"} == set(document["parameters"][0])
    assert [True, False, False, False] == [one["told"] for one in document["parameters"]]
    assert to_json(None) is None


def test_a_board_has_a_section_of_it():
    """A line for each row with drawn trials: how many, what moved them with share, p and place, and what cannot be told."""
    shown = view(table_of(searched(by_rate)))
    section = next(one for one in shown.sections if one.title == "What tuning hung on")
    ((method, trials, known, unknown),) = section.rows
    assert ("triplet", "32", "loss.bins, loss.margin, loss.mode") == (method, trials, unknown)
    assert known.startswith("optimiser.lr 0.")
    assert known.endswith("best in its middle third)")
    assert "map@r on validation classes" in section.text
    assert "first fold" not in section.text
    assert not [one for one in view(table_of(searched(by_rate, trials=2))).sections if one.title == section.title]

"""The ledger of a study, on records made by hand: every trial, the curve of the best, and what was selected."""

from __future__ import annotations

import pytest
from made import SPACE, final, table_of, tuned

from siambench.board.formats import markdown as page
from siambench.board.show import ledger_summary, ledger_table
from siambench.board.tuning import ledger_of, to_json

# Trial → its curve on each of two folds; trial 2 diverges on its second fold.
CURVES = {
    0: ([0.1, 0.3], [0.2, 0.2]),
    1: ([0.1, 0.1], [0.1, 0.1]),
    2: ([0.9, 0.9], None),
    3: ([0.4, 0.2], [0.5, 0.1]),
    4: ([0.2, 0.2], [0.2, 0.2]),
    5: ([0.4, 0.1], [0.3, 0.1]),
    6: ([0.1, 0.6], [0.1, 0.5]),
}


def records(trials=CURVES, method="triplet", **changes):
    made = []
    for trial in trials:
        for fold, values in enumerate(CURVES[trial]):
            state = "failed" if values is None else "done"
            made.append(tuned(method, trial, fold, values or [], state=state, **changes))
    return made


def test_every_trial_stands_in_the_ledger():
    """Number, kind, state, value, epoch and the best so far are those that the hand-made curves have."""
    ledger = ledger_of(records(), budget=7)
    assert [
        (0, "default", "done", 0.25, 2, 0.25),
        (1, "random", "done", 0.1, 1, 0.25),
        (2, "random", "failed", None, None, 0.25),
        (3, "random", "done", 0.45, 1, 0.45),
        (4, "random", "done", 0.2, 1, 0.45),
        (5, "tpe", "done", 0.35, 1, 0.45),
        (6, "tpe", "done", pytest.approx(0.55), 2, pytest.approx(0.55)),
    ] == [(t.number, t.kind, t.state, t.value, t.epoch, t.best) for t in ledger.trials]
    assert ((0.1, 0.3), (0.2, 0.2)) == ledger.trials[0].folds
    assert ((0.9, 0.9), ()) == ledger.trials[2].folds
    assert "it diverged" == ledger.trials[2].error
    assert {"loss.margin": pytest.approx(0.6)} == ledger.trials[3].params
    assert (7, 1, 0.25, 6) == (ledger.counted, ledger.failed, ledger.default, ledger.selected.number)
    assert ("failed-trials:1",) == tuple(flag for flag in ledger.flags if not flag.startswith("on-bound"))


def test_the_order_of_records_does_not_matter():
    """Any order of the records gives the same ledger."""
    made = records()
    assert ledger_of(made, budget=7) == ledger_of(made[::-1], budget=7) == ledger_of(made[5:] + made[:5], budget=7)


def test_where_less_is_better_the_curve_goes_down():
    """For an error the best is the smallest, and the selected trial the one that has it."""
    ledger = ledger_of(records(training={"maximise": False}), budget=7)
    assert [0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1] == pytest.approx([t.best for t in ledger.trials])
    assert (1, 1) == (ledger.selected.number, ledger.selected.epoch)


def test_the_earliest_of_equal_trials_is_selected():
    """A later trial of the same value changes nothing."""
    made = [tuned("triplet", trial, fold, [0.2, 0.3]) for trial in range(3) for fold in range(2)]
    assert 0 == ledger_of(made, budget=3).selected.number


def test_kinds_follow_what_the_search_recorded():
    """Where records say how many trials were random, that counts; where they do not, four were."""
    search = {"search": {"random_trials": 2, "batch": 4}}
    assert ["default", "random", "random", "tpe", "tpe", "tpe", "tpe"] == [
        t.kind for t in ledger_of(records(telemetry=search), budget=7).trials
    ]


def test_flags_are_both_present_and_absent():
    """Edited spaces, short budgets, failed trials and values on a bound are flags, each only where it applies."""
    fine = records([0, 1])
    assert () == ledger_of(fine, budget=2).flags
    assert ("short-budget",) == ledger_of(fine, budget=3).flags
    assert ("short-budget",) == ledger_of(fine, budget=2, limit=1).flags
    assert ("edited-space",) == ledger_of(records([0, 1], edited=("optimiser.lr",)), budget=2).flags
    assert ("failed-trials:1",) == ledger_of(records([0, 1, 2]), budget=3).flags
    log = {"loss.margin": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}}
    assert ("on-bound:loss.margin",) == ledger_of(records([0], space=log, params={"loss.margin": 1.05e-4}), budget=1).flags
    assert () == ledger_of(records([0], space=SPACE, params={"loss.margin": 0.0105}), budget=1).flags
    assert ("on-bound:loss.margin",) == ledger_of(records([0], space=SPACE, params={"loss.margin": 0.0095}), budget=1).flags


def test_without_a_space_one_trial_is_all():
    """A study with nothing to search has a budget of one trial."""
    ledger = ledger_of(records([0], space={}), budget=8)
    assert (1, ()) == (ledger.budget, ledger.flags)


def test_incomplete_trials_wait():
    """A trial that lacks a fold, and what comes after a gap, is pending and does not count."""
    ledger = ledger_of([*records([0, 1, 3, 4]), tuned("triplet", 2, 0, [0.9])], budget=8)
    assert (2, 3, 0) == (len(ledger.trials), ledger.pending, ledger.selected.number)
    assert "3 trials incomplete" in ledger_summary(ledger, studies=1)[0]


def test_trials_that_the_final_models_were_not_selected_from_do_not_count():
    """Where more trials lie there than the final models were selected from, so many count as select these."""
    chosen = [final("triplet", i, 0.3, trial=3, stop_epoch=1) for i in range(3)]
    ledger = ledger_of(records() + chosen, budget=6)
    assert (6, 3, 1) == (ledger.counted, ledger.selected.number, ledger.selected.epoch)
    assert [True] * 6 + [False] == [trial["counted"] for trial in to_json(ledger)["trials"]]
    assert pytest.approx(0.45) == ledger.best_after(6)
    assert ledger.best_after(7) is None
    assert 6 == ledger_of(records(), budget=6).selected.number


def test_a_study_of_failures_selects_nothing():
    """Where each trial failed there is no best, no default and no selection, and the reasons are there."""
    made = [tuned("triplet", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)]
    ledger = ledger_of(made, budget=2)
    assert (None, None, 2, None) == (ledger.selected, ledger.default, ledger.failed, ledger.best_after(2))
    assert ["2 of 2 trials counted, 2 failed, 1 parameters", "no trial is selected"] == ledger_summary(ledger, studies=1)[:2]
    assert "trial 1 failed: it diverged" in ledger_summary(ledger, studies=1)
    assert 2 == ledger_table(ledger).row_count


def test_a_score_that_does_not_apply_is_a_reason():
    """A trial whose folds ended well but have no score has failed, and says so."""
    ledger = ledger_of([tuned("triplet", 0, fold, [None]) for fold in range(2)], budget=1)
    assert ("failed", "a fold has no score of map@r") == (ledger.trials[0].state, ledger.trials[0].error)


def test_the_document_has_the_documented_form():
    """`show study --json` has the keys of the documentation, and every fold's curve."""
    document = to_json(ledger_of(records(), budget=7), studies=2)
    assert {
        *("schema", "track", "method", "study", "studies", "primary", "direction", "budget", "space"),
        *("trials", "pending", "failed", "default", "selected", "flags"),
    } == set(document)
    assert {"trial", "kind", "counted", "state", "error", "params", "folds", "epoch", "value", "best"} == set(document["trials"][0])
    assert [[0.1, 0.6], [0.1, 0.5]] == document["trials"][6]["folds"]
    assert {"trial": 6, "epoch": 2, "value": pytest.approx(0.55)} == document["selected"]
    assert ({"name": "made", "version": "1.0"}, "max", 2) == (document["track"], document["direction"], document["studies"])


def test_the_page_shows_the_best_by_trial():
    """One row per method: the best after 1, 2, 4 … trials, a dash where so many are not counted, and the selected trial."""
    chosen = [final("triplet", i, 0.3, trial=6) for i in range(3)]
    other = records([0, 1], method="npair") + [final("npair", i, 0.1, trial=0) for i in range(3)]
    shown = page.markdown(table_of([*records(), *chosen, *other]), title="made", command="x")
    section = shown.split("## Tuning")[1]
    assert "| method | after 1 | after 2 | after 4 | after 7 | trial | epoch | selected parameters |" in section
    assert "| `triplet` | 0.250 | 0.250 | 0.450 | 0.550 | 6 | 2 | loss.margin = 0.9 |" in section
    assert "| `npair` | 0.250 | 0.250 | — | — | 0 | 2 | loss.margin = 0.3 |" in section
    assert "siambench show study made METHOD" in section


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        (1, [1]),
        (2, [1, 2]),
        (4, [1, 2, 4]),
        (6, [1, 2, 4, 6]),
        (8, [1, 2, 4, 8]),
        (12, [1, 2, 4, 8, 12]),
        (13, [1, 2, 4, 8, 12, 13]),
        (50, [1, 2, 4, 8, 12, 16, 24, 32, 48, 50]),
    ],
)
def test_the_steps_of_the_curve_are_few(trials, expected):
    """Columns come closer where the curve is steep, and the last one is the whole budget."""
    assert expected == page.steps(trials)


def test_the_terminal_shows_the_curve():
    """Each trial has a mark at its value and one at the best so far; the selected one stands out."""
    import io

    from rich.console import Console

    console = Console(width=200, file=io.StringIO())
    console.print(ledger_table(ledger_of(records(), budget=7)))
    lines = [line.split("│") for line in console.file.getvalue().splitlines() if line.startswith("│")]
    strips = [cells[7][1:-1] for cells in lines]
    assert ["failed" in cells[5] for cells in lines] == [False, False, True, False, False, False, False]
    assert (0, 23) == (strips[1].index("●"), strips[6].index("●"))
    assert [strip.index("┃") for strip in strips if "┃" in strip] == sorted(strip.index("┃") for strip in strips if "┃" in strip)
    assert "●" not in strips[2]

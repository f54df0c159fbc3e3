"""Leaderboards as pure functions of a track and records, on records made by hand."""

from __future__ import annotations

import itertools

import pytest

from siambench.board import text
from siambench.board.rows import rows_of
from siambench.board.table import build, to_json
from siambench.config import Track
from siambench.record import make
from siambench.spec import Method, Unit

TRACK = Track.model_validate(
    {
        "name": "made",
        "version": "1.0",
        "dataset": {"name": "digits"},
        "budget": {"trials": 2, "seeds": 3},
        "metrics": {"primary": "map@r", "report": ["map@r", "recall@1", "eer"]},
    }
)
SPACE = {"loss.margin": {"type": "float", "low": 0.0, "high": 1.0, "log": False}}


def unit(method="triplet", kind="final", trial=0, fold=None, repetition=0, **changes):
    anchor = method in ("raw", "untrained")
    fields = {
        "kind": kind,
        "track": "made",
        "track_version": "1.0",
        "method": Method(method),
        "study": f"anchor-{method}" if anchor else f"study-{method}",
        "trial": None if anchor else trial,
        "fold": fold,
        "repetition": repetition,
        "stop_epoch": None if anchor or kind == "tune" else 2,
        "data": {"fingerprint": "f", "split": {"folds": 2}},
        "model": {},
        "training": {} if anchor else {"maximise": True},
        "augment": {},
        "params": {} if anchor else {"loss.margin": 0.3 + 0.1 * trial},
        "space": {} if anchor else SPACE,
        "edited": (),
        "components": {"loss": "siambench 0.1.0"},
        "metrics": ("map@r",),
        "primary": "map@r",
        "seeds": {},
    }
    return Unit(**{**fields, **changes})


def final(method, repetition, score, state="done", **changes):
    outcome = {
        "error": None if state == "done" else "it raised",
        "scores": {"map@r": score, "recall@1": score / 2, "eer": None} if state == "done" else {},
        "curve": [],
        "directions": {"map@r": "max", "recall@1": "max", "eer": "min"},
    }
    return make(unit(method, repetition=repetition, **changes), state=state, outcome=outcome, telemetry={})


def tuned(method, trial, fold, values, state="done", **changes):
    curve = [{"validation": {"map@r": value}} for value in values]
    outcome = {"error": None if state == "done" else "it diverged", "scores": {}, "curve": curve if state == "done" else []}
    return make(unit(method, kind="tune", trial=trial, fold=fold, **changes), state=state, outcome=outcome, telemetry={})


def study(method, scores, **changes):
    """Two trials of which the second is best at epoch 2, and final models with these scores."""
    records = [tuned(method, t, f, [0.1, 0.2 + 0.1 * t], **changes) for t in range(2) for f in range(2)]
    return records + [final(method, i, score, trial=1, **changes) for i, score in enumerate(scores)]


def table_of(records, **options):
    rows = rows_of(TRACK, records, **options)
    return build(TRACK, rows, units={"planned": 0, "done": 0, "cached": 0, "failed": 0, "lost": 0})


def test_a_row_has_mean_and_interval_over_seeds():
    """A row's score is the mean over its final models with the half-width of scipy's 95 % t-interval."""
    from scipy import stats

    scores = [0.31, 0.35, 0.30]
    (row,) = rows_of(TRACK, study("triplet", scores))
    low, high = stats.t.interval(0.95, 2, loc=sum(scores) / 3, scale=stats.sem(scores))
    assert sum(scores) / 3 == pytest.approx(row.scores["map@r"].mean, abs=1e-15)
    assert (high - low) / 2 == pytest.approx(row.scores["map@r"].ci95, abs=1e-12)
    assert 3 == row.scores["map@r"].n
    assert "eer" not in row.scores
    assert {"loss.margin": 0.4} == row.params
    assert (0.2, pytest.approx(0.3)) == row.validation
    assert (2, 3, 1) == (row.trials, row.seeds, row.dimension)
    assert () == row.flags


def test_one_seed_has_no_interval():
    """With one final model the half-width is None, and the row is marked."""
    (row,) = rows_of(TRACK, study("triplet", [0.3]))
    assert row.scores["map@r"].ci95 is None
    assert ("short-budget",) == row.flags


def test_the_order_of_records_does_not_matter():
    """Any permutation of the records gives the same table, byte for byte."""
    records = study("triplet", [0.3, 0.31, 0.32]) + study("npair", [0.1, 0.12, 0.11]) + [final("raw", 0, 0.05)]
    texts = {text.csv_text(table_of(chosen)) for chosen in (records, records[::-1], records[5:] + records[:5])}
    assert 1 == len(texts)


def test_ranks_are_intervals_and_anchors_are_not_ranked():
    """Clearly separated methods get ranks of their own; equal ones share an interval; anchors come last without a rank."""
    records = (
        study("triplet", [0.500, 0.510, 0.520])
        + study("npair", [0.100, 0.111, 0.119])
        + study("supcon", [0.501, 0.508, 0.522])
        + [final("raw", 0, 0.9), *(final("untrained", i, 0.04 + i / 100) for i in range(3))]
    )
    lines = table_of(records).lines
    assert ["supcon", "triplet", "npair", "raw", "untrained"] == [line.row.name for line in lines]
    assert [(1, 2), (1, 2), (3, 3), None, None] == [line.rank for line in lines]
    assert [1, 1, 2, None, None] == [line.group for line in lines]


def test_a_fresh_row_replaces_its_shipped_twin():
    """The fresh row of a method stands in the table, its shipped twin does not."""
    shipped = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32]) + study("npair", [0.1, 0.12, 0.11]), shipped=True)
    fresh = rows_of(TRACK, study("triplet", [0.4, 0.41, 0.42]))
    table = build(TRACK, [*shipped, *fresh], units={})
    assert [("triplet", False), ("npair", True)] == [(line.row.name, line.row.shipped) for line in table.lines]
    mean, half = table.lines[1].difference
    assert -0.3 == pytest.approx(mean)
    assert half is not None
    assert table.lines[0].difference is None


def test_other_versions_never_share_a_table():
    """Records of another version of the track, or of another track, give no row."""
    records = (
        study("triplet", [0.3, 0.31, 0.32]) + study("npair", [0.5, 0.5, 0.5], track_version="2.0") + study("supcon", [0.5], track="else")
    )
    assert ["triplet"] == [row.name for row in rows_of(TRACK, records)]


def test_flags_mark_what_a_reader_must_know():
    """Edited spaces, short budgets, failures, bounds, local files and old revisions are flags."""
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32], edited=("optimiser.lr",)))
    assert ("edited-space",) == row.flags
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32], params={"loss.margin": 0.995}))
    assert ("on-bound:loss.margin",) == row.flags
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32], components={"loss": "local 0+abc"}))
    assert ("local",) == row.flags
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32], revision=0))
    assert ("revision-0",) == row.flags
    records = [r for r in study("triplet", [0.3, 0.31, 0.32]) if r["result"]["unit"]["trial"] == 1]
    records += [tuned("triplet", 0, fold, [], state="failed") for fold in range(2)]
    (row,) = rows_of(TRACK, records)
    assert ("failed-trials:1",) == row.flags
    (row,) = rows_of(TRACK, [*study("triplet", [0.3, 0.31]), final("triplet", 2, 0, state="failed", trial=1)])
    assert ("failed-seeds:1",) == row.flags
    assert 2 == row.scores["map@r"].n


def test_a_row_without_scores_says_why():
    """A method whose trials or final models all failed is shown, without a rank, with the reason."""
    failed = [tuned("triplet", t, f, [], state="failed") for t, f in itertools.product(range(2), range(2))]
    lines = table_of(failed + study("npair", [0.1, 0.12, 0.11])).lines
    assert ["npair", "triplet"] == [line.row.name for line in lines]
    assert lines[1].rank is None
    assert "every trial failed: it diverged" == lines[1].row.reason
    assert "—" in text.cell(lines[1].row, "map@r")
    broken = study("triplet", [])[:4] + [final("triplet", i, 0, state="failed", trial=1) for i in range(3)]
    (row,) = rows_of(TRACK, broken)
    assert "every final model failed: it raised" == row.reason


def test_final_models_of_a_trial_that_was_not_selected_do_not_count():
    """Where a folder holds final models of several trials, the row is made of those that its own trials select."""
    records = [*study("triplet", [0.3, 0.31, 0.32]), final("triplet", 0, 0.99, trial=0)]
    (row,) = rows_of(TRACK, records)
    assert 0.31 == pytest.approx(row.scores["map@r"].mean)
    assert 4 == row.opened


def test_openings_without_a_record_are_counted():
    """A unit that opened the test part and was lost afterwards counts among those that saw it."""
    lines = [{"unit": "gone", "study": "study-triplet"}, {"unit": "other", "study": "study-else"}]
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32]), openings=lines)
    assert 4 == row.opened


def test_json_has_the_documented_form():
    """The document has the documented keys, and finite numbers only."""
    document = to_json(table_of([*study("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)]))
    assert {"schema", "track", "rows", "units"} == set(document)
    expected = {
        "method",
        "loss",
        "miner",
        "feed",
        "backbone",
        "rank",
        "scores",
        "params",
        "trials",
        "seeds",
        "dimension",
        "test_opened",
        "flags",
    }
    assert expected | {"shipped", "reason"} == set(document["rows"][0])
    assert [1, 1] == document["rows"][0]["rank"]
    assert document["rows"][1]["scores"]["map@r"] == {"mean": 0.1, "ci95": None, "n": 1}


def test_markdown_escapes_what_would_break_the_table():
    """A bar or a line break in a reason or a name cannot break the Markdown table."""
    records = study("tri|plet", [0.3, 0.31, 0.32])
    shown = text.markdown(table_of(records), title="made", command="x")
    line = next(line for line in shown.splitlines() if "plet" in line)
    assert "tri\\|plet" in line


def test_a_metric_where_lower_is_better_orders_upwards():
    """With an error as the primary metric the smallest mean comes first and gets rank 1."""
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"primary": "recall@1"})})
    rows = rows_of(track, study("triplet", [0.5, 0.51, 0.52]) + study("npair", [0.1, 0.111, 0.119]))
    table = build(track, rows, units={}, direction="min")
    assert ["npair", "triplet"] == [line.row.name for line in table.lines]
    assert [(1, 1), (2, 2)] == [line.rank for line in table.lines]

"""Leaderboards as pure functions of a track and records, on records made by hand."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from pathlib import Path

import pytest
from made import TRACK, final, study, table_of, tuned

from siambench.board import captions as text
from siambench.board.formats import markdown as page
from siambench.board.rows import rows_of
from siambench.board.table import build, to_json
from siambench.errors import UsageError


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
    """A unit that opened the test part and was lost afterwards counts, and so does one of another study of the method."""
    lines = [{"unit": "gone", "study": "study-edited", "method": "triplet"}, {"unit": "other", "method": "triplet+hard"}]
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32]), openings=lines)
    assert 4 == row.opened


def test_an_upgraded_record_is_counted_once_among_openings():
    """A record in today's layout and the line that its older self left in the log are one opening, whichever id the log has."""
    records = study("triplet", [0.3, 0.31, 0.32])
    finals = [r for r in records if r["result"]["unit"]["kind"] == "final"]
    finals[0]["telemetry"]["upgraded_from"] = {"schema": 1, "id": "old"}
    for logged in ("old", finals[0]["id"]):
        (row,) = rows_of(TRACK, records, openings=[{"unit": logged, "study": "study-triplet", "method": "triplet"}])
        assert 3 == row.opened


def test_a_track_without_records_has_an_empty_table_in_every_format():
    """No records give a table without lines, which each format shows."""
    from siambench.api import frame
    from siambench.board.show import console_table

    table = table_of([])
    assert () == table.lines
    assert 0 == console_table(table).row_count
    assert 1 == len(text.csv_text(table).splitlines())
    assert [] == to_json(table)["rows"]
    assert 0 == len(frame(table))
    assert "# made\n" in page.markdown(table, title="made", command="x")


def test_json_has_the_documented_form():
    """The document has the documented keys, and finite numbers only."""
    document = to_json(table_of([*study("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)]))
    assert {"schema", "track", "rows", "units", "minimum_detectable_difference"} == set(document)
    expected = {
        "method",
        "loss",
        "miner",
        "feed",
        "backbone",
        "rank",
        "group",
        "better_than",
        "scores",
        "params",
        "trials",
        "seeds",
        "dimension",
        "test_opened",
        "flags",
    }
    assert expected | {"shipped", "reason", "costs"} == set(document["rows"][0])
    assert [1, 1] == document["rows"][0]["rank"]
    assert {"mean": 0.1, "ci95": None, "n": 1, "classes95": None} == document["rows"][1]["scores"]["map@r"]


def test_markdown_escapes_what_would_break_the_table():
    """A bar or a line break in a reason or a name cannot break the Markdown table."""
    records = study("tri|plet", [0.3, 0.31, 0.32])
    shown = page.markdown(table_of(records), title="made", command="x")
    line = next(line for line in shown.splitlines() if "plet" in line)
    assert "tri\\|plet" in line


def test_a_metric_where_lower_is_better_orders_upwards():
    """With an error as the primary metric the smallest mean comes first and gets rank 1."""
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"primary": "recall@1"})})
    rows = rows_of(track, study("triplet", [0.5, 0.51, 0.52]) + study("npair", [0.1, 0.111, 0.119]))
    table = build(track, rows, units={}, direction="min")
    assert ["npair", "triplet"] == [line.row.name for line in table.lines]
    assert [(1, 1), (2, 2)] == [line.rank for line in table.lines]


def test_older_versions_and_other_tracks_never_share_a_table():
    """Of records of three versions each version's table shows its own row alone, whatever lies beside it."""
    records = [
        *study("triplet", [0.3, 0.31, 0.32]),
        *study("triplet", [0.6, 0.61, 0.62], track_version="1.1"),
        *study("triplet", [0.9, 0.91, 0.92], track_version="2.0"),
    ]
    for version, mean in (("1.0", 0.31), ("1.1", 0.61), ("2.0", 0.91)):
        (line,) = table_of(records, TRACK.model_copy(update={"version": version})).lines
        assert mean == pytest.approx(line.row.scores["map@r"].mean)


def closed(records):
    for record in records:
        record["result"]["unit"]["data"] = {"fingerprint": "f", "split": {"folds": 2, "rule": "closed-set"}}
    return records


def test_closed_set_rows_are_marked_and_the_table_says_so():
    """Rows and anchors of a closed-set split carry the flag, title and captions say it; class-disjoint ones do not."""
    table = table_of(closed([*study("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)]))
    assert [("closed-set",), ("closed-set",)] == [line.row.flags for line in table.lines]
    assert "made (closed-set)" == text.title_of(table)
    assert any(caption.startswith("Closed-set: ") for caption in text.captions(table, classes=False))
    disjoint = table_of([*study("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)])
    assert [(), ()] == [line.row.flags for line in disjoint.lines]
    assert "closed-set" not in page.markdown(disjoint, title=text.title_of(disjoint), command="x").lower()


def test_closed_set_and_class_disjoint_rows_cannot_share_a_table():
    """A closed-set row, or a closed-set anchor, beside class-disjoint rows is an error that names both."""
    disjoint = study("npair", [0.1, 0.12, 0.11])
    with pytest.raises(UsageError, match=r"triplet was tested on classes it was trained on .* npair was not"):
        table_of([*closed(study("triplet", [0.3, 0.31, 0.32])), *disjoint])
    with pytest.raises(UsageError, match=r"raw was tested on classes it was trained on .* npair was not"):
        table_of([*closed([final("raw", 0, 0.1)]), *disjoint])


def test_rows_of_two_protocols_cannot_share_a_table():
    """Rows whose final models were made in two ways are an error; anchors, made in one way alone, stand beside either."""
    check = {"evaluation": {"distance": "cosine", "protocol": "reality-check", "pairs": ""}}
    anchors = [final("untrained", i, 0.04 + i / 100) for i in range(3)]
    with pytest.raises(UsageError, match="npair has protocol 'retrain' and triplet 'reality-check'"):
        table_of(study("npair", [0.1, 0.12, 0.11]) + study("triplet", [0.3, 0.31, 0.32], **check) + anchors)
    table = table_of(study("triplet", [0.3, 0.31, 0.32], **check) + anchors)
    assert "reality-check" == table.evaluation["protocol"]
    older = study("npair", [0.1, 0.12, 0.11])
    for record in older:
        del record["result"]["unit"]["evaluation"]
    assert "retrain" == table_of(older + study("triplet", [0.3, 0.31, 0.32])).evaluation["protocol"]


def test_anchors_of_which_nothing_is_drawn_need_one_unit():
    """One unit of raw input or of pretrained features is all there is; of an untrained backbone it is a short budget."""
    table = table_of([final(name, 0, 0.1) for name in ("pretrained", "untrained", "raw")])
    assert [("raw", ()), ("untrained", ("short-budget",)), ("pretrained", ())] == [(line.row.name, line.row.flags) for line in table.lines]


def test_the_documented_example_is_a_row():
    """The example of leaderboards/README.md has the keys of a row, of a score and of the detectable difference."""
    page_of_boards = Path(__file__).parents[2] / "leaderboards" / "README.md"
    example = json.loads(re.search(r"```json\n(.*?)```", page_of_boards.read_text(), re.DOTALL).group(1))
    document = to_json(table_of(study("triplet", [0.3, 0.31, 0.35]) + study("npair", [0.1, 0.12, 0.11])))
    assert set(document["rows"][0]) == set(example["rows"][0])
    assert set(document["rows"][0]["scores"]["map@r"]) == set(example["rows"][0]["scores"]["map@r"])
    assert set(document["minimum_detectable_difference"]) == set(example["minimum_detectable_difference"])


def test_a_larger_budget_than_the_tracks_is_marked():
    """More seeds than the track's budget, or more trials, mark the row: equal budgets are a contract in both directions."""
    budget = TRACK.budget.seeds
    scores = [0.3 + 0.01 * place for place in range(budget + 1)]
    (longer,) = rows_of(TRACK, study("triplet", scores))
    (equal,) = rows_of(TRACK, study("triplet", scores[:budget]))
    assert ("long-budget" in longer.flags, "long-budget" in equal.flags) == (True, False)


def test_two_studies_of_one_name_are_told_apart():
    """Two rows of one name are flagged with the beginning of their study's key; a name that stands once is not."""
    rows = [*rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32])), *rows_of(TRACK, study("supcon", [0.4, 0.41, 0.42]))]
    other = dataclasses.replace(rows[0], study="another0key")
    table = build(TRACK, [*rows, other], units={})
    flags = {(line.row.name, line.row.study): [f for f in line.row.flags if f.startswith("study:")] for line in table.lines}
    assert ["study:another0"] == flags["triplet", "another0key"]
    assert ["study:" + rows[0].study[:8]] == flags["triplet", rows[0].study]
    assert [] == flags["supcon", rows[1].study]

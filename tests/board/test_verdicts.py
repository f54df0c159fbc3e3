"""Verdicts on boards: counted, told in a sentence, in columns of machines; of records without one nothing is said anywhere."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest
from made import TRACK, final, studies, table_of, trials, tuned

from siambench.board.captions import captions
from siambench.board.columns import columns_of
from siambench.board.formats import csv as as_csv
from siambench.board.formats import markdown
from siambench.board.tuning import to_json, tuning_of
from siambench.board.verdicts import counts_of, summed, verdicts_text
from siambench.board.view import to_json as table_json
from siambench.board.view import view
from siambench.commands.show import tuning_summary, tuning_table
from siambench.interfaces import Diagnosis

FINDING = {"severity": "likely", "evidence": "all are alike (spread 1e-05)", "remedy": "lower the rate", "attempt": ""}


def said(verdict, *findings):
    """Telemetry with a diagnosis, as a worker leaves it."""
    names = ([] if verdict == "ok" else [verdict]) + list(findings)
    return {"diagnosis": {"verdict": verdict, "findings": [{"name": name, **FINDING} for name in names]}}


def judged(records, *verdicts):
    """The records, the first so many of them judged."""
    changed = [dataclasses.replace(r, telemetry={**r.telemetry, **v}) for r, v in zip(records, verdicts, strict=False)]
    return [*changed, *records[len(verdicts) :]]


@pytest.fixture
def mixed():
    """A row of three studies of two trials on two folds and one final model each; the first study is judged, its model too."""
    records = studies("triplet", [0.3, 0.31, 0.32])
    return judged(records, said("ok"), said("collapsed", "plateau"), said("ok"), said("ok", "dead-units"), said("starved"))


def test_a_trial_has_the_verdict_of_its_folds_that_comes_first(mixed):
    """Of the folds of a trial the verdict that is asked first counts, with the findings of all; a trial without one has none."""
    tuning = tuning_of([record for record in mixed if record.unit.study == 0], budget=2)

    assert [trial.diagnosis.verdict for trial in tuning.trials] == ["collapsed", "ok"]
    assert [one.name for one in tuning.trials[0].diagnosis.findings] == ["collapsed", "plateau"]
    assert tuning.verdicts == {"collapsed": 1, "ok": 1}
    assert tuning_of(trials(), budget=7).verdicts == {}
    assert tuning_of(trials(), budget=7).trials[0].diagnosis is None


def test_counts_stand_in_the_order_of_verdicts():
    """Counts are ordered as verdicts are asked, `ok` last; what was not judged does not count, and sums add up."""
    names = ["ok", "under-trained", None, "diverged", "ok", "collapsed", "diverged"]
    counts = counts_of([None if name is None else Diagnosis(verdict=name) for name in names])

    assert list(counts.items()) == [("diverged", 2), ("collapsed", 1), ("under-trained", 1), ("ok", 2)]
    assert summed([counts, {"collapsed": 3}, {}]) == {"diverged": 2, "collapsed": 4, "under-trained": 1, "ok": 2}


@pytest.mark.parametrize(
    ("counts", "of", "text"),
    [
        ({"collapsed": 3, "ok": 37}, 40, "3 of 40 trials collapsed"),
        ({"collapsed": 3, "starved": 1, "ok": 8}, 40, "3 of 12 judged trials collapsed, 1 starved"),
        ({"ok": 40}, 40, ""),
        ({}, 40, ""),
    ],
)
def test_counts_are_told_in_a_sentence(counts, of, text):
    """How many of how many have which verdict, and whether all were judged; nothing where all is well or nothing was judged."""
    assert verdicts_text(counts, "trials", of=of) == text


def test_a_table_tells_the_verdicts_of_its_rows(mixed):
    """One paragraph names each row with other verdicts than `ok`, trials and final models apart; it stands on the page."""
    table = table_of([*mixed, *studies("npair", [0.1, 0.2, 0.1])])
    sentence = "Verdicts other than ok (`siambench show study`). `triplet`: 1 of 2 judged trials collapsed; 1 of 1 final models starved."

    assert captions(table, classes=False)[-1] == sentence
    assert f"\n{sentence}\n" in markdown.render(view(table))


def test_machines_get_counts_by_row(mixed):
    """JSON and CSV have the counts of trials and final models by row, None of a row that was not judged."""
    table = table_of([*mixed, *studies("npair", [0.1, 0.2, 0.1])])
    counts = {"trials": {"collapsed": 1, "ok": 1}, "final_models": {"starved": 1}}
    rows = {row["method"]: row["verdicts"] for row in table_json(table)["rows"]}
    lines = {row["method"]: row["verdicts"] for row in csv.DictReader(io.StringIO(as_csv.render(view(table))))}

    assert rows == {"triplet": counts, "npair": None}
    assert json.loads(lines["triplet"]) == counts
    assert lines["npair"] == ""


def test_a_table_of_records_without_a_verdict_is_what_it_was():
    """Neither a column, nor a key, nor a sentence is there where nothing was judged, or all is ok."""
    table = table_of(studies("triplet", [0.3, 0.31, 0.32]))
    well = table_of(judged(studies("triplet", [0.3, 0.31, 0.32]), *[said("ok")] * 15))

    assert "verdicts" not in [column.name for column in columns_of(table)]
    assert all("verdicts" not in row for row in table_json(table)["rows"])
    for one in (table, well):
        assert not any("erdict" in text for text in captions(one, classes=False))
    assert markdown.render(view(well)) == markdown.render(view(table))


def test_a_study_shows_verdicts_and_findings(mixed):
    """`show study` has a column of verdicts with the findings' names, the count, and the evidence of what is not ok; `--json` has all."""
    tuning = tuning_of([record for record in mixed if record.unit.study == 0], budget=2)
    cells = next(list(column.cells) for column in tuning_table(tuning).columns if column.header == "verdict")
    document = to_json([tuning])["studies"][0]

    assert [str(cell) for cell in cells] == ["collapsed: plateau", "ok: dead-units"]
    assert "1 of 2 trials collapsed" in tuning_summary(tuning, rows=1)
    assert "trial 0 collapsed: all are alike (spread 1e-05)" in tuning_summary(tuning, rows=1)
    assert document["verdicts"] == {"collapsed": 1, "ok": 1}
    assert [one["name"] for one in document["trials"][0]["diagnosis"]["findings"]] == ["collapsed", "plateau"]
    assert set(document["trials"][0]["diagnosis"]["findings"][0]) == {"name", "severity", "evidence", "remedy", "attempt"}


def test_a_study_that_was_not_judged_shows_nothing_of_it():
    """Of records without a diagnosis there is no column and no sentence, and null in the document."""
    tuning = tuning_of(trials(), budget=7)

    assert "verdict" not in [str(column.header) for column in tuning_table(tuning).columns]
    assert not any("judged" in sentence or "collapsed" in sentence for sentence in tuning_summary(tuning, rows=1))
    assert [trial["diagnosis"] for trial in to_json([tuning])["studies"][0]["trials"]] == [None] * 7


def bound(value, trial=1):
    """A study whose best trial has this margin, in a space from 0 to 1."""
    params = {"params": {"loss.margin": value}}
    return tuning_of([tuned("triplet", t, f, [0.1 + 0.1 * (t == trial)], **params) for t in range(2) for f in range(2)], budget=2)


def test_a_selected_value_at_a_bound_is_a_finding_of_its_study():
    """Within 2 % of the upper end it is told with its numbers, in the place of the flag; at 0, or of the default trial, it is not."""
    high = bound(0.985)
    (finding,) = high.findings

    assert finding.evidence == "loss.margin = 0.985 lies within 2 % of 1, a bound of its space [0, 1]"
    assert f"on-bound: {finding.evidence}; search a wider space" in tuning_summary(high, rows=1)
    assert to_json([high])["studies"][0]["findings"][0]["name"] == "on-bound"
    # Within 1 % it is a flag too, whose words are not said beside it.
    assert bound(0.995).flags == ("on-bound:loss.margin",)
    assert sum("on-bound" in sentence for sentence in tuning_summary(bound(0.995), rows=1)) == 1
    assert bound(0.0).findings == bound(0.985, trial=0).findings == bound(0.5).findings == ()
    assert "on-bound:loss.margin: " in " ".join(tuning_summary(bound(0.0), rows=1))


def test_a_verdict_of_another_version_is_shown(mixed):
    """A name that this version does not know is counted and told like any other."""
    records = judged(studies("triplet", [0.3, 0.31, 0.32]), said("ok"), said("wandering"), said("ok"), said("ok"))

    assert "1 of 2 judged trials wandering" in captions(table_of(records), classes=False)[-1]


def test_a_final_model_alone_is_told():
    """A row of final models of which one is judged tells that one."""
    records = [*studies("triplet", [0.3, 0.31])[:-1], final("triplet", 0, 0.31, trial=1, study=1, telemetry=said("exploding"))]

    assert captions(table_of(records, track=TRACK), classes=False)[-1].endswith("`triplet`: 1 of 1 final models exploding.")

"""The script that counts what the units of a folder were called."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import verdict_counts
from shared import exam_folder

from siambench.interfaces import Diagnosis, Finding
from siambench.records.folder import Folder

ROOT = Path(__file__).parents[1]


def record(method, verdict, *findings):
    """A record of which something was said, or nothing."""
    told = tuple(Finding(name=name, severity="likely", evidence="", remedy="") for name in findings)
    diagnosis = None if verdict is None else Diagnosis(verdict=verdict, findings=told)
    return SimpleNamespace(unit=SimpleNamespace(method=SimpleNamespace(name=method)), diagnosis=diagnosis)


def test_verdicts_and_findings_are_counted_by_method():
    """Each unit counts once with its verdict; a verdict's own finding is none beside it; what was not judged is left out."""
    records = [
        record("triplet", "ok", "plateau"),
        record("triplet", "collapsed", "collapsed", "plateau"),
        record("triplet", "ok"),
        record("arcface", "starved", "starved"),
        record("arcface", "ok"),
        record("untrained", None),
    ]
    assert verdict_counts.table(verdict_counts.counts(records)).splitlines() == [
        "| method | units | ok | starved | collapsed | findings |",
        "|---|---|---|---|---|---|",
        "| triplet | 3 | 2 |  | 1 | plateau 2 |",
        "| arcface | 2 | 1 | 1 |  | – |",
        "| all | 5 | 3 | 1 | 1 | plateau 2 |",
    ]


def test_two_encoders_are_called_something_only_where_they_learnt_nothing():
    """Of the units of `emoji-names` all are `ok` but those that validate below every one that is: what is told of two encoders is true."""
    judged = [one for one in Folder(ROOT / "leaderboards" / "emoji-names").read().records if one.diagnosis is not None]
    best = [
        (max(scores), one.diagnosis.verdict)
        for one in judged
        if (scores := [e.validation["recall@10"] for e in one.outcome.curve if e.validation])
    ]
    fine = [score for score, verdict in best if verdict == "ok"]

    assert len(judged) > 150
    assert len(fine) > 100
    assert {"ok"} == {one.diagnosis.verdict for one in judged if not any(e.validation for e in one.outcome.curve)}
    assert all(score < min(fine) for score, verdict in best if verdict != "ok")


def test_where_all_is_well_there_is_no_column_of_verdicts():
    """Of units that are all `ok` the table has their numbers and findings alone."""
    assert verdict_counts.table(verdict_counts.counts([record("triplet", "ok")])).splitlines() == [
        "| method | units | ok | findings |",
        "|---|---|---|---|",
        "| triplet | 1 | 1 | – |",
        "| all | 1 | 1 | – |",
    ]


def test_todays_rules_are_asked_of_what_was_measured(undisturbed):
    """What the rules say of the rows of a record is what they said when its unit ran; of one that was not measured they say nothing."""
    records = [record for record in Folder(exam_folder(undisturbed.out)).read().records if record.unit.training is not None]
    told = [verdict_counts.judged_again(record) for record in records]
    assert any(found is not None for found in told)
    assert told == [record.diagnosis for record in records]
    assert verdict_counts.judged_again(SimpleNamespace(measures=())) is None

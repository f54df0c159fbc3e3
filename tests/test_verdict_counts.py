"""The script that counts what the units of a folder were called."""

from __future__ import annotations

from types import SimpleNamespace

import verdict_counts

from siambench.interfaces import Diagnosis, Finding


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

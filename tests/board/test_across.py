"""Several tracks at once: mean ranks of what has a score on each of them, on tables made by hand."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from made import TRACK, final, study, table_of
from scipy import stats

from siambench.board import across
from siambench.errors import UsageError

ONE = {"triplet": 0.5, "npair": 0.3, "supcon": 0.4, "arcface": 0.2}
TWO = {"triplet": 0.3, "npair": 0.2, "supcon": 0.6}


def track_table(name, means, extra=(), version="1.0", direction="max"):
    """A table of a track of this name, in which each method scores so much, give or take a hundredth."""
    from siambench.board.rows import rows_of
    from siambench.board.table import build

    track = TRACK.model_copy(update={"name": name, "version": version})
    records = [
        r for method, mean in means.items() for r in study(method, [mean - 0.01, mean, mean + 0.01], track=name, track_version=version)
    ]
    return build(track, rows_of(track, [*records, *extra]), units={}, direction=direction)


def test_mean_ranks_are_those_of_common_methods():
    """Ranks are taken among the methods that every track has; mean and interval are those of their ranks by hand."""
    found = across.build([track_table("one", ONE), track_table("two", TWO)])
    assert [("supcon", (2.0, 1.0)), ("triplet", (1.0, 2.0)), ("npair", (3.0, 3.0))] == [(s.method, s.ranks) for s in found.standings]
    assert [1.5, 1.5, 3.0] == [s.mean_rank for s in found.standings]
    low, high = stats.t.interval(0.95, 1, loc=1.5, scale=stats.sem([2, 1]))
    assert (high - low) / 2 == pytest.approx(found.standings[0].ci95, rel=1e-9)
    assert 0.0 == found.standings[2].ci95
    assert {"arcface": "no row on two"} == found.left_out


def test_a_direction_counts_for_its_own_track():
    """Where less is better the smallest score ranks first."""
    found = across.build([track_table("one", ONE), track_table("two", TWO, direction="min")])
    assert {"triplet": (1.0, 2.0), "supcon": (2.0, 3.0), "npair": (3.0, 1.0)} == {s.method: s.ranks for s in found.standings}


def test_a_row_without_a_score_is_left_out_with_its_reason():
    """A method whose final models failed on one track is not ranked, and neither it nor an anchor changes the others' ranks."""
    failed = [*study("arcface", [], track="two")[:4], final("arcface", 0, 0, state="failed", trial=1, track="two")]
    anchors = [final("raw", 0, 0.9, track="two")]
    found = across.build([track_table("one", ONE), track_table("two", TWO, [*failed, *anchors])])
    assert {"arcface": "no score on two (every final model failed: it raised)"} == found.left_out
    assert ["supcon", "triplet", "npair"] == [s.method for s in found.standings]


def test_nothing_in_common_leaves_everybody_out():
    """Tracks without a common method rank nobody and say why, in every format."""
    found = across.build([track_table("one", {"triplet": 0.5}), track_table("two", {"npair": 0.3})])
    assert () == found.standings
    assert {"triplet": "no row on two", "npair": "no row on one"} == found.left_out
    assert [] == across.to_json(found)["methods"]
    assert "Left out, no row on two: triplet." in across.markdown(found)
    assert () == across.build([track_table("one", {}), track_table("two", {})]).standings


def test_a_track_comes_once():
    """The same track twice, or two versions of it, is an error that names it."""
    with pytest.raises(UsageError, match=r"track one comes twice \(version 1.0\)"):
        across.build([track_table("one", ONE), track_table("one", ONE)])
    with pytest.raises(UsageError, match=r"track one comes twice \(version 1.0 and 2.0\)"):
        across.build([track_table("one", ONE), track_table("one", ONE, version="2.0")])
    with pytest.raises(UsageError, match="at least one"):
        across.build([])


def test_closed_set_tracks_stand_alone():
    """Ranks of a closed-set track never join those of a class-disjoint one; among themselves they do, and say so."""
    rules = {"data": {"fingerprint": "f", "split": {"folds": 2, "rule": "closed-set"}}}

    def closed(name):
        track = TRACK.model_copy(update={"name": name})
        return table_of(study("triplet", [0.5, 0.51, 0.52], track=name, **rules), track=track)

    with pytest.raises(UsageError, match="two is closed-set"):
        across.build([track_table("one", ONE), closed("two")])
    assert "Mean rank over two 1.0, three 1.0 (closed-set)" == across.title_of(across.build([closed("two"), closed("three")]))


def test_every_format_has_the_same_figures():
    """Markdown, CSV, JSON and the data frame agree, and flags are named with their track."""
    from siambench.api import _ranks_frame

    means = {**TWO, "npair": 0.2}
    short = study("lifted", [0.4], track="two")
    found = across.build([track_table("one", {**ONE, "lifted": 0.1}), track_table("two", means, short)])
    shown = across.markdown(found).splitlines()
    assert "| mean rank | method | one, map@r | two, map@r | flags |" in shown
    assert "| 3.00 ± 12.71 | `lifted` | 4 (0.100 ± 0.025) | 2 (0.400) | two: short-budget |" in shown
    rows = list(csv.DictReader(io.StringIO(across.csv_text(found))))
    assert ["supcon", "triplet", "lifted", "npair", "arcface"] == [row["method"] for row in rows]
    assert ["1.5", "2", "3", "3.5", ""] == [row["mean_rank"] for row in rows]
    assert ("no row on two", "", "") == (rows[-1]["reason"], rows[-1]["one_rank"], rows[-1]["two"])
    document = across.to_json(found)
    assert {"schema", "tracks", "methods", "left_out"} == set(document)
    assert [{"name": name, "version": "1.0", "primary": "map@r", "direction": "max"} for name in ("one", "two")] == document["tracks"]
    assert [float(row["mean_rank"]) for row in rows[:4]] == [method["mean_rank"]["mean"] for method in document["methods"]]
    assert ["short-budget"] == document["methods"][2]["tracks"]["two"]["flags"]
    frame = _ranks_frame(found)
    assert [row["method"] for row in rows] == list(frame["method"])
    assert np.isnan(frame["mean_rank"].iloc[-1])
    assert [2.0, 1.0, 4.0, 3.0] == list(frame["one_rank"][:4])

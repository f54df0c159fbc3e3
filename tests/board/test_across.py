"""Several tracks at once: mean ranks of what has a score on each of them, on tables made by hand."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from made import CLOSED, TRACK, final, studies, study, table_of
from scipy import stats

from siambench.board import across
from siambench.board.formats import csv as as_csv
from siambench.board.formats import json as as_json
from siambench.board.formats import markdown
from siambench.errors import UsageError

ONE = {"triplet": 0.5, "npair": 0.3, "supcon": 0.4, "arcface": 0.2}
TWO = {"triplet": 0.3, "npair": 0.2, "supcon": 0.6}


def track_table(name, means, extra=(), version="1.0", direction="max"):
    """A table of a track of this name, in which each method scores so much, give or take a hundredth."""
    track = TRACK.model_copy(update={"name": name, "version": version})
    records = [
        r for method, mean in means.items() for r in studies(method, [mean - 0.01, mean, mean + 0.01], track=name, track_version=version)
    ]
    return table_of([*records, *extra], track=track, direction=direction)


def test_mean_ranks_are_those_of_common_methods():
    """Ranks are taken among the methods that every track has; mean and interval are those of their ranks by hand."""
    found = across.build([track_table("one", ONE), track_table("two", TWO)])
    assert [("supcon", (2.0, 1.0)), ("triplet", (1.0, 2.0)), ("npair", (3.0, 3.0))] == [(s.method, s.ranks) for s in found.ranked]
    assert [1.5, 1.5, 3.0] == [s.mean_rank for s in found.ranked]
    low, high = stats.t.interval(0.95, 1, loc=1.5, scale=stats.sem([2, 1]))
    assert (high - low) / 2 == pytest.approx(found.ranked[0].ci95, rel=1e-9)
    assert 0.0 == found.ranked[2].ci95
    assert {"arcface": "no row on two"} == found.left_out


def test_a_direction_counts_for_its_own_track():
    """Where less is better the smallest score ranks first."""
    found = across.build([track_table("one", ONE), track_table("two", TWO, direction="min")])
    assert {"triplet": (1.0, 2.0), "supcon": (2.0, 3.0), "npair": (3.0, 1.0)} == {s.method: s.ranks for s in found.ranked}


def test_a_row_without_a_score_is_left_out_with_its_reason():
    """A method whose final models failed on one track is not ranked, and neither it nor a baseline changes the others' ranks."""
    failed = [*study("arcface", [], track="two"), final("arcface", 0, 0, state="failed", trial=1, track="two")]
    baselines = [final("raw", 0, 0.9, track="two")]
    found = across.build([track_table("one", ONE), track_table("two", TWO, [*failed, *baselines])])
    assert {"arcface": "no score on two (every final model failed: it raised)"} == found.left_out
    assert ["supcon", "triplet", "npair"] == [s.method for s in found.ranked]


def test_nothing_in_common_leaves_everybody_out():
    """Tracks without a common method rank nobody and say why, in every format."""
    found = across.build([track_table("one", {"triplet": 0.5}), track_table("two", {"npair": 0.3})])
    assert () == found.ranked
    assert {"triplet": "no row on two", "npair": "no row on one"} == found.left_out
    assert [] == across.to_json(found)["methods"]
    assert "Left out, no row on two: triplet." in markdown.render(across.view(found))
    assert () == across.build([track_table("one", {}), track_table("two", {})]).ranked


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

    def closed(name):
        track = TRACK.model_copy(update={"name": name})
        return table_of(studies("triplet", [0.5, 0.51, 0.52], track=name, data=CLOSED), track=track)

    with pytest.raises(UsageError, match="two is closed-set"):
        across.build([track_table("one", ONE), closed("two")])
    assert "Mean rank over two 1.0, three 1.0 (closed-set)" == across.title_of(across.build([closed("two"), closed("three")]))


@pytest.fixture
def found():
    """Two tracks with four methods in common, of which one has a single seed on the second."""
    short = studies("lifted", [0.4], track="two")
    return across.build([track_table("one", {**ONE, "lifted": 0.1}), track_table("two", {**TWO, "npair": 0.2}, short)])


def test_the_view_has_a_value_and_a_text_for_every_row(found):
    """Each column of the view is as long as its rows, those left out have a flat row alone, and the text of a rank has its score."""
    seen = across.view(found)
    assert ["supcon", "triplet", "lifted", "npair"] == [row.name for row in seen.rows]
    assert {4} == {len(cells) for column in seen.columns for cells in (column.values, column.texts)}
    assert 5 == len(seen.flat)
    assert {"all"} == {column.audience for column in seen.columns}
    assert ["mean_rank", "method", "one", "two", "flags"] == [column.name for column in seen.columns]
    assert (pytest.approx(0.4), "2 (0.400 ± 0.025)") == (seen.columns[2].values[0], seen.columns[2].texts[0])
    assert ("one, two", "", "siambench leaderboard one two") == (seen.track, seen.version, seen.command)


def test_every_format_has_the_same_figures(found):
    """Markdown, CSV, JSON and the flat rows of a data frame agree, and flags are named with their track."""
    import pandas as pd

    seen = across.view(found)
    shown = markdown.render(seen).splitlines()
    assert "# Mean rank over one 1.0, two 1.0" == shown[0]
    assert "| mean rank | method | one, map@r | two, map@r | flags |" in shown
    assert "| 3.00 ± 12.71 | `lifted` | 4 (0.100 ± 0.025) | 2 (0.400) | two: short-budget |" in shown
    rows = list(csv.DictReader(io.StringIO(as_csv.render(seen))))
    assert ["supcon", "triplet", "lifted", "npair", "arcface"] == [row["method"] for row in rows]
    assert ["1.5", "2", "3", "3.5", ""] == [row["mean_rank"] for row in rows]
    assert ("no row on two", "", "") == (rows[-1]["reason"], rows[-1]["one_rank"], rows[-1]["two"])
    document = json.loads(as_json.render(seen))
    assert across.to_json(found) == document
    assert {"schema", "tracks", "methods", "left_out"} == set(document)
    assert [{"name": name, "version": "1.0", "primary": "map@r", "direction": "max"} for name in ("one", "two")] == document["tracks"]
    assert [float(row["mean_rank"]) for row in rows[:4]] == [method["mean_rank"]["mean"] for method in document["methods"]]
    assert ["short-budget"] == document["methods"][2]["tracks"]["two"]["flags"]
    frame = pd.DataFrame(across.flat_rows(found))
    assert [row["method"] for row in rows] == list(frame["method"])
    assert list(rows[0]) == list(frame.columns)
    assert np.isnan(frame["mean_rank"].iloc[-1])
    assert [2.0, 1.0, 4.0, 3.0] == list(frame["one_rank"][:4])


def test_the_captions_explain_the_flags_that_occur(found):
    """What the figures mean, each flag that occurs, and who is left out, stand in the captions."""
    captions = across.view(found).captions
    assert across.CAPTION == captions[0]
    assert "short-budget: fewer studies, trials or repetitions than the track's budget: not ranked." in captions
    assert "Left out, no row on two: arcface." in captions
    assert 3 == len(captions)


def test_two_rows_of_one_name_are_refused():
    """A track with two rows of a method cannot be ranked: to take the better one would be to choose by the test."""
    twice = track_table("one", ONE, studies("triplet", [0.6, 0.61, 0.62], track="one", row="another"))
    with pytest.raises(UsageError, match="one has two rows of triplet"):
        across.build([twice, track_table("two", TWO)])

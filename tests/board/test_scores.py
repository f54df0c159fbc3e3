"""Final models → scores over groups of test classes, and over classes for a metric without a score per query."""

from __future__ import annotations

import pytest
from made import BY_SCRIPT, PER_MODEL, QUERIES, TRACK, studies, with_classes
from scipy import stats

from siambench.board.rows import rows_of
from siambench.board.scores import grouping

MEANS = [0.2, 0.8, 0.5, 0.2, 0.55, 0.63, 0.07, 0.34]
"""Of each class over the models of `PER_MODEL`."""

SCRIPTS = ("latin", "latin", "greek", "thai", "greek", "thai", "thai", "runic")


def score_of(records, track=BY_SCRIPT):
    (row,) = rows_of(track, records)
    return row.scores["map@r"]


def weighted(places):
    return sum(MEANS[place] * QUERIES[place] for place in places) / sum(QUERIES[place] for place in places)


def test_the_interval_over_groups_is_the_t_interval_over_their_means():
    """Each group counts once by the mean over its queries; the interval is scipy's with one degree of freedom less than groups."""
    found = score_of(with_classes("triplet", PER_MODEL, QUERIES, attributes={"script": SCRIPTS, "family": tuple("aabbaabb")})).groups95
    means = [weighted(places) for places in ([0, 1], [2, 4], [3, 5, 6], [7])]
    low, high = stats.t.interval(0.95, 3, loc=sum(means) / 4, scale=stats.sem(means))
    assert (sum(means) / 4, (high - low) / 2) == pytest.approx((found.mean, found.half_width))
    assert (4, "script") == (found.n, found.over)


def test_a_class_without_a_query_is_in_no_group():
    """A group whose classes have no score is none, and one class more without a query changes nothing."""
    one = score_of(with_classes("triplet", PER_MODEL, QUERIES, attributes={"script": SCRIPTS}))
    more = with_classes("triplet", [[None, *m] for m in PER_MODEL], [0, *QUERIES], attributes={"script": ("ogham", *SCRIPTS)})
    assert one.groups95 == score_of(more).groups95


@pytest.mark.parametrize(
    ("track", "attributes"),
    [
        # Two groups are fewer than three, an attribute that is not told is none, and neither is one too short.
        (BY_SCRIPT, {"script": tuple("aaaabbbb")}),
        (BY_SCRIPT, {"family": SCRIPTS}),
        (BY_SCRIPT, {}),
        (BY_SCRIPT, {"script": SCRIPTS[:7]}),
        (TRACK, {"script": SCRIPTS}),
    ],
)
def test_without_three_groups_there_is_no_interval_over_them(track, attributes):
    """Too few groups, none told, and a track that follows none give no interval over groups, and leave that over classes."""
    found = score_of(with_classes("triplet", PER_MODEL, QUERIES, attributes=attributes), track)
    assert found.groups95 is None
    assert found.classes95 is not None


def test_the_tracks_word_on_groups_goes_before_its_folds():
    """Where the rules say over which attribute, that is taken; else what the folds follow; else nothing."""
    rules = type("Rules", (), {"over": "family"})()
    asked = BY_SCRIPT.model_copy(update={"metrics": rules})
    assert ["family", "script", None] == [grouping(track) for track in (asked, BY_SCRIPT, TRACK)]


# ---- a metric without a score per query

LEFT_OUT = [(0.30, 0.34, 0.31, 0.33), (0.32, 0.30, 0.35, 0.31), (0.31, 0.35, 0.33, 0.32)]


def test_without_a_score_per_query_the_interval_over_classes_is_the_jackknifes():
    """Its ends lie as far from the mean as the jackknife of the scores with each class left out, averaged over the models, says."""
    records = [
        record
        for number, left_out in enumerate(LEFT_OUT)
        for record in studies("triplet", [0.30 + number / 100], outcome={"scores": {"map@r": 0.3}, "jackknife": {"map@r": left_out}})
        for record in [_of_study(record, number)]
    ]
    found = score_of(records)
    means = [sum(column) / 3 for column in zip(*LEFT_OUT, strict=True)]
    centre = sum(means) / 4
    error = (3 / 4 * sum((one - centre) ** 2 for one in means)) ** 0.5
    half = stats.t.ppf(0.975, 3) * error
    assert (0.3 - half, 0.3 + half) == pytest.approx(found.classes95)
    assert found.by_jackknife


def _of_study(record, number):
    import dataclasses

    return dataclasses.replace(record, unit=dataclasses.replace(record.unit, study=number))


@pytest.mark.parametrize("left_out", [(), (0.3,), (0.3, None, 0.2)])
def test_what_was_not_scored_without_each_class_has_no_jackknife(left_out):
    """No scores, one class, and a class without which there is no score give no interval."""
    found = score_of(studies("triplet", [0.3, 0.31, 0.32], outcome={"jackknife": {"map@r": left_out}}))
    assert (None, False) == (found.classes95, found.by_jackknife)


def test_a_score_per_query_goes_before_the_jackknife():
    """Where classes have scores of their own the interval is the bootstrap's."""
    assert not score_of(with_classes("triplet", PER_MODEL, QUERIES)).by_jackknife

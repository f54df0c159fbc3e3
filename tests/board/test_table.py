"""Rows → table: order, ranks, groups, differences, what could have been seen, and who may not stand beside whom."""

from __future__ import annotations

import dataclasses
import itertools
import statistics

import pytest
from made import NO_UNITS, SCORES, TRACK, final, several, studies, table_of, untrained

from siambench.board.rows import rows_of
from siambench.board.table import build, pairs_text
from siambench.board.view import to_json
from siambench.spec import Drawn, Every, Listed
from siambench.stats import minimum_detectable_difference


def test_the_order_of_records_does_not_matter():
    """Any permutation of the records gives the same table."""
    records = studies("triplet", [0.3, 0.31, 0.32]) + studies("npair", [0.1, 0.12, 0.11]) + [final("raw", 0, 0.05)]
    first, *others = [table_of(chosen) for chosen in (records, records[::-1], records[5:] + records[:5])]
    assert [first, first] == others


def test_ranks_are_intervals_and_baselines_are_not_ranked():
    """Clearly separated methods get ranks of their own; equal ones share an interval; baselines come last without a rank."""
    records = (
        studies("triplet", [0.500, 0.510, 0.520])
        + studies("npair", [0.100, 0.111, 0.119])
        + studies("supcon", [0.501, 0.508, 0.522])
        + [final("raw", 0, 0.9), *untrained([0.04, 0.05, 0.06])]
    )
    table = table_of(records)
    assert ["supcon", "triplet", "npair", "raw", "untrained"] == [line.row.name for line in table.lines]
    assert [(1, 2), (1, 2), (3, 3), None, None] == [line.rank for line in table.lines]
    assert [1, 1, 2, None, None] == [line.group for line in table.lines]
    assert table.lines[:3] == table.ranked


def test_baselines_stand_in_their_order():
    """Raw input comes before the untrained backbone and this before pretrained features, whatever they score."""
    lines = table_of([final(name, 0, score) for name, score in (("pretrained", 0.3), ("untrained", 0.1), ("raw", 0.2))]).lines
    assert ["raw", "untrained", "pretrained"] == [line.row.name for line in lines]


def test_a_fresh_row_replaces_its_shipped_twin():
    """The fresh row of a method stands in the table, its shipped twin does not."""
    shipped = rows_of(TRACK, studies("triplet", [0.3, 0.31, 0.32]) + studies("npair", [0.1, 0.12, 0.11]), shipped=True)
    fresh = rows_of(TRACK, studies("triplet", [0.4, 0.41, 0.42]))
    table = build(TRACK, [*shipped, *fresh], units={})
    assert [("triplet", False), ("npair", True)] == [(line.row.name, line.row.shipped) for line in table.lines]
    mean, half = table.lines[1].difference
    assert -0.3 == pytest.approx(mean)
    assert half is not None
    assert table.lines[0].difference is None


def test_a_metric_where_lower_is_better_orders_upwards():
    """With an error as the primary metric the smallest mean comes first and gets rank 1."""
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"primary": "recall@1"})})
    table = table_of(studies("triplet", [0.5, 0.51, 0.52]) + studies("npair", [0.1, 0.111, 0.119]), track=track, direction="min")
    assert ["npair", "triplet"] == [line.row.name for line in table.lines]
    assert [(1, 1), (2, 2)] == [line.rank for line in table.lines]


def test_verification_pairs_are_named_for_people():
    """A list goes by the name that the track gives its file, else by its content; every pair by a word, drawn ones by nothing."""
    track = TRACK.model_copy(update={"evaluation": TRACK.evaluation.model_copy(update={"pairs": "lists/lfw.txt"})})
    assert ["lfw.txt", "all", ""] == [pairs_text(track, pairs) for pairs in (Listed(64 * "0"), Every(), Drawn())]
    assert "a list with SHA-256 0000000000000000…" == pairs_text(TRACK, Listed(64 * "0"))


def test_two_rows_of_one_name_are_told_apart():
    """Two rows of one name are flagged with the beginning of their key; a name that stands once is not."""
    rows = [*rows_of(TRACK, studies("triplet", [0.3, 0.31, 0.32])), *rows_of(TRACK, studies("supcon", [0.4, 0.41, 0.42]))]
    other = dataclasses.replace(rows[0], key="another0key")
    table = build(TRACK, [*rows, other], units={})
    flags = {(line.row.name, line.row.key): [f for f in line.row.flags if f.startswith("row:")] for line in table.lines}
    assert ["row:another0"] == flags["triplet", "another0key"]
    assert ["row:" + rows[0].key[:8]] == flags["triplet", rows[0].key]
    assert [] == flags["supcon", rows[1].key]


def test_the_detectable_difference_is_that_of_a_typical_pair():
    """It is `minimum_detectable_difference` at the median over pairs of the spread of paired differences."""
    spreads = [statistics.stdev(a - b for a, b in zip(x, y, strict=True)) for x, y in itertools.combinations(SCORES.values(), 2)]
    expected = minimum_detectable_difference(statistics.median(spreads), 3, 6)
    table = table_of(several())
    assert expected == pytest.approx(table.detectable.difference, rel=1e-9)
    assert (3, 6, 0.8) == (table.detectable.seeds, table.detectable.pairs, table.detectable.power)
    document = to_json(table)["minimum_detectable_difference"]
    assert {"difference": table.detectable.difference, "seeds": 3, "pairs": 6, "power": 0.8} == document


@pytest.mark.parametrize(
    "records",
    [
        studies("triplet", [0.3, 0.31, 0.32]),
        studies("triplet", [0.3]) + studies("npair", [0.1]),
        studies("triplet", [0.25, 0.5, 0.75]) + studies("npair", [0.5, 0.75, 1.0]),
        [final("raw", 0, 0.1), *untrained([0.04, 0.05, 0.06])],
    ],
)
def test_without_pairs_seeds_or_spread_nothing_is_said_to_be_detectable(records):
    """One ranked row, one seed, equal differences at all seeds, and baselines alone leave it out."""
    table = table_of(records)
    assert table.detectable is None
    assert to_json(table)["minimum_detectable_difference"] is None


def test_better_than_is_what_the_tests_show():
    """A row names the rows it is significantly better than; rows that are not told apart, and baselines, name nobody."""
    table = table_of([*several(), final("raw", 0, 0.01)])
    better = {row["method"]: row["better_than"] for row in to_json(table)["rows"]}
    assert {"supcon": ["npair", "arcface"], "triplet": ["npair", "arcface"], "npair": [], "arcface": [], "raw": []} == better
    for line in table.ranked:
        low, high = line.rank
        beaten_by = sum(table.lines.index(line) in rival.beats for rival in table.ranked)
        assert (low, high) == (1 + beaten_by, len(table.ranked) - len(line.beats))


def test_better_follows_the_direction():
    """With an error as the primary metric the smaller one is better."""
    table = build(TRACK, rows_of(TRACK, several()), units=NO_UNITS, direction="min")
    better = {row["method"]: set(row["better_than"]) for row in to_json(table)["rows"]}
    assert {"arcface": {"supcon", "triplet"}, "npair": {"supcon", "triplet"}, "supcon": set(), "triplet": set()} == better


def test_concatenated_scores_are_metrics_where_they_occur():
    """The table's metrics are those reported, and behind them the concatenated ones that a row has."""
    assert ("map@r", "recall@1", "eer") == table_of(several()).metrics
    scores = {"map@r": 0.3, "concatenated:recall@1": 0.5}
    assert ("map@r", "recall@1", "eer", "concatenated:recall@1") == table_of(studies("triplet", [0.3], outcome={"scores": scores})).metrics

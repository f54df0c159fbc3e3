"""Rows → table: order, ranks, groups, differences, what could have been seen, and who may not stand beside whom."""

from __future__ import annotations

import dataclasses
import statistics

import pytest
from made import NO_UNITS, SCORES, SCORING, TRACK, final, several, studies, study, table_of, tuned, untrained
from scipy import stats

from siambench.board.rows import rows_of
from siambench.board.table import build, pairs_text
from siambench.board.view import to_json
from siambench.spec import Drawn, Every, Listed
from siambench.stats import compare_studies, detectable_differences, partial_difference


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
    difference = table.lines[1].difference
    assert ("triplet", pytest.approx(-0.3), "studies") == (difference.to, difference.mean, difference.over)
    assert table.lines[0].difference is None


def test_a_row_of_an_edited_space_stands_beside_the_one_of_the_whole():
    """The shipped row keeps its place and its rank; the fresh one is another row, told apart by key and marked, full or not."""
    shipped = rows_of(TRACK, studies("triplet", [0.3, 0.31, 0.32]) + studies("npair", [0.1, 0.12, 0.11]), shipped=True)
    for scores, ranks in (([0.4, 0.41, 0.42], [(1, 1), (2, 2), (3, 3)]), ([0.4], [(1, 1), (2, 2), None])):
        for edits, flag in (({"edited": ("loss.margin",)}, "edited-space"), ({"space_name": "wide"}, "space:wide")):
            fresh = rows_of(TRACK, studies("triplet", scores, row="narrowed", **edits))
            table = build(TRACK, [*shipped, *fresh], units={})
            assert {"narrowed", "row-triplet", "row-npair"} == {line.row.key for line in table.lines}
            assert ranks == [line.rank for line in table.lines]
            mine = next(line.row for line in table.lines if line.row.key == "narrowed")
            assert {flag, "row:narrowed"} <= set(mine.flags)
            assert not any(stem in one for line in table.lines if line.row is not mine for one in line.row.flags for stem in ("space",))
            assert () == table.unseen
            twice = build(TRACK, [*shipped, *fresh, *rows_of(TRACK, studies("triplet", [0.5], row="older"))], units={})
            assert {"narrowed", "older", "row-npair"} == {line.row.key for line in twice.lines}
            assert ("triplet",) == twice.unseen


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


def test_the_detectable_difference_is_that_of_the_median_pair():
    """It, the spread and its test are what the statistics of studies give for the study means of the ranked rows."""
    table = table_of(several())
    means = [SCORES[line.row.name] for line in table.ranked]
    expected = detectable_differences(compare_studies(means)).median
    assert expected == pytest.approx(table.detectable.difference, rel=1e-9)
    assert (3, 6, 0.8) == (table.detectable.studies, table.detectable.pairs, table.detectable.power)
    document = to_json(table)
    assert {"difference": table.detectable.difference, "studies": 3, "pairs": 6, "power": 0.8} == document["minimum_detectable_difference"]
    pooled = statistics.mean(statistics.variance(one) for one in SCORES.values()) ** 0.5
    told = {"sd": pytest.approx(pooled), "brown_forsythe": pytest.approx(stats.levene(*SCORES.values(), center="median").pvalue)}
    assert told == document["spread_over_studies"]


@pytest.mark.parametrize(
    "records",
    [
        studies("triplet", [0.3, 0.31, 0.32]),
        studies("triplet", [0.3]) + studies("npair", [0.1]),
        studies("triplet", [0.25, 0.25, 0.25]) + studies("npair", [0.5, 0.5, 0.5]),
        [final("raw", 0, 0.1), *untrained([0.04, 0.05, 0.06])],
    ],
)
def test_without_pairs_studies_or_spread_nothing_is_said_to_be_detectable(records):
    """One full row, rows that are not full, studies that all agree, and baselines alone leave it out."""
    table = table_of(records)
    assert table.detectable is None
    assert to_json(table)["minimum_detectable_difference"] is None


def test_ranks_stand_where_two_rows_are_full():
    """A single full row has no rank, whatever stands beside it; a second one gives both theirs, from the tests over studies."""
    partial = studies("supcon", [0.9])
    alone = table_of([*studies("triplet", [0.5, 0.51, 0.52]), *partial])
    assert [("triplet", None), ("supcon", None)] == [(line.row.name, line.rank) for line in alone.lines]
    two = table_of([*studies("triplet", [0.5, 0.51, 0.52]), *studies("npair", [0.1, 0.12, 0.11]), *partial])
    assert [("triplet", (1, 1)), ("npair", (2, 2)), ("supcon", None)] == [(line.row.name, line.rank) for line in two.lines]


def test_ranks_are_those_of_the_tests_over_study_means():
    """Final models of one study count as one: where only repetitions agree and studies do not, nothing is told apart."""
    track = TRACK.model_copy(update={"budget": TRACK.budget.model_copy(update={"repetitions": 4})})
    apart = {"triplet": [0.50, 0.30, 0.40], "npair": [0.38, 0.21, 0.30]}
    table = table_of([one for name, means in apart.items() for one in studies(name, means, repetitions=4)], track=track)
    assert compare_studies(list(apart.values())).adjusted[0, 1] > 0.05
    assert [(1, 2), (1, 2)] == [line.rank for line in table.lines]


# ---- differences


FULL = {**SCORES, "proxy-anchor": [0.400, 0.405, 0.390]}


def shipped_and(records):
    """A table of the full rows that ship, and of records of one's own."""
    shipped = rows_of(TRACK, [one for name, means in FULL.items() for one in studies(name, means)], shipped=True)
    return build(TRACK, [*shipped, *rows_of(TRACK, records)], units=NO_UNITS)


def test_a_row_of_ones_own_that_is_not_full_is_what_others_are_compared_with():
    """Each full row carries its difference from it, with the interval of `partial_difference`; it has neither rank nor difference."""
    table = shipped_and(studies("lifted", [0.3, 0.32]))
    names = [line.row.name for line in table.ranked]
    tests = compare_studies([FULL[name] for name in names])
    for place, line in enumerate(table.ranked):
        expected = partial_difference([0.3, 0.32], tests, place)
        found = line.difference
        assert ("lifted", "studies") == (found.to, found.over)
        assert (-expected.mean, expected.half_width) == pytest.approx((found.mean, found.half_width))
    own = table.lines[len(names)]
    assert ("lifted", None, None, False) == (own.row.name, own.rank, own.difference, own.row.shipped)
    row = next(row for row in to_json(table)["rows"] if row["method"] == "supcon")
    assert {"to", "mean", "half_width", "over"} == set(row["difference"])
    assert (None, None, 2) == tuple(to_json(table)["rows"][len(names)][key] for key in ("rank", "difference", "studies"))


def test_two_full_rows_are_compared_by_the_variances_of_their_test():
    """Where one's own row is full too, the interval is that of the pair, and leaves out 0 exactly where the test of that pair does."""
    table = shipped_and(studies("lifted", [0.41, 0.39, 0.42]))
    names = [line.row.name for line in table.ranked]
    tests = compare_studies([({**FULL, "lifted": [0.41, 0.39, 0.42]})[name] for name in names])
    own = names.index("lifted")
    for place, line in enumerate(table.ranked):
        if place != own:
            found = line.difference
            assert found.mean == pytest.approx(tests.difference[place, own])
            assert (abs(found.mean) > found.half_width) == (tests.p_value[place, own] < 0.05)


def test_without_a_single_row_of_ones_own_partial_rows_are_compared_with_the_best():
    """Of several rows those that are not full carry their difference from the best full one; full rows, which have ranks, carry none."""
    records = [one for name, means in FULL.items() for one in studies(name, means)]
    table = table_of([*records, *studies("lifted", [0.3, 0.32]), *studies("angular", [0.2])])
    told = {line.row.name: line.difference.to for line in table.lines if line.difference is not None}
    assert {"lifted": "supcon", "angular": "supcon"} == told
    assert table.lines[5].difference.mean == pytest.approx(0.31 - statistics.mean(FULL["supcon"]))


def test_a_row_of_another_budget_has_a_difference_without_an_interval():
    """A row with fewer trials has no interval beside full rows, and with fewer than four full rows there is none either."""
    short = [*(tuned("lifted", 0, fold, [0.1, 0.3]) for fold in range(2)), final("lifted", 0, 0.3, trial=0)]
    found = {line.row.name: line.difference for line in shipped_and(short).lines}
    assert ("lifted", None, "studies") == (found["supcon"].to, found["supcon"].half_width, found["supcon"].over)
    three = rows_of(TRACK, [one for name in ("triplet", "npair", "supcon") for one in studies(name, FULL[name])], shipped=True)
    table = build(TRACK, [*three, *rows_of(TRACK, studies("lifted", [0.3]))], units=NO_UNITS)
    assert [None, None, None] == [line.difference.half_width for line in table.ranked]


def test_two_rows_of_one_study_are_compared_over_their_repetitions():
    """The difference of two single tunings is paired by repetition, and says that it is over repetitions; baselines of pixels have none."""
    ours, theirs = [0.30, 0.34, 0.33], [0.20, 0.22, 0.25]
    shipped = rows_of(TRACK, [*study("npair", theirs), final("raw", 0, 0.1)], shipped=True)
    table = build(TRACK, [*shipped, *rows_of(TRACK, study("triplet", ours))], units=NO_UNITS)
    expected = stats.ttest_rel(theirs, ours).confidence_interval(0.95)
    found = {line.row.name: line.difference for line in table.lines}
    assert ("triplet", "repetitions") == (found["npair"].to, found["npair"].over)
    assert found["npair"].half_width == pytest.approx((expected.high - expected.low) / 2)
    assert found["npair"].mean == pytest.approx((expected.high + expected.low) / 2)
    assert found["raw"] is None


def test_the_untrained_network_is_compared_study_by_study():
    """The untrained baseline's difference from one's own row is paired by study; as nothing is tuned for it, it is in no test."""
    table = build(TRACK, rows_of(TRACK, [*studies("triplet", [0.30, 0.34, 0.33]), *untrained([0.04, 0.05, 0.07])]), units=NO_UNITS)
    expected = stats.ttest_rel([0.04, 0.05, 0.07], [0.30, 0.34, 0.33]).confidence_interval(0.95)
    found = table.lines[1].difference
    assert ("triplet", "studies") == (found.to, found.over)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((expected.low, expected.high))


def test_a_full_untrained_baseline_that_ships_is_not_replaced_by_part_of_it():
    """A run of one study brings the baseline of that study alone: the shipped one stays, and is compared in that study, by repetition."""
    shipped = rows_of(TRACK, untrained([0.04, 0.05, 0.07]), shipped=True)
    ours = [*study("triplet", [0.30, 0.34, 0.33], study=1), *untrained([0.5])]
    table = build(TRACK, [*shipped, *rows_of(TRACK, ours)], units=NO_UNITS)
    found = {line.row.name: line for line in table.lines}
    assert {"triplet", "untrained"} == set(found)
    assert found["untrained"].row.shipped
    assert [0.04, 0.05, 0.07] == list(found["untrained"].row.by_study[TRACK.metrics.primary].values())
    assert "repetitions" == found["untrained"].difference.over
    assert found["untrained"].difference.mean == pytest.approx(0.05 - 0.30)


# ---- validation and test


def validated(scores):
    """A full row for each pair of a validation score and a test score."""
    records = []
    for number, (validation, test) in enumerate(scores):
        for trial in range(2):
            records += [
                tuned(f"m{number}", trial, fold, [0.1, validation if trial else 0.05], study=one) for fold in range(2) for one in range(3)
            ]
        records += [final(f"m{number}", 0, test + 0.001 * one, trial=1, study=one) for one in range(3)]
    return records


LINE = [(0.30, 0.200), (0.32, 0.221), (0.34, 0.239), (0.36, 0.262), (0.38, 0.279), (0.40, 0.300)]


@pytest.mark.parametrize(
    ("scores", "flagged"),
    [
        (LINE, set()),
        ([*LINE, (0.37, 0.15)], {"m6"}),
        # Far above is no warning, and five rows are too few to tell a pattern from chance.
        ([*LINE, (0.37, 0.40)], set()),
        ([*LINE[:4], (0.37, 0.15)], set()),
        # Rows that all validated alike tell no line.
        ([(0.3, test) for _, test in LINE], set()),
    ],
)
def test_a_row_whose_test_falls_below_its_validation_is_flagged(scores, flagged):
    """From six full rows on one whose test score lies far below what the others' pattern says is flagged, whatever its rank."""
    table = table_of(validated(scores))
    assert len(scores) == len(table.ranked)
    assert flagged == {line.row.name for line in table.lines if "test-below-validation" in line.row.flags}


def test_where_less_is_better_a_higher_test_score_is_the_worse_one():
    """With an error as the primary metric a row is flagged whose error on the test is far above the others' pattern."""
    scoring = dataclasses.replace(SCORING, maximise=False)
    records = [dataclasses.replace(one, unit=dataclasses.replace(one.unit, scoring=scoring)) for one in validated([*LINE, (0.37, 0.40)])]
    # The first trial of each has the smaller error, and is selected: final models of it, so that rows are full.
    records = [dataclasses.replace(one, unit=dataclasses.replace(one.unit, params={"loss.margin": 0.3})) for one in records]
    kept = [one for one in records if one.unit.kind == "tune"]
    swapped = [dataclasses.replace(one, unit=dataclasses.replace(one.unit, trial=1 - one.unit.trial)) for one in kept]
    worst = [dataclasses.replace(one, outcome=dataclasses.replace(one.outcome, curve=one.outcome.curve[1:])) for one in swapped]
    first = [one for one in worst if one.unit.trial == 0]
    second = [tuned(one.unit.method.name, 1, one.unit.fold, [0.9], study=one.unit.study, scoring=scoring) for one in first]
    finals = [dataclasses.replace(one.unit, trial=0) for one in records if one.unit.kind == "final"]
    outcomes = [one.outcome for one in records if one.unit.kind == "final"]
    again = [dataclasses.replace(records[0], unit=unit, outcome=outcome) for unit, outcome in zip(finals, outcomes, strict=True)]
    table = build(TRACK, rows_of(TRACK, [*first, *second, *again]), units=NO_UNITS, direction="min")
    assert {"m6"} == {line.row.name for line in table.lines if "test-below-validation" in line.row.flags}


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

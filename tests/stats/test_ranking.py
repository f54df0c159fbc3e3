import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from siambench.errors import MetricError
from siambench.stats import PairedTests, compare_all, mean_ranks, rank_intervals, ranks, t_interval, tie_groups


def decided(methods, *larger):
    """Tests in which exactly the given pairs (row larger than column) are significant."""
    adjusted, difference = np.ones((methods, methods)), np.zeros((methods, methods))
    for i, j in larger:
        adjusted[i, j] = adjusted[j, i] = 0.01
        difference[i, j], difference[j, i] = 1.0, -1.0
    return PairedTests(difference, adjusted, adjusted, np.full((methods, methods), 5))


def test_rank_interval_counts_significant_differences():
    """A method may have any rank from one below those shown better to one above those shown worse."""
    tests = decided(4, (0, 2), (0, 3), (1, 3))

    assert ((1, 2), (1, 3), (2, 4), (3, 4)) == rank_intervals(tests)
    assert ((3, 4), (2, 4), (1, 3), (1, 2)) == rank_intervals(tests, higher_is_better=False)


def test_nothing_shown_leaves_every_rank():
    """Without a significant difference all intervals are [1, K]."""
    assert ((1, 3),) * 3 == rank_intervals(decided(3))
    assert ((1, 1),) == rank_intervals(compare_all([[0.3, 0.4]]))


def test_stricter_alpha_widens_intervals():
    """A difference at p = 0.01 counts at alpha 0.05 and not at 0.001."""
    assert ((1, 2), (1, 2)) == rank_intervals(decided(2, (0, 1)), alpha=0.001)
    assert ((1, 1), (2, 2)) == rank_intervals(decided(2, (0, 1)), alpha=0.05)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 7), st.integers(2, 6), st.integers(0, 1000), st.booleans())
def test_intervals_of_any_table_contain_the_observed_rank(methods, seeds, seed, higher_is_better):
    """The rank by complete means lies in the interval, since a significant difference has the sign of the means."""
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(methods, seeds)) + generator.integers(0, 30, size=(methods, 1))
    observed = ranks(table.mean(axis=1), higher_is_better=higher_is_better)

    intervals = rank_intervals(compare_all(table), higher_is_better=higher_is_better)

    assert all(1 <= interval.low <= rank <= interval.high <= methods for interval, rank in zip(intervals, observed, strict=True))


def test_groups_end_where_the_leader_is_significantly_better():
    """Rows tied with the first of their group stay in it; the next one opens a group, in the better direction."""
    tests = decided(5, (3, 0), (3, 4), (1, 0), (2, 0), (2, 4))

    assert (2, 1, 1, 1, 2) == tie_groups([0.1, 0.6, 0.7, 0.9, 0.2], tests)
    assert (1, 2, 2, 2, 1) == tie_groups([0.1, 0.6, 0.7, 0.9, 0.2], tests, higher_is_better=False)


def test_missing_mean_is_last():
    """A method without a mean stands in the last group, alone or with others like it."""
    assert (1, 3, 2, 3) == tie_groups([0.9, math.nan, 0.2, math.nan], decided(4, (0, 2)))
    assert (1, 1) == tie_groups([math.nan, math.nan], decided(2))
    with pytest.raises(MetricError, match="for 2 methods"):
        tie_groups([0.1], decided(2))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12))
def test_ranks_agree_with_scipy(values):
    """Equal values share the mean of their ranks, as in scipy.stats.rankdata, from the best down."""
    assert rankdata(values).tolist() == ranks(values, higher_is_better=False).tolist()
    assert rankdata([-value for value in values]).tolist() == ranks(values).tolist()


def test_ranks_refuse_what_has_no_order():
    """NaN has no rank."""
    with pytest.raises(MetricError, match="1 not finite"):
        ranks([0.1, math.nan])


def test_mean_rank_over_tracks():
    """Ranks of each track, in its own direction, are averaged with a t-interval; a method with a gap has none."""
    table = [[0.9, 0.5, np.nan, 0.7], [10.0, 30.0, 20.0, 10.0], [0.6, 0.5, 0.1, 0.4]]

    result = mean_ranks(table, higher_is_better=[True, False, True])

    assert t_interval([1, 1.5, 1]) == result[0]
    assert t_interval([3, 3, 2]) == result[1]
    assert result[2] is None
    assert t_interval([2, 1.5, 3]) == result[3]
    assert ((1.0, None), (2.0, None)) == mean_ranks([[2.0, 1.0]])
    assert (None,) == mean_ranks([[np.nan]])


@pytest.mark.parametrize(
    ("table", "directions"),
    [([0.1], True), (np.zeros((0, 2)), True), ([[math.inf]], True), ([[0.1]], [True, False])],
)
def test_mean_ranks_refuse_other_shapes(table, directions):
    """Tables without tracks, infinite scores and directions of other tracks are errors."""
    with pytest.raises(MetricError):
        mean_ranks(table, higher_is_better=directions)

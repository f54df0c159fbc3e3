import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from siambench.errors import MetricError
from siambench.stats import (
    brown_forsythe,
    compare_studies,
    detectable_differences,
    pair_interval,
    partial_difference,
    rank_intervals,
    t_interval,
    tie_groups,
)

SQUARES = ("difference", "standard_error", "pair_freedom", "p_value", "adjusted")
ROWS = ("mean", "variance", "studies", "moderated", "freedom")


def random_rows(rows, *, seed, studies=5):
    """Rows of unequal spread and, where ``studies`` is a list, unequal length; scores on a coarse grid, so that some are tied."""
    generator = np.random.default_rng(seed)
    lengths = [studies] * rows if isinstance(studies, int) else [studies[k % len(studies)] for k in range(rows)]
    spreads = generator.uniform(0.002, 0.04, size=rows)
    return [np.round(generator.normal(0.6 + 0.01 * (k % 4), spreads[k], size=n), 3) for k, n in enumerate(lengths)]


def slow_tests(rows):
    """Definitions 1 to 5 by plain loops: moderated variances with their degrees of freedom, and p by pair."""
    count = len(rows)
    n = [len(row) for row in rows]
    d = [size - 1 for size in n]
    mean = [sum(row) / len(row) for row in rows]
    v = [sum((x - m) ** 2 for x in row) / (len(row) - 1) if len(row) > 1 else 0.0 for row, m in zip(rows, mean, strict=True)]
    pooled = sum(a * b for a, b in zip(d, v, strict=True)) / sum(d)
    w = sum(d) / count * min(1.0, max(0, count - 2) / 8)
    u = [(w * pooled + a * b) / (w + a) if w + a else math.nan for a, b in zip(d, v, strict=True)]
    f = [w + a for a in d]
    p, nu = {}, {}
    for i in range(count):
        for j in range(i + 1, count):
            a, b = u[i] / n[i], u[j] / n[j]
            if min(n[i], n[j]) < 2:
                p[i, j] = 1.0
            elif a + b == 0:
                p[i, j] = 1.0 if mean[i] == mean[j] else 2 * 0.5 ** min(n[i], n[j])
            else:
                nu[i, j] = (a + b) ** 2 / (a**2 / f[i] + b**2 / f[j])
                p[i, j] = 2 * stats.t.sf(abs(mean[i] - mean[j]) / math.sqrt(a + b), nu[i, j])
    return pooled, w, u, f, p, nu


def slow_holm(p_values):
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, worst = [0.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - step) * p_values[i]))
        adjusted[i] = worst
    return adjusted


@pytest.mark.parametrize("studies", [5, 2, [5, 3, 2, 7], [4, 1, 5, 1, 2]])
@pytest.mark.parametrize("rows", [2, 3, 4, 10, 24])
def test_every_pair_is_that_of_plain_loops(rows, studies):
    """Pooled and moderated variances, degrees of freedom, p-values and Holm's are those of the definitions, also for unequal lengths."""
    table = random_rows(rows, seed=rows, studies=studies)
    pooled, weight, moderated, freedom, p, nu = slow_tests([row.tolist() for row in table])

    tests = compare_studies(table)

    assert pooled == pytest.approx(tests.pooled_variance, rel=1e-10)
    assert weight == pytest.approx(tests.prior_weight, rel=1e-12)
    assert moderated == pytest.approx(tests.moderated.tolist(), rel=1e-10, nan_ok=True)
    assert freedom == pytest.approx(tests.freedom.tolist(), rel=1e-12)
    for (i, j), adjusted in zip(p, slow_holm(list(p.values())), strict=True):
        assert table[i].mean() - table[j].mean() == pytest.approx(tests.difference[i, j], abs=1e-14)
        assert p[i, j] == pytest.approx(tests.p_value[i, j], rel=1e-8)
        assert adjusted == pytest.approx(tests.adjusted[i, j], rel=1e-8)
        if (i, j) in nu:
            assert nu[i, j] == pytest.approx(tests.pair_freedom[i, j], rel=1e-9)
    for name, sign in zip(SQUARES, (-1, 1, 1, 1, 1), strict=True):
        square = getattr(tests, name)
        np.testing.assert_array_equal(square, sign * square.T)
    assert [1.0] * rows == np.diag(tests.p_value).tolist() == np.diag(tests.adjusted).tolist()
    assert [0.0] * rows == np.diag(tests.difference).tolist()
    assert [len(row) for row in table] == tests.studies.tolist()


@pytest.mark.parametrize("lengths", [(5, 5), (2, 7), (3, 2)])
def test_two_rows_are_welchs_test(lengths):
    """With two rows nothing is drawn together: p and degrees of freedom are scipy's for unequal variances."""
    generator = np.random.default_rng(sum(lengths))
    left, right = generator.normal(0.6, 0.03, lengths[0]), generator.normal(0.62, 0.005, lengths[1])
    expected = stats.ttest_ind(left, right, equal_var=False)

    tests = compare_studies([left, right])

    assert tests.prior_weight == 0.0
    assert expected.pvalue == pytest.approx(tests.p_value[0, 1], rel=1e-9)
    assert expected.df == pytest.approx(tests.pair_freedom[0, 1], rel=1e-9)
    np.testing.assert_allclose(tests.moderated, tests.variance, rtol=1e-14)


@pytest.mark.parametrize(("rows", "weight"), [(1, 0.0), (2, 0.0), (3, 0.5), (6, 2.0), (10, 4.0), (11, 4.0), (24, 4.0)])
def test_the_weight_of_the_table_grows_to_that_of_a_row(rows, weight):
    """At five studies the pooled variance counts for 4 · (K - 2) / 8 degrees of freedom, for none below three rows, 4 from ten on."""
    tests = compare_studies(random_rows(rows, seed=1))

    assert weight == tests.prior_weight
    assert [weight + 4] * rows == tests.freedom.tolist()


def test_rows_without_any_spread_are_judged_by_signs():
    """Where no row has a spread, equal means have p = 1, and others 2 · ½ⁿ of the row with fewer studies."""
    tests = compare_studies([[0.3] * 5, [0.3] * 5, [0.4] * 3, [0.1 + 0.2] * 5])

    assert 1.0 == tests.p_value[0, 1] == tests.p_value[0, 3]
    assert 2 * 0.5**3 == tests.p_value[0, 2] == tests.p_value[2, 1]
    assert 0.0 == tests.difference[0, 3] == tests.pooled_variance == tests.standard_error[0, 1]
    assert math.isnan(tests.pair_freedom[0, 1])
    assert (tests.signs() == 0).all()
    assert 2 * 0.5**5 == compare_studies([[0.2] * 5, [0.3] * 5]).p_value[0, 1]


def test_two_rows_without_spread_are_judged_by_the_spread_of_the_table():
    """Two rows that never vary beside others that do rest on the moderated variance: close ones are equal, far ones differ."""
    still = [[0.3] * 5, [0.301] * 5, [0.9] * 5]
    tests = compare_studies([*still, *random_rows(7, seed=3)])

    assert tests.variance[0] == 0.0 < tests.moderated[0]
    assert 0.8 < tests.p_value[0, 1] < 1
    assert tests.adjusted[0, 2] < 1e-6


def test_rounding_is_no_spread():
    """Studies equal up to the rounding of sums have variance 0, so that a table of such rows shows nothing."""
    tests = compare_studies([[0.3, 0.1 + 0.2, 0.3], [0.1 + 0.2, 0.3, 0.3], [0.3, 0.3, 0.3]])

    assert [0.0] * 3 == tests.variance.tolist()
    assert (tests.p_value == 1.0).all()
    assert (tests.difference == 0.0).all()


def test_one_study_shows_nothing():
    """A row of one study has no variance of its own and p = 1 against all, and changes no other pair's p but by the correction."""
    table = random_rows(3, seed=4)
    tests = compare_studies([*table, [0.9]])

    assert math.isnan(tests.variance[3])
    assert (tests.p_value[3] == 1.0).all()
    assert (tests.adjusted[3] == 1.0).all()
    assert 0.9 - table[0].mean() == pytest.approx(tests.difference[3, 0])


@pytest.mark.parametrize("rows", [1, 2, 3, 12])
def test_a_table_of_single_studies_shows_nothing(rows):
    """Where nothing has two studies every p is 1, and the pooled variance is unknown."""
    tests = compare_studies([[0.1 * k] for k in range(rows)])

    assert (tests.p_value == 1.0).all()
    assert (tests.signs() == 0).all()
    assert math.isnan(tests.pooled_variance)
    assert math.isnan(tests.pooled_deviation)
    assert np.isnan(tests.moderated).all()
    assert detectable_differences(tests).median is None


def test_one_row_is_compared_with_nobody():
    """A table of one row has no pair, its own spread, and rank 1."""
    tests = compare_studies([[0.1, 0.2, 0.6]])

    assert [[1.0]] == tests.adjusted.tolist()
    assert np.var([0.1, 0.2, 0.6], ddof=1) == pytest.approx(tests.moderated[0])
    assert ((1, 1),) == rank_intervals(tests)
    assert np.std([0.1, 0.2, 0.6], ddof=1) == pytest.approx(tests.pooled_deviation)
    assert tests.pooled_deviation == tests.deviation[0]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.integers(1, 12), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_order_of_rows_and_of_studies_changes_nothing(rows, seed, shuffle):
    """Permuting rows permutes all results exactly, and the order of a row's studies has no part in them."""
    table = random_rows(rows, seed=seed, studies=[5, 3, 1, 2])
    order = list(range(rows))
    shuffle.shuffle(order)
    mixed = [np.array(shuffle.sample(table[k].tolist(), len(table[k]))) for k in order]

    straight, permuted = compare_studies(table), compare_studies(mixed)

    for name in SQUARES:
        np.testing.assert_array_equal(getattr(straight, name)[np.ix_(order, order)], getattr(permuted, name))
    for name in ROWS:
        np.testing.assert_array_equal(getattr(straight, name)[order], getattr(permuted, name))
    assert brown_forsythe(table) == brown_forsythe(mixed)
    detectable, shuffled = detectable_differences(straight), detectable_differences(permuted)
    np.testing.assert_array_equal(detectable.pairs[np.ix_(order, order)], shuffled.pairs)
    assert detectable.median == shuffled.median


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.integers(2, 12), st.integers(0, 1000), st.floats(-5, 5), st.sampled_from([1e-3, 0.5, 100.0, -1.0]))
def test_units_and_origin_of_scores_change_no_p_value(rows, seed, shift, scale):
    """Shifted and scaled scores have the same p-values, differences in the new units, and the other direction where mirrored."""
    table = random_rows(rows, seed=seed)
    moved = [(row + shift) * scale for row in table]

    before, after = compare_studies(table), compare_studies(moved)

    np.testing.assert_allclose(after.p_value, before.p_value, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(after.difference, before.difference * scale, rtol=1e-6, atol=1e-12 * abs(scale))
    np.testing.assert_allclose(after.pair_freedom, before.pair_freedom, rtol=1e-6)
    assert detectable_differences(before).median * abs(scale) == pytest.approx(detectable_differences(after).median, rel=1e-6)
    np.testing.assert_array_equal(after.signs(), np.sign(scale).astype(int) * before.signs())


def test_ranks_and_groups_rest_on_the_tests():
    """Rank intervals and tie groups take the tests of studies as they take those of seeds, in the better direction."""
    generator = np.random.default_rng(5)
    table = [generator.normal(level, 0.005, 5) for level in (0.5, 0.9, 0.7, 0.7)]
    tests = compare_studies(table)

    assert ((4, 4), (1, 1), (2, 3), (2, 3)) == rank_intervals(tests)
    assert ((1, 1), (4, 4), (2, 3), (2, 3)) == rank_intervals(tests, higher_is_better=False)
    assert (3, 1, 2, 2) == tie_groups(tests.mean, tests)
    assert [[0, -1, -1, -1], [1, 0, 1, 1], [1, -1, 0, 0], [1, -1, 0, 0]] == tests.signs().tolist()
    assert (tests.signs(alpha=1e-40) == 0).all()


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([], "at least one row, got none"),
        ([0.1, 0.2], r"got shape \(\) in row 0"),
        ([[0.1], []], r"got shape \(0,\) in row 1"),
        ([[[0.1, 0.2]]], r"got shape \(1, 2\) in row 0"),
        ([[0.1, 0.2], [0.1, math.nan, math.inf]], "got 2 that are not in row 1"),
    ],
)
def test_refuses_what_are_no_rows_of_studies(scores, reason):
    """No rows, rows without studies, tables of tables and scores that are not finite are errors that name the row."""
    with pytest.raises(MetricError, match=reason):
        compare_studies(scores)
    with pytest.raises(MetricError, match=reason):
        brown_forsythe(scores)


def slow_freedom(rows):
    """Degrees of freedom for a new row, by root finding: min(Σ d, max(4, d_0)) of definition 8."""
    d = [len(row) - 1 for row in rows]
    logarithms = [math.log(np.var(row, ddof=1)) for row in rows if len(row) > 1]
    excess = np.var(logarithms, ddof=1) - special.polygamma(1, sum(d) / len(d) / 2)
    if excess <= 0:
        return sum(d)
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-6, 1e9, xtol=1e-12)
    return min(sum(d), max(4, 2 * half))


def geometric_rows(rows, ratio, *, studies=5):
    """Rows whose deviations are .01 times powers of a ratio: how far spreads are apart is exactly known."""
    pattern = np.array([-1.0, 0.5, 0.25, 1.5, -1.25])[:studies]
    return [0.6 + 0.01 * ratio ** (k % 4) * pattern for k in range(rows)]


@pytest.mark.parametrize(("ratio", "kind"), [(1.0, "all"), (1.3, "all"), (1.5, "between"), (1.54, "between"), (20.0, "least")])
@pytest.mark.parametrize("rows", [4, 7, 13])
def test_a_row_with_fewer_studies_is_taken_to_be_like_the_table(rows, ratio, kind):
    """Half-widths are those of definition 8: all degrees of freedom where spreads are alike, four where they are far apart."""
    table = geometric_rows(rows, ratio)
    tests = compare_studies(table)
    freedom = slow_freedom(table)
    assert {"all": freedom == 4 * rows, "least": freedom == 4, "between": 4 < freedom < 4 * rows}[kind]

    for new in ([0.65], [0.65, 0.61, 0.7]):
        for row in (0, rows - 1):
            mean, half_width = partial_difference(new, tests, row, confidence=0.9)
            error = math.sqrt(tests.pooled_variance / len(new) + tests.moderated[row] / 5)
            assert np.mean(new) - table[row].mean() == pytest.approx(mean, abs=1e-12)
            assert stats.t.ppf(0.95, freedom) * error == pytest.approx(half_width, rel=1e-6)


def test_partial_rows_beside_unequal_rows():
    """Rows of one study count among the degrees of freedom, with none, and not among the spreads."""
    table = [*random_rows(6, seed=6, studies=[5, 3, 4]), np.array([0.7])]
    tests = compare_studies(table)
    error = math.sqrt(tests.pooled_variance / 2 + tests.moderated[6])

    mean, half_width = partial_difference([0.5, 0.6], tests, 6)

    assert 0.55 - 0.7 == pytest.approx(mean)
    assert stats.t.ppf(0.975, slow_freedom(table)) * error == pytest.approx(half_width, rel=1e-6)


def test_partial_rows_beside_a_row_that_never_varies():
    """A full row without spread is infinitely unlike the others: four degrees of freedom are left; without any spread the width is 0."""
    table = [*random_rows(5, seed=7), np.full(5, 0.6)]
    tests = compare_studies(table)
    error = math.sqrt(tests.pooled_variance + tests.moderated[5] / 5)

    assert stats.t.ppf(0.975, 4) * error == pytest.approx(partial_difference([0.5], tests, 5).half_width, rel=1e-6)
    assert partial_difference([0.5], compare_studies([[0.25] * 5] * 4), 0) == (0.25, 0.0)
    lone = compare_studies([table[0], *([x] for x in (0.1, 0.2, 0.3))])
    error = math.sqrt(lone.pooled_variance + lone.moderated[2])
    assert stats.t.ppf(0.975, 4) * error == pytest.approx(partial_difference([0.5], lone, 2).half_width, rel=1e-6)


def test_few_rows_say_nothing_of_a_new_one():
    """With three full rows, or none of two studies, a partial row has no interval; from four on it has one."""
    assert partial_difference([0.5], compare_studies(random_rows(3, seed=8)), 0) is None
    assert partial_difference([0.5], compare_studies(random_rows(4, seed=8)), 0) is not None
    assert partial_difference([0.5], compare_studies([[0.1], [0.2], [0.3], [0.4], [0.5]]), 0) is None


@pytest.mark.parametrize(("scores", "row", "reason"), [([0.5], 4, "one of the 4 .* got 4"), ([0.5], -1, "got -1"), ([], 0, "got shape")])
def test_partial_difference_refuses_what_is_not_there(scores, row, reason):
    """A row that was not tested, and a row without studies, are errors."""
    with pytest.raises(MetricError, match=reason):
        partial_difference(scores, compare_studies(random_rows(4, seed=9)), row)


@pytest.mark.parametrize("studies", [5, 3, [5, 3, 2, 7]])
@pytest.mark.parametrize("rows", [2, 3, 10, 24])
def test_brown_forsythe_agrees_with_scipy(rows, studies):
    """The p-value is that of scipy's Levene test around medians, with ties and unequal lengths."""
    table = random_rows(rows, seed=rows + 100, studies=studies)

    assert stats.levene(*table, center="median").pvalue == pytest.approx(brown_forsythe(table), rel=1e-8)
    assert stats.levene(*table, center="median").pvalue == pytest.approx(brown_forsythe([*table, [0.4]]), rel=1e-8)


def test_spreads_that_cannot_be_compared():
    """One row, single studies, two studies a row and rows without spread have no p-value; one that varies among still ones has."""
    varied = [0.1, 0.2, 0.5]

    for table in ([varied], [varied, [0.3]], [[0.1], [0.2]], [[0.1, 0.2], [0.3, 0.7], [0.61, 0.64]], [[0.3] * 3, [0.1 + 0.2] * 3]):
        assert brown_forsythe(table) is None
    assert stats.levene(varied, [0.3] * 3, center="median").pvalue == pytest.approx(brown_forsythe([varied, [0.3] * 3]))


@pytest.mark.parametrize("studies", [5, [5, 3, 2, 7]])
@pytest.mark.parametrize("rows", [2, 3, 10, 24])
def test_detectable_differences_are_found_with_the_power_promised(rows, studies):
    """At its difference each pair's non-central t has 80 % beyond the corrected critical value; the median is that of all pairs."""
    tests = compare_studies(random_rows(rows, seed=rows + 200, studies=studies))
    pairs = rows * (rows - 1) // 2

    found = detectable_differences(tests)

    values = []
    for i in range(rows):
        for j in range(i):
            freedom, error = tests.pair_freedom[i, j], tests.standard_error[i, j]
            critical = stats.t.isf(0.05 / (2 * pairs), freedom)
            assert stats.nct.sf(critical, freedom, found.pairs[i, j] / error) == pytest.approx(0.8, abs=2e-4)
            values.append(found.pairs[i, j])
    assert np.median(values) == found.median
    np.testing.assert_array_equal(found.pairs, found.pairs.T)
    assert np.isnan(np.diag(found.pairs)).all()


def test_what_has_no_spread_has_no_detectable_difference():
    """Pairs without spread, or with a row of one study, are left out of the median; more power needs more."""
    table = random_rows(3, seed=10)
    tests = compare_studies([*table, [0.5]])
    found = detectable_differences(tests)

    assert np.isnan(found.pairs[3]).all()
    assert np.median(found.pairs[np.triu_indices(3, k=1)]) == found.median
    assert detectable_differences(compare_studies([[0.3] * 5, [0.4] * 5])).median is None
    assert detectable_differences(compare_studies([[0.3, 0.4]])).median is None
    assert found.median < detectable_differences(tests, power=0.9).median < detectable_differences(tests, power=0.9, alpha=0.01).median


@pytest.mark.parametrize(("power", "alpha"), [(1.0, 0.05), (0.0, 0.05), (math.nan, 0.05), (0.8, 0.0), (0.8, 1.0)])
def test_detectable_differences_refuse_certainty(power, alpha):
    """Power and error are shares between 0 and 1."""
    with pytest.raises(MetricError, match=r"must be in \(0, 1\)"):
        detectable_differences(compare_studies([[0.1, 0.2], [0.3, 0.5]]), power=power, alpha=alpha)


def test_a_rows_own_interval_is_of_its_own_variance():
    """The interval of a row is t_interval of its studies: m ± t(.975, n - 1) · √(v / n) with the variance that the tests name."""
    table = random_rows(4, seed=11, studies=[5, 2, 3])
    tests = compare_studies(table)

    for row, mean, variance in zip(table, tests.mean, tests.variance, strict=True):
        half_width = stats.t.ppf(0.975, len(row) - 1) * math.sqrt(variance / len(row))
        assert t_interval(row) == (pytest.approx(mean, rel=1e-12), pytest.approx(half_width, rel=1e-9))


# ---- the interval of a pair


def test_the_interval_of_two_rows_is_welchs():
    """With two rows the variances are their own, and the interval of their difference is that of scipy's Welch test."""
    one, other = [0.31, 0.35, 0.30, 0.37], [0.22, 0.21, 0.27]
    found = pair_interval(compare_studies([one, other]), 0, 1)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_the_interval_of_a_pair_leaves_out_zero_where_its_test_is_significant():
    """For every pair of a table, and whichever comes first, zero lies inside exactly where the uncorrected p-value is above 5 %."""
    generator = np.random.default_rng(4)
    rows = [generator.normal(0.3 + 0.01 * row, 0.004 * (1 + row % 3), 5) for row in range(9)]
    tests = compare_studies(rows)
    seen = set()
    for one, other in itertools.permutations(range(9), 2):
        found, back = pair_interval(tests, one, other), pair_interval(tests, other, one)
        assert (found.mean, found.half_width) == (-back.mean, back.half_width)
        seen.add(abs(found.mean) > found.half_width)
        assert (abs(found.mean) > found.half_width) == (tests.p_value[one, other] < 0.05)
    assert {True, False} == seen


def test_a_row_of_one_study_and_rows_without_spread_have_no_interval():
    """Where nothing tells the spread the difference stands alone."""
    assert pair_interval(compare_studies([[0.3, 0.3], [0.2, 0.2]]), 0, 1) == (pytest.approx(0.1), None)
    assert pair_interval(compare_studies([[0.3], [0.2, 0.25], [0.1, 0.2]]), 0, 1).half_width is None


@pytest.mark.parametrize(("row", "other"), [(0, 0), (0, 2), (-1, 1)])
def test_a_pair_is_two_rows(row, other):
    """A row is not compared with itself, nor with one that is not there."""
    with pytest.raises(MetricError, match="a pair is two of the 2 rows"):
        pair_interval(compare_studies([[0.3, 0.4], [0.2, 0.25]]), row, other)

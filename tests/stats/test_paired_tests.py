import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from siambench.errors import MetricError
from siambench.stats import compare_all, holm, score_table


def slow_holm(p_values):
    """The step-down procedure by its definition: the smallest alpha at which each hypothesis is rejected."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, worst = [0.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - step) * p_values[i]))
        adjusted[i] = worst
    return adjusted


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0.0, 1e-9, 0.001, 0.01, 0.02, 0.05, 0.5, 1.0]), max_size=12))
def test_holm_is_its_definition(p_values):
    """Adjusted p-values are those of the step-down procedure, with ties, zeros, ones and no hypothesis at all."""
    assert slow_holm(p_values) == pytest.approx(holm(p_values).tolist(), abs=1e-15)


def test_holm_of_a_published_example():
    """0.01, 0.02, 0.03, 0.005 become 0.03, 0.04, 0.04, 0.02."""
    assert [0.03, 0.04, 0.04, 0.02] == pytest.approx(holm([0.01, 0.02, 0.03, 0.005]).tolist())


@pytest.mark.parametrize("p_values", [[0.5, 1.1], [-0.1], [math.nan], [[0.1]]])
def test_holm_refuses_what_is_no_probability(p_values):
    """Values outside [0, 1] are errors."""
    with pytest.raises(MetricError, match="p-values must be"):
        holm(p_values)


def random_table(methods, seeds, *, seed, missing=0.0):
    generator = np.random.default_rng(seed)
    table = generator.normal(0.5, 0.05, size=(methods, seeds)) + generator.normal(0, 0.02, size=seeds)
    table += np.arange(methods)[:, None] * 0.03
    table[generator.random(table.shape) < missing] = np.nan
    return table


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_p_values_agree_with_scipy(missing):
    """Each pair is scipy's paired t-test over the seeds that both methods have, all corrected together."""
    table = random_table(6, 9, seed=0, missing=missing)

    tests = compare_all(table)

    raw = {}
    for i in range(6):
        for j in range(i):
            common = ~np.isnan(table[i]) & ~np.isnan(table[j])
            raw[i, j] = stats.ttest_rel(table[i, common], table[j, common]).pvalue
            assert int(common.sum()) == tests.seeds[i, j] == tests.seeds[j, i]
            assert raw[i, j] == pytest.approx(tests.p_value[i, j], rel=1e-9)
            assert np.mean(table[i, common] - table[j, common]) == pytest.approx(tests.difference[i, j], abs=1e-12)
            assert tests.difference[i, j] == -tests.difference[j, i]
    for (i, j), p in zip(raw, slow_holm(list(raw.values())), strict=True):
        assert p == pytest.approx(tests.adjusted[i, j], rel=1e-9)
        assert tests.adjusted[i, j] == tests.adjusted[j, i]
    assert [1.0] * 6 == np.diag(tests.adjusted).tolist()
    assert (~np.isnan(table)).sum(axis=1).tolist() == np.diag(tests.seeds).tolist()


def test_signs_say_which_scores_are_larger():
    """A clear winner has +1 in its row and -1 in its column; what is not shown is 0."""
    table = random_table(3, 10, seed=1)
    table[2] += 10

    signs = compare_all(table).signs()

    assert [1, 1, 0] == signs[2].tolist()
    assert [-1, -1, 0] == signs[:, 2].tolist()
    assert (signs == -signs.T).all()


def test_order_of_methods_changes_nothing():
    """Permuting the rows permutes the results exactly."""
    table = random_table(5, 6, seed=2, missing=0.1)
    order = np.array([3, 0, 4, 1, 2])

    straight, permuted = compare_all(table), compare_all(table[order])

    for name in ("difference", "p_value", "adjusted", "seeds"):
        np.testing.assert_array_equal(getattr(straight, name)[np.ix_(order, order)], getattr(permuted, name))


def test_identical_methods_do_not_differ():
    """Equal scores, also up to the rounding of sums, have p = 1 and difference 0."""
    scores = np.array([0.1, 0.25, 0.3, 0.7])

    tests = compare_all([scores, scores, scores + 1e-16, (scores * 3 + 1e-16) / 3])

    assert (tests.adjusted == 1.0).all()
    assert (tests.difference == 0.0).all()


def test_methods_without_randomness_differ_without_doubt():
    """Two fixed methods that are not equal differ with p = 0, and one score stands for all seeds."""
    table = [[0.2, np.nan, np.nan], [0.3, 0.3, 0.3], [0.3, 0.5, 0.1], [0.3, np.nan, 0.3]]

    tests = compare_all(table, fixed=[True, True, False, True])

    assert 0.0 == tests.p_value[0, 1] == tests.p_value[3, 0]
    assert 1.0 == tests.p_value[1, 3]
    assert -1 == tests.signs()[0, 1]
    assert stats.ttest_1samp(table[2], 0.2).pvalue == pytest.approx(tests.p_value[0, 2])
    assert [3] * 4 == np.diag(tests.seeds).tolist()
    assert 1.0 == compare_all([[np.nan], [0.2]], fixed=[True, True]).p_value[0, 1]


def test_agreeing_seeds_are_not_taken_for_fixed():
    """Two rows that happen to be constant over two seeds show nothing unless they are said to be fixed."""
    assert 0.5 == compare_all([[0.2, 0.2], [0.3, 0.3]]).p_value[0, 1]
    with pytest.raises(MetricError, match=r"got 0.2 and 0.3 in row 1"):
        compare_all([[0.1, 0.1], [0.2, 0.3]], fixed=[False, True])
    with pytest.raises(MetricError, match=r"got shape \(1,\) for 2 methods"):
        compare_all([[0.1, 0.1], [0.2, 0.3]], fixed=[False])


def test_constant_difference_of_varying_methods_is_judged_by_signs():
    """Scores counted in queries may differ by the same amount at every seed: p is that of flipping n signs."""
    scores = np.array([0.31, 0.35, 0.30, 0.39, 0.33])

    assert 2 * 0.5**5 == compare_all([scores, scores + 0.01]).p_value[0, 1]
    assert 0.5 == compare_all([scores[:2], scores[:2] + 0.01]).p_value[0, 1]


def test_too_few_common_seeds_show_nothing():
    """With one or no seed in common p is 1, and the difference is that of the one seed, or missing."""
    tests = compare_all([[0.1, 0.2, np.nan], [np.nan, 0.9, 0.8], [0.5, np.nan, np.nan]])

    assert (tests.adjusted == 1.0).all()
    assert -0.7 == pytest.approx(tests.difference[0, 1])
    assert math.isnan(tests.difference[1, 2])
    assert [[2, 1, 1], [1, 2, 0], [1, 0, 1]] == tests.seeds.tolist()
    assert (tests.signs() == 0).all()


def test_one_method_is_compared_with_nobody():
    """A table of one row has no pair."""
    tests = compare_all([[0.1, 0.2]])

    assert [[1.0]] == tests.adjusted.tolist()
    assert [[0.0]] == tests.difference.tolist()


@pytest.mark.parametrize(("table", "reason"), [([0.1, 0.2], r"got shape \(2,\)"), ([[0.1, math.inf]], "1 infinite"), ([], "got shape")])
def test_refuses_what_is_no_table(table, reason):
    """Wrong shapes and infinite scores are errors."""
    with pytest.raises(MetricError, match=reason):
        compare_all(table)


def test_scores_by_name_become_a_table():
    """Methods keep their order, seeds are sorted, and what a method lacks is missing."""
    methods, seeds, table = score_table({"b": {2: 0.4, 0: 0.1}, "a": {1: 0.7}})

    assert ("b", "a") == methods
    assert (0, 1, 2) == seeds
    np.testing.assert_array_equal(np.array([[0.1, np.nan, 0.4], [np.nan, 0.7, np.nan]]), table)
    assert (0, 0) == score_table({})[2].shape

"""The promises of the statistics, kept in simulated exams of which the truth is known.

Whole tables are tested at once by the inner function that `compare_all` rests on; a test shows that they give what it gives.
"""

import numpy as np
import pytest
from simulated import found_by_holm

from siambench.stats import class_bootstrap, compare_all, minimum_detectable_difference, rank_intervals, t_interval
from siambench.stats.comparison import _paired_t

pytestmark = pytest.mark.slow

DRAWS = 2000

# Holm promises 5 % and gives 3 to 5; the standard error of a share of 10,000 tables is 0.2 points.
TABLES = 10_000


def spreads(methods, kind):
    return {"equal": np.full(methods, 0.01), "unequal": np.geomspace(0.002, 0.05, methods)}[kind]


def shown(tables):
    """Differences of the pairs of tables [T, methods, seeds], and which are significant together: both [T, pairs]."""
    first, second = np.triu_indices(tables.shape[1], k=1)
    left, right = (tables[:, side].reshape(-1, tables.shape[2]) for side in (first, second))
    difference, p_value, _ = _paired_t(left, right, np.zeros(len(left), dtype=bool))
    return difference.reshape(-1, first.size), found_by_holm(p_value.reshape(-1, first.size))


def ranks_left_open(tables):
    """The ends of the rank intervals of tables [T, methods, seeds]: both [T, methods]."""
    first, second = np.triu_indices(tables.shape[1], k=1)
    difference, found = shown(tables)
    signs = np.zeros((len(tables), tables.shape[1], tables.shape[1]))
    signs[:, first, second] = np.sign(difference) * found
    signs -= signs.transpose(0, 2, 1)
    return 1 + (signs < 0).sum(axis=2), tables.shape[1] - (signs > 0).sum(axis=2)


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("kind", ["equal", "unequal", "counted"])
@pytest.mark.parametrize("methods", [2, 4, 20])
def test_whole_tables_are_tested_as_single_ones(methods, kind, seeds):
    """Which pairs of a table are told apart, and the ranks that leaves open, are what `compare_all` and `rank_intervals` say of it."""
    generator = np.random.default_rng([methods, seeds])
    tables = 0.5 + 0.02 * (np.arange(methods) % 3)[:, None] + 0.01 * generator.normal(size=(60, methods, seeds))
    if kind == "counted":
        tables = np.round(tables * 50) / 50
    elif kind == "unequal":
        tables += generator.normal(size=tables.shape) * spreads(methods, kind)[:, None]
    single = [compare_all(table) for table in tables]

    upper = np.triu_indices(methods, k=1)
    np.testing.assert_array_equal([tests.signs()[upper] != 0 for tests in single], shown(tables)[1])
    np.testing.assert_array_equal([rank_intervals(tests) for tests in single], np.stack(ranks_left_open(tables), axis=-1))


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_t_intervals_cover_the_mean(seeds):
    """Of 2,000 intervals of normal scores, 93 to 97 % contain the true mean."""
    generator = np.random.default_rng(seeds)

    covered = 0
    for sample in generator.normal(0.6, 0.02, size=(DRAWS, seeds)):
        mean, half_width = t_interval(sample)
        covered += abs(mean - 0.6) <= half_width

    assert 0.93 <= covered / DRAWS <= 0.97


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize("kind", ["equal", "unequal"])
@pytest.mark.parametrize("methods", [4, 12, 20])
def test_family_wise_error_under_the_null(methods, kind, seeds):
    """Of 10,000 tables of equally good methods, at most 5.5 % show any difference, whatever their spreads."""
    generator = np.random.default_rng([methods, seeds, kind == "equal"])
    of_seeds = generator.normal(0, 0.01, size=(TABLES, 1, seeds))
    _, found = shown(0.5 + of_seeds + generator.normal(size=(TABLES, methods, seeds)) * spreads(methods, kind)[:, None])

    assert found.any(axis=1).mean() <= 0.055


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize("kind", ["equal", "unequal"])
@pytest.mark.parametrize("methods", [4, 12, 20])
def test_rank_intervals_contain_the_true_ranks(methods, kind, seeds):
    """The interval of each method contains its true ranks in 95 % of 10,000 tables, and all do at once in 94.5 %.

    Methods come in pairs that are equally good; such a pair shares two ranks, and the intervals have to contain both.
    """
    generator = np.random.default_rng([methods, seeds, kind == "equal", 1])
    truth = 0.5 + 0.04 * (np.arange(methods) // 2)
    best, worst = (truth[:, None] < truth).sum(axis=1) + 1, (truth[:, None] <= truth).sum(axis=1)

    low, high = ranks_left_open(truth[:, None] + generator.normal(size=(TABLES, methods, seeds)) * spreads(methods, kind)[:, None])
    contained = (low <= best) & (worst <= high)

    assert (contained.mean(axis=0) >= 0.95).all()
    assert contained.all(axis=1).mean() >= 0.945


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize(("queries", "rate"), [(50, 0.9), (100, 0.98), (2000, 0.7)])
def test_scores_counted_in_queries_keep_the_family_wise_error(queries, rate, seeds):
    """Scores that are shares of few queries are often tied or differ by the same step; the error stays below 5.5 %."""
    generator = np.random.default_rng([seeds, queries])
    _, found = shown(generator.binomial(queries, rate, size=(TABLES, 8, seeds)) / queries)

    assert found.any(axis=1).mean() <= 0.055


def test_detectable_difference_is_detected():
    """A pair of methods that far apart is told apart in about 80 % of tables, at the strictest step of Holm."""
    generator = np.random.default_rng(0)
    difference = minimum_detectable_difference(np.sqrt(2) * 0.01, 10, 6)
    found = 0
    for noise in generator.normal(0, 0.01, size=(DRAWS, 4, 10)):
        noise[0] += difference
        found += bool(compare_all(noise).p_value[0, 1] <= 0.05 / 6)

    assert 0.77 <= found / DRAWS <= 0.83


def test_bootstrap_over_classes_covers_the_mean_of_all_classes():
    """With 100 test classes of unequal size, intervals contain the mean over all classes in 92 to 97 % of 1,000 exams."""
    generator = np.random.default_rng(0)
    population = generator.beta(2, 2, size=200_000)
    sizes = generator.integers(5, 30, size=200_000)
    truth = (population * sizes).sum() / sizes.sum()
    covered = 0
    for exam in range(1000):
        chosen = generator.integers(200_000, size=100)
        _, low, high = class_bootstrap(population[chosen], sizes[chosen], seed=exam, draws=1000)
        covered += low <= truth <= high

    assert 0.92 <= covered / 1000 <= 0.97

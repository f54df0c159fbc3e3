import math

import numpy as np
import pytest
from scipy import stats

from siambench.errors import MetricError
from siambench.stats import class_bootstrap, clopper_pearson, minimum_detectable_difference, t_interval


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("values", [[0.3, 0.5], [-1.0, 4.0, 2.5], [1e6, 1e6 + 1, 1e6 + 3, 1e6 + 3]])
def test_t_interval_agrees_with_scipy(values, confidence):
    """Mean and half-width are those of scipy.stats.t.interval."""
    low, high = stats.t.interval(confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))

    mean, half_width = t_interval(values, confidence=confidence)

    assert np.mean(values) == pytest.approx(mean, rel=1e-15)
    assert (high - low) / 2 == pytest.approx(half_width, rel=1e-9)


def test_one_value_has_no_interval():
    """A single seed says nothing of the spread, and two equal ones that there is none."""
    assert (0.4, None) == t_interval([0.4])
    assert (0.1, 0.0) == t_interval([0.1] * 3)


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, math.nan], [math.inf]])
def test_t_interval_refuses_what_is_no_sample(values):
    """Nothing, tables and values that are not finite have no interval."""
    with pytest.raises(MetricError):
        t_interval(values)


def test_bootstrap_is_its_loop():
    """Classes are drawn with replacement with all their queries; the ends are quantiles of the resampled means."""
    scores, counts = np.array([0.1, 0.9, 0.5, 0.2]), np.array([10, 1, 3, 5])
    generator = np.random.default_rng(7)
    resampled = [
        sum(scores[c] * counts[c] for c in chosen) / sum(counts[c] for c in chosen) for chosen in generator.integers(4, size=(500, 4))
    ]

    mean, low, high = class_bootstrap(scores, counts, seed=7, draws=500)

    assert (1.0 + 0.9 + 1.5 + 1.0) / 19 == pytest.approx(mean, abs=1e-12)
    assert tuple(np.quantile(resampled, [0.025, 0.975])) == pytest.approx((low, high), abs=1e-12)


def test_bootstrap_is_a_function_of_its_seed():
    """The same seed gives the same ends, another one other ends, and the global generator stays untouched."""
    scores, counts = np.linspace(0, 1, 30), np.arange(1, 31)
    state = np.random.get_state()[1].copy()  # noqa: NPY002

    first = class_bootstrap(scores, counts, seed=1)

    assert first == class_bootstrap(scores, counts, seed=1)
    assert first != class_bootstrap(scores, counts, seed=2)
    assert (state == np.random.get_state()[1]).all()  # noqa: NPY002
    assert first.low < first.mean < first.high


@pytest.mark.parametrize(
    ("scores", "counts", "reason"),
    [
        ([0.5], [3], r"at least 2 classes, got shapes \(1,\)"),
        ([0.5, 0.1], [3], r"\(2,\) and \(1,\)"),
        ([0.5, 0.1], [3, 0], "a class with 0"),
        ([0.5, math.nan], [3, 1], "got 1 that are not"),
    ],
)
def test_bootstrap_refuses_what_cannot_be_resampled(scores, counts, reason):
    """One class, classes without queries and missing scores are errors with the values."""
    with pytest.raises(MetricError, match=reason):
        class_bootstrap(scores, counts, seed=0)


@pytest.mark.parametrize(("n", "comparisons"), [(3, 1), (5, 66), (10, 190)])
def test_detectable_difference_is_found_with_the_power_promised(n, comparisons):
    """At the difference returned, the non-central t distribution puts the power beyond the corrected critical value."""
    difference = minimum_detectable_difference(0.02, n, comparisons)

    critical = stats.t.ppf(1 - 0.05 / (2 * comparisons), n - 1)
    assert 0.8 == pytest.approx(stats.nct.sf(critical, n - 1, difference / 0.02 * math.sqrt(n)), abs=1e-4)


def test_detectable_difference_at_five_seeds_and_twelve_methods():
    """Twelve methods and five seeds need a t beyond 9.26, so differences of five deviations: a number worth printing."""
    assert 11.454 / math.sqrt(5) == pytest.approx(minimum_detectable_difference(1.0, 5, 66), abs=1e-3)
    assert minimum_detectable_difference(1.0, 1, 66) is None
    assert 0.0 == minimum_detectable_difference(0.0, 5, 66)


@pytest.mark.parametrize("arguments", [(-1.0, 5, 1), (math.inf, 5, 1), (math.nan, 5, 1), (1.0, 0, 1), (1.0, 5, 0)])
def test_detectable_difference_refuses_impossible_plans(arguments):
    """Negative spreads and no seeds are errors."""
    with pytest.raises(MetricError):
        minimum_detectable_difference(*arguments)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 40), (3, 40), (40, 40), (2990, 3000)])
def test_clopper_pearson_agrees_with_scipy(successes, trials, confidence):
    """Share and interval are those of scipy's exact binomial test, none and all successes included."""
    expected = stats.binomtest(successes, trials).proportion_ci(confidence_level=confidence, method="exact")

    found = clopper_pearson(successes, trials, confidence=confidence)

    assert (successes / trials, expected.low, expected.high) == pytest.approx(tuple(found), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_of_nothing_is_refused(successes, trials):
    """Without trials, or with more successes than trials, there is no share."""
    with pytest.raises(MetricError, match="a share needs trials"):
        clopper_pearson(successes, trials)

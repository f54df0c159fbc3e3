import math

import numpy as np
import pytest
from scipy import stats

from siambench.errors import MetricError
from siambench.stats import (
    class_bootstrap,
    clopper_pearson,
    group_interval,
    jackknife,
    jackknife_difference,
    minimum_detectable_difference,
    t_interval,
)


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


@pytest.mark.parametrize("comparisons", [1, 20, 24, 25, 66, 276, 10**6])
def test_detectable_difference_of_two_seeds(comparisons):
    """Two seeds need huge differences, up to critical values of 10⁷: they are found at once, and have the power promised."""
    found = minimum_detectable_difference(1.0, 2, comparisons) * math.sqrt(2)

    critical = stats.t.isf(0.05 / (2 * comparisons), 1)
    # P(Z + d > c · |X|) for normal Z and X, by integration over X: scipy's non-central t has neither end nor digits out there.
    x = np.linspace(0, (found + 9) / critical, 400_001)
    assert 0.8 == pytest.approx(2 * np.trapezoid(stats.norm.sf(critical * x - found) * stats.norm.pdf(x), x), abs=1e-5)


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


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("means", [[0.2, 0.5, 0.3], [0.9, 0.1, 0.4, 0.4, 0.4, 0.7, 0.65]])
def test_interval_over_groups_is_a_t_interval_of_their_means(means, confidence):
    """From three groups on, mean and half-width are those of scipy over the unweighted means, with G - 1 degrees of freedom."""
    low, high = stats.t.interval(confidence, len(means) - 1, loc=np.mean(means), scale=stats.sem(means))

    mean, half_width = group_interval(means, confidence=confidence)

    assert (low + high) / 2 == pytest.approx(mean, rel=1e-12)
    assert (high - low) / 2 == pytest.approx(half_width, rel=1e-9)


def test_two_groups_have_no_interval():
    """One or two groups are no sample of groups; equal ones from three on have no spread; nothing, tables and NaN are errors."""
    assert group_interval([0.3]) is None
    assert group_interval([0.3, 0.4]) is None
    assert (0.3, 0.0) == group_interval([0.3] * 3)
    for means in ([], [[0.1, 0.2, 0.3]], [0.1, 0.2, math.nan]):
        with pytest.raises(MetricError):
            group_interval(means)


def leave_one_out(statistic, sample):
    return [statistic(sample[:k] + sample[k + 1 :]) for k in range(len(sample))]


@pytest.mark.parametrize("sample", [[0.2, 0.9], [0.1, 0.1, 0.7, 0.4, 0.4], [1.0, 5.0, 2.0, 2.0, 9.0, 4.0, 3.5]])
def test_jackknife_of_a_mean_is_its_t_interval(sample):
    """For a mean over classes, leaving each class out gives the standard error of the mean."""
    found = jackknife(np.mean(sample), leave_one_out(np.mean, sample), confidence=0.9)

    assert t_interval(sample, confidence=0.9) == (pytest.approx(found.mean), pytest.approx(found.half_width))


def test_jackknife_is_its_loop():
    """Half-width is t(.975, G - 1) · √((G - 1) / G · Σ (s_g - s̄)²), around the score over all classes, also where it is no mean."""
    sample = [0.3, 0.1, 0.9, 0.9, 0.2, 0.5]
    left_out = leave_one_out(np.prod, sample)
    middle = sum(left_out) / 6
    error = math.sqrt(5 / 6 * sum((value - middle) ** 2 for value in left_out))

    mean, half_width = jackknife(float(np.prod(sample)), left_out)

    assert np.prod(sample) == mean
    assert stats.t.ppf(0.975, 5) * error == pytest.approx(half_width, rel=1e-12)


def test_jackknife_of_a_difference_counts_what_both_owe_to_a_class_once():
    """Of two scores that share their classes' effects the difference is known better than either; of one with itself exactly."""
    generator = np.random.default_rng(0)
    ours = generator.beta(2, 2, size=12).tolist()
    theirs = (np.array(ours) / 2 + generator.normal(0, 0.01, 12)).tolist()
    left, right = leave_one_out(np.median, ours), leave_one_out(np.mean, theirs)

    found = jackknife_difference(np.median(ours), left, np.mean(theirs), right)

    assert jackknife(np.median(ours) - np.mean(theirs), np.subtract(left, right)) == found
    assert (0.0, 0.0) == jackknife_difference(0.4, left, 0.4, left)
    direct = t_interval(np.subtract(ours, theirs))
    paired = jackknife_difference(np.mean(ours), leave_one_out(np.mean, ours), np.mean(theirs), right)
    assert direct == (pytest.approx(paired.mean), pytest.approx(paired.half_width))


def test_jackknife_of_one_class():
    """One class has no half-width, and a score that no class moves one of 0."""
    assert (0.4, None) == jackknife(0.4, [0.0])
    assert (0.4, 0.0) == jackknife(0.4, [0.3, 0.3])


@pytest.mark.parametrize(("score", "left_out"), [(0.5, []), (0.5, [[0.1, 0.2]]), (math.nan, [0.1, 0.2]), (0.5, [0.1, math.inf])])
def test_jackknife_refuses_what_are_no_scores(score, left_out):
    """No classes, tables and scores that are not finite are errors, and so are two scores over different classes."""
    with pytest.raises(MetricError):
        jackknife(score, left_out)
    with pytest.raises(MetricError, match=r"the same classes, got shapes \(2,\) and \(3,\)"):
        jackknife_difference(0.5, [0.1, 0.2], 0.4, [0.1, 0.2, 0.3])

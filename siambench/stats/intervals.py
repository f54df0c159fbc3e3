"""How sure a mean is: over seeds, over test classes, and how large a difference has to be to be seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, gammaincinv, nctdtrinc, stdtrit

from siambench.errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95

_CELLS_AT_ONCE = 2**22

_FAR = 300.0

# Of two groups the interval is wider than anything that it could be compared with.
_LEAST_GROUPS = 3


class Interval(NamedTuple):
    """A mean and the half-width of the interval around it; None where one value tells nothing of the spread."""

    mean: float
    half_width: float | None


class Range(NamedTuple):
    """A mean and the ends of an interval that need not lie symmetrically around it."""

    mean: float
    low: float
    high: float


def t_interval(values: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """The mean of independent values and the half-width of its t-interval, mean ± t · s / √n.

    Args:
        values: [n], n >= 1, finite: scores of one method with n seeds, say.
        confidence: how often the interval covers the true mean, in (0, 1).

    Returns:
        (mean, half-width) in the units of the values; the half-width is None at n = 1, and 0 for equal values.

    Raises:
        MetricError: if there are no values or one is not finite.

    Source:
        Student, The probable error of a mean, Biometrika 1908.
    """
    sample = _finite(values, name="values")
    if sample.ndim != 1 or sample.size == 0:
        raise MetricError(f"values must be [n] with n >= 1, got shape {sample.shape}")
    count = sample.size
    if sample.min() == sample.max():
        # Equal values are their mean and have no spread: rounding of a sum must not pretend otherwise.
        return Interval(float(sample[0]), None if count == 1 else 0.0)
    quantile = float(stdtrit(count - 1, (1 + confidence) / 2))
    return Interval(math.fsum(sample) / count, quantile * float(sample.std(ddof=1)) / math.sqrt(count))


def group_interval(means: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval | None:
    """How much a score depends on which groups of classes were tested: the t-interval over the groups' means.

    Groups are what classes come in: scripts, alphabets, writers. The mean is that over groups, each counting once however many
    classes it has, which is not the mean over classes. Few groups are no sample to resample: a percentile bootstrap over seven covers
    its mean four times of five.

    Args:
        means: score of each group, [G], finite.
        confidence: in (0, 1).

    Returns:
        (mean over groups, half-width) in the units of the scores, with G - 1 degrees of freedom; None below three groups.

    Raises:
        MetricError: if there are no groups or a mean is not finite.

    Source:
        Student, The probable error of a mean, Biometrika 1908.
    """
    found = t_interval(means, confidence=confidence)
    return found if np.size(means) >= _LEAST_GROUPS else None


def jackknife(score: float, left_out: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """How much a score that is no mean over classes, such as an equal error rate, depends on which classes were tested.

    The standard error is √((G - 1) / G · Σ (s_g - s̄)²) over the scores s_g with class g left out; for a mean over classes that is
    the standard error of the mean, and this is `t_interval`.

    Args:
        score: over all classes, finite.
        left_out: the score with each class left out, [G], finite.
        confidence: in (0, 1).

    Returns:
        (score, half-width) in the units of the score, with G - 1 degrees of freedom; the half-width is None for one class.

    Raises:
        MetricError: if there is no class, or a score is not finite.

    Source:
        Tukey, Bias and confidence in not-quite large samples, Annals of Mathematical Statistics 1958; Efron, Tibshirani, An
        introduction to the bootstrap, 1993, chapter 11.
    """
    sample, whole = _finite(left_out, name="scores with a class left out"), float(_finite(score, name="the score"))
    if sample.ndim != 1 or sample.size == 0:
        raise MetricError(f"scores with a class left out must be [G] with G >= 1, got shape {sample.shape}")
    spread = t_interval(sample, confidence=confidence).half_width
    # t_interval divides the sum of squares by G · (G - 1), where the jackknife multiplies it by (G - 1) / G.
    return Interval(whole, None if spread is None else (sample.size - 1) * spread)


def jackknife_difference(
    score: float, left_out: ArrayLike, other: float, other_left_out: ArrayLike, *, confidence: float = CONFIDENCE
) -> Interval:
    """The jackknife of the difference of two scores over the same classes: what both owe to a class counts once.

    Args:
        score: over all classes, finite.
        left_out: the score with each class left out, [G], finite.
        other: what is taken away, such as a baseline's score over the same classes.
        other_left_out: the same with each class left out, [G], in the same order.
        confidence: in (0, 1).

    Returns:
        (score minus other, half-width) in the units of the scores; the half-width is None for one class.

    Raises:
        MetricError: if the classes differ in number, there is none, or a score is not finite.

    Source:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 11.
    """
    ours, theirs = _finite(left_out, name="scores with a class left out"), _finite(other_left_out, name="scores with a class left out")
    if ours.shape != theirs.shape:
        raise MetricError(f"both scores must be over the same classes, got shapes {ours.shape} and {theirs.shape}")
    return jackknife(score - other, ours - theirs, confidence=confidence)


def class_bootstrap(
    scores: ArrayLike,
    counts: ArrayLike,
    *,
    seed: int | Sequence[int],
    draws: int = 10_000,
    confidence: float = CONFIDENCE,
) -> Range:
    """How much a score depends on which classes were tested: percentile bootstrap over test classes.

    Classes are drawn with replacement, each with all its queries; what the queries are compared with (the gallery) stays
    as it was. The interval says nothing of training randomness.

    Args:
        scores: mean score of the queries of each class, [C], C >= 2.
        counts: how many queries each class has, [C], >= 1.
        seed: of a generator of its own.
        draws: number of resamples.
        confidence: share of resamples inside the interval.

    Returns:
        (mean over all queries, low, high) in the units of the scores.

    Raises:
        MetricError: for fewer than two classes, counts below 1, or scores that are not finite.

    Source:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 13.
    """
    values, weights = _finite(scores, name="scores"), _finite(counts, name="counts")
    if values.ndim != 1 or values.shape != weights.shape or values.size < 2:
        raise MetricError(f"scores and counts must be [C] with at least 2 classes, got shapes {values.shape} and {weights.shape}")
    if weights.min() < 1:
        raise MetricError(f"every class needs at least one query, got a class with {weights.min():g}")
    generator = np.random.default_rng(seed)
    classes = values.size
    chunk = max(_CELLS_AT_ONCE // classes, 1)
    resampled = []
    for start in range(0, draws, chunk):
        chosen = generator.integers(classes, size=(min(chunk, draws - start), classes))
        resampled.append((values * weights)[chosen].sum(axis=1) / weights[chosen].sum(axis=1))
    low, high = np.quantile(np.concatenate(resampled), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Range(math.fsum(values * weights) / math.fsum(weights), float(low), float(high))


def minimum_detectable_difference(
    deviation: float,
    n: int,
    comparisons: int,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float | None:
    """The true difference of two methods that a paired t-test finds with the given power, at the strictest step of Holm.

    The first of m hypotheses is tested at alpha / m, two-sided. Power is that of the non-central t distribution.

    Args:
        deviation: standard deviation of the paired differences; √2 times that of one method if seeds share nothing.
        n: number of seeds.
        comparisons: number of pairs tested together, K · (K - 1) / 2.
        power: how often the difference is to be found.
        alpha: family-wise error.

    Returns:
        A difference in the units of ``deviation``; None at n = 1, where no test exists.

    Raises:
        MetricError: for a negative or infinite deviation, or fewer than one seed or comparison.

    Source:
        Cohen, Statistical power analysis for the behavioral sciences, 1988; Holm, A simple sequentially rejective multiple
        test procedure, Scandinavian Journal of Statistics 1979.
    """
    if not 0 <= deviation < math.inf or n < 1 or comparisons < 1:
        raise MetricError(f"needs deviation >= 0, n >= 1, comparisons >= 1, got {deviation}, {n}, {comparisons}")
    if n == 1:
        return None
    critical = float(stdtrit(n - 1, 1 - alpha / (2 * comparisons)))
    return float(noncentrality(n - 1, critical, power=power)) * deviation / math.sqrt(n)


def noncentrality(freedom: ArrayLike, critical: ArrayLike, *, power: float) -> NDArray[np.float64]:
    """The non-centrality at which a t with so many degrees of freedom, >= 1, exceeds each critical value with the given power."""
    freedom, critical = np.asarray(freedom, dtype=np.float64), np.asarray(critical, dtype=np.float64)
    # Far out the numerator's own noise is nothing beside c · √(χ² / ν), to 1 / c² of the result. The library's search gets slow
    # there, and at c = 600,000 does not end.
    far = critical * np.sqrt(2.0 * gammaincinv(freedom / 2.0, power) / freedom)
    return np.where(critical > _FAR, far, nctdtrinc(freedom, 1.0 - power, np.minimum(critical, _FAR)))


def _finite(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise MetricError(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} that are not")
    return array


def clopper_pearson(successes: int, trials: int, *, confidence: float = CONFIDENCE) -> Range:
    """The share of successes and its exact binomial interval, which covers the true share at least as often as it says.

    Args:
        successes: 0 <= successes <= trials.
        trials: independent ones, at least 1.
        confidence: in (0, 1).

    Returns:
        (share, low, high), all in [0, 1].

    Raises:
        MetricError: if there are no trials, or more successes than trials.

    Source:
        Clopper, Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 1934.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise MetricError(f"a share needs trials and as many successes at most, got {successes} of {trials}")
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return Range(successes / trials, low, high)

"""Which methods differ when each is tuned several times: all pairs over study means, with moderated variances.

The unit of evidence is the study, one independent tuning of one method. Studies are few and methods differ in spread, so the
variance of each row is drawn towards that of all rows by a weight that the number of rows fixes. A row's own interval is that of its
own variance: `t_interval` of its study means.

Functions that begin with an underscore take any number of tables at once, [..., K], so that simulations run the code that tables rest on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import fdtrc, polygamma, stdtr, stdtrit

from siambench.errors import MetricError
from siambench.stats.comparison import ALPHA, ROUNDING, holm, square
from siambench.stats.intervals import CONFIDENCE, Interval, noncentrality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# From this many rows more than two on, the table's variance weighs as much as a row's own: fixed, since a weight that is estimated
# from few rows errs exactly where it matters. Two rows are Welch's test.
_FULL_WEIGHT = 8

# Below four rows the spread of spreads is anybody's guess.
_ROWS_FOR_PARTIAL = 4
_LEAST_FREEDOM = 4.0


@dataclass(frozen=True, eq=False)
class StudyTests:
    """All methods against all others, over the means of their studies.

    Args:
        mean: of each row over its studies, float64 [K].
        variance: of each row's study means, with n - 1 below the sum, float64 [K]; NaN at one study.
        studies: how many each row has, int64 [K], >= 1.
        pooled_variance: mean of the variances weighted by their degrees of freedom; NaN where no row has two studies.
        prior_weight: degrees of freedom that the pooled variance counts for in each row's moderated one, >= 0.
        moderated: variance that tests rest on, float64 [K]; NaN where there is nothing to estimate it from.
        freedom: its degrees of freedom, float64 [K].
        difference: of means, row minus column, float64 [K, K].
        standard_error: of that difference, float64 [K, K]; 0 on the diagonal.
        pair_freedom: degrees of freedom of that error, float64 [K, K]; NaN on the diagonal and where the error is 0 or unknown.
        p_value: two-sided, each test on its own, float64 [K, K]; 1 on the diagonal.
        adjusted: the same after Holm's correction over all K · (K - 1) / 2 pairs, float64 [K, K].
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    studies: NDArray[np.int64]
    pooled_variance: float
    prior_weight: float
    moderated: NDArray[np.float64]
    freedom: NDArray[np.float64]
    difference: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    pair_freedom: NDArray[np.float64]
    p_value: NDArray[np.float64]
    adjusted: NDArray[np.float64]

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation from study to study of each row, float64 [K], in units of scores; NaN at one study."""
        return np.sqrt(self.variance)

    @property
    def pooled_deviation(self) -> float:
        """Standard deviation from study to study of all rows together, in units of scores; NaN where no row has two studies."""
        return math.sqrt(self.pooled_variance)

    def signs(self, *, alpha: float = ALPHA) -> NDArray[np.int8]:
        """+1 where the row's scores are significantly larger than the column's, -1 where smaller, else 0: int8 [K, K]."""
        return np.where(self.adjusted <= alpha, np.sign(self.difference), 0.0).astype(np.int8)


def compare_studies(scores: Sequence[ArrayLike]) -> StudyTests:
    """Test every pair of methods by the means of their studies with moderated variances, and correct all tests together.

    With n studies, d = n - 1, mean m and variance v of each row, v̄ the mean of v weighted by d, and w = d̄ · min(1, (K - 2) / 8):

    - a row's moderated variance is u = (w · v̄ + d · v) / (w + d), with f = w + d degrees of freedom;
    - a pair's t = (m_i - m_j) / √(a + b), a = u_i / n_i, b = u_j / n_j, has ν = (a + b)² / (a² / f_i + b² / f_j) of them.

    So two rows are Welch's test, and from ten rows on the table's spread weighs as much as a row's own. Rows are not paired by
    study; what studies share makes the tests conservative. Pairs without a spread:

    - a row of one study: p = 1, nothing is shown;
    - both moderated variances 0, means equal (up to rounding, 1e-12 of the scores): p = 1;
    - the same, means different: p = 2 · ½ⁿ of the smaller n, the smallest that flips of n signs can give.

    Such pairs stay in the family that is corrected.

    Simulated with five studies and 2 to 24 rows, all equally good: any difference is shown in at most 6 % of tables, with spreads alike
    or up to five times apart, studies normal, heavy-tailed or counted. Not promised: two or three rows of unlike spread whose studies
    are strongly skewed (Gumbel: up to 7.4 %), and the last pair of equals where all other rows are far apart, if one of the two is the
    only noisy row of the table (8 % with 4 rows, 15 % with 24).

    Args:
        scores: the study means of each row, K >= 1 rows of [n], n >= 1, finite; rows may differ in length. What has no studies,
            such as raw input, is no row here.

    Returns:
        Means, variances and p-values of all pairs; symmetric, respectively antisymmetric, whatever the order of rows and studies.

    Raises:
        MetricError: if there is no row, or a row is not [n] with n >= 1 finite scores.

    Source:
        Welch, The generalization of Student's problem when several different population variances are involved, Biometrika 1947;
        Smyth, Linear models and empirical Bayes methods, Statistical Applications in Genetics and Molecular Biology 2004 (moderated
        variances; there the weight is estimated); Holm, A simple sequentially rejective multiple test procedure, Scandinavian
        Journal of Statistics 1979.
    """
    samples = _samples(scores)
    studies = np.array([sample.size for sample in samples], dtype=np.int64)
    mean = np.array([_mean(sample) for sample in samples])
    variance = np.array([_variance(sample) for sample in samples])
    spread = _moderate(np.where(studies > 1, variance, 0.0), studies)
    pairs = _test(mean, spread, studies)
    rows = len(samples)
    return StudyTests(
        mean=mean,
        variance=variance,
        studies=studies,
        pooled_variance=float(spread.pooled),
        prior_weight=spread.weight,
        moderated=spread.moderated,
        freedom=spread.freedom,
        difference=square(rows, pairs.difference, diagonal=0.0, sign=-1.0),
        standard_error=square(rows, pairs.error, diagonal=0.0),
        pair_freedom=square(rows, pairs.freedom, diagonal=math.nan),
        p_value=square(rows, pairs.p_value, diagonal=1.0),
        adjusted=square(rows, holm(pairs.p_value), diagonal=1.0),
    )


def partial_difference(scores: ArrayLike, tests: StudyTests, row: int, *, confidence: float = CONFIDENCE) -> Interval | None:
    """How far a row with too few studies to be ranked lies from a full row: m_0 - m_j ± t · √(v̄ / n_0 + u_j / n_j).

    The new row is taken to have the spread of the table. How far rows differ in spread tells how much that is worth: t has
    min(Σ d, max(4, d_0)) degrees of freedom, d_0 from trigamma(d_0 / 2) = variance of the ln v - trigamma(d̄ / 2), infinite where
    that is not positive. So the interval covers 95 % on average over rows like the table's, and less for the noisiest of them.

    Args:
        scores: study means of the row that is not full, [n_0], n_0 >= 1, finite; of the trials and repetitions that full rows have.
        tests: of the full rows alone.
        row: index of the full row beside it.
        confidence: in (0, 1).

    Returns:
        (difference, half-width) in units of scores, the row that is not full minus the full one; None with fewer than four full
        rows, or where none of them has two studies: then nothing tells the spread of a new one.

    Raises:
        MetricError: if the scores are not [n_0] and finite, or there is no such row.

    Source:
        Smyth, Linear models and empirical Bayes methods, Statistical Applications in Genetics and Molecular Biology 2004, section 6.2.
    """
    (sample,) = _samples([scores])
    rows = len(tests.mean)
    if not 0 <= row < rows:
        raise MetricError(f"row must be one of the {rows} that were tested, counted from 0, got {row}")
    if rows < _ROWS_FOR_PARTIAL or not tests.pooled_variance >= 0:
        return None
    several = tests.studies > 1
    freedom = float(_new_row_freedom(tests.variance[several], tests.studies - 1))
    error = math.sqrt(tests.pooled_variance / sample.size + tests.moderated[row] / tests.studies[row])
    return Interval(_mean(sample) - float(tests.mean[row]), float(stdtrit(freedom, (1 + confidence) / 2)) * error)


def pair_interval(tests: StudyTests, row: int, other: int, *, confidence: float = CONFIDENCE) -> Interval:
    """How far two full rows lie apart: m_i - m_j ± t · √(u_i / n_i + u_j / n_j), by the variances that their test rests on.

    It is the interval of one pair, chosen before: it is not corrected for the other pairs of the table, as ranks are.

    Args:
        tests: all pairs of K methods, from `compare_studies`.
        row: index of the one.
        other: index of what is taken away, another one.
        confidence: in (0, 1).

    Returns:
        (difference, half-width) in units of scores; the half-width is None where a row has one study, or neither a spread.

    Raises:
        MetricError: if there are no such two rows.

    Source:
        Welch, The generalization of Student's problem when several different population variances are involved, Biometrika 1947.
    """
    rows = len(tests.mean)
    if not (0 <= row < rows and 0 <= other < rows) or row == other:
        raise MetricError(f"a pair is two of the {rows} rows that were tested, counted from 0, got {row} and {other}")
    freedom, error = float(tests.pair_freedom[row, other]), float(tests.standard_error[row, other])
    known = math.isfinite(freedom) and min(tests.studies[row], tests.studies[other]) > 1
    half_width = float(stdtrit(freedom, (1 + confidence) / 2)) * error if known else None
    return Interval(float(tests.difference[row, other]), half_width)


def brown_forsythe(scores: Sequence[ArrayLike]) -> float | None:
    """Whether rows differ in spread: one analysis of variance over the distances of study means from their row's median.

    Shown beside the deviations; it decides nothing.

    Args:
        scores: the study means of each row, K rows of [n], finite; rows may differ in length. Rows of one study are left out.

    Returns:
        p-value in [0, 1], small where spreads differ; None with fewer than two rows of two studies, or where no row has distances
        that vary: two studies are always equally far from their median, so a table of two studies a row tells nothing.

    Raises:
        MetricError: if there is no row, or a row is not [n] with n >= 1 finite scores.

    Source:
        Brown, Forsythe, Robust tests for the equality of variances, Journal of the American Statistical Association 1974.
    """
    samples = [sample for sample in _samples(scores) if sample.size > 1]
    distances = [np.abs(sample - np.median(sample)) for sample in samples]
    within = math.fsum(np.concatenate([(row - _mean(row)) ** 2 for row in distances])) if distances else 0.0
    total = sum(row.size for row in distances)
    # Distances are differences of scores: beside those, what is smaller is rounding.
    largest = max((float(np.abs(sample).max()) for sample in samples), default=0.0)
    if len(samples) < 2 or within <= total * (ROUNDING * largest) ** 2:
        return None
    grand = math.fsum(np.concatenate(distances)) / total
    between = math.fsum(row.size * (_mean(row) - grand) ** 2 for row in distances)
    above, below = len(samples) - 1, total - len(samples)
    return float(fdtrc(above, below, (between / above) / (within / below)))


class DetectableDifferences(NamedTuple):
    """The true differences that tests would have shown.

    Args:
        pairs: of each pair, in units of scores, float64 [K, K]; NaN on the diagonal and where a pair has no test with a spread.
        median: over the pairs that have one; None where none has.
    """

    pairs: NDArray[np.float64]
    median: float | None


def detectable_differences(tests: StudyTests, *, power: float = 0.8, alpha: float = ALPHA) -> DetectableDifferences:
    """The true difference of each pair that its test finds with the given power, at the strictest step of Holm.

    The first of m hypotheses is tested at alpha / m, two-sided. Power is that of the non-central t distribution with the pair's own
    degrees of freedom and standard error, both as estimated.

    Args:
        tests: all pairs of K methods, from `compare_studies`.
        power: how often the difference is to be found, in (0, 1).
        alpha: family-wise error, in (0, 1).

    Returns:
        A difference for each pair, and their median, in units of scores.

    Raises:
        MetricError: if power or alpha is not in (0, 1).

    Source:
        Cohen, Statistical power analysis for the behavioral sciences, 1988; Holm, A simple sequentially rejective multiple test
        procedure, Scandinavian Journal of Statistics 1979.
    """
    if not (0 < power < 1 and 0 < alpha < 1):
        raise MetricError(f"power and alpha must be in (0, 1), got {power} and {alpha}")
    rows = len(tests.mean)
    first, second = np.triu_indices(rows, k=1)
    freedom, error = tests.pair_freedom[first, second], tests.standard_error[first, second]
    found = np.full(first.size, np.nan)
    known = np.isfinite(freedom) & (np.minimum(tests.studies[first], tests.studies[second]) > 1)
    if not known.any():
        return DetectableDifferences(square(rows, found, diagonal=math.nan), None)
    critical = stdtrit(freedom[known], 1 - alpha / (2 * first.size))
    found[known] = noncentrality(freedom[known], critical, power=power) * error[known]
    return DetectableDifferences(square(rows, found, diagonal=math.nan), float(np.median(found[known])))


class _Spread(NamedTuple):
    """Variances of any number of tables: pooled [...], moderated [..., K]; weight and degrees of freedom [K] are those of all."""

    pooled: NDArray[np.float64]
    weight: float
    moderated: NDArray[np.float64]
    freedom: NDArray[np.float64]


class _Pairs(NamedTuple):
    """The pairs of any number of tables, first row before second, all [..., K · (K - 1) / 2]."""

    difference: NDArray[np.float64]
    error: NDArray[np.float64]
    freedom: NDArray[np.float64]
    p_value: NDArray[np.float64]


def _moderate(variance: NDArray[np.float64], studies: NDArray[np.int64]) -> _Spread:
    """From the variances of rows, [..., K], 0 at one study, and how many studies each has, [K]."""
    own = (studies - 1).astype(np.float64)
    weight = float(own.mean()) * min(1.0, max(len(own) - 2, 0) / _FULL_WEIGHT)
    # Sorted, so that the sum does not depend on the order of rows.
    sums = np.sort(own * variance, axis=-1).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        pooled = np.divide(sums, own.sum())
        moderated = (weight * pooled[..., None] + own * variance) / (weight + own)
    return _Spread(pooled, weight, moderated, weight + own)


def _test(mean: NDArray[np.float64], spread: _Spread, studies: NDArray[np.int64]) -> _Pairs:
    """From the means of rows, [..., K], their variances, and how many studies each has, [K]."""
    pairs = _standardised(mean, spread, studies)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2.0 * stdtr(pairs.freedom, -np.abs(pairs.difference / pairs.error))
    first, second = np.triu_indices(len(studies), k=1)
    fewest = np.minimum(studies[first], studies[second])
    p_value = np.where(pairs.error == 0, np.where(pairs.difference == 0, 1.0, 2.0 * 0.5**fewest), p_value)
    return pairs._replace(p_value=np.where(fewest < 2, 1.0, p_value))


def _standardised(mean: NDArray[np.float64], spread: _Spread, studies: NDArray[np.int64]) -> _Pairs:
    """The pairs without their p-values, which cost most: these are 1."""
    first, second = np.triu_indices(len(studies), k=1)
    left, right = spread.moderated[..., first] / studies[first], spread.moderated[..., second] / studies[second]
    squared = left + right
    error = np.sqrt(squared)
    difference = mean[..., first] - mean[..., second]
    rounding = ROUNDING * np.maximum(np.abs(mean[..., first]), np.abs(mean[..., second]))
    difference = np.where((error == 0) & (np.abs(difference) <= rounding), 0.0, difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = 1.0 / ((left / squared) ** 2 / spread.freedom[first] + (right / squared) ** 2 / spread.freedom[second])
    return _Pairs(difference, error, freedom, np.ones_like(error))


def _new_row_freedom(variance: NDArray[np.float64], own: NDArray[np.int64]) -> NDArray[np.float64]:
    """Degrees of freedom of the pooled variance as that of a new row, [...], from variances [..., R] and all n - 1, [K]."""
    total, typical, least = float(own.sum()), float(own.mean()), float(polygamma(1, _LEAST_FREEDOM / 2))
    if variance.shape[-1] < 2:
        return np.full(variance.shape[:-1], min(total, _LEAST_FREEDOM))
    # A row without spread is infinitely far from any other on the scale of logarithms.
    positive = np.asarray((variance > 0).all(axis=-1))
    logarithms = np.sort(np.log(np.where(positive[..., None], variance, 1.0)), axis=-1)
    excess = np.where(positive, logarithms.var(axis=-1, ddof=1) - polygamma(1, typical / 2), np.inf)
    # Between these ends lie all that the maximum and the minimum leave: 2e9 degrees of freedom are more than any table has.
    return np.minimum(total, 2.0 * _inverse_trigamma(np.clip(excess, 1e-9, least)))


def _inverse_trigamma(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x > 0 with trigamma(x) = value, for values > 0: Newton's steps on 1 / trigamma, which is convex and nearly linear."""
    found = 0.5 + 1.0 / values
    for _ in range(10):
        trigamma = polygamma(1, found)
        found = found + trigamma * (1.0 - trigamma / values) / polygamma(2, found)
    return found


def _samples(scores: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    samples = [np.asarray(row, dtype=np.float64) for row in scores]
    if not samples:
        raise MetricError("scores must be of at least one row, got none")
    for index, sample in enumerate(samples):
        if sample.ndim != 1 or sample.size == 0:
            raise MetricError(f"each row must be [n] with n >= 1 studies, got shape {sample.shape} in row {index}")
        if not np.isfinite(sample).all():
            raise MetricError(f"scores of studies must be finite, got {int((~np.isfinite(sample)).sum())} that are not in row {index}")
    return samples


def _mean(sample: NDArray[np.float64]) -> float:
    # Equal values are their mean: rounding of a sum must not pretend otherwise.
    return float(sample[0]) if sample.min() == sample.max() else math.fsum(sample) / sample.size


def _variance(sample: NDArray[np.float64]) -> float:
    """Variance with n - 1 below the sum; NaN for one value, 0 where values are equal up to rounding."""
    if sample.size < 2:
        return math.nan
    if np.ptp(sample) <= ROUNDING * np.abs(sample).max():
        return 0.0
    return math.fsum((sample - _mean(sample)) ** 2) / (sample.size - 1)

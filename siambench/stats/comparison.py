"""Which methods differ: all pairs by paired t-tests over seeds, corrected together by Holm's procedure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from siambench.errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

ALPHA = 0.05

# Scores are sums of thousands of float64 terms: what is smaller than this beside them is rounding, not a difference.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class PairedTests:
    """All methods against all others.

    Args:
        difference: mean over the common seeds of row minus column, float64 [K, K]; NaN without a common seed.
        p_value: two-sided, each test on its own, float64 [K, K]; 1 on the diagonal.
        adjusted: the same after Holm's correction over all K · (K - 1) / 2 pairs, float64 [K, K].
        seeds: how many seeds both have, int64 [K, K].
    """

    difference: NDArray[np.float64]
    p_value: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    seeds: NDArray[np.int64]

    def signs(self, *, alpha: float = ALPHA) -> NDArray[np.int8]:
        """+1 where the row's scores are significantly larger than the column's, -1 where smaller, else 0: int8 [K, K]."""
        shown = self.adjusted <= alpha
        return np.where(shown, np.sign(np.nan_to_num(self.difference)), 0.0).astype(np.int8)


def compare_all(scores: ArrayLike, *, fixed: ArrayLike | None = None) -> PairedTests:
    """Test every pair of methods by a paired t-test over the seeds both have, and correct all tests together.

    Pairs in which there is nothing to estimate a spread from:

    - fewer than two common seeds: p = 1, nothing is shown;
    - equal at every seed (up to rounding, 1e-12 of the scores): p = 1;
    - both fixed, and different: p = 0, since there is no training randomness to doubt;
    - otherwise the same difference at every seed: p = 2 · ½ⁿ, the smallest that flips of n signs can give. A t-test
      would say 0, but scores are counted in whole queries, and few seeds often agree by chance: with two seeds and 100
      queries, 0 would show a difference in 41 % of tables in which there is none.

    Such pairs stay in the family that is corrected.

    Args:
        scores: [K, S], row = method, column = seed, paired by column; NaN where a method has no score.
        fixed: whether a method has no randomness at all, such as raw input, bool [K]; by default none is. Its score at any
            seed is its score at every seed.

    Returns:
        Differences and p-values of all pairs; symmetric, respectively antisymmetric, whatever the order of rows.

    Raises:
        MetricError: if the shape is not [K, S] with K >= 1, a score is infinite, or a fixed method has two scores.

    Source:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.
    """
    table = np.array(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) == 0:
        raise MetricError(f"scores must be [methods, seeds] with at least one method, got shape {table.shape}")
    if np.isinf(table).any():
        raise MetricError(f"scores must be finite or NaN for missing, got {int(np.isinf(table).sum())} infinite ones")
    methods = len(table)
    still = np.zeros(methods, dtype=np.bool_) if fixed is None else np.asarray(fixed, dtype=np.bool_)
    if still.shape != (methods,):
        raise MetricError(f"fixed must be one per method, got shape {still.shape} for {methods} methods")
    for row in np.flatnonzero(still):
        known = table[row, ~np.isnan(table[row])]
        if known.size:
            if np.ptp(known) > ROUNDING * np.abs(known).max():
                raise MetricError(f"a fixed method has one score at all seeds, got {known.min()} and {known.max()} in row {row}")
            table[row] = known[0]

    first, second = np.triu_indices(methods, k=1)
    mean, p_value, common = _paired_t(table[first], table[second], still[first] & still[second])
    result = PairedTests(
        difference=square(methods, mean, diagonal=0.0, sign=-1.0),
        p_value=square(methods, p_value, diagonal=1.0),
        adjusted=square(methods, holm(p_value), diagonal=1.0),
        seeds=square(methods, common.astype(np.float64), diagonal=0.0).astype(np.int64),
    )
    np.fill_diagonal(result.seeds, np.isfinite(table).sum(axis=1))
    return result


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values: a hypothesis is rejected at family-wise error alpha if its value is <= alpha.

    Sorted ascending, p(i) becomes the largest of min(1, (m - j + 1) · p(j)) over j <= i.

    Args:
        p_values: of m hypotheses tested together, [m], in [0, 1].

    Returns:
        float64 [m], in the order given.

    Raises:
        MetricError: if a value is not in [0, 1].

    Source:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise MetricError(f"p-values must be [m] in [0, 1], got shape {values.shape}, {values.tolist()[:5]}")
    order = np.argsort(values, kind="stable")
    scaled = np.minimum(values[order] * np.arange(values.size, 0, -1), 1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted


def score_table(scores: Mapping[str, Mapping[int, float]]) -> tuple[tuple[str, ...], tuple[int, ...], NDArray[np.float64]]:
    """Scores by method and seed as the array that `compare_all` takes.

    Args:
        scores: {method: {seed: score}}; a seed that a method lacks is missing.

    Returns:
        (methods in the order given, seeds ascending, float64 [K, S] with NaN where missing).
    """
    seeds = sorted({seed for by_seed in scores.values() for seed in by_seed})
    rows = [[by_seed.get(seed, np.nan) for seed in seeds] for by_seed in scores.values()]
    return tuple(scores), tuple(seeds), np.array(rows, dtype=np.float64).reshape(len(scores), len(seeds))


def _paired_t(
    left: NDArray[np.float64], right: NDArray[np.float64], both_fixed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean difference, two-sided p and number of common seeds of each of P pairs of rows [P, S]."""
    known = np.isfinite(left) & np.isfinite(right)
    count = known.sum(axis=1)
    left, right = np.where(known, left, 0.0), np.where(known, right, 0.0)
    rounding = ROUNDING * np.maximum(np.abs(left), np.abs(right)).max(axis=1, initial=0.0)
    mean = (left - right).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, left - right - mean[:, None], 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=1) / np.maximum(count - 1, 1))
    constant = deviation <= rounding
    equal = constant & (np.abs(mean) <= rounding)

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = mean / (deviation / np.sqrt(count))
        p_value = 2.0 * stdtr(np.maximum(count - 1, 1), -np.abs(statistic))
    p_value = np.where(constant, 2.0 * 0.5**count, p_value)
    p_value = np.where(equal | (count < 2), 1.0, p_value)
    p_value = np.where(both_fixed & ~equal & (count > 0), 0.0, p_value)
    return np.where(count > 0, np.where(equal, 0.0, mean), np.nan), p_value, count.astype(np.int64)


def square(methods: int, upper: NDArray[np.float64], *, diagonal: float, sign: float = 1.0) -> NDArray[np.float64]:
    """Values of all pairs, first row before second, [K · (K - 1) / 2], as [K, K]; what stands below the diagonal is times ``sign``."""
    full = np.full((methods, methods), diagonal)
    first, second = np.triu_indices(methods, k=1)
    full[first, second] = upper
    full[second, first] = sign * upper
    return full

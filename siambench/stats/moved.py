"""What moves a score: how much of the order of trials each factor accounts for alone, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siambench.errors import MetricError
from siambench.stats.comparison import holm
from siambench.stats.ranking import ranks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PERMUTATIONS = 1999
"""So many reorderings a p-value is taken from: the smallest is 1 / 2000."""

_FLAT = 1e-9
_TIE = 1e-12


@dataclass(frozen=True)
class Moved:
    """What one factor comes to.

    Args:
        share: of the variance of ranks within groups that a least-squares fit on this factor's columns alone explains, less what it would
            explain by chance: (R² − E) / (1 − E), E being the expectation of R² over all reorderings within groups. At most 1; around 0,
            and below as often as above, where the factor does not matter. 0 where nothing varies.
        p: of the permutation test that the factor does not matter, Holm-corrected over all factors, in (0, 1].
        fit: coefficients of the columns, by which the fitted rank (low to high value) can be told at other points; 0 of a column that
            adds nothing to those before it.
    """

    share: float
    p: float
    fit: tuple[float, ...]


def moved(
    values: Sequence[ArrayLike], factors: Sequence[Sequence[ArrayLike]], *, permutations: int = PERMUTATIONS, seed: int = 0
) -> list[Moved]:
    """How much of the order of values within groups each of several factors accounts for alone.

    Values count by their ranks within their group, scaled by the group's size, so that neither the level of a group nor a few very bad
    values decide. The null hypothesis is that of exchangeable values given the factor: it holds where the factor does not matter and its
    settings were drawn without a look at the values and independently of the other factors', as random and quasi-random search do.

    Args:
        values: of each group [N_g], finite.
        factors: of each factor, for each group its columns [N_g, C], finite; C is the same for all groups.
        permutations: how many reorderings within groups are drawn.
        seed: of the reorderings.

    Returns:
        One for each factor, in their order.

    Raises:
        MetricError: if shapes do not fit or a number is not finite.

    Source:
        Edgington, Onghena, Randomization Tests, 4th edition, 2007, for the test within blocks; p = (1 + count) / (1 + drawn): Phipson and
        Smyth, Permutation P-values Should Never Be Zero, 2010. R² is corrected for chance as adjusted R² is, by its exact expectation.
    """
    groups = [np.asarray(group, dtype=np.float64) for group in values]
    if not all(group.ndim == 1 and np.isfinite(group).all() for group in groups):
        raise MetricError("values must be [N] and finite for each group")
    scores = np.concatenate([_scores(group) for group in groups]) if groups else np.empty(0)
    sizes = [group.size for group in groups]
    total = float(scores @ scores)
    drawn = _reordered(scores, sizes, permutations, seed)
    found = [_one(scores, total, drawn, _centred(factor, sizes), sizes) for factor in factors]
    adjusted = holm([p for _, p, _ in found]) if found else np.empty(0)
    return [Moved(share, float(p), fit) for (share, _, fit), p in zip(found, adjusted, strict=True)]


def _scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from low to high value, centred, in [-½, ½]."""
    if not values.size:
        return values
    found = ranks(values, higher_is_better=False)
    return np.asarray((found - found.mean()) / values.size, dtype=np.float64)


def _centred(factor: Sequence[ArrayLike], sizes: Sequence[int]) -> NDArray[np.float64]:
    parts = [np.asarray(part, dtype=np.float64) for part in factor]
    fits = len(parts) == len(sizes) and all(part.ndim == 2 and part.shape[0] == size for part, size in zip(parts, sizes, strict=True))
    if not fits or len({part.shape[1] for part in parts}) > 1 or not all(np.isfinite(part).all() for part in parts):
        raise MetricError("a factor must have finite columns [N, C] for each group, as many rows as the group has values")
    return np.concatenate([part - part.mean(axis=0) if len(part) else part for part in parts]) if parts else np.empty((0, 0))


def _reordered(scores: NDArray[np.float64], sizes: Sequence[int], permutations: int, seed: int) -> NDArray[np.float64]:
    """Scores in other orders within their groups, [permutations, N]."""
    generator, start, parts = np.random.default_rng(seed), 0, []
    for size in sizes:
        order = np.argsort(generator.random((permutations, size)), axis=1, kind="stable")
        parts.append(scores[start : start + size][order])
        start += size
    return np.concatenate(parts, axis=1) if parts else np.empty((permutations, 0))


def _one(
    scores: NDArray[np.float64], total: float, drawn: NDArray[np.float64], columns: NDArray[np.float64], sizes: Sequence[int]
) -> tuple[float, float, tuple[float, ...]]:
    """Share, uncorrected p and coefficients of one factor."""
    basis, back = _orthonormal(columns)
    if not total or not basis.shape[1]:
        return 0.0, 1.0, (0.0,) * columns.shape[1]
    projected = basis.T @ scores
    explained = float(projected @ projected) / total
    by_chance = np.einsum("pk,pk->p", drawn @ basis, drawn @ basis) / total
    p = (1 + int(np.count_nonzero(by_chance >= explained - _TIE))) / (1 + len(drawn))
    # Within a group the covariance of reordered scores is s² (I − 11ᵀ/n), and the columns are centred there.
    start, expected = 0, 0.0
    for size in sizes:
        part = slice(start, start + size)
        if size > 1:
            expected += float(scores[part] @ scores[part]) / (size - 1) * float((basis[part] ** 2).sum())
        start += size
    expected /= total
    share = (explained - expected) / (1 - expected) if expected < 1 - _FLAT else 0.0
    return share, p, tuple(float(one) for one in back @ projected)


def _orthonormal(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """An orthonormal basis of columns one after the other [N, K], and what turns coefficients of it into those of the columns [C, K]."""
    kept: list[NDArray[np.float64]] = []
    backs: list[NDArray[np.float64]] = []
    for place in range(columns.shape[1]):
        rest, back = columns[:, place].copy(), np.zeros(columns.shape[1])
        back[place], size = 1.0, float(np.linalg.norm(columns[:, place]))
        for _ in range(2):
            for one, of_one in zip(kept, backs, strict=True):
                along = float(one @ rest)
                rest, back = rest - along * one, back - along * of_one
        length = float(np.linalg.norm(rest))
        if length > _FLAT * max(size, 1.0):
            kept.append(rest / length)
            backs.append(back / length)
    if not kept:
        return np.empty((len(columns), 0)), np.empty((columns.shape[1], 0))
    return np.stack(kept, axis=1), np.stack(backs, axis=1)

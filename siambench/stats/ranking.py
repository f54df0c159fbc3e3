"""Ranks that say only what the tests support."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from siambench.errors import MetricError
from siambench.stats.comparison import ALPHA
from siambench.stats.intervals import CONFIDENCE, Interval, t_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Decided(Protocol):
    """Tests of all pairs of K methods: `PairedTests`, `StudyTests`, or anything that can say which differences are shown."""

    def signs(self, *, alpha: float = ALPHA) -> NDArray[np.int8]:
        """+1 where the row's scores are significantly larger than the column's, -1 where smaller, else 0: int8 [K, K]."""
        ...


class RankInterval(NamedTuple):
    """The ranks a method may have, 1 being the best; both ends belong to it."""

    low: int
    high: int


def rank_intervals(tests: Decided, *, higher_is_better: bool = True, alpha: float = ALPHA) -> tuple[RankInterval, ...]:
    """The ranks that the tests leave open: [1 + methods significantly better, K - methods significantly worse].

    As far as the tests keep their family-wise error, all intervals of a table contain the true ranks at once with probability
    1 - alpha at least.

    Args:
        tests: all pairs of K methods, from `compare_studies` or `compare_all`.
        higher_is_better: whether a larger score is the better one.
        alpha: family-wise error.

    Returns:
        One interval per method, in the order of the rows of ``tests``.
    """
    signs = _better(tests, higher_is_better=higher_is_better, alpha=alpha)
    lost, won = (signs < 0).sum(axis=1), (signs > 0).sum(axis=1)
    return tuple(RankInterval(1 + int(above), len(signs) - int(below)) for above, below in zip(lost, won, strict=True))


def tie_groups(means: Sequence[float], tests: Decided, *, higher_is_better: bool = True, alpha: float = ALPHA) -> tuple[int, ...]:
    """Cut the ordered table into groups whose members are not significantly worse than the first of the group.

    Going down from the best mean, a group ends before the first method that is significantly worse than the group's
    leader. Being tied is not transitive: members of neighbouring groups may be tied too, which rank intervals show.

    Args:
        means: of the K methods, [K]; NaN comes last and forms a group of its own.
        tests: all pairs of these methods, in the same order.
        higher_is_better: whether a larger score is the better one.
        alpha: family-wise error.

    Returns:
        Number of the group of each method, 1 being the best, in the order given.

    Raises:
        MetricError: if there are not as many means as methods tested.
    """
    signs = _better(tests, higher_is_better=higher_is_better, alpha=alpha)
    values = np.asarray(means, dtype=np.float64)
    if values.shape != (len(signs),):
        raise MetricError(f"means must be one per method tested, got shape {values.shape} for {len(signs)} methods")
    order = np.argsort(-values if higher_is_better else values, kind="stable")
    groups = [0] * len(values)
    leader, number = int(order[0]), 1
    for place in order:
        worse = signs[leader, place] > 0
        missing = bool(np.isnan(values[place])) and not np.isnan(values[leader])
        if worse or missing:
            leader, number = int(place), number + 1
        groups[int(place)] = number
    return tuple(groups)


def ranks(values: ArrayLike, *, higher_is_better: bool = True) -> NDArray[np.float64]:
    """Rank of each value, 1 being the best; equal values share the mean of their ranks.

    Args:
        values: [K], finite.
        higher_is_better: whether the largest value gets rank 1.

    Returns:
        float64 [K].

    Raises:
        MetricError: if a value is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise MetricError(f"values must be [K] and finite, got shape {array.shape}, {int((~np.isfinite(array)).sum())} not finite")
    _, level, counts = np.unique(-array if higher_is_better else array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared = (last - counts + 1 + last) / 2.0
    return np.asarray(shared[level], dtype=np.float64)


def mean_ranks(
    scores: ArrayLike, *, higher_is_better: bool | Sequence[bool] = True, confidence: float = CONFIDENCE
) -> tuple[Interval | None, ...]:
    """Mean rank of each method over tracks, with its t-interval over tracks.

    Only methods with a score on every track are ranked, and among each other: a mean over easier tracks, or over fuller
    tables, compares what cannot be compared.

    Args:
        scores: [T, K], row = track, column = method; NaN where a method has no score.
        higher_is_better: for all tracks, or for each.
        confidence: of the interval.

    Returns:
        One (mean rank, half-width) per method; None for a method that lacks a score on some track; the half-width is None
        for a single track.

    Raises:
        MetricError: if the shape is not [T, K] with T >= 1, a score is infinite, or directions are not one per track.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) == 0 or np.isinf(table).any():
        raise MetricError(f"scores must be [tracks, methods], finite or NaN, with at least one track, got shape {table.shape}")
    directions = [higher_is_better] * len(table) if isinstance(higher_is_better, bool) else list(higher_is_better)
    if len(directions) != len(table):
        raise MetricError(f"higher_is_better must be one for all or one per track, got {len(directions)} for {len(table)} tracks")
    complete = np.flatnonzero(~np.isnan(table).any(axis=0))
    result: list[Interval | None] = [None] * table.shape[1]
    if complete.size:
        placed = np.stack([ranks(row[complete], higher_is_better=up) for row, up in zip(table, directions, strict=True)])
        for column, method in enumerate(complete.tolist()):
            result[method] = t_interval(placed[:, column], confidence=confidence)
    return tuple(result)


def _better(tests: Decided, *, higher_is_better: bool, alpha: float) -> NDArray[np.int8]:
    """+1 where the row is significantly better than the column, -1 where worse, int8 [K, K]."""
    signs = tests.signs(alpha=alpha)
    return signs if higher_is_better else -signs

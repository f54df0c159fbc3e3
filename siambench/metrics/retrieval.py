"""Retrieval metrics: one score per query from which of its nearest references are relevant.

``matches`` and ``relevant`` are what `neighbours` makes. A query without a relevant reference has no score: a function
that is told ``relevant`` returns NaN for it, so that an average that forgets to leave it out is not quietly wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_ELEMENTS_AT_ONCE = 2**22


def recall_at_k(matches: Tensor, *, k: int) -> Tensor:
    """Whether any of the first k neighbours is relevant: the recall@k of metric learning.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K].
        k: how many neighbours count, 1 <= k <= K.

    Returns:
        0 or 1 per query, higher is better, float64 [Q]; 0 for a query that `answerable` would leave out.

    Raises:
        MetricError: if K < k.

    Source:
        Jégou, Douze, Schmid, Product quantization for nearest neighbor search, TPAMI 2011; Oh Song, Xiang, Jegelka,
        Savarese, Deep metric learning via lifted structured feature embedding, CVPR 2016.
    """
    _check_depth(matches, k)
    return matches[:, :k].any(dim=1).to(torch.float64)


def precision_at_k(matches: Tensor, *, k: int) -> Tensor:
    """The share of the first k neighbours that is relevant.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K].
        k: how many neighbours count, 1 <= k <= K.

    Returns:
        One score per query in [0, 1], higher is better, at most R / k, float64 [Q]; 0 for a query that
        `answerable` would leave out.

    Raises:
        MetricError: if K < k.

    Source:
        Manning, Raghavan, Schütze, Introduction to information retrieval, 2008, section 8.4.
    """
    _check_depth(matches, k)
    return matches[:, :k].sum(dim=1, dtype=torch.float64) / k


def r_precision(matches: Tensor, relevant: Tensor) -> Tensor:
    """The share of the first R neighbours that is relevant, R being the number of relevant references.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K].
        relevant: R, how many references share the label, int64 [Q], R <= K.

    Returns:
        One score per query in [0, 1], higher is better, float64 [Q]; NaN where ``relevant`` is 0.

    Raises:
        MetricError: if K < max(R), or the inputs contradict each other.

    Source:
        Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020.
    """
    _check(matches, relevant)
    depth = _check_covers(matches, relevant)
    scores = torch.empty(len(matches), dtype=torch.float64, device=matches.device)
    for rows in _chunks(len(matches), depth):
        scores[rows] = _first_r(matches[rows, :depth], relevant[rows]).sum(dim=1, dtype=torch.float64) / relevant[rows]
    return _known(scores, relevant)


def mean_average_precision_at_r(matches: Tensor, relevant: Tensor) -> Tensor:
    """Average precision over the first R neighbours of each query.

    MAP@R = 1/R · Σ over i ≤ R of P(i), P(i) being the precision at i where the i-th neighbour is relevant, else 0.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K].
        relevant: R, how many references share the label, int64 [Q], R <= K.

    Returns:
        One score per query in [0, 1], higher is better, float64 [Q]; NaN where ``relevant`` is 0.

    Raises:
        MetricError: if K < max(R): the score would be wrong, not approximate; or if the inputs contradict each other.

    Source:
        Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020.
    """
    _check(matches, relevant)
    depth = _check_covers(matches, relevant)
    scores = torch.empty(len(matches), dtype=torch.float64, device=matches.device)
    for rows in _chunks(len(matches), depth):
        scores[rows] = _summed_precision(_first_r(matches[rows, :depth], relevant[rows])) / relevant[rows]
    return _known(scores, relevant)


def mean_average_precision(matches: Tensor, relevant: Tensor) -> Tensor:
    """Average precision over the whole ranking of each query.

    AP = 1/R · Σ over the ranks i of all R relevant references of the precision at i.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K]; K reaches the last relevant one.
        relevant: R, how many references share the label, int64 [Q].

    Returns:
        One score per query in [0, 1], higher is better, float64 [Q]; NaN where ``relevant`` is 0.

    Raises:
        MetricError: if K leaves out a relevant reference of any query, or the inputs contradict each other.

    Source:
        Manning, Raghavan, Schütze, Introduction to information retrieval, 2008, section 8.4.
    """
    found = _check(matches, relevant)
    missed = int((found < relevant).sum())
    if missed:
        raise MetricError(f"K must reach every relevant reference, got K = {matches.shape[1]}, which misses some of {missed} queries")
    scores = torch.empty(len(matches), dtype=torch.float64, device=matches.device)
    for rows in _chunks(len(matches), matches.shape[1]):
        scores[rows] = _summed_precision(matches[rows]) / relevant[rows]
    return _known(scores, relevant)


def reciprocal_rank(matches: Tensor, relevant: Tensor) -> Tensor:
    """One over the rank of the first relevant neighbour.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K]; K reaches the first relevant one.
        relevant: how many references share the label, int64 [Q].

    Returns:
        One score per query in (0, 1], higher is better, float64 [Q]; NaN where ``relevant`` is 0.

    Raises:
        MetricError: if K does not reach the first relevant reference of a query, or the inputs contradict each other.

    Source:
        Voorhees, The TREC-8 question answering track report, TREC 1999.
    """
    found = _check(matches, relevant)
    missed = int(((found == 0) & (relevant > 0)).sum())
    if missed:
        raise MetricError(f"K must reach the first relevant reference, got K = {matches.shape[1]}, too small for {missed} queries")
    first = matches.to(torch.uint8).argmax(dim=1)
    return _known(1.0 / (first + 1).to(torch.float64), relevant)


def ndcg_at_k(matches: Tensor, relevant: Tensor, *, k: int) -> Tensor:
    """Normalised discounted cumulative gain of the first k neighbours, with gains of 0 and 1.

    DCG = Σ over relevant ranks i ≤ k of 1 / log2(i + 1), divided by the DCG of min(R, k) relevant ones in front.

    Args:
        matches: whether the k-th neighbour shares the query's label, bool [Q, K].
        relevant: R, how many references share the label, int64 [Q].
        k: how many neighbours count, 1 <= k <= K.

    Returns:
        One score per query in [0, 1], higher is better, float64 [Q]; NaN where ``relevant`` is 0.

    Raises:
        MetricError: if K < k, or the inputs contradict each other.

    Source:
        Järvelin, Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002.
    """
    _check(matches, relevant)
    _check_depth(matches, k)
    discounts = 1.0 / torch.log2(torch.arange(2, k + 2, dtype=torch.float64, device=matches.device))
    ideal = discounts.cumsum(dim=0)[relevant.clamp(min=1, max=k) - 1]
    scores = torch.empty(len(matches), dtype=torch.float64, device=matches.device)
    for rows in _chunks(len(matches), k):
        scores[rows] = (matches[rows, :k] * discounts).sum(dim=1) / ideal[rows]
    return _known(scores, relevant)


def _check_matches(matches: Tensor) -> None:
    if matches.dtype != torch.bool or matches.ndim != 2 or matches.shape[1] == 0:
        raise MetricError(f"matches must be bool [Q, K] with K >= 1, got {matches.dtype} {tuple(matches.shape)}")


def _check(matches: Tensor, relevant: Tensor) -> Tensor:
    """Refuse inputs that contradict each other; return how many matches each query has, int64 [Q]."""
    _check_matches(matches)
    if relevant.dtype != torch.int64 or relevant.shape != matches.shape[:1]:
        raise MetricError(f"relevant must be int64 [{len(matches)}], got {relevant.dtype} {tuple(relevant.shape)}")
    found = matches.sum(dim=1)
    if bool((found > relevant).any()):
        query = int((found > relevant).to(torch.uint8).argmax())
        raise MetricError(f"query {query} has {int(found[query])} matches, more than its {int(relevant[query])} relevant references")
    return found


def _check_depth(matches: Tensor, k: int) -> None:
    _check_matches(matches)
    if not 1 <= k <= matches.shape[1]:
        raise MetricError(f"k must be between 1 and the {matches.shape[1]} neighbours given, got {k}")


def _check_covers(matches: Tensor, relevant: Tensor) -> int:
    """The largest R, which has to be among the neighbours given."""
    largest = int(relevant.max()) if len(relevant) else 0
    if largest > matches.shape[1]:
        raise MetricError(f"K must be at least the largest R = {largest}, got K = {matches.shape[1]}")
    return max(largest, 1)


def _chunks(queries: int, width: int) -> Iterator[slice]:
    """Rows few enough that a float64 copy of them is small beside the embeddings."""
    step = max(_ELEMENTS_AT_ONCE // width, 1)
    return (slice(start, start + step) for start in range(0, queries, step))


def _first_r(matches: Tensor, relevant: Tensor) -> Tensor:
    return matches & (torch.arange(matches.shape[1], device=matches.device) < relevant[:, None])


def _summed_precision(hits: Tensor) -> Tensor:
    ranks = torch.arange(1, hits.shape[1] + 1, dtype=torch.float64, device=hits.device)
    return (hits.cumsum(dim=1, dtype=torch.int32) * hits / ranks).sum(dim=1)


def _known(scores: Tensor, relevant: Tensor) -> Tensor:
    return scores.masked_fill(relevant == 0, torch.nan)

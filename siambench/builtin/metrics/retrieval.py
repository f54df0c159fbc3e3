"""Retrieval: what stands among the nearest of each query. One score per query; NaN where nothing shares its label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.interfaces import Evaluation

_REALITY_CHECK = "Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020"
_MANNING = "Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, ch. 8"


def _with_positive(scores: Tensor, evaluation: Evaluation) -> Tensor:
    import torch

    # A query without a positive has no retrieval score; the harness reports their number.
    return torch.where(evaluation.relevant > 0, scores, torch.nan)


def _to_last_positive(evaluation: Evaluation) -> Tensor:
    """Matches up to R of the query with the most positives."""
    return evaluation.matches(max(1, int(evaluation.relevant.max())))


def recall(evaluation: Evaluation, k: int) -> Tensor:
    """Whether one of the k nearest shares the label; beyond the last item nothing matches."""
    from siambench import metrics

    reached = min(k, evaluation.depth)
    return _with_positive(metrics.recall_at_k(evaluation.matches(reached), k=reached), evaluation)


def precision(evaluation: Evaluation, k: int) -> Tensor:
    """Share of the k nearest that have the label; beyond the last item nothing matches."""
    from siambench import metrics

    reached = min(k, evaluation.depth)
    return _with_positive(metrics.precision_at_k(evaluation.matches(reached), k=reached) * (reached / k), evaluation)


def r_precision(evaluation: Evaluation) -> Tensor:
    """Share of the R nearest that have the label."""
    from siambench import metrics

    return _with_positive(metrics.r_precision(_to_last_positive(evaluation), evaluation.relevant), evaluation)


def map_at_r(evaluation: Evaluation) -> Tensor:
    """Average precision over the R nearest."""
    from siambench import metrics

    return _with_positive(metrics.mean_average_precision_at_r(_to_last_positive(evaluation), evaluation.relevant), evaluation)


def mean_average_precision(evaluation: Evaluation) -> Tensor:
    """Average precision over the whole ranking."""
    from siambench import metrics

    return metrics.mean_average_precision(evaluation.matches(evaluation.depth), evaluation.relevant)


def reciprocal_rank(evaluation: Evaluation) -> Tensor:
    """One over the rank of the nearest that has the label."""
    from siambench import metrics

    return metrics.reciprocal_rank(evaluation.matches(evaluation.depth), evaluation.relevant)


def ndcg(evaluation: Evaluation, k: int) -> Tensor:
    """Discounted gain of the k nearest, relative to the best possible."""
    from siambench import metrics

    return metrics.ndcg_at_k(evaluation.matches(k), evaluation.relevant, k=k)


ENTRIES = {
    "recall@k": MetricEntry(recall, source="Jégou, Douze, Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 2011"),
    "precision@k": MetricEntry(precision, source=_MANNING),
    "r_precision": MetricEntry(r_precision, source=_REALITY_CHECK),
    "map@r": MetricEntry(map_at_r, source=_REALITY_CHECK),
    "map": MetricEntry(mean_average_precision, source=_MANNING),
    "mrr": MetricEntry(reciprocal_rank, source="Voorhees, The TREC-8 Question Answering Track Report, TREC 1999"),
    "ndcg@k": MetricEntry(ndcg, source="Järvelin, Kekäläinen, Cumulated Gain-based Evaluation of IR Techniques, TOIS 2002"),
}
"""By name."""

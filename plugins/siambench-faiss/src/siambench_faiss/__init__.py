"""Approximate search as metrics. Light to import: faiss and torch are imported when a metric is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry, hookimpl

if TYPE_CHECKING:
    from siambench.interfaces import Evaluation
    from torch import Tensor

_HNSW = "Malkov, Yashunin, Hierarchical Navigable Small World Graphs, TPAMI 2020; faiss"
_IVF = "Jégou, Douze, Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 2011: its inverted file; faiss"


def recall_by_graph(evaluation: Evaluation, k: int) -> Tensor:
    """Whether one of the k that a graph finds near shares the label."""
    from siambench_faiss.search import recall

    return recall(evaluation, "hnsw", k)


def recall_by_cells(evaluation: Evaluation, k: int) -> Tensor:
    """Whether one of the k nearest in the nearest cells shares the label."""
    from siambench_faiss.search import recall

    return recall(evaluation, "ivf", k)


def precision_by_graph(evaluation: Evaluation) -> Tensor:
    """Average precision over the R that a graph finds near."""
    from siambench_faiss.search import average_precision

    return average_precision(evaluation, "hnsw")


def precision_by_cells(evaluation: Evaluation) -> Tensor:
    """Average precision over the R nearest in the nearest cells."""
    from siambench_faiss.search import average_precision

    return average_precision(evaluation, "ivf")


@hookimpl
def siambench_metrics() -> dict[str, MetricEntry]:
    """Two metrics by two ways to search, all of them estimates: no track ranks by one."""
    return {
        "recall@k-hnsw": MetricEntry(recall_by_graph, source=_HNSW, approximate=True),
        "recall@k-ivf": MetricEntry(recall_by_cells, source=_IVF, approximate=True),
        "map@r-hnsw": MetricEntry(precision_by_graph, source=_HNSW, approximate=True),
        "map@r-ivf": MetricEntry(precision_by_cells, source=_IVF, approximate=True),
    }

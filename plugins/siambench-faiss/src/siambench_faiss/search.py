"""Neighbours by faiss, and the metrics that are made of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import faiss
import numpy as np
import torch
from siambench import metrics
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from siambench.interfaces import Evaluation

Way = Literal["hnsw", "ivf"]

_LINKS, _BUILT_WITH, _SOUGHT_WITH = 32, 200, 128
"""Of a graph: neighbours of a node, and candidates while it is built and searched."""

_LEAST_IN_CELL = 64
"""Items that a cell holds on the average at least: with fewer, faiss warns that its centres are guesses."""

_CELLS_ASKED = 8
"""One cell in so many is looked into."""

_FOUND: WeakKeyDictionary[Evaluation, dict[Way, Tensor]] = WeakKeyDictionary()
"""By evaluation: the deepest search of each way, of which others are the beginning."""


def recall(evaluation: Evaluation, way: Way, k: int) -> Tensor:
    """Recall at k, one score per query in [0, 1], higher is better, float64 [Q]; NaN for a query without a positive."""
    reached = min(k, evaluation.depth)
    return _with_positive(metrics.recall_at_k(_matches(evaluation, way, reached), k=reached), evaluation)


def average_precision(evaluation: Evaluation, way: Way) -> Tensor:
    """MAP@R, one score per query in [0, 1], higher is better, float64 [Q]; NaN for a query without a positive.

    Source:
        Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020.
    """
    found = _matches(evaluation, way, max(1, int(evaluation.relevant.max())))
    return _with_positive(metrics.mean_average_precision_at_r(found, evaluation.relevant), evaluation)


def _with_positive(scores: Tensor, evaluation: Evaluation) -> Tensor:
    return torch.where(evaluation.relevant > 0, scores, torch.nan)


def _matches(evaluation: Evaluation, way: Way, k: int) -> Tensor:
    """Whether each of k that are found near shares the query's label, bool [Q, k]; False where fewer are found."""
    known = _FOUND.setdefault(evaluation, {})
    if way not in known or known[way].shape[1] < k:
        depth = min(max(k, 16, int(evaluation.relevant.max())), evaluation.depth)
        known[way] = _searched(evaluation, way, depth)
    return known[way][:, :k]


def _searched(evaluation: Evaluation, way: Way, depth: int) -> Tensor:
    points = np.ascontiguousarray(evaluation.embeddings.detach().cpu().numpy(), dtype=np.float32)
    labels, queries = evaluation.labels.cpu().numpy(), evaluation.queries
    references = points[queries:] if evaluation.has_gallery else points
    near = faiss.METRIC_INNER_PRODUCT if evaluation.distance == "cosine" else faiss.METRIC_L2
    # Without a gallery a query finds itself: one more is asked for, and it is taken out.
    wanted = depth if evaluation.has_gallery else depth + 1
    with _one_thread():
        index = _index(way, references, near, wanted)
        _, found = index.search(points[:queries], wanted)
    if not evaluation.has_gallery:
        found = _without(found, np.arange(queries))
    place = labels[queries:] if evaluation.has_gallery else labels
    # What faiss does not find is -1.
    same = (place[np.maximum(found, 0)] == labels[:queries, None]) & (found >= 0)
    return torch.from_numpy(same).to(evaluation.relevant.device)


def _index(way: Way, references: NDArray[np.float32], near: int, wanted: int) -> Any:
    count, size = references.shape
    index: Any
    if way == "hnsw":
        index = faiss.IndexHNSWFlat(size, _LINKS, near)
        index.hnsw.efConstruction = _BUILT_WITH
        index.hnsw.efSearch = max(_SOUGHT_WITH, 2 * wanted)
    else:
        cells = max(1, min(4 * math.isqrt(count), count // _LEAST_IN_CELL))
        index = faiss.IndexIVFFlat(faiss.IndexFlat(size, near), size, cells, near)
        index.nprobe = max(1, math.ceil(cells / _CELLS_ASKED))
        index.train(references)
    index.add(references)
    return index


def _without(found: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places found without the query's own; where that was not found, without the last."""
    itself = found == own[:, None]
    itself[~itself.any(axis=1), -1] = True
    kept: NDArray[np.int64] = found[~itself].reshape(len(found), -1)
    return kept


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    # A graph that several threads build is another each time; how many others have is put back.
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

"""What frozen embeddings are good for elsewhere: classification with labelled references."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_embeddings, check_labels, finite_float64
from siambench.metrics.neighbours import nearest

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.metrics.neighbours import Distance

_ELEMENTS_AT_ONCE = 2**24


@torch.no_grad()
def neighbour_vote(
    references: Tensor,
    reference_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    *,
    k: int,
    distance: Distance = "cosine",
) -> Tensor:
    """Whether most of the k nearest references share the query's label: k-NN classification.

    Each neighbour has one vote. Of labels with equally many votes, the one with the nearest neighbour wins.

    Args:
        references: [R, D], any real type.
        reference_labels: int64 [R].
        queries: [Q, D], any real type.
        query_labels: int64 [Q].
        k: how many neighbours vote, 1 <= k <= R.
        distance: what near means.

    Returns:
        0 or 1 per query, higher is better, float64 [Q]; the mean is the accuracy.

    Raises:
        MetricError: if k is not in 1 ... R, shapes do not fit, labels are not int64 or an embedding is not finite.

    Source:
        Fix, Hodges, Discriminatory analysis, nonparametric discrimination, 1951; Cover, Hart, Nearest neighbor pattern
        classification, IEEE Transactions on Information Theory 1967.
    """
    check_labels(reference_labels, name="reference_labels", length=len(references))
    check_labels(query_labels, name="query_labels", length=len(queries))
    indices = nearest(queries, references, k, exclude_self=False, distance=distance)
    right = torch.empty(len(queries), dtype=torch.float64, device=queries.device)
    step = max(_ELEMENTS_AT_ONCE // k**2, 1)
    for start in range(0, len(queries), step):
        labels = reference_labels[indices[start : start + step]]
        votes = (labels[:, :, None] == labels[:, None, :]).sum(dim=2)
        winner = labels.gather(1, votes.argmax(dim=1, keepdim=True))[:, 0]
        right[start : start + step] = (winner == query_labels[start : start + step]).to(torch.float64)
    return right


@torch.no_grad()
def linear_probe(
    references: Tensor,
    reference_labels: Tensor,
    queries: Tensor,
    query_labels: Tensor,
    *,
    ridge: float = 1.0,
) -> Tensor:
    """Whether a linear classifier on frozen embeddings, fitted to the references, gives the query its label.

    Ridge regression onto the labels, in closed form: minimises ‖Y - XW - b‖² + λ‖W‖² with Y one-hot and b free; the
    largest output wins, of equal ones the lowest label. Nothing is drawn at random and nothing has to converge.

    Args:
        references: [R, D], any real type.
        reference_labels: int64 [R], at least two classes.
        queries: [Q, D], any real type.
        query_labels: int64 [Q]; a label that no reference has is never given.
        ridge: λ > 0, in the units of a squared embedding.

    Returns:
        0 or 1 per query, higher is better, float64 [Q]; the mean is the accuracy.

    Raises:
        MetricError: if λ <= 0, there are fewer than two classes, shapes do not fit, labels are not int64 or an embedding
            is not finite.

    Source:
        Alain, Bengio, Understanding intermediate layers using linear classifier probes, 2016; Hoerl, Kennard, Ridge
        regression, Technometrics 1970.
    """
    check_embeddings(references, name="references")
    check_embeddings(queries, name="queries", width=references.shape[1])
    check_labels(reference_labels, name="reference_labels", length=len(references))
    check_labels(query_labels, name="query_labels", length=len(queries))
    classes, place = torch.unique(reference_labels, return_inverse=True)
    if not ridge > 0 or len(classes) < 2:
        raise MetricError(f"needs ridge > 0 and at least 2 classes, got {ridge} and {len(classes)}")
    known = finite_float64(references, name="references")
    asked = finite_float64(queries, name="queries")
    mean = known.mean(dim=0)
    known, asked = known - mean, asked - mean
    # Xᵀ Y of a one-hot Y is the sum of each class; centring Y changes nothing there, since X is centred.
    sums = torch.zeros(len(classes), known.shape[1], dtype=torch.float64, device=known.device).index_add_(0, place, known)
    gram = known.T @ known
    gram.diagonal().add_(ridge)
    weights = torch.cholesky_solve(sums.T, torch.linalg.cholesky(gram))
    outputs = asked @ weights + place.bincount().to(torch.float64) / len(known)
    return torch.eq(classes[outputs.argmax(dim=1)], query_labels).to(torch.float64)

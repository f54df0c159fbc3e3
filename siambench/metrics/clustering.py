"""Do clusters of the embeddings agree with the classes?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_embeddings, check_labels, finite_float64

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ClusterAgreement:
    """Agreement of repeated clusterings with the classes; k-means ends elsewhere for other starts, so the spread belongs to it.

    Args:
        scores: one per repetition.
        mean: of the repetitions.
        deviation: their standard deviation (n - 1); None for one repetition.
    """

    scores: tuple[float, ...]
    mean: float
    deviation: float | None


def normalised_mutual_information(labels: Tensor, clusters: Tensor) -> float:
    """Mutual information of two partitions over the mean of their entropies.

    Args:
        labels: int64 [N].
        clusters: int64 [N].

    Returns:
        In [0, 1], higher is better; 1 if both are one single group. Chance level grows with the number of clusters.

    Raises:
        MetricError: if labels are not int64, empty or of different lengths.

    Source:
        Manning, Raghavan, Schütze, Introduction to information retrieval, 2008, section 16.3.
    """
    check_labels(labels)
    check_labels(clusters, name="clusters", length=len(labels))
    if len(labels) == 0:
        raise MetricError("mutual information needs at least 1 item, got 0")
    _, row = torch.unique(labels, return_inverse=True)
    _, column = torch.unique(clusters, return_inverse=True)
    _, joint = torch.unique(row * (int(column.max()) + 1) + column, return_counts=True)
    by_label, by_cluster, together = (_entropy(counts) for counts in (row.bincount(), column.bincount(), joint))
    if by_label + by_cluster == 0.0:
        return 1.0
    return min(max(2.0 * (by_label + by_cluster - together) / (by_label + by_cluster), 0.0), 1.0)


def cluster_agreement(embeddings: Tensor, labels: Tensor, *, seed: int, repeats: int = 10, clusters: int | None = None) -> ClusterAgreement:
    """`normalised_mutual_information` of the classes with k-means clusters, over repeated starts.

    Args:
        embeddings: [N, D], any real type, taken as they are.
        labels: int64 [N].
        seed: each repetition has its own, derived from it.
        repeats: how many k-means runs, each from one k-means++ start.
        clusters: how many; by default as many as there are classes.

    Returns:
        Scores in [0, 1], higher is better, with their mean and spread.

    Raises:
        MetricError: if shapes do not fit, an embedding is not finite, or there are more clusters than items.

    Source:
        Oh Song, Xiang, Jegelka, Savarese, Deep metric learning via lifted structured feature embedding, CVPR 2016.
    """
    # Here, because it takes a second and most evaluations never cluster.
    from sklearn.cluster import KMeans

    check_embeddings(embeddings)
    check_labels(labels, length=len(embeddings))
    points = finite_float64(embeddings).cpu().numpy()
    wanted = len(torch.unique(labels)) if clusters is None else clusters
    if not 1 <= wanted <= len(points) or repeats < 1:
        raise MetricError(f"needs 1 <= clusters <= {len(points)} items and repeats >= 1, got {wanted} clusters, {repeats} repeats")
    scores = []
    for child in np.random.SeedSequence(seed).generate_state(repeats):
        start = KMeans(n_clusters=wanted, n_init=1, random_state=int(child))
        found = start.fit_predict(points)
        scores.append(normalised_mutual_information(labels.cpu(), torch.from_numpy(found.astype(np.int64))))
    return ClusterAgreement(
        scores=tuple(scores),
        mean=float(np.mean(scores)),
        deviation=float(np.std(scores, ddof=1)) if repeats > 1 else None,
    )


def _entropy(counts: Tensor) -> float:
    shares = counts.to(torch.float64) / counts.sum()
    return float(torch.special.entr(shares).sum())

"""The shape of an embedding: how close classes lie, how evenly the sphere is used, how many directions matter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_embeddings, check_labels, finite_float64, unit_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_ELEMENTS_AT_ONCE = 2**22


class MeanDistances(NamedTuple):
    """Mean euclidean distance of pairs of one class, and of pairs of two classes; None where there is no such pair."""

    positive: float | None
    negative: float | None


@torch.no_grad()
def alignment(embeddings: Tensor, labels: Tensor, *, power: float = 2.0) -> float:
    """How far apart items of one class lie on the unit sphere: the mean of ‖x - y‖^α over all pairs of one class.

    Args:
        embeddings: [N, D], any real type; brought to unit length.
        labels: int64 [N].
        power: α > 0.

    Returns:
        In [0, 2^α], lower is better.

    Raises:
        MetricError: if no two items share a label, shapes do not fit or an embedding is not finite.

    Source:
        Wang, Isola, Understanding contrastive representation learning through alignment and uniformity on the
        hypersphere, ICML 2020.
    """
    points, labels = _checked(embeddings, labels)
    total, pairs = 0.0, 0
    for squared, same in _pairs(unit_length(points), labels):
        total += float(squared[same].pow(power / 2).sum())
        pairs += int(same.sum())
    if pairs == 0:
        raise MetricError(f"alignment needs two items of one class, got {len(labels)} items of as many classes")
    return total / pairs


@torch.no_grad()
def uniformity(embeddings: Tensor, *, temperature: float = 2.0) -> float:
    """How evenly items cover the unit sphere: log of the mean of exp(-t · ‖x - y‖²) over all pairs of items.

    Args:
        embeddings: [N, D], any real type, N >= 2; brought to unit length.
        temperature: t > 0.

    Returns:
        In [-4 · t, 0], lower is more uniform; 0 if all items coincide.

    Raises:
        MetricError: for fewer than two items, or an embedding that is not finite.

    Source:
        Wang, Isola, Understanding contrastive representation learning through alignment and uniformity on the
        hypersphere, ICML 2020.
    """
    points, _ = _checked(embeddings, torch.zeros(len(embeddings), dtype=torch.int64, device=embeddings.device))
    if len(points) < 2:
        raise MetricError(f"uniformity needs at least 2 items, got {len(points)}")
    total = sum(float((-temperature * squared).exp().sum()) for squared in _squared_distances(unit_length(points)))
    return math.log(total / (len(points) * (len(points) - 1) // 2))


@torch.no_grad()
def mean_distances(embeddings: Tensor, labels: Tensor) -> MeanDistances:
    """Mean euclidean distance within classes and between them, over all pairs of items.

    Args:
        embeddings: [N, D], any real type, taken as they are.
        labels: int64 [N].

    Returns:
        (positive, negative) in the units of the embeddings; a ratio near 1 with small distances is a collapse.

    Raises:
        MetricError: if shapes do not fit or an embedding is not finite.
    """
    points, labels = _checked(embeddings, labels)
    sums, counts = [0.0, 0.0], [0, 0]
    for squared, same in _pairs(points, labels):
        distances = squared.sqrt()
        for kind, chosen in enumerate((same, ~same)):
            sums[kind] += float(distances[chosen].sum())
            counts[kind] += int(chosen.sum())
    positive, negative = (total / count if count else None for total, count in zip(sums, counts, strict=True))
    return MeanDistances(positive, negative)


@torch.no_grad()
def effective_rank(embeddings: Tensor) -> float:
    """How many directions the embeddings use: exp of the entropy of the singular values divided by their sum.

    The matrix is taken as it is, neither centred nor normalised: embeddings collapsed to one point have rank 1.

    Args:
        embeddings: [N, D], any real type.

    Returns:
        In [1, min(N, D)], and 0 for a matrix of zeros.

    Raises:
        MetricError: if an embedding is not finite.

    Source:
        Roy, Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007.
    """
    check_embeddings(embeddings)
    values = torch.linalg.svdvals(finite_float64(embeddings))
    if float(values[0]) == 0.0:
        return 0.0
    shares = values / values.sum()
    return math.exp(float(torch.special.entr(shares).sum()))


def _checked(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    check_embeddings(embeddings)
    check_labels(labels, length=len(embeddings))
    return finite_float64(embeddings), labels


def _blocks(items: int) -> Iterator[slice]:
    step = max(_ELEMENTS_AT_ONCE // items, 1)
    return (slice(start, min(start + step, items)) for start in range(0, items, step))


def _squared_distances(points: Tensor) -> Iterator[Tensor]:
    """Squared distances of all pairs i < j, block by block of i, flat."""
    # Distances do not change when the mean is taken away, but nearly equal points keep their differences.
    points = points - points.mean(dim=0)
    norms = points.square().sum(dim=1)
    for rows in _blocks(len(points)):
        rest = slice(rows.start, None)
        squared = torch.addmm(norms[rest], points[rows], points[rest].T, alpha=-2.0) + norms[rows, None]
        yield squared[_above_diagonal(squared)].clamp_(min=0.0)


def _pairs(points: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Squared distances of all pairs i < j and whether they share a label, block by block of i, flat."""
    for rows, squared in zip(_blocks(len(points)), _squared_distances(points), strict=True):
        same = labels[rows, None] == labels[None, rows.start :]
        yield squared, same[_above_diagonal(same)]


def _above_diagonal(block: Tensor) -> Tensor:
    return torch.ones(block.shape, dtype=torch.bool, device=block.device).triu_(diagonal=1)

"""What the metrics refuse, said once, with the value that was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor


def check_labels(labels: Tensor, *, name: str = "labels", length: int | None = None) -> None:
    """Refuse labels that are not int64 [N]: in float32 the labels 2**24 and 2**24 + 1 are one class.

    Raises:
        MetricError: for another dtype, another number of dimensions, or another length than ``length``.
    """
    if labels.dtype != torch.int64:
        raise MetricError(f"{name} must be int64, got {labels.dtype}: a narrower or floating type can merge classes")
    if labels.ndim != 1:
        raise MetricError(f"{name} must have one dimension, got shape {tuple(labels.shape)}")
    if length is not None and len(labels) != length:
        raise MetricError(f"{name} must hold one label per item, got {len(labels)} labels for {length} items")


def check_embeddings(embeddings: Tensor, *, name: str = "embeddings", width: int | None = None) -> None:
    """Refuse embeddings that are not real numbers of shape [N, D] with N, D >= 1.

    Raises:
        MetricError: for another shape, a complex or boolean dtype, or another D than ``width``.
    """
    if embeddings.ndim != 2 or embeddings.numel() == 0:
        raise MetricError(f"{name} must be [items, dimensions] and not empty, got shape {tuple(embeddings.shape)}")
    if embeddings.is_complex() or embeddings.dtype == torch.bool:
        raise MetricError(f"{name} must be real numbers, got {embeddings.dtype}")
    if width is not None and embeddings.shape[1] != width:
        raise MetricError(f"{name} must have {width} dimensions like what it is compared with, got {embeddings.shape[1]}")


def check_distance(distance: str) -> None:
    """Refuse a distance other than ``"cosine"`` and ``"euclidean"``.

    Raises:
        MetricError: for any other name.
    """
    if distance not in {"cosine", "euclidean"}:
        raise MetricError(f"distance must be 'cosine' or 'euclidean', got {distance!r}")


def finite_float64(embeddings: Tensor, *, name: str = "embeddings") -> Tensor:
    """The embeddings in float64, detached from any graph.

    Raises:
        MetricError: if a row holds NaN or infinity, or is too long for its norm to be a number.
    """
    exact = embeddings.detach().to(torch.float64)
    # One pass finds NaN, infinity and overflow: each makes the squared norm of its row something else than a number.
    broken = int((~exact.square().sum(dim=1).isfinite()).sum())
    if broken:
        raise MetricError(f"{name} must be finite, got {broken} of {len(exact)} rows with NaN, infinity or a norm that overflows")
    return exact


def unit_length(embeddings: Tensor) -> Tensor:
    """Rows divided by their euclidean norm; a row of zeros stays zero, so its cosine with anything is 0."""
    norms = embeddings.norm(dim=1, keepdim=True)
    return embeddings / torch.where(norms > 0, norms, torch.ones_like(norms))

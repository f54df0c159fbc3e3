"""What embeddings with labels look like, in a few numbers: distances, how far they separate, how many directions are used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from siambench.interfaces import Quantiles
from siambench.metrics import effective_rank, roc_auc

if TYPE_CHECKING:
    from siambench.plugin import Margin

Margins = Mapping[str, tuple["Margin", float]]
"""By the name of its parameter a margin of a loss, and what it is set to."""

_DIGITS = 6
"""Significant digits that measures are told with."""


def told(value: float | None) -> float | None:
    """A number as measures tell it: six significant digits; None for one that is not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")


def quantiles(values: Tensor) -> Quantiles | None:
    """Mean, 5 % and 95 % quantile of some numbers, float64 [N]; None of none."""
    if not len(values):
        return None
    low, high = torch.quantile(values, torch.tensor([0.05, 0.95], dtype=values.dtype)).tolist()
    return Quantiles(mean=told(float(values.mean())), low=told(low), high=told(high))


def spread_and_rank(embeddings: Tensor) -> tuple[float | None, float | None]:
    """Of embeddings, float64 [N, D], their mean squared distance to their mean over their mean squared length, and the rank that is left.

    Returns:
        The spread in [0, 1], 0: all are alike; and the effective rank of the centred embeddings, 0 where all are alike.
    """
    # Seen from one of them, equal embeddings are zeros and nothing else, which their mean need not be to the last digit.
    moved = embeddings - embeddings[0]
    centred = moved - moved.mean(dim=0)
    length = float(embeddings.square().sum(dim=1).mean())
    return told(float(centred.square().sum(dim=1).mean()) / length if length > 0 else 0.0), told(effective_rank(centred))


def described(embeddings: Tensor, labels: Tensor, margins: Margins) -> dict[str, Any]:
    """The fields of `siambench.interfaces.Measures` that tell of embeddings as a loss sees them.

    Args:
        embeddings: float64 [N, D], finite, N >= 2, on the CPU.
        labels: int64 [N].
        margins: of the loss.
    """
    same = _of_pairs(labels[:, None] == labels[None, :])
    distances = torch.pdist(embeddings)
    both = bool(same.any()) and not bool(same.all())
    spread, rank = spread_and_rank(embeddings)
    return {
        "positive": quantiles(distances[same]),
        "negative": quantiles(distances[~same]),
        "auc": told(roc_auc(-distances, same)) if both else None,
        "spread": spread,
        "effective_rank": rank,
        "violated": {name: told(share) for name, share in _violated(embeddings, labels, margins).items()},
    }


def _of_pairs(table: Tensor) -> Tensor:
    """Of a table [N, N] what stands above its diagonal, row by row, as `torch.pdist` orders pairs."""
    return table[torch.ones_like(table, dtype=torch.bool).triu_(diagonal=1)]


def _violated(embeddings: Tensor, labels: Tensor, margins: Margins) -> dict[str, float]:
    """By margin, the share of the tuples which it is about that violate it; not of one without such tuples."""
    if not margins:
        return {}
    same = labels[:, None] == labels[None, :]
    alone = torch.eye(len(labels), dtype=torch.bool)
    anchor, positive = (same & ~alone).nonzero(as_tuple=True)
    found = {}
    for name, (margin, value) in margins.items():
        apart = _apart(embeddings, margin.distance)
        if margin.kind == "triplet":
            broken, counted = apart[anchor, positive][:, None] - apart[anchor] + value > 0, ~same[anchor]
        elif margin.distance == "cosine":
            # A similarity: a positive pair costs below the margin, a negative one above it.
            broken, counted = (-apart < value, same & ~alone) if margin.kind == "positive" else (-apart > value, ~same)
        else:
            broken, counted = (apart > value, same & ~alone) if margin.kind == "positive" else (apart < value, ~same)
        if bool(counted.any()):
            found[name] = int((broken & counted).sum()) / int(counted.sum())
    return found


def _apart(embeddings: Tensor, distance: str) -> Tensor:
    """How far each is from each, [N, N]; of cosines their negative."""
    if distance == "cosine":
        # Not `normalize`, which would lengthen short ones less.
        lengths = embeddings.norm(dim=1, keepdim=True)
        unit = embeddings / torch.where(lengths > 0, lengths, 1.0)
        return -(unit @ unit.T)
    # By differences: of embeddings nearly alike, norms and products would leave rounding errors alone.
    apart = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    return apart.square() if distance == "squared" else apart

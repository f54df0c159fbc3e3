"""What losses of a whole batch share when torch differentiates them: distances with a slope everywhere, sums of powers, shares.

Embeddings are fp [B, D], labels int64 [B].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from siambench.builtin.pairwise import distances

_NEVER = -1e30
"""An exponent whose power is 0, and still a number, so that what does not count has a slope of 0 and not one that is no number."""


class _Euclidean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        found = distances(rows)
        ctx.save_for_backward(found.matrix, found.centred)
        return found.matrix

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        matrix, centred = ctx.saved_tensors
        pull = torch.where(matrix > 0, (slope + slope.T) / matrix, 0.0)
        gradient: Tensor = pull.sum(dim=1, keepdim=True) * centred - pull @ centred
        return gradient


def euclidean(rows: Tensor) -> Tensor:
    """Euclidean distances of a batch to itself, fp [B, B], with a graph; equal rows lie at 0 and pull nowhere."""
    found: Tensor = _Euclidean.apply(rows)
    return found


def log_sum(exponents: Tensor, often: Tensor) -> Tensor:
    """Log Σ often · exp(exponents) of each row, fp [R]; far below everything, but a number, where nothing counts.

    Args:
        exponents: fp [R, C].
        often: how often each counts, fp [R, C].
    """
    return torch.where(often > 0, exponents + often.clamp(min=1).log(), _NEVER).logsumexp(dim=1)


def mean_where(values: Tensor, often: Tensor) -> Tensor:
    """The mean of values, each as often as it counts; 0, with a graph, where none does.

    Args:
        values: fp, any shape, numbers all of them.
        often: fp, of that shape.
    """
    return (often * values).sum() / often.sum().clamp(min=1)

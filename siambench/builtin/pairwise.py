"""What own losses and miners share: distances within a batch, which pairs count how often, and values whose gradient is known.

Everything is a matrix over the batch, whatever its labels are: no shape depends on data, so nothing waits for the device and a step
can be captured. Losses work out value and slope in closed form, which takes a fraction of the time that differentiating them takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from siambench.interfaces import Indices

_ROUNDING = 4.0
"""So many units of the last place a squared distance may owe to rounding alone."""

_DIGITS = 2**24
"""Whole numbers below this are told apart in fp32."""

_NEVER = 1e30
"""Taken off an exponent, it leaves a power of 0; still far from what fp32 can hold."""


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, *pairs: Tensor) -> Tensor:
        half = len(pairs) // 2
        ctx.save_for_backward(*pairs[half:])
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.saved_tensors
        return (None, *(upstream * gradient for gradient in gradients), *(None for _ in gradients))


def known(value: Tensor, *of: tuple[Tensor, Tensor]) -> Tensor:
    """A value whose gradient has been worked out: the scalar, with a graph.

    Args:
        value: a scalar without a graph.
        of: what it was computed from, each with the gradient of the value by it, of one shape.
    """
    made: Tensor = _Known.apply(value, *(tensor for tensor, _ in of), *(gradient for _, gradient in of))
    return made


def of_products(value: Tensor, slope: Tensor, rows: Tensor) -> Tensor:
    """A value that was computed from the inner products of a batch with itself, with a graph.

    Args:
        value: a scalar without a graph.
        slope: its derivative by each product, fp [B, B].
        rows: the batch, fp [B, D], as it was when the products were taken.
    """
    return known(value, (rows, (slope + slope.T) @ rows.detach()))


@dataclass(frozen=True)
class Distances:
    """Euclidean distances of a batch to itself, and the way back from a slope by them.

    Args:
        matrix: fp [B, B]; 0 where two rows are the same but for rounding.
        rows: the batch that they are of, fp [B, D], with its graph.
        centred: the batch less its mean, without a graph.
    """

    matrix: Tensor
    rows: Tensor
    centred: Tensor

    def valued(self, value: Tensor, slope: Tensor) -> Tensor:
        """A value with a graph, from the value and its derivative by each distance, fp [B, B]; equal rows pull nowhere."""
        slope = slope + slope.T
        pull = torch.where(self.matrix > 0, slope / self.matrix, 0.0)
        return known(value, (self.rows, pull.sum(dim=1, keepdim=True) * self.centred - pull @ self.centred))


def distances(rows: Tensor) -> Distances:
    """Euclidean distances of a batch to itself by one matrix product.

    The batch's mean is taken off first. That moves no distance, and rounding is then relative to how far the rows lie apart rather than
    to their length: a batch that has nearly collapsed keeps its digits.

    Args:
        rows: fp [B, D].
    """
    centred = rows.detach()
    centred = centred - centred.mean(dim=0)
    products = centred @ centred.T
    lengths = products.diagonal()
    both = lengths[:, None] + lengths
    squares = both - 2 * products
    # What rounding alone could leave is no distance: a duplicate lies at 0, and so it costs and pulls nothing.
    told = squares > _ROUNDING * torch.finfo(rows.dtype).eps * both
    return Distances(torch.where(told, squares, 0.0).sqrt(), rows, centred)


def same_class(labels: Tensor) -> Tensor:
    """Whether two items are of one class, bool [B, B], each with itself included."""
    return labels[:, None] == labels


def all_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative pairs of a batch, bool [B, B] each; an item is no pair with itself."""
    same = same_class(labels)
    negative = ~same
    same.fill_diagonal_(fill_value=False)
    return same, negative


def pair_weights(labels: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The positive and the negative pairs of a batch as 1 among 0, fp [B, B] each.

    Comparing numbers in place takes a tenth of the time that a mask of bool and its conversion take.
    """
    same = _equal(labels.remainder(_DIGITS), dtype) * _equal(labels.div(_DIGITS, rounding_mode="floor"), dtype)
    negative = 1 - same
    return same.fill_diagonal_(0.0), negative


def _equal(labels: Tensor, dtype: torch.dtype) -> Tensor:
    numbers = labels.to(dtype)
    return numbers[:, None].repeat(1, len(numbers)).eq_(numbers)


def only(exponents: Tensor, often: Tensor) -> Tensor:
    """Exponents where a pair counts, and elsewhere such that their power is 0.

    Args:
        exponents: fp [R, C].
        often: how often each counts, a whole number, fp [R, C].
    """
    return torch.add(often.clamp(max=1).sub_(1).mul_(_NEVER), exponents)


def largest(exponents: Tensor, *, at_least: float = -_NEVER / 2) -> Tensor:
    """The largest of `only` some exponents in each row, fp [R, 1]; where none counts, a bound that leaves powers of 0."""
    return exponents.amax(dim=1, keepdim=True).clamp(min=at_least)


def counted(indices: Indices, size: int) -> tuple[Tensor, Tensor]:
    """How often each pair stands in lists of triplets or of pairs, int64 [B, B]: as a positive pair, and as a negative one.

    Args:
        indices: three or four index tensors int64 [T]; -1 in a place without a tuple.
        size: of the batch, B.
    """
    anchor, positive, other, negative = indices if len(indices) == 4 else (*indices[:2], indices[0], indices[2])
    return _tally(anchor, positive, size), _tally(other, negative, size)


def _tally(first: Tensor, second: Tensor, size: int) -> Tensor:
    there = first >= 0
    flat = torch.where(there, first * size + second, 0)
    return torch.zeros(size * size, dtype=torch.int64, device=first.device).scatter_add_(0, flat, there.long()).view(size, size)

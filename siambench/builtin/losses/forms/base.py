"""What the tuple losses share. Values and slopes are worked out in closed form, on matrices over the batch.

Embeddings are fp [B, D], labels int64 [B], indices three or four index tensors int64 [T] (-1: no tuple), `SortedTriplets`, or None for
every tuple of the batch. A value is a scalar, lower is better; it is 0, with a gradient of 0, where there is nothing to compare. Where
a loss compares cosines or distances of unit vectors, the harness has normalised the rows.
"""

from __future__ import annotations

from torch import Tensor, dtype, nn

from siambench.builtin.pairwise import counted, largest, only, pair_weights
from siambench.builtin.sorted_negatives import tally
from siambench.interfaces import Mined, SortedTriplets


def weights(labels: Tensor, indices: Mined | None, dtype: dtype) -> tuple[Tensor, Tensor]:
    """How often each positive and each negative pair counts, fp [B, B] each: once each, or as often as it stands in the indices."""
    if indices is None:
        return pair_weights(labels, dtype)
    if isinstance(indices, SortedTriplets):
        found = tally(indices)
        positive, negative = found.positive, found.negative
    else:
        positive, negative = counted(indices, len(labels))
    return positive.to(dtype), negative.to(dtype)


class TupleLoss(nn.Module):
    """A loss that takes all that a miner may give, empty places included."""

    takes_empty_places = True


def powers_of(products: Tensor, often: Tensor) -> tuple[Tensor, Tensor]:
    """Exp of each row less its largest, as often as it counts, fp [B, B], and that largest, fp [B, 1], finite in any case."""
    counting = only(products, often)
    most = largest(counting)
    return counting.sub_(most).exp_().mul_(often), most


def soft_sum(exponents: Tensor, often: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + Σ exp(exponents)) of each row, fp [R], and its derivative by each exponent, fp [R, C].

    Args:
        exponents: fp [R, C].
        often: 1 for those that count, 0 for the others, fp [R, C].
    """
    counting = only(exponents, often)
    most = largest(counting, at_least=0.0)
    powers = counting.sub_(most).exp_()
    sums = powers.sum(dim=1, keepdim=True) + (-most).exp()
    return (sums.log() + most).squeeze(1), powers.div_(sums)

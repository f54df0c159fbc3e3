"""What a batch holds, and what a miner picked of it, without waiting for the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from siambench.interfaces import SortedTriplets

if TYPE_CHECKING:
    from siambench.interfaces import Mined


def number_of_classes(labels: Tensor) -> Tensor:
    """How many classes stand in a batch, int64 scalar on its device.

    Args:
        labels: int64 [B], B >= 1.
    """
    ordered = labels.sort().values
    return 1 + (ordered[1:] != ordered[:-1]).sum()


def repeated(places: Tensor) -> float:
    """The share of a batch's items that stood in it already, in [0, 1].

    Args:
        places: of its items among those that are trained on, int64 [B], on the CPU.
    """
    return 1 - len(torch.unique(places)) / len(places)


def picked_distances(mined: Mined, embeddings: Tensor) -> Tensor:
    """Mean Euclidean distance of the positive and of the negative pairs among tuples; each tuple counts, however often its pairs occur.

    Args:
        mined: three or four index tensors (what lies outside the batch is no tuple), or `SortedTriplets`.
        embeddings: as the loss sees them, [B, D].

    Returns:
        Two numbers, NaN where there is no such pair, float64 [2] on the device of the embeddings.
    """
    embeddings = embeddings.detach().double()
    if isinstance(mined, SortedTriplets):
        return _of_sorted(mined, _table(embeddings))
    parts = [torch.as_tensor(part, device=embeddings.device) for part in mined]
    positive, negative = (parts[:2], parts[2:]) if len(parts) == 4 else (parts[:2], [parts[0], parts[2]])
    return torch.stack([_mean_apart(embeddings, *positive), _mean_apart(embeddings, *negative)])


def _table(embeddings: Tensor) -> Tensor:
    # By products, which are fast: in float64 they are right to 1e-8 of the embeddings' length, what fp32 itself can tell apart.
    return torch.cdist(embeddings, embeddings, compute_mode="use_mm_for_euclid_dist")


def _mean_apart(embeddings: Tensor, left: Tensor, right: Tensor) -> Tensor:
    size = len(embeddings)
    known = (left >= 0) & (left < size) & (right >= 0) & (right < size)
    left, right = left.clamp(0, size - 1), right.clamp(0, size - 1)
    # All triplets of a batch are far more than its pairs: their distances are looked up.
    apart = _table(embeddings)[left, right] if len(left) > size else (embeddings[left] - embeddings[right]).norm(dim=1)
    return torch.where(known, apart, 0.0).sum() / known.sum()


def _of_sorted(mined: SortedTriplets, apart: Tensor) -> Tensor:
    """The same of triplets by anchor and positive, whose negatives lie side by side in the anchor's order."""
    number = (mined.stop - mined.start).clamp(min=0)
    sums = torch.nn.functional.pad(apart.gather(1, mined.order).cumsum(dim=1), (1, 0))
    of_negatives = sums.gather(1, mined.start + number) - sums.gather(1, mined.start)
    return torch.stack([(apart * number).sum(), (of_negatives * (number > 0)).sum()]) / number.sum()

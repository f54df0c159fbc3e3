"""A loss of tuples, of which the anchor is of one side of items and the others of the other side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.interfaces import Indices, Mined


def across_pairs(labels: Tensor) -> Indices:
    """The pairs of a batch of both sides whose members are of two sides, each in both orders.

    Args:
        labels: of the first sides of B items and then of the second, int64 [2 B].

    Returns:
        Four index tensors int64 [2 B B]: left and right of the pairs of one class, left and right of the others; -1 in the others' places.
    """
    half = len(labels) // 2
    first = torch.arange(half, device=labels.device)
    left, right = first.repeat_interleave(half), first.repeat(half) + half
    left, right = torch.cat([left, right]), torch.cat([right, left])
    same = labels[left] == labels[right]
    return torch.where(same, left, -1), torch.where(same, right, -1), torch.where(same, -1, left), torch.where(same, -1, right)


class Across(nn.Module):
    """A loss over the pairs of a batch whose members are of two sides: both ways, since each side is the anchor's in turn.

    Args:
        loss: called with embeddings, labels and the pairs.
    """

    def __init__(self, *, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch.

        Args:
            embeddings: of the first sides of B items and then of the second, fp [2 B, D].
            labels: of both, int64 [2 B].
            indices: none: the pairs are those across.
            progress: the share of training that is done, in [0, 1].
            groups: of the items' classes, int64 [2 B], or None.
        """
        del indices
        value: Tensor = self.loss(embeddings, labels, across_pairs(labels), progress=progress, groups=groups)
        return value

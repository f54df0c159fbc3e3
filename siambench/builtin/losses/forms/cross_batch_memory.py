"""Cross-batch memory: a loss over a batch, and again over the pairs of the batch with items of earlier batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.interfaces import Mined

_EMPTY = -1


class CrossBatchMemory(nn.Module):
    """loss(batch) + weight · loss(pairs of the batch with the memory), the latter from a share of the training on.

    The memory holds the embeddings of the last items as they were when they were trained on, without a gradient; those of the batch itself
    join it afterwards, so that no item is compared with itself.

    Args:
        loss: that takes pairs.
        embedding_size: D.
        memory: how many items it holds, M.
        start: share of the training, in [0, 1], from which on the memory counts; it is filled from the first step.
        weight: of the second term.

    Source:
        Wang, Zhang, Huang, Scott, Cross-Batch Memory for Embedding Learning, CVPR 2020, and its code.
    """

    takes_empty_places = True

    def __init__(self, *, loss: nn.Module, embedding_size: int, memory: int, start: float, weight: float) -> None:
        super().__init__()
        self.loss, self.start, self.weight = loss, start, weight
        self.rows: Tensor
        self.classes: Tensor
        self.register_buffer("rows", torch.zeros(memory, embedding_size), persistent=False)
        self.register_buffer("classes", torch.full((memory,), _EMPTY), persistent=False)
        self._next = 0

    def forward(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 1.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch."""
        value: Tensor = self.loss(embeddings, labels, indices, progress=progress, groups=groups)
        if progress >= self.start:
            rows = self.rows.to(embeddings.dtype)
            pairs = self._pairs(labels)
            # A memory knows nothing of groups: a loss that asks for them is not given any here.
            value = value + self.weight * self.loss(
                torch.cat([embeddings, rows]), torch.cat([labels, self.classes]), pairs, progress=progress
            )
        self._keep(embeddings.detach(), labels)
        return value

    def _pairs(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        same = labels[:, None] == self.classes
        there = (self.classes != _EMPTY).expand_as(same)
        anchor = torch.arange(len(labels), device=labels.device)[:, None].expand_as(same)
        other = (len(labels) + torch.arange(len(self.classes), device=labels.device)).expand_as(same)
        near, far = (same & there).flatten(), (~same & there).flatten()
        anchor, other = anchor.flatten(), other.flatten()
        return torch.where(near, anchor, -1), torch.where(near, other, -1), torch.where(far, anchor, -1), torch.where(far, other, -1)

    def _keep(self, rows: Tensor, labels: Tensor) -> None:
        # Of a batch larger than the memory the last items stay.
        rows, labels = rows[-len(self.classes) :], labels[-len(self.classes) :]
        places = (self._next + torch.arange(len(labels), device=labels.device)) % len(self.classes)
        self.rows = self.rows.index_copy(0, places, rows.to(self.rows.dtype))
        self.classes = self.classes.index_copy(0, places, labels)
        self._next = (self._next + len(labels)) % len(self.classes)

"""N-pair loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.pairwise import known, same_class


class NPair(nn.Module):
    """-log of the softmax of each class's pair among all classes' positives, plus a penalty on squared norms.

    A class's pair are its first two items in the batch. Embeddings are compared as they are, not normalised.

    Args:
        l2_weight: of the mean squared norm of the batch.

    Source:
        Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016, eq. 7 and 3.2.2.
    """

    def __init__(self, *, l2_weight: float) -> None:
        super().__init__()
        self.l2_weight = l2_weight

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            rows = embeddings.detach()
            same = same_class(labels)
            place = same.tril(diagonal=-1).sum(dim=1)
            anchor = (place == 0) & (same.sum(dim=1) > 1)
            positive = place == 1
            products = rows @ rows.T
            target = (same & positive & anchor[:, None]).to(rows.dtype)
            # An item that is no anchor still has a row, which counts for nothing: its softmax must be finite all the same.
            logs = products.masked_fill(~positive, torch.finfo(rows.dtype).min).log_softmax(dim=1)
            share = anchor.to(rows.dtype) / anchor.sum().clamp(min=1)
            value = -(share[:, None] * target * logs).sum()
            slope = share[:, None] * (logs.exp() * positive - target)
            value = value + self.l2_weight * rows.square().sum() / len(rows)
            gradient = (slope + slope.T) @ rows + (2 * self.l2_weight / len(rows)) * rows
        return known(value, (embeddings, gradient))

"""Smooth-AP."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.ranks import ranked
from siambench.builtin.pairwise import of_products, same_class


class SmoothAP(nn.Module):
    """1 - AP, with AP the mean over a query's class of the rank in that class over the rank in the batch, mean over the queries.

    A rank is 1 + Σ over the others j of σ((s_qj - s_qi) / T). The query stands in its own class and ranks first in it. Queries are the
    items with another one of their class.

    Args:
        temperature: T > 0.

    Source:
        Brown, Xie, Kalogeiton, Zisserman, Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV 2020.
    """

    def __init__(self, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        with torch.no_grad():
            rows = embeddings.detach()
            own = same_class(labels).to(rows.dtype)
            number = own.sum(dim=1, keepdim=True)

            def precision(before: Tensor, queries: slice) -> tuple[Tensor, Tensor]:
                mine = own[queries]
                inside, everywhere = 1 + (before * mine[:, None, :]).sum(dim=2), 1 + before.sum(dim=2)
                share = mine / number[queries] / everywhere
                return (share * inside).sum(dim=1), share[:, :, None] * (mine[:, None, :] - (inside / everywhere)[:, :, None])

            found, slope = ranked(rows @ rows.T, self.temperature, precision)
            query = (number.squeeze(1) > 1).to(rows.dtype)
            share = query / query.sum().clamp(min=1)
        return of_products((share * (1 - found)).sum(), -share[:, None] * slope, embeddings)

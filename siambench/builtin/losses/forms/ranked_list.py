"""Ranked list loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.matrices import euclidean
from siambench.builtin.pairwise import all_pairs


class RankedList(nn.Module):
    """Weighted means of d - (α - margin) over far positives and of α - d over near negatives, mean over the items; α = 1 + margin / 2.

    Far positives are those beyond α - margin, near negatives those within α. A positive weighs exp(Tp (d - α + margin)), a negative
    exp(Tn (α - d)). The former mean counts 1 - imbalance, the latter imbalance.

    Args:
        margin: between the sphere of the positives and that of the negatives, > 0.
        negative_temperature: Tn >= 0.
        positive_temperature: Tp >= 0.
        imbalance: in [0, 1].

    Source:
        Wang, Hua, Kodirov, Hu, Garnier, Robertson, Ranked List Loss for Deep Metric Learning, CVPR 2019.
    """

    def __init__(self, *, margin: float, negative_temperature: float, positive_temperature: float, imbalance: float) -> None:
        super().__init__()
        self.outer, self.inner = 1 + margin / 2, 1 - margin / 2
        self.negative_temperature, self.positive_temperature, self.imbalance = negative_temperature, positive_temperature, imbalance

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        positive, negative = all_pairs(labels)
        found = euclidean(embeddings)
        near = _weighted(found - self.inner, positive, self.positive_temperature)
        far = _weighted(self.outer - found, negative, self.negative_temperature)
        return ((1 - self.imbalance) * near + self.imbalance * far).mean()


def _weighted(costs: Tensor, counted: Tensor, temperature: float) -> Tensor:
    """The mean of each row's costs above 0, weighted by exp(temperature · cost), fp [B]; 0 where there is none."""
    costing = counted & (costs > 0)
    # Not -inf: a row in which nothing costs has weights that are numbers, and are taken away.
    share = torch.where(costing, temperature * costs, -1e30).softmax(dim=1) * costing
    return (share * costs).sum(dim=1)

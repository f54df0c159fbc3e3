"""Recall at k with smooth ranks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.query_ranks import differences, items_of, mean_of, of_queries


class RecallAtK(nn.Module):
    """1 - the smooth recall among the first k of a query's items, mean over k = 1, 2, 4, … up to ``most`` and over the queries.

    The rank of a positive p is r = 1 + Σ over other items of σ((s_qj - s_qp) / ``temperature``), and it is found among the first k as
    far as σ((k - r) / ``rank_temperature``). A query's positives found are at most k, of min(k, positives).

    A query's ranks are a matrix over the batch, as in the paper; memory is bounded by taking few queries at once.

    Args:
        temperature: of similarities, > 0.
        rank_temperature: of ranks, > 0.
        most: the largest k, >= 1.

    Source:
        Patel, Tolias, Matas, Recall@k Surrogate Loss with Large Batches and Similarity Mixup, CVPR 2022.
    """

    def __init__(self, *, temperature: float, rank_temperature: float, most: int) -> None:
        super().__init__()
        self.temperature, self.rank_temperature = temperature, rank_temperature
        self.ranks = tuple(2**power for power in range(int(most).bit_length()))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        positive, others = items_of(labels)
        values = of_queries(self._of_query, embeddings @ embeddings.T, positive, others)
        return mean_of(values, positive.any(dim=1))

    def _of_query(self, similarities: Tensor, positive: Tensor, others: Tensor) -> Tensor:
        before = (differences(similarities) / self.temperature).sigmoid()
        itself = torch.eye(similarities.shape[1], dtype=torch.bool, device=similarities.device)
        ranks = 1 + torch.where(others[:, None, :] & ~itself, before, 0.0).sum(dim=2)
        number = positive.sum(dim=1).to(similarities.dtype).clamp(min=1)
        recall = torch.zeros_like(number)
        for k in self.ranks:
            found = torch.where(positive, ((k - ranks) / self.rank_temperature).sigmoid(), 0.0).sum(dim=1)
            recall = recall + found.clamp(max=k) / number.clamp(max=k)
        return 1 - recall / len(self.ranks)

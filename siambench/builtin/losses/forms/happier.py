"""HAPPIER: average precision over a hierarchy of labels, and a softmax that gathers classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.class_directions import ClassDirections
from siambench.builtin.losses.forms.query_ranks import differences, items_of, mean_of, of_queries, step_up


class Happier(ClassDirections):
    """(1 - ``share``) · (1 - hierarchical AP) + ``share`` · cross-entropy of cosines with class weights, at T = 0.05.

    An item of the query's class has the relevance 2^``alpha`` over the number of those, another of its group 1 over theirs, the others
    none. Precision at an item is Σ over what stands before it and itself of the smaller relevance of the two, over its rank; HAP is the
    sum of precisions over that of relevances. In the rank, less relevant items are counted by an upper bound of the step function
    (`query_ranks.step_up`), the others by the step function, without a slope.

    A query's ranks are a matrix over the batch, as in the paper; memory is bounded by taking few queries at once.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        temperature: of similarities in the bound, > 0.
        slope: of the bound, >= 0.
        share: of the cross-entropy, in [0, 1].
        alpha: how much more a class counts than a group, >= 0.

    Source:
        Ramzi, Audebert, Thome, Rambour, Bitot, Hierarchical Average Precision Training for Pertinent Image Retrieval, ECCV 2022.
    """

    start = 0.05
    """Where the bound of the step function becomes a line."""

    softmax_temperature = 0.05

    def __init__(self, *, num_classes: int, embedding_size: int, temperature: float, slope: float, share: float, alpha: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.temperature, self.slope, self.share, self.alpha = temperature, slope, share, alpha

    def forward(self, embeddings: Tensor, labels: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """The loss of a batch; without groups there is one level, that of classes."""
        own, others = items_of(labels)
        near = own if groups is None else own | items_of(groups)[0]
        relevance = self._relevance(own, near & ~own, embeddings.dtype)
        values = of_queries(self._of_query, embeddings @ embeddings.T, relevance, own.int() + near.int(), others)
        softmax = functional.cross_entropy(self.cosines(embeddings) / self.softmax_temperature, labels)
        return (1 - self.share) * mean_of(values, near.any(dim=1)) + self.share * softmax

    def _relevance(self, own: Tensor, near: Tensor, dtype: torch.dtype) -> Tensor:
        """Of each item for each query, fp [B, B]."""
        parts = ((weight, level.to(dtype)) for weight, level in ((2.0**self.alpha, own), (1.0, near)))
        found = [weight * level / level.sum(dim=1, keepdim=True).clamp(min=1) for weight, level in parts]
        return found[0] + found[1]

    def _of_query(self, similarities: Tensor, relevance: Tensor, level: Tensor, others: Tensor) -> Tensor:
        apart = differences(similarities)
        itself = torch.eye(similarities.shape[1], dtype=torch.bool, device=similarities.device)
        counting = others[:, None, :] & ~itself
        before = (counting & (apart.detach() >= 0)).to(similarities.dtype)
        less = level[:, None, :] < level[:, :, None]
        wrongly = step_up(apart, temperature=self.temperature, slope=self.slope, start=self.start)
        rank = 1 + torch.where(less & counting, wrongly, before).sum(dim=2)
        gained = relevance + (before * torch.minimum(relevance[:, None, :], relevance[:, :, None])).sum(dim=2)
        total = relevance.sum(dim=1)
        return 1 - torch.where(relevance > 0, gained / rank, 0.0).sum(dim=1) / torch.where(total > 0, total, 1.0)

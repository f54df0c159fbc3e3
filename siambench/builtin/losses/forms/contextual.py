"""Contextual similarity: items of a class share their neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.pairwise import same_class

_SLOPE = 10.0
"""Of the step function, where a gradient asks for one."""


class Contextual(nn.Module):
    """``contextual`` · C + ``regulariser`` · (mean cosine - 1/4)² + (1 - ``contextual`` - ``regulariser``) · hinges of cosines.

    C is the mean over ordered pairs of (1 - w)² in a class and of w² between two, w the contextual similarity: how many of their
    nearest items two items share, averaged over those that are mutually among the nearest half. What is among the k nearest is a step,
    the distance of the k-th and ``slack`` more away; its gradient is that of a line of slope 10. The hinges are the mean of what positives
    lack to 0.75 and of what negatives exceed 0.6, of those that do.

    Args:
        contextual: weight of C, in [0, 1].
        regulariser: weight of the regulariser, in [0, 1].
        slack: added to the squared distance within which neighbours are, > 0.
        neighbours: k >= 2, an item itself among them.

    Source:
        Liao, Tsiligkaridis, Kulis, Supervised Metric Learning for Retrieval via Contextual Similarity Optimization, ICML 2023.
    """

    margins = (0.75, 0.6)
    """Of positives and of negatives, cosines."""

    mean_cosine = 0.25

    def __init__(self, *, contextual: float, regulariser: float, slack: float, neighbours: int) -> None:
        super().__init__()
        self.contextual, self.regulariser, self.slack, self.neighbours = contextual, regulariser, slack, neighbours

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        cosines = embeddings @ embeddings.T
        same = same_class(labels)
        others = torch.eye(len(labels), dtype=torch.bool, device=labels.device).logical_not()
        similarity = self._contextual(cosines)
        wrong = torch.where(same, 1 - similarity, similarity).square()
        context = torch.where(others, wrong, 0.0).sum() / len(labels) ** 2
        near, far = self.margins
        short = torch.where(same & others, near - cosines, 0.0).clamp(min=0)
        over = torch.where(same, 0.0, cosines - far).clamp(min=0)
        hinges = short.sum() / (short > 0).sum().clamp(min=1) + over.sum() / (over > 0).sum().clamp(min=1)
        apart = (cosines.mean() - self.mean_cosine).square()
        return self.contextual * context + self.regulariser * apart + (1 - self.contextual - self.regulariser) * hinges

    def _contextual(self, cosines: Tensor) -> Tensor:
        """Of each item with each, fp [B, B], symmetric."""
        squares = (2 - 2 * cosines).clamp(min=0)
        ordered = squares.detach().sort(dim=1).values
        number = min(self.neighbours, len(squares))
        near = self._within(squares, ordered[:, number - 1 : number])
        half = max(1, number // 2)
        nearest = self._within(squares, ordered[:, half - 1 : half])
        shared = [part @ part.T / part.detach().sum(dim=1, keepdim=True).clamp(min=1) for part in (near, 1 - near)]
        mutual = nearest * nearest.T
        found = mutual @ ((shared[0] + shared[1]) / 2 * near) / mutual.sum(dim=1, keepdim=True)
        return (found + found.T) / 2

    def _within(self, squares: Tensor, bound: Tensor) -> Tensor:
        """1 where a squared distance is within a bound and the slack, else 0, with a slope."""
        inside = (squares.detach() <= bound + self.slack).to(squares.dtype)
        return inside - _SLOPE * (squares - squares.detach())

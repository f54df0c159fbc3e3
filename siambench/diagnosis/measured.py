"""Embeddings and pairs → one row of measures. Pure functions of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Z = 1.96
"""Standard errors on either side of a 95 % interval."""

MOST_ITEMS = 256
"""Items of a probe: the pairs among them are counted."""


@dataclass(frozen=True)
class Auc:
    """How often a positive pair is nearer than a negative one.

    Args:
        value: ties counted half, in [0, 1].
        low: the lower end of its 95 % interval.
        high: the upper end.
        positives: how many positive pairs.
        negatives: how many negative ones.
    """

    value: float
    low: float
    high: float
    positives: int
    negatives: int

    @property
    def error(self) -> float:
        """Its standard error."""
        return (self.high - self.low) / 2 / Z

    @property
    def tells(self) -> bool:
        """Whether the interval leaves out a half."""
        return self.low > 0.5 or self.high < 0.5

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def auc_of(positive: Tensor, negative: Tensor, *, groups: tuple[Tensor, Tensor] | None = None) -> Auc | None:
    """The probability that a positive pair is nearer than a negative one, with its interval.

    Args:
        positive: distances of positive pairs, [P].
        negative: of negative pairs, [N].
        groups: the anchor of each positive and of each negative pair, int64 [P] and [N], where pairs share their anchors: the interval is
            then over anchors; None: pairs are independent.

    Returns:
        None where one of the two is empty, or a distance is not finite.

    Source:
        DeLong, DeLong, Clarke-Pearson, Comparing the Areas under Two or More Correlated ROC Curves, Biometrics 44, 1988.
    """
    positive, negative = positive.double(), negative.double()
    if not len(positive) or not len(negative) or not bool(torch.isfinite(positive).all() and torch.isfinite(negative).all()):
        return None
    of_positive, of_negative = _wins(positive, negative), 1 - _wins(negative, positive)
    value = float(of_positive.mean())
    if groups is not None:
        error = _over_anchors(positive, negative, groups)
    else:
        variance = _variance(of_positive) / len(positive) + _variance(of_negative) / len(negative)
        # Where all win, their variance is 0, and not what is known: the rule of three says how much that may be.
        error = max(math.sqrt(variance), _floor(value, min(len(positive), len(negative))))
    return Auc(value, max(0.0, value - Z * error), min(1.0, value + Z * error), len(positive), len(negative))


def _floor(value: float, number: int) -> float:
    return 3 / (number + 3) / (2 * Z) if value in (0.0, 1.0) else 0.0


def _wins(left: Tensor, right: Tensor) -> Tensor:
    """For each of the left the share of the right that is larger, ties counted half."""
    ordered = right.sort().values
    above = len(ordered) - torch.searchsorted(ordered, left, right=True)
    ties = torch.searchsorted(ordered, left, right=True) - torch.searchsorted(ordered, left)
    return (above + ties / 2).double() / len(ordered)


def _variance(values: Tensor) -> float:
    return float(values.var()) if len(values) > 1 else 0.25


def _over_anchors(positive: Tensor, negative: Tensor, groups: tuple[Tensor, Tensor]) -> float:
    of_anchor = [_by_anchor(*pair) for pair in ((positive, groups[0]), (negative, groups[1]))]
    anchors = [float(_wins(near, of_anchor[1][anchor]).mean()) for anchor, near in of_anchor[0].items() if anchor in of_anchor[1]]
    if len(anchors) < 2:
        return 0.5 / Z
    values = torch.tensor(anchors, dtype=torch.float64)
    return max(float(values.std()) / math.sqrt(len(anchors)), _floor(float(values.mean()), len(anchors)))


def _by_anchor(distances: Tensor, anchors: Tensor) -> dict[int, Tensor]:
    order = anchors.argsort(stable=True)
    numbers, counts = torch.unique_consecutive(anchors[order], return_counts=True)
    return dict(zip(numbers.tolist(), torch.split(distances[order], counts.tolist()), strict=True))


@dataclass(frozen=True)
class Tuples:
    """Which pairs of a probe are positive, and which are not, by the places of their items.

    Args:
        positive: int64 [2, P].
        negative: int64 [2, N].
        share_anchors: whether pairs share their first items.
    """

    positive: Tensor
    negative: Tensor
    share_anchors: bool

    def auc(self, distances_of: Tensor) -> Auc | None:
        """The AUC of distances between items, of which all of a pair's parts are rows of ``distances_of``, [I, D]."""
        positive, negative = self.distances(distances_of)
        return auc_of(positive, negative, groups=(self.positive[0], self.negative[0]) if self.share_anchors else None)

    def distances(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Euclidean distances of the positive and of the negative pairs."""
        flat = embeddings.detach().flatten(1).double()
        if self.share_anchors:
            # All pairs of some items: each distance once, and no list of differences, which would be as long as pairs are many.
            apart = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
            return apart[self.positive[0], self.positive[1]], apart[self.negative[0], self.negative[1]]
        near, far = (flat[pairs[0]] - flat[pairs[1]] for pairs in (self.positive, self.negative))
        return near.norm(dim=1), far.norm(dim=1)


def pairs_among(labels: Tensor) -> Tuples:
    """All pairs of items with labels, int64 [I]."""
    same = labels[:, None] == labels[None]
    own = torch.eye(len(labels), dtype=torch.bool)
    return Tuples((same & ~own).nonzero().T, (~same).nonzero().T, share_anchors=True)


def gradient_norm(gradients: Sequence[Tensor | None]) -> float | None:
    """L2 of all of them; None where there is none, or it is not finite."""
    known = [each.detach().double().norm() ** 2 for each in gradients if each is not None]
    if not known:
        return None
    value = math.sqrt(float(torch.stack(known).sum()))
    return value if math.isfinite(value) else None

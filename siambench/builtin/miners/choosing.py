"""The miners as modules. They give tuples in tensors whose shapes follow the batch alone; -1 marks a place without a tuple.

Embeddings are fp [B, D] of unit length, labels int64 [B].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from siambench.builtin.pairwise import all_pairs, distances
from siambench.builtin.sorted_negatives import sort_negatives
from siambench.interfaces import Indices, SortedTriplets


class Hard(nn.Module):
    """For each anchor with both its furthest positive and its nearest negative.

    Source:
        Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, arXiv 1703.07737.
    """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Three index tensors int64 [B]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        furthest = matrix.masked_fill(~positive, -math.inf).argmax(dim=1)
        nearest = matrix.masked_fill(~negative, math.inf).argmin(dim=1)
        return _where(positive.any(dim=1) & negative.any(dim=1), furthest, nearest)


class EasyPositiveHardNegative(nn.Module):
    """For each anchor with both its nearest positive and its nearest negative.

    Source:
        Xuan, Stylianou, Pless, Improved Embeddings with Easy Positive Triplet Mining, WACV 2020.
    """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Four index tensors int64 [B]."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        nearest = matrix.masked_fill(~positive, math.inf).argmin(dim=1)
        wrong = matrix.masked_fill(~negative, math.inf).argmin(dim=1)
        anchor, near, far = _where(positive.any(dim=1) & negative.any(dim=1), nearest, wrong)
        return anchor, near, anchor, far


def _where(there: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    anchor = torch.arange(len(there), device=there.device)
    return torch.where(there, anchor, -1), torch.where(there, positive, -1), torch.where(there, negative, -1)


class Semihard(nn.Module):
    """Every triplet with 0 < d(a, n) - d(a, p) <= margin, as runs of each anchor's sorted negatives.

    Args:
        margin: on the distance of unit vectors, which lies in [0, 2].

    Source:
        Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015.
    """

    def __init__(self, *, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> SortedTriplets:
        """Runs of negatives for every positive pair."""
        positive, negative = all_pairs(labels)
        matrix = distances(embeddings).matrix
        values, order = sort_negatives(matrix, negative)
        near = matrix.masked_fill(~positive, -math.inf)
        start = torch.searchsorted(values, near, right=True)
        stop = torch.searchsorted(values, near + self.margin, right=True)
        return SortedTriplets(order=order, distances=values, start=start, stop=stop)


class MultiSimilarity(nn.Module):
    """Negatives with s + epsilon above the anchor's least similar positive, positives with s - epsilon below its most similar negative.

    Args:
        epsilon: on the cosine.

    Source:
        Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, CVPR 2019, eq. 11 and 12.
    """

    def __init__(self, *, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Four index tensors int64 [B²]."""
        positive, negative = all_pairs(labels)
        cosines = embeddings @ embeddings.T
        least = cosines.masked_fill(~positive, math.inf).amin(dim=1, keepdim=True)
        most = cosines.masked_fill(~negative, -math.inf).amax(dim=1, keepdim=True)
        near = positive & (cosines - self.epsilon < most)
        far = negative & (cosines + self.epsilon > least)
        return *_listed(near), *_listed(far)


def _listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each place of a mask, bool [B, B], and -1 where it is not chosen; int64 [B²] each."""
    place = torch.arange(len(chosen), device=chosen.device)
    return torch.where(chosen, place[:, None], -1).flatten(), torch.where(chosen, place, -1).flatten()


class DistanceWeighted(nn.Module):
    """For each positive pair a negative, drawn with weights inverse to the density of its distance on the unit sphere.

    The weights are compared within the anchor's row, in logarithms: they are right in fp32 whatever D is. Draws come from torch's global
    generator.

    Args:
        cutoff: nearer negatives are drawn as if they were that far.
        nonzero_loss_cutoff: negatives that far are not drawn.

    Source:
        Wu, Manmatha, Smola, Krähenbühl, Sampling Matters in Deep Embedding Learning, ICCV 2017, eq. 4.
    """

    def __init__(self, *, cutoff: float, nonzero_loss_cutoff: float) -> None:
        super().__init__()
        self.cutoff, self.limit = cutoff, nonzero_loss_cutoff

    def forward(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """Three index tensors int64 [B²]."""
        positive, negative = all_pairs(labels)
        size = embeddings.shape[1]
        apart = distances(embeddings).matrix.clamp(min=self.cutoff)
        logs = (2.0 - size) * apart.log() - 0.5 * (size - 3) * (1 - 0.25 * apart.square()).log()
        # Opposite points have a density of 0, or rounding puts them beyond 2.
        logs = logs.masked_fill(~negative | (apart >= self.limit) | ~logs.isfinite(), -math.inf)
        weights = (logs - logs.amax(dim=1, keepdim=True).clamp(min=torch.finfo(logs.dtype).min)).exp()
        # A product with a triangle of ones adds up in an order that does not depend on the device's mood, as cumsum's may.
        below = weights @ torch.ones_like(weights).triu()
        at = torch.rand_like(weights) * below[:, -1:]
        drawn = torch.searchsorted(below, at, right=True).clamp(max=len(labels) - 1)
        there = positive & (weights.gather(1, drawn) > 0)
        anchor, near = _listed(there)
        return anchor, near, torch.where(there, drawn, -1).flatten()

"""Miners that choose among the tuples of one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, MinerEntry

if TYPE_CHECKING:
    from torch import nn


def none() -> None:
    """No mining: the loss sees every tuple of the batch."""


def hard() -> nn.Module:
    """For each anchor its furthest positive and its nearest negative."""
    from siambench.builtin.miners.choosing import Hard

    return Hard()


def semihard(margin: float) -> nn.Module:
    """Triplets whose negative is further than the positive, by less than ``margin``."""
    from siambench.builtin.miners.choosing import Semihard

    return Semihard(margin=margin)


def easy_positive_hard_negative() -> nn.Module:
    """For each anchor its nearest positive and its nearest negative."""
    from siambench.builtin.miners.choosing import EasyPositiveHardNegative

    return EasyPositiveHardNegative()


def multi_similarity(epsilon: float) -> nn.Module:
    """Negatives more similar than the least similar positive less ``epsilon``; positives likewise."""
    from siambench.builtin.miners.choosing import MultiSimilarity

    return MultiSimilarity(epsilon=epsilon)


def distance_weighted(cutoff: float, nonzero_loss_cutoff: float) -> nn.Module:
    """For each positive pair a negative, drawn with weights inverse to the density of its distance on the sphere."""
    from siambench.builtin.miners.choosing import DistanceWeighted

    return DistanceWeighted(cutoff=cutoff, nonzero_loss_cutoff=nonzero_loss_cutoff)


ENTRIES = {
    "none": MinerEntry(none, source="every tuple of the batch"),
    "hard": MinerEntry(
        hard,
        warmup=0.33,
        source="Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, arXiv 1703.07737",
    ),
    "semihard": MinerEntry(
        semihard,
        space={"margin": Float(0.02, 0.7, log=True)},
        defaults={"margin": 0.2},
        space_source="default: FaceNet's margin, here on distances that are not squared; space: that of the loss triplet",
        space_version=2,
        source="Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015",
    ),
    "easy-positive-hard-negative": MinerEntry(
        easy_positive_hard_negative,
        gives="pairs",
        warmup=0.33,
        source="Xuan, Stylianou, Pless, Improved Embeddings with Easy Positive Triplet Mining, WACV 2020",
    ),
    "multi-similarity": MinerEntry(
        multi_similarity,
        space={"epsilon": Float(0.0, 0.5)},
        defaults={"epsilon": 0.1},
        spaces={"reality-check": {"epsilon": Float(0.0, 1.0)}},
        space_source="default: Wang et al.; space: up to half of what separates equal from unrelated vectors",
        space_version=2,
        gives="pairs",
        source="Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, CVPR 2019",
    ),
    "distance-weighted": MinerEntry(
        distance_weighted,
        space={"cutoff": Float(0.2, 1.0), "nonzero_loss_cutoff": Float(1.1, 1.8)},
        defaults={"cutoff": 0.5, "nonzero_loss_cutoff": 1.4},
        space_source=(
            "defaults: the code of Wu et al.; space: around both, so that the nearer bound is always below the further, on either side of "
            "the square root of 2, where unrelated vectors lie"
        ),
        space_version=2,
        source="Wu, Manmatha, Smola, Krähenbühl, Sampling Matters in Deep Embedding Learning, ICCV 2017",
    ),
}
"""By name."""

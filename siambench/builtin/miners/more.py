"""Further miners that choose among the tuples of one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, Int, MinerEntry

if TYPE_CHECKING:
    from torch import nn

_MARGIN = Float(0.02, 0.7, log=True)
_EASY_POSITIVE = "Xuan, Stylianou, Pless, Improved Embeddings with Easy Positive Triplet Mining, WACV 2020"


def triplet_margin(margin: float) -> nn.Module:
    """Triplets that violate a margin: the negative is not further than the positive's distance and the margin."""
    from siambench.builtin.miners.picking import TripletMargin

    return TripletMargin(margin=margin, kind="all")


def triplet_margin_hard() -> nn.Module:
    """Triplets whose negative is not even further than the positive: they violate any margin."""
    from siambench.builtin.miners.picking import TripletMargin

    return TripletMargin(margin=0.0, kind="all")


def triplet_margin_easy(margin: float) -> nn.Module:
    """Triplets that do not violate a margin."""
    from siambench.builtin.miners.picking import TripletMargin

    return TripletMargin(margin=margin, kind="easy")


def pair_margin(pos_margin: float, neg_margin: float) -> nn.Module:
    """Positive pairs further than one margin, negative pairs nearer than another."""
    from siambench.builtin.miners.picking import PairMargin

    return PairMargin(pos_margin=pos_margin, neg_margin=neg_margin)


def hardest_share(share: float) -> nn.Module:
    """The hardest share of the positive pairs and of the negative pairs of a batch."""
    from siambench.builtin.miners.picking import HardestShare

    return HardestShare(share=share)


def uniform_histogram(bins: int, per_bin: int) -> nn.Module:
    """As many pairs from each bin of the distances, positive and negative ones apart."""
    from siambench.builtin.miners.picking import UniformHistogram

    return UniformHistogram(bins=bins, per_bin=per_bin)


def angular(angle: float) -> nn.Module:
    """Triplets whose angle at the negative is larger than a bound; it takes memory for B³ of them."""
    from siambench.builtin.miners.picking import Angular

    return Angular(angle=angle)


def easy_positive_semihard_negative() -> nn.Module:
    """For each anchor its nearest positive and the nearest negative that is further."""
    from siambench.builtin.miners.picking import BatchEasyHard

    return BatchEasyHard(positive="easy", negative="semihard")


def hard_positive_semihard_negative() -> nn.Module:
    """For each anchor its furthest positive and the nearest negative that is further."""
    from siambench.builtin.miners.picking import BatchEasyHard

    return BatchEasyHard(positive="hard", negative="semihard")


def semihard_positive_hard_negative() -> nn.Module:
    """For each anchor its nearest negative and the furthest positive that is nearer."""
    from siambench.builtin.miners.picking import BatchEasyHard

    return BatchEasyHard(positive="semihard", negative="hard")


def semihard_nearest() -> nn.Module:
    """For each positive pair the nearest negative that is further, or where there is none the furthest negative."""
    from siambench.builtin.miners.picking import SemihardNearest

    return SemihardNearest()


ENTRIES = {
    "triplet-margin": MinerEntry(
        triplet_margin,
        space={"margin": _MARGIN},
        defaults={"margin": 0.2},
        space_source="default: pytorch-metric-learning's; space: that of the loss triplet",
        source="Weinberger, Saul, Distance Metric Learning for Large Margin Nearest Neighbor Classification, JMLR 2009: active constraints",
    ),
    "triplet-margin-hard": MinerEntry(
        triplet_margin_hard,
        warmup=0.33,
        source="Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015: hard exemplars",
    ),
    "triplet-margin-easy": MinerEntry(
        triplet_margin_easy,
        space={"margin": _MARGIN},
        defaults={"margin": 0.2},
        space_source="as triplet-margin",
        source="pytorch-metric-learning's TripletMarginMiner: the triplets that the others leave",
    ),
    "pair-margin": MinerEntry(
        pair_margin,
        space={"pos_margin": Float(0.0, 0.6), "neg_margin": Float(0.6, 1.4)},
        defaults={"pos_margin": 0.2, "neg_margin": 0.8},
        space_source="defaults: pytorch-metric-learning's; space: either side of them, up to where unrelated vectors lie",
        gives="pairs",
        source="Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006: pairs within the margin",
    ),
    "hdc": MinerEntry(
        hardest_share,
        space={"share": Float(0.1, 1.0)},
        defaults={"share": 0.5},
        space_source="default: half, as pytorch-metric-learning has it; space: from a tenth, at which few pairs are left, to all",
        gives="pairs",
        source="Yuan, Yang, Zhang, Hard-Aware Deeply Cascaded Embedding, ICCV 2017",
    ),
    "uniform-histogram": MinerEntry(
        uniform_histogram,
        space={"bins": Int(10, 200), "per_bin": Int(2, 20)},
        defaults={"bins": 100, "per_bin": 10},
        space_source="defaults: pytorch-metric-learning's; space: from a tenth to twice of both",
        gives="pairs",
        source="the UniformHistogramMiner of pytorch-metric-learning",
    ),
    "angular": MinerEntry(
        angular,
        space={"angle": Float(10.0, 40.0)},
        defaults={"angle": 20.0},
        space_source="default: pytorch-metric-learning's; space: half of it up to twice",
        source="Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, ICCV 2017",
    ),
    "easy-positive-semihard-negative": MinerEntry(easy_positive_semihard_negative, gives="pairs", source=_EASY_POSITIVE),
    "hard-positive-semihard-negative": MinerEntry(hard_positive_semihard_negative, gives="pairs", source=_EASY_POSITIVE),
    "semihard-positive-hard-negative": MinerEntry(
        semihard_positive_hard_negative, gives="pairs", source="pytorch-metric-learning's BatchEasyHardMiner of these strategies"
    ),
    "semihard-nearest": MinerEntry(
        semihard_nearest,
        source="Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015; one negative a pair, as in TensorFlow Addons' TripletSemiHardLoss",
    ),
}
"""By name."""

"""Losses that weigh every pair of a batch against all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def ntxent(temperature: float) -> nn.Module:
    """Softmax cross-entropy of each positive pair against the anchor's negatives."""
    from siambench.builtin.losses.forms.ntxent import NTXent

    return NTXent(temperature=temperature)


def supcon(temperature: float) -> nn.Module:
    """As ntxent, with every positive in the denominator and the mean over positives outside the logarithm."""
    from siambench.builtin.losses.forms.supcon import SupCon

    return SupCon(temperature=temperature)


def multi_similarity(alpha: float, beta: float, base: float) -> nn.Module:
    """Soft-weighted positives (``alpha``) and negatives (``beta``) around the similarity ``base``."""
    from siambench.builtin.losses.forms.multi_similarity import MultiSimilarity

    return MultiSimilarity(alpha=alpha, beta=beta, base=base)


ENTRIES = {
    "ntxent": LossEntry(
        ntxent,
        space={"temperature": Float(0.02, 1.0, log=True)},
        defaults={"temperature": 0.1},
        spaces={"reality-check": {"temperature": Float(1e-4, 100.0, log=True)}},
        space_source=(
            "Chen et al. compare 0.05, 0.1, 0.5 and 1, and 0.1 is best; space: that grid, and to 0.02 below, where a difference of 0.1 "
            "in cosine is one of 5 in the exponent"
        ),
        space_version=2,
        takes="pairs",
        feeds=("classes", "views"),
        source="Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning, ICML 2020",
        equation="eq. 1: -log(exp(s_ij / T) / sum over k != i of exp(s_ik / T))",
        distance="cosine",
        reducer="mean over the positive pairs",
        differs=(
            "an item may have several positives, each a term of its own, whose denominator holds that positive and the negatives alone",
            "it is 0 on a batch of one class",
        ),
    ),
    "supcon": LossEntry(
        supcon,
        space={"temperature": Float(0.02, 1.0, log=True)},
        defaults={"temperature": 0.1},
        space_source="default: Khosla et al.; space: that of ntxent, from which it differs in where the mean over positives stands",
        space_version=2,
        takes="pairs",
        feeds=("classes", "views"),
        source="Khosla et al., Supervised Contrastive Learning, NeurIPS 2020",
        equation="eq. 2: mean over positives of -log(exp(z_i . z_p / T) / sum over a != i of exp(z_i . z_a / T))",
        distance="cosine",
        reducer="mean over the items whose value is not 0",
        differs=(
            "items without a positive are left out of the mean; the paper sums over all, each of which has one",
            "it is 0 on a batch of one class",
        ),
    ),
    "multi-similarity": LossEntry(
        multi_similarity,
        space={"alpha": Float(0.5, 20.0, log=True), "beta": Float(10.0, 100.0, log=True), "base": Float(0.2, 0.8)},
        defaults={"alpha": 2.0, "beta": 50.0, "base": 0.5},
        spaces={"reality-check": {"alpha": Float(0.01, 100.0), "beta": Float(0.01, 100.0), "base": Float(0.0, 1.0)}},
        space_source=(
            "defaults: alpha and beta of Wang et al., base of their code; space: alpha from a quarter to ten times that, beta from a fifth "
            "to twice, a base at which neither all positives nor all negatives lie on one side"
        ),
        space_version=2,
        takes="pairs",
        feeds=("classes", "views"),
        source="Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, CVPR 2019",
        equation="eq. 15: log(1 + sum exp(-alpha (s - base))) / alpha + log(1 + sum exp(beta (s - base))) / beta",
        distance="cosine",
        reducer="mean over the items",
        differs=("the weighting alone: the paper's mining of pairs is the miner multi-similarity",),
    ),
}
"""By name."""

"""Losses that were made for two views of each item; those that form pairs take classes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def dcl(temperature: float) -> nn.Module:
    """As ntxent, with the positive left out of the denominator."""
    from siambench.builtin.losses.forms.dcl import DCL

    return DCL(temperature=temperature)


def dclw(temperature: float, concentration: float) -> nn.Module:
    """As dcl, with positive pairs that are near already pulled less."""
    from siambench.builtin.losses.forms.dcl import DCL

    return DCL(temperature=temperature, concentration=concentration)


def sigmoid(scale: float, bias: float) -> nn.Module:
    """Each pair is genuine or not by a logistic function of its cosine, whose scale and bias are learned."""
    from siambench.builtin.losses.forms.sigmoid import Sigmoid

    return Sigmoid(scale=scale, bias=bias)


def vicreg(invariance: float, variance: float, covariance: float) -> nn.Module:
    """Two views near each other, while each coordinate varies and no two are correlated."""
    from siambench.builtin.losses.forms.vicreg import VICReg

    return VICReg(invariance=invariance, variance=variance, covariance=covariance)


def barlow_twins(redundancy: float) -> nn.Module:
    """The correlations between the coordinates of two views are the identity."""
    from siambench.builtin.losses.forms.barlow_twins import BarlowTwins

    return BarlowTwins(redundancy=redundancy)


_PAIRED = "the views of an item are paired as the first and the second of a label, wherever they stand; an item left over is of no pair"

_PROJECTOR = "the projector has three layers of 256; the paper's have 8192 each, behind a trunk of 2048 features"

ENTRIES = {
    "dcl": LossEntry(
        dcl,
        space={"temperature": Float(0.02, 1.0, log=True)},
        defaults={"temperature": 0.1},
        space_source="default: the code for DCL; space: that of ntxent, from which it differs by one term",
        takes="pairs",
        feeds=("classes", "views"),
        source="Yeh, Hong, Hsu, Liu, Chen, LeCun, Decoupled Contrastive Learning, ECCV 2022",
        equation="-s_ij / T + log sum over all k that are no view of i's item of exp(s_ik / T)",
        needs="in the paper, a projector behind the backbone that is left away afterwards, that of SimCLR",
        distance="cosine",
        reducer="mean over the positive pairs",
        differs=("an item may have several positives, each a term of its own, over the items of other classes",),
    ),
    "dclw": LossEntry(
        dclw,
        space={"temperature": Float(0.02, 1.0, log=True), "concentration": Float(0.1, 2.0, log=True)},
        defaults={"temperature": 0.1, "concentration": 0.5},
        space_source=(
            "defaults: those of the code for DCLW; space: the temperatures of ntxent, and a concentration from a fifth of the default, "
            "where the nearest pairs are pushed off, to four times that, where all weigh about the same"
        ),
        takes="pairs",
        feeds=("classes", "views"),
        source="Yeh, Hong, Hsu, Liu, Chen, LeCun, Decoupled Contrastive Learning, ECCV 2022",
        equation=(
            "-w s_ij / T + log sum over all k that are no view of i's item of exp(s_ik / T), "
            "w = 2 - exp(s_ij / sigma) / mean of exp(s / sigma)"
        ),
        needs="in the paper, a projector behind the backbone that is left away afterwards, that of SimCLR",
        distance="cosine",
        reducer="mean over the positive pairs",
        differs=(
            "an item may have several positives, each a term of its own, over the items of other classes",
            "the mean in the weight is over the positive pairs of the batch, as in the code",
        ),
    ),
    "sigmoid": LossEntry(
        sigmoid,
        space={"scale": Float(1.0, 100.0, log=True), "bias": Float(-20.0, 0.0)},
        defaults={"scale": 10.0, "bias": -10.0},
        space_source="defaults: Zhai et al.; space: a tenth to ten times their scale, no bias to twice theirs; learning starts there",
        takes="pairs",
        own_parameters=True,
        feeds=("classes", "pairs", "views"),
        source="Zhai, Mustafa, Kolesnikov, Beyer, Sigmoid Loss for Language Image Pre-Training, ICCV 2023",
        equation="sum over pairs of log(1 + exp(-z (t s + b))) over the number of items, z = 1 for positives and -1 for negatives",
        distance="cosine",
        reducer="sum over the pairs, over the number of items",
        differs=(
            "pairs are those of a batch with itself, each in both orders and no item with itself; the paper pairs images with texts",
            "an item may have several positives",
        ),
    ),
    "vicreg": LossEntry(
        vicreg,
        space={
            "invariance": Float(1.0, 100.0, log=True),
            "variance": Float(1.0, 100.0, log=True),
            "covariance": Float(0.1, 10.0, log=True),
        },
        defaults={"invariance": 25.0, "variance": 25.0, "covariance": 1.0},
        space_source="defaults: Bardes et al.; space: a twenty-fifth to four times two weights, a tenth to ten times the third",
        images_per_class=2,
        normalise=False,
        feeds=("views",),
        source="Bardes, Ponce, LeCun, VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning, ICLR 2022",
        equation=(
            "lambda |z - z'|^2 / (n D) + mu (mean of max(0, 1 - sqrt(var + 1e-4)) over coordinates, mean of both views) "
            "+ nu (sum of squared covariances of two coordinates, over D, sum of both views)"
        ),
        needs="two views of each item",
        distance="Euclidean, squared, before normalisation",
        reducer="mean over the pairs of views and the coordinates",
        differs=(_PAIRED, _PROJECTOR),
        projector=(256, 256, 256),
    ),
    "barlow-twins": LossEntry(
        barlow_twins,
        space={"redundancy": Float(5e-4, 0.05, log=True)},
        defaults={"redundancy": 0.0051},
        space_source="default: the code of Zbontar et al.; space: a tenth to ten times that",
        images_per_class=2,
        normalise=False,
        feeds=("views",),
        source="Zbontar, Jing, Misra, LeCun, Deny, Barlow Twins: Self-Supervised Learning via Redundancy Reduction, ICML 2021",
        equation="sum of (1 - c_ii)^2 + lambda sum over i != j of c_ij^2, c the correlations of one view's coordinates with the other's",
        needs="two views of each item",
        distance="correlation of coordinates over the batch, before normalisation",
        reducer="sum over the pairs of coordinates",
        differs=(_PAIRED, _PROJECTOR),
        projector=(256, 256, 256),
    ),
}
"""By name."""

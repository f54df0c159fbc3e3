"""Losses of pairs, triplets and larger tuples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def contrastive(pos_margin: float, neg_margin: float) -> nn.Module:
    """Positive distances above ``pos_margin`` and negative ones below ``neg_margin`` cost."""
    from siambench.builtin.losses.forms.contrastive import Contrastive

    return Contrastive(pos_margin=pos_margin, neg_margin=neg_margin)


def triplet(margin: float) -> nn.Module:
    """Hinge on d(anchor, positive) - d(anchor, negative) + margin, mean over the triplets that violate it."""
    from siambench.builtin.losses.forms.triplet import Triplet

    return Triplet(margin=margin)


def npair(l2_weight: float) -> nn.Module:
    """One pair of each class; inner products of embeddings that are not normalised, their norms held by a penalty."""
    from siambench.builtin.losses.forms.npair import NPair

    return NPair(l2_weight=l2_weight)


def angular(alpha: float) -> nn.Module:
    """The angle at the negative of each triangle is bounded by ``alpha`` degrees."""
    from siambench.builtin.losses.forms.angular import Angular

    return Angular(alpha=alpha)


ENTRIES = {
    "contrastive": LossEntry(
        contrastive,
        space={"pos_margin": Float(0.0, 0.4), "neg_margin": Float(0.4, 1.4)},
        defaults={"pos_margin": 0.0, "neg_margin": 1.0},
        spaces={"reality-check": {"pos_margin": Float(-0.2, 2.0), "neg_margin": Float(-0.2, 2.0)}},
        space_source=(
            "distances of unit vectors lie in [0, 2], those of unrelated ones at the square root of 2, beyond which no margin parts all; "
            "positives are let go before negatives are held off; defaults: Hadsell et al. have no margin for positives, "
            "1 is pytorch-metric-learning's"
        ),
        space_version=2,
        takes="pairs",
        feeds=("classes", "pairs", "triplets", "views"),
        source="Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006",
        equation="eq. 4: (1 - Y) d^2 / 2 + Y max(0, m - d)^2 / 2",
        distance="Euclidean between unit vectors",
        reducer="mean over the genuine pairs that cost, plus mean over the impostor pairs that cost",
        differs=(
            "distances cost linearly, max(0, d - pos_margin) and max(0, neg_margin - d); the paper has d^2 / 2 and max(0, m - d)^2 / 2",
            "genuine pairs have a margin of their own; in the paper it is 0",
            "pairs that cost nothing are left out of the means; the paper sums over all",
            "an image and its duplicate are at distance 0: they neither cost nor pull",
        ),
    ),
    "triplet": LossEntry(
        triplet,
        space={"margin": Float(0.02, 0.7, log=True)},
        defaults={"margin": 0.1},
        spaces={"reality-check": {"margin": Float(-0.2, 2.0)}},
        space_source=(
            "default: FaceNet's 0.2 is on squared distances, which at distances about 1 is 0.1 on distances; space: from a fifth to seven "
            "times that, half of the way from 0 to where unrelated vectors lie"
        ),
        space_version=2,
        takes="triplets",
        feeds=("classes", "triplets", "views"),
        source="Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015",
        equation="eq. 3: max(0, |a - p|^2 - |a - n|^2 + margin)",
        distance="Euclidean between unit vectors",
        reducer="mean over the triplets that violate the margin",
        differs=(
            "distances are not squared; the paper squares them",
            "triplets that do not violate the margin are left out of the mean; the paper sums over all",
        ),
    ),
    "npair": LossEntry(
        npair,
        space={"l2_weight": Float(1e-4, 3e-2, log=True)},
        defaults={"l2_weight": 2e-3},
        space_source="default: reg_lambda of TensorFlow 1's npairs_loss; space: more than a decade to either side",
        space_version=2,
        images_per_class=2,
        normalise=False,
        source="Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016",
        equation="eq. 7: log(1 + sum over j != i of exp(f_i . f_j+ - f_i . f_i+))",
        distance="inner product of embeddings that are not normalised",
        reducer="mean over one pair of each class, its first two items in a batch, plus l2_weight times the batch's mean squared norm",
    ),
    "angular": LossEntry(
        angular,
        space={"alpha": Float(25.0, 60.0)},
        defaults={"alpha": 45.0},
        space_source="default: Wang et al., who try 36 to 55 degrees; space: that range, and some degrees to either side",
        space_version=2,
        images_per_class=2,
        source="Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, ICCV 2017",
        equation="eq. 8: log(1 + sum over n of exp(4 tan^2 alpha (a + p) . n - 2 (1 + tan^2 alpha) a . p))",
        distance="inner product of unit vectors",
        reducer="mean over the positive pairs, each against all negatives of its anchor",
        differs=("the angular term alone, log(1 + sum over negatives); the paper also adds it to the N-pair loss with a weight lambda",),
    ),
}
"""By name."""

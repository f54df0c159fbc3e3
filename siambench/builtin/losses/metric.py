"""Losses of pairs, tuples, ranks and histograms of a whole batch, beyond those of `tuples` and `softmax`.

The dynamic soft margin loss of pytorch-metric-learning is left out: there its second step raises, so that there is no form to hold
another one against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, Int, LossEntry

if TYPE_CHECKING:
    from torch import nn


def circle(margin: float, gamma: float) -> nn.Module:
    """Pairs weighted by how far each is from its optimum, which makes the boundary a circle."""
    from siambench.builtin.losses.forms.circle import Circle

    return Circle(margin=margin, gamma=gamma)


def margin_fixed(margin: float, beta: float) -> nn.Module:
    """Positive pairs beyond ``beta`` less ``margin`` cost, and negative ones within ``beta`` plus ``margin``."""
    from siambench.builtin.losses.forms.margin import Margin

    return Margin(margin=margin, beta=beta)


def margin_learned(margin: float, beta: float, nu: float, num_classes: int, *, per_class: bool) -> nn.Module:
    """As margin, with the boundary learned, one of each class or one for all, from ``beta`` on."""
    from siambench.builtin.losses.forms.margin import LearnedMargin

    return LearnedMargin(margin=margin, beta=beta, nu=nu, num_classes=num_classes if per_class else None)


def lifted(neg_margin: float, pos_margin: float) -> nn.Module:
    """Each positive pair against all negatives of its two items."""
    from siambench.builtin.losses.forms.lifted import Lifted

    return Lifted(neg_margin=neg_margin, pos_margin=pos_margin)


def generalised_lifted(neg_margin: float, pos_margin: float) -> nn.Module:
    """All positives of an item against all its negatives, softly the furthest and the nearest."""
    from siambench.builtin.losses.forms.generalised_lifted import GeneralisedLifted

    return GeneralisedLifted(neg_margin=neg_margin, pos_margin=pos_margin)


def snr_contrastive(pos_margin: float, neg_margin: float, reg_weight: float) -> nn.Module:
    """Contrastive loss of the noise of a pair over the signal of its anchor."""
    from siambench.builtin.losses.forms.snr_contrastive import SNRContrastive

    return SNRContrastive(pos_margin=pos_margin, neg_margin=neg_margin, reg_weight=reg_weight)


def tuplet_margin(margin: float, scale: float) -> nn.Module:
    """Softmax of each positive pair, ``margin`` degrees taken off its angle, against the anchor's negatives."""
    from siambench.builtin.losses.forms.tuplet_margin import TupletMargin

    return TupletMargin(margin=margin, scale=scale)


def nca(softmax_scale: float) -> nn.Module:
    """The probability that a neighbour drawn by distance is of the same class."""
    from siambench.builtin.losses.forms.nca import NCA

    return NCA(softmax_scale=softmax_scale)


def instance(gamma: float) -> nn.Module:
    """Softmax among the batch's class means, each being its own target."""
    from siambench.builtin.losses.forms.instance import Instance

    return Instance(gamma=gamma)


def ranked_list(margin: float, negative_temperature: float, positive_temperature: float, imbalance: float) -> nn.Module:
    """Positives are drawn into a sphere, negatives pushed out of one that is ``margin`` wider."""
    from siambench.builtin.losses.forms.ranked_list import RankedList

    return RankedList(
        margin=margin, negative_temperature=negative_temperature, positive_temperature=positive_temperature, imbalance=imbalance
    )


def fastap(num_bins: int) -> nn.Module:
    """Average precision from histograms of distances."""
    from siambench.builtin.losses.forms.fastap import FastAP

    return FastAP(num_bins=num_bins)


def histogram(num_bins: int) -> nn.Module:
    """The probability that an impostor pair is more similar than a genuine one, from histograms."""
    from siambench.builtin.losses.forms.histogram import Histogram

    return Histogram(num_bins=num_bins)


def smooth_ap(temperature: float) -> nn.Module:
    """Average precision with a sigmoid in the place of each comparison."""
    from siambench.builtin.losses.forms.smooth_ap import SmoothAP

    return SmoothAP(temperature=temperature)


def pnp(alpha: float, temperature: float, b: float, variant: str) -> nn.Module:
    """The negatives before each positive, counted by a sigmoid and weighed by a function of their number."""
    from siambench.builtin.losses.forms.pnp import PNP

    return PNP(variant=variant, temperature=temperature, alpha=alpha, b=b)


def manifold(alpha: float, margin: float, context_weight: float, num_proxies: int, num_classes: int, embedding_size: int) -> nn.Module:
    """N-pair losses of the similarities to proxies that a random walk gives."""
    from siambench.builtin.losses.forms.manifold import Manifold

    return Manifold(
        num_classes=num_classes,
        embedding_size=embedding_size,
        num_proxies=num_proxies,
        alpha=alpha,
        margin=margin,
        context_weight=context_weight,
    )


_UNIT = "Euclidean between unit vectors"
_SEVERAL = "batches with several items of each class"
_WU = "Wu, Manmatha, Smola, Krähenbühl, Sampling Matters in Deep Embedding Learning, ICCV 2017"
_MARGIN_SPACE = {"margin": Float(0.0, 0.4), "beta": Float(0.6, 1.4)}
_MARGIN_SOURCE = (
    "defaults: those of Wu et al.'s code; space: no margin to twice theirs, and half of theirs to where unrelated vectors lie, the "
    "square root of 2"
)
_LIFTED_SPACE = {"neg_margin": Float(0.4, 1.4), "pos_margin": Float(0.0, 0.4)}
_LIFTED_SOURCE = "defaults: a margin of 1 for negatives and none for positives, as pytorch-metric-learning; space: that of contrastive"

ENTRIES = {
    "circle": LossEntry(
        circle,
        space={"margin": Float(0.1, 0.6), "gamma": Float(8.0, 512.0, log=True)},
        defaults={"margin": 0.4, "gamma": 80.0},
        space_source=(
            "defaults: those of Sun et al. for fine-grained retrieval, as pytorch-metric-learning gives them; space: their 0.25 and 0.4 "
            "and as much to either side, gamma from a tenth of that to twice the 256 of faces"
        ),
        takes="pairs",
        feeds=("classes", "triplets", "views"),
        source="Sun et al., Circle Loss: A Unified Perspective of Pair Similarity Optimization, CVPR 2020",
        equation=(
            "log(1 + sum over n of exp(gamma [s_n + m]+ (s_n - m)) * sum over p of exp(-gamma [1 + m - s_p]+ (s_p - 1 + m))), the brackets "
            "without a gradient"
        ),
        needs=_SEVERAL,
        distance="cosine",
        reducer="mean over the items with a positive and a negative",
    ),
    "margin": LossEntry(
        margin_fixed,
        space=_MARGIN_SPACE,
        defaults={"margin": 0.2, "beta": 1.2},
        space_source=_MARGIN_SOURCE,
        takes="pairs",
        feeds=("classes", "pairs", "triplets", "views"),
        source=_WU,
        equation="max(0, margin + y (d - beta)), y = 1 of a positive pair and -1 of a negative one",
        distance=_UNIT,
        reducer="sum over all pairs, divided by the number of those that cost",
        differs=("the loss alone: the paper's sampling is the miner distance-weighted", "beta is fixed; it is learned in margin-learned"),
    ),
    "margin-learned": LossEntry(
        margin_learned,
        space=_MARGIN_SPACE,
        defaults={"margin": 0.2, "beta": 1.2, "nu": 0.0, "per_class": True},
        spaces={"reality-check": {"margin": Float(-0.2, 2.0), "beta": Float(-0.2, 2.0)}},
        space_source=_MARGIN_SOURCE + "; beta is what it starts from, nu and a beta of each class, as there, are not tuned",
        takes="pairs",
        own_parameters=True,
        source=_WU,
        equation="max(0, margin + y (d - beta_c)) + nu beta_c, c being the anchor's class, beta_c a parameter",
        distance=_UNIT,
        reducer="sum over all pairs, divided by the number of those that cost",
        differs=(
            "the loss alone: the paper's sampling is the miner distance-weighted",
            "nu beta counts for each positive pair, as in the paper's code",
            "a beta of each item, which the paper has too, is left out",
        ),
    ),
    "lifted": LossEntry(
        lifted,
        space=_LIFTED_SPACE,
        defaults={"neg_margin": 1.0, "pos_margin": 0.0},
        space_source=_LIFTED_SOURCE,
        takes="pairs",
        feeds=("classes", "triplets", "views"),
        source="Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
        equation=(
            "max(0, d_ij + log(sum over the negatives k of i of exp(m - d_ik) + sum over the negatives l of j of exp(m - d_jl)))^2 / 2"
        ),
        needs=_SEVERAL,
        distance=_UNIT,
        reducer="mean over the positive pairs",
        differs=(
            "positive distances have a margin of their own; in the paper it is 0",
            "embeddings are of unit length; the paper's are not",
        ),
    ),
    "gen-lifted": LossEntry(
        generalised_lifted,
        space=_LIFTED_SPACE,
        defaults={"neg_margin": 1.0, "pos_margin": 0.0},
        space_source=_LIFTED_SOURCE,
        takes="pairs",
        feeds=("classes", "triplets", "views"),
        source="Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, arXiv 2017",
        equation="max(0, log(sum over p of exp(d_ap)) + log(sum over n of exp(m - d_an)))",
        needs=_SEVERAL,
        distance=_UNIT,
        reducer="mean over the items with a positive and a negative",
        differs=("positive distances have a margin of their own; in the paper it is 0", "the mean over anchors; the paper has their sum"),
    ),
    "snr-contrastive": LossEntry(
        snr_contrastive,
        space={"pos_margin": Float(0.0, 0.4), "neg_margin": Float(0.4, 2.0), "reg_weight": Float(0.0, 1.0)},
        defaults={"pos_margin": 0.0, "neg_margin": 1.0, "reg_weight": 0.1},
        spaces={"reality-check": {"pos_margin": Float(0.0, 2.0), "neg_margin": Float(0.0, 2.0), "reg_weight": Float(0.0, 1.0)}},
        space_source=(
            "default margins: pytorch-metric-learning's; the weight's is ours, a tenth of the range that the Reality Check searched; "
            "space: margins to 2, the ratio of unrelated vectors of one length"
        ),
        takes="pairs",
        feeds=("classes", "pairs", "triplets", "views"),
        source="Yuan, Deng, Tang, Tang, Chen, Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric Learning, CVPR 2019",
        equation=(
            "max(0, r_ap - pos_margin) and max(0, neg_margin - r_an), r_ab = var(a - b) / var(a), plus reg_weight |sum of x's dimensions|"
        ),
        distance="variance of the difference over the variance of the anchor",
        reducer="mean over the positive pairs that cost, plus mean over the negative ones that cost, plus the penalty's mean over items",
        differs=(
            "embeddings are of unit length",
            "pairs that cost nothing are left out of the means",
            "pairs whose anchor has no variance do not count",
        ),
    ),
    "tuplet-margin": LossEntry(
        tuplet_margin,
        space={"margin": Float(0.0, 20.0), "scale": Float(8.0, 128.0, log=True)},
        defaults={"margin": 5.73, "scale": 64.0},
        space_source="defaults: those of Yu and Tao, as pytorch-metric-learning gives them; space: to more than three times the margin",
        takes="pairs",
        feeds=("classes", "triplets", "views"),
        source="Yu, Tao, Deep Metric Learning with Tuplet Margin Loss, ICCV 2019",
        equation="log(1 + sum over n of exp(scale (cos theta_an - cos(theta_ap - margin))))",
        needs=_SEVERAL,
        distance="angle",
        reducer="mean over the positive pairs, each against all negatives of its anchor",
        differs=(
            "the margin is given in degrees; 5.73 are 0.1 radians",
            "the loss of tuplets alone: the paper adds one of the variance within pairs",
        ),
    ),
    "nca": LossEntry(
        nca,
        space={"softmax_scale": Float(0.5, 30.0, log=True)},
        defaults={"softmax_scale": 1.0},
        space_source="default: that of Goldberger et al., who have no scale; space: from half of it to where 0.1 more is 3 in the exponent",
        takes="pairs",
        feeds=("classes", "triplets", "views"),
        source="Goldberger, Roweis, Hinton, Salakhutdinov, Neighbourhood Components Analysis, NIPS 2004",
        equation="-log(sum over p of exp(-scale d_ip^2) / sum over k != i of exp(-scale d_ik^2))",
        needs=_SEVERAL,
        distance="squared Euclidean between unit vectors",
        reducer="mean over the items with a positive",
        differs=(
            "the logarithm of the probability, which the paper gives beside the probability itself",
            "squared distances are multiplied by a scale; in the paper it is 1",
            "the neighbours are those in the batch",
        ),
    ),
    "instance": LossEntry(
        instance,
        space={"gamma": Float(4.0, 256.0, log=True)},
        defaults={"gamma": 64.0},
        space_source="default: pytorch-metric-learning's; space: from a sixteenth to four times that",
        feeds=("classes", "views"),
        source="Zheng et al., Dual-Path Convolutional Image-Text Embeddings with Instance Loss, ACM TOMM 2020",
        equation="-log(exp(gamma) / sum over the classes c' in the batch of exp(gamma m_c . m_c')), m the mean embeddings, of unit length",
        needs=_SEVERAL,
        distance="cosine between class means",
        reducer="mean over the classes in the batch",
        differs=(
            "class weights are the means of the batch's items, as in the authors' later code for one modality; the paper learns them",
            "it parts classes and does not draw their items together, but by their mean",
        ),
    ),
    "ranked-list": LossEntry(
        ranked_list,
        space={"margin": Float(0.1, 1.0), "negative_temperature": Float(0.0, 20.0)},
        defaults={"margin": 0.4, "negative_temperature": 10.0, "positive_temperature": 0.0, "imbalance": 0.5},
        space_source=(
            "defaults: half the weight for either side and equal weights of positives, the simpler form of Wang et al. as "
            "pytorch-metric-learning gives it; margin and temperature are ours, there they have none; space: around them"
        ),
        feeds=("classes", "views"),
        source="Wang, Hua, Kodirov, Hu, Garnier, Robertson, Ranked List Loss for Deep Metric Learning, CVPR 2019",
        equation=(
            "(1 - imbalance) sum w_p (d_p - alpha + margin) / sum w_p + imbalance sum w_n (alpha - d_n) / sum w_n over what costs, "
            "w_p = exp(Tp (d_p - alpha + margin)), w_n = exp(Tn (alpha - d_n)), alpha = 1 + margin / 2"
        ),
        needs=_SEVERAL,
        distance=_UNIT,
        reducer="mean over the items",
        differs=("alpha follows from the margin, so that both spheres lie around 1; in the paper it is a parameter",),
    ),
    "fastap": LossEntry(
        fastap,
        space={"num_bins": Int(5, 50, log=True)},
        defaults={"num_bins": 10},
        spaces={"reality-check": {"num_bins": Int(2, 250)}},
        space_source="default: that of Cakir et al.'s code; space: from half to five times that",
        feeds=("classes", "views"),
        source="Cakir, He, Xia, Kulis, Sclaroff, Deep Metric Learning to Rank, CVPR 2019",
        equation="1 - 1 / P sum over the bins of h+ H+ / H, histograms of squared distances and their running sums",
        needs=_SEVERAL,
        distance="squared Euclidean between unit vectors",
        reducer="mean over the items with a positive",
    ),
    "histogram": LossEntry(
        histogram,
        space={"num_bins": Int(10, 200, log=True)},
        defaults={"num_bins": 100},
        space_source="default: pytorch-metric-learning's; space: from a tenth to twice that",
        takes="pairs",
        feeds=("classes", "pairs", "triplets", "views"),
        source="Ustinova, Lempitsky, Learning Deep Embeddings with Histogram Loss, NIPS 2016",
        equation="sum over r of h-_r (sum over q <= r of h+_q), histograms of the cosines of negative and of positive pairs",
        distance="cosine",
        reducer="over all pairs of the batch together",
    ),
    "smooth-ap": LossEntry(
        smooth_ap,
        space={"temperature": Float(0.003, 0.1, log=True)},
        defaults={"temperature": 0.01},
        space_source="default: that of Brown et al.; space: from a third to ten times that",
        feeds=("classes", "views"),
        source="Brown, Xie, Kalogeiton, Zisserman, Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV 2020",
        equation=(
            "1 - mean over the class of (1 + sum over own j of g_ij) / (1 + sum over all j of g_ij), g_ij = sigmoid((s_qj - s_qi) / T)"
        ),
        needs=_SEVERAL,
        distance="cosine",
        reducer="mean over the items with a positive",
        differs=("the query is ranked in its own class, as in the paper's code", "classes may be of any size; that code wants equal ones"),
    ),
    "pnp": LossEntry(
        pnp,
        space={"alpha": Float(0.5, 8.0, log=True), "temperature": Float(0.003, 0.1, log=True)},
        defaults={"alpha": 4.0, "temperature": 0.01, "b": 2.0, "variant": "Dq"},
        space_source=(
            "defaults: the variant Dq with alpha 4, which Li et al.'s code calls the best, and that code's others; space: alpha to an "
            "eighth and twice that, the temperature's of smooth-ap; of the variants Dq alone has an alpha and Ib alone a b"
        ),
        feeds=("classes", "views"),
        source=(
            "Li et al., Rethinking the Optimization of Average Precision: Only Penalizing Negative Instances before Positive Ones is "
            "Enough, AAAI 2022"
        ),
        equation="1 - mean over the class of 1 / (1 + N)^alpha, N = sum over the negatives j of sigmoid((s_qj - s_qi) / T)",
        needs=_SEVERAL,
        distance="cosine",
        reducer="mean over the class of each item, then over the items with a positive",
        differs=("the query is ranked in its own class, as in the paper's code", "classes may be of any size; that code wants equal ones"),
    ),
    "manifold": LossEntry(
        manifold,
        space={"alpha": Float(0.5, 0.95), "margin": Float(1e-4, 1e-2, log=True), "context_weight": Float(0.1, 10.0, log=True)},
        defaults={"alpha": 0.8, "margin": 5e-4, "context_weight": 1.0, "num_proxies": 50},
        space_source="defaults: pytorch-metric-learning's; space: around them, a decade to either side of the weight",
        own_parameters=True,
        source="Aziere, Todorovic, Ensemble Deep Manifold Similarity Learning using Hard Proxies, CVPR 2019",
        equation=(
            "log(1 + sum over k with f_ik - f_iy + margin >= 0 of exp(f_ik - f_iy + margin)) of F = (1 - alpha) (I - alpha S')^-1, plus "
            "context_weight times the same of the cosines between rows of F"
        ),
        distance="manifold similarity to proxies",
        reducer="mean over the items",
        differs=(
            "classes are dealt out to proxies in turn, once; the paper partitions them at random, once for each of an ensemble",
            "one embedding in the place of the paper's ensemble; the form is pytorch-metric-learning's, not compared with the paper",
        ),
    ),
}
"""By name."""

"""Losses that tell the training classes apart: softmax over weight vectors with margins, several vectors a class, proxies of NCA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, Int, LossEntry

if TYPE_CHECKING:
    from torch import nn


def cosface(margin: float, scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes with ``margin`` taken off the cosine of the true one."""
    from siambench.builtin.losses.forms.cosface import CosFace

    return CosFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale)


def sphereface(margin: int, scale: float, ease: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes with the angle to the true one multiplied by ``margin``; weights of unit length, embeddings not."""
    from siambench.builtin.losses.forms.sphereface import SphereFace

    return SphereFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale, ease=ease)


def large_margin_softmax(margin: int, scale: float, ease: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes with the angle to the true one multiplied by ``margin``; neither weights nor embeddings of unit length."""
    from siambench.builtin.losses.forms.large_margin_softmax import LargeMarginSoftmax

    return LargeMarginSoftmax(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale, ease=ease)


def normalised_softmax(temperature: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes of cosines divided by a temperature."""
    from siambench.builtin.losses.forms.normalised_softmax import NormalisedSoftmax

    return NormalisedSoftmax(num_classes=num_classes, embedding_size=embedding_size, temperature=temperature)


def subcenter_arcface(margin: float, scale: float, sub_centers: int, num_classes: int, embedding_size: int) -> nn.Module:
    """ArcFace with several weight vectors of each class, the nearest of which counts."""
    from siambench.builtin.losses.forms.subcenter_arcface import SubcenterArcFace

    return SubcenterArcFace(num_classes=num_classes, embedding_size=embedding_size, sub_centers=sub_centers, margin=margin, scale=scale)


def soft_triple(
    la: float, gamma: float, margin: float, reg_weight: float, centers_per_class: int, num_classes: int, embedding_size: int
) -> nn.Module:
    """Softmax over classes with several centres each, softly chosen and drawn together."""
    from siambench.builtin.losses.forms.soft_triple import SoftTriple

    return SoftTriple(
        num_classes=num_classes,
        embedding_size=embedding_size,
        centers_per_class=centers_per_class,
        la=la,
        gamma=gamma,
        margin=margin,
        reg_weight=reg_weight,
    )


def p2sgrad(num_classes: int, embedding_size: int) -> nn.Module:
    """Squared difference of the cosines to all class weights from 1 for the true class and 0 for the others."""
    from siambench.builtin.losses.forms.p2sgrad import P2SGrad

    return P2SGrad(num_classes=num_classes, embedding_size=embedding_size)


def proxy_nca(softmax_scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Squared distance to the own proxy against those to all others."""
    from siambench.builtin.losses.forms.proxy_nca import ProxyNCA

    return ProxyNCA(num_classes=num_classes, embedding_size=embedding_size, softmax_scale=softmax_scale)


def proxy_nca_plus_plus(scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over all proxies of squared distances, sharpened by a scale."""
    from siambench.builtin.losses.forms.proxy_nca import ProxyNCAPlusPlus

    return ProxyNCAPlusPlus(num_classes=num_classes, embedding_size=embedding_size, scale=scale)


_EASE = (
    "psi is eased in as in the authors' code of SphereFace: (lambda cos + psi) / (1 + lambda), lambda falling from 200 ease to ease within "
    "the first 6 % of the training (ease=0: psi itself from the first step, as the equation has it)"
)
_PSI = "psi(theta) = (-1)^k cos(margin theta) - 2k where theta lies in [k pi / margin, (k + 1) pi / margin]"
_MARGINS = "margin 1, which has no margin, to 4, the papers' largest; a scale of 1 is theirs, to a tenth below and to cosface's above"

ENTRIES = {
    "cosface": LossEntry(
        cosface,
        space={"margin": Float(0.0, 0.6), "scale": Float(8.0, 128.0, log=True)},
        defaults={"margin": 0.35, "scale": 64.0},
        spaces={"reality-check": {"margin": Float(0.0, 1.0), "scale": Float(0.01, 200.0)}},
        space_source=(
            "defaults: pytorch-metric-learning's; space: no margin, which is the normalised softmax, to nearly twice that, and the scale's "
            "space of arcface, as fewer classes take less"
        ),
        sampler="random",
        own_parameters=True,
        source="Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, CVPR 2018",
        equation="-log(exp(scale (cos_y - margin)) / (exp(scale (cos_y - margin)) + sum over j != y of exp(scale cos_j)))",
        distance="cosine to class weights",
        reducer="mean over the items",
    ),
    "sphereface": LossEntry(
        sphereface,
        space={"margin": Int(1, 4), "scale": Float(0.1, 64.0, log=True)},
        defaults={"margin": 4, "scale": 1.0, "ease": 5.0},
        space_source=_MARGINS,
        sampler="random",
        own_parameters=True,
        normalise=False,
        source="Liu, Wen, Yu, Li, Raj, Song, SphereFace: Deep Hypersphere Embedding for Face Recognition, CVPR 2017",
        equation=f"cross-entropy of scale |x| cos(theta_j), with psi(theta_y) for the true class, {_PSI}",
        distance="cosine to class weights, times the length of the embedding",
        reducer="mean over the items",
        differs=("logits are multiplied by a scale; in the paper it is 1", _EASE),
    ),
    "large-margin-softmax": LossEntry(
        large_margin_softmax,
        space={"margin": Int(1, 4), "scale": Float(0.1, 64.0, log=True)},
        defaults={"margin": 4, "scale": 1.0, "ease": 5.0},
        space_source=_MARGINS,
        sampler="random",
        own_parameters=True,
        normalise=False,
        source="Liu, Wen, Yu, Yang, Large-Margin Softmax Loss for Convolutional Neural Networks, ICML 2016",
        equation=f"cross-entropy of scale |w_j| |x| cos(theta_j), with psi(theta_y) for the true class, {_PSI}",
        distance="inner product with class weights",
        reducer="mean over the items",
        differs=("logits are multiplied by a scale; in the paper it is 1", _EASE),
    ),
    "normalised-softmax": LossEntry(
        normalised_softmax,
        space={"temperature": Float(0.01, 0.5, log=True)},
        defaults={"temperature": 0.05},
        spaces={"reality-check": {"temperature": Float(0.01, 100.0, log=True)}},
        space_source="default: pytorch-metric-learning's; space: from a fifth to ten times that",
        sampler="random",
        own_parameters=True,
        source="Zhai, Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019",
        equation="-log(exp(cos_y / T) / sum over j of exp(cos_j / T))",
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=("the loss alone: the paper also normalises the layer before it and subsamples classes",),
    ),
    "subcenter-arcface": LossEntry(
        subcenter_arcface,
        space={"margin": Float(0.0, 45.0), "scale": Float(8.0, 128.0, log=True), "sub_centers": Int(2, 10)},
        defaults={"margin": 28.6, "scale": 64.0, "sub_centers": 3},
        space_source="defaults: arcface's, and the three centres of Deng et al.'s code; space: arcface's, and from two centres to ten",
        sampler="random",
        own_parameters=True,
        source="Deng, Guo, Liu, Gong, Zafeiriou, Sub-center ArcFace: Boosting Face Recognition by Large-scale Noisy Web Faces, ECCV 2020",
        equation="arcface with cos(theta_j) = max over the centres of class j of w_jk . x",
        distance="cosine to the nearest centre of a class",
        reducer="mean over the items",
        differs=(
            "the margin is given in degrees; the paper gives 0.5 radians, 28.6 degrees",
            "the loss alone: the paper then drops centres that few items choose, and items far from theirs, and trains anew",
        ),
    ),
    "soft-triple": LossEntry(
        soft_triple,
        space={
            "la": Float(5.0, 80.0, log=True),
            "gamma": Float(0.02, 1.0, log=True),
            "margin": Float(0.0, 0.2),
            "reg_weight": Float(0.0, 1.0),
        },
        defaults={"la": 20.0, "gamma": 0.1, "margin": 0.01, "reg_weight": 0.2, "centers_per_class": 10},
        spaces={
            "reality-check": {
                "la": Float(0.01, 100.0),
                "gamma": Float(0.01, 100.0),
                "margin": Float(0.0, 1.0),
                "reg_weight": Float(0.0, 1.0),
            }
        },
        space_source=(
            "defaults: those of Qian et al.'s code; space: la from a quarter to four times that, gamma from a fifth to ten times, margins "
            "to a fifth of a right angle's cosine; ten centres, as there, are not tuned"
        ),
        sampler="random",
        own_parameters=True,
        source="Qian, Shang, Sun, Hu, Li, Jin, SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, ICCV 2019",
        equation=(
            "-log(exp(la (S_y - margin)) / (exp(la (S_y - margin)) + sum over j != y of exp(la S_j))), S_j = sum over the centres k of "
            "softmax_k(cos_jk / gamma) cos_jk, plus reg_weight times half the mean distance of the centres of one class"
        ),
        distance="cosine to the centres of a class, softly the nearest",
        reducer="mean over the items",
    ),
    "p2sgrad": LossEntry(
        p2sgrad,
        sampler="random",
        own_parameters=True,
        source="Zhang, Zhao, Yan, Gao, Qiao, Wang, Li, P2SGrad: Refined Gradients for Optimizing Deep Face Models, CVPR 2019",
        equation="sum over j of (cos_j - [j = y])^2",
        distance="cosine to class weights",
        reducer="sum over the classes, mean over the items",
        differs=("the paper gives a gradient, not a loss: this is the loss that has it, but for a factor of 2",),
    ),
    "proxy-nca": LossEntry(
        proxy_nca,
        space={"softmax_scale": Float(0.5, 30.0, log=True)},
        defaults={"softmax_scale": 1.0},
        spaces={"reality-check": {"softmax_scale": Float(0.01, 100.0)}},
        space_source=(
            "default: that of Movshovitz-Attias et al., who have no scale; space: from half of it to more than three times the 9 of "
            "ProxyNCA++"
        ),
        sampler="random",
        own_parameters=True,
        source="Movshovitz-Attias, Toshev, Leung, Ioffe, Singh, No Fuss Distance Metric Learning using Proxies, ICCV 2017",
        equation="-log(exp(-scale d^2(x, p_y)) / sum over z != y of exp(-scale d^2(x, p_z)))",
        distance="squared Euclidean between unit vectors, to proxies",
        reducer="mean over the items",
        differs=("squared distances are multiplied by a scale; in the paper it is 1",),
    ),
    "proxy-nca-pp": LossEntry(
        proxy_nca_plus_plus,
        space={"scale": Float(1.0, 10.0, log=True)},
        defaults={"scale": 3.0},
        space_source="default: that of Teh et al.'s code, a temperature of 1/9; space: from no scale to more than three times theirs",
        own_parameters=True,
        source="Teh, DeVries, Taylor, ProxyNCA++: Revisiting and Revitalizing Proxy Neighborhood Component Analysis, ECCV 2020",
        equation="-log(exp(-scale^2 d^2(x, p_y)) / sum over all z of exp(-scale^2 d^2(x, p_z)))",
        needs="batches with as many items of each class",
        distance="squared Euclidean between unit vectors, to proxies",
        reducer="mean over the items",
        differs=(
            "the loss and its batches of 8 classes by 4 alone: the paper also changes the pooling, a layer's norm and the input's size",
        ),
    ),
}
"""By name."""

"""Losses of face recognition, with a weight vector of each training class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def adaface(margin: float, concentration: float, scale: float, momentum: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Long embeddings count as good images: their margin acts at the cosine, that of short ones at the angle."""
    from siambench.builtin.losses.forms.adaface import AdaFace

    return AdaFace(
        num_classes=num_classes,
        embedding_size=embedding_size,
        margin=margin,
        concentration=concentration,
        scale=scale,
        momentum=momentum,
    )


def magface(margin: float, rise: float, regulariser: float, scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """The margin of the angle rises with the length of an embedding, and length is rewarded."""
    from siambench.builtin.losses.forms.magface import MagFace

    return MagFace(
        num_classes=num_classes,
        embedding_size=embedding_size,
        margin=(margin, rise),
        lengths=(10.0, 110.0),
        regulariser=regulariser,
        scale=scale,
    )


def elasticface(margin: float, spread: float, scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """As arcface, with the margin of each item drawn from a normal distribution."""
    from siambench.builtin.losses.forms.elasticface import ElasticFace

    return ElasticFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, spread=spread, scale=scale)


def uniface(margin: float, scale: float, negatives: float, num_classes: int, embedding_size: int) -> nn.Module:
    """One learned threshold for all items and classes, own classes above it, the others below."""
    from siambench.builtin.losses.forms.uniface import UniFace

    return UniFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale, negatives=negatives)


ENTRIES = {
    "adaface": LossEntry(
        adaface,
        space={"margin": Float(0.0, 0.6), "concentration": Float(0.0, 1.0), "scale": Float(8.0, 128.0, log=True)},
        defaults={"margin": 0.4, "concentration": 0.333, "scale": 64.0, "momentum": 0.01},
        space_source=(
            "defaults: Kim et al., the share of a batch in the running lengths that of their code; space: no margin up to half more than "
            "theirs, quality without effect up to one deviation of length for the whole margin, and the scale of arcface"
        ),
        sampler="random",
        own_parameters=True,
        normalise=False,
        source="Kim, Jain, Liu, AdaFace: Quality Adaptive Margin for Face Recognition, CVPR 2022",
        equation="-log softmax of scale (cos(theta_y - m z) - m (1 + z)) at the true class, scale cos theta_j at the others; z in [-1, 1]",
        needs="embeddings whose length varies, as a head without normalisation gives them",
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=("the running mean and deviation of lengths start as those of the first batch; the code starts from 20 and 100",),
    ),
    "magface": LossEntry(
        magface,
        space={
            "margin": Float(0.0, 0.8),
            "rise": Float(0.0, 0.8),
            "regulariser": Float(5.0, 100.0, log=True),
            "scale": Float(8.0, 128.0, log=True),
        },
        defaults={"margin": 0.45, "rise": 0.35, "regulariser": 35.0, "scale": 64.0},
        space_source=(
            "defaults: those of the training script of Meng et al.; space: margins from none, the same for all lengths up to about twice "
            "theirs, a regulariser from a seventh to three times theirs, and the scale of arcface"
        ),
        sampler="random",
        own_parameters=True,
        normalise=False,
        source="Meng, Zhao, Huang, Zhou, MagFace: A Universal Representation for Face Recognition and Quality Assessment, CVPR 2021",
        equation=(
            "-log softmax of scale cos(theta_y + m(a)) at the true class, scale cos theta_j at the others, + lambda (a / u^2 + 1 / a); "
            "a the length in [10, u = 110], m(a) = margin + rise (a - 10) / 100"
        ),
        needs="embeddings whose length varies, as a head without normalisation gives them; in the paper they have 512 coordinates",
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=(
            "lengths are multiplied by the square root of 512 / D: the bounds are as long per coordinate as with the paper's 512 of them",
        ),
    ),
    "elasticface": LossEntry(
        elasticface,
        space={"margin": Float(0.0, 0.8), "spread": Float(0.0, 0.2), "scale": Float(8.0, 128.0, log=True)},
        defaults={"margin": 0.5, "spread": 0.05, "scale": 64.0},
        space_source=(
            "defaults: those of ElasticFace-Arc in the code of Boutros et al.; space: the margins and scales of arcface, and drawn "
            "margins from all the same to four times their deviation"
        ),
        sampler="random",
        own_parameters=True,
        source="Boutros, Damer, Kirchbuchner, Kuijper, ElasticFace: Elastic Margin Loss for Deep Face Recognition, CVPR Workshops 2022",
        equation=(
            "-log(exp(scale cos(theta_y + e)) / (exp(scale cos(theta_y + e)) + sum over j != y of exp(scale cos theta_j))), "
            "e drawn from N(m, sigma) for each item"
        ),
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=("class weights start at length 1; the code's are a hundredth of a normal one in each coordinate",),
    ),
    "uniface": LossEntry(
        uniface,
        space={
            "margin": Float(0.0, 0.6),
            "scale": Float(8.0, 128.0, log=True),
            "negatives": Float(0.1, 10.0, log=True),
        },
        defaults={"margin": 0.4, "scale": 64.0, "negatives": 1.0},
        space_source=(
            "defaults: those of the code of Zhou et al.; space: no margin up to half more than theirs, the scale of arcface, and other "
            "classes from a tenth to ten times the weight of the own"
        ),
        sampler="random",
        own_parameters=True,
        source="Zhou, Jia, Li, Shen, Duan, UniFace: Unified Cross-Entropy Loss for Deep Face Recognition, ICCV 2023",
        equation=(
            "log(1 + exp(-scale (cos theta_y - m) + b)) + lambda sum over j != y of log(1 + exp(scale cos theta_j - b)), b learned, "
            "log(10 K) at first"
        ),
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=("exponents are not cut off at plus and minus the scale, as the code does against overflow",),
    ),
}
"""By name."""

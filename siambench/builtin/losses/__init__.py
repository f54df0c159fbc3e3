"""The losses, all from pytorch-metric-learning, each with its space, defaults, batch layout and paper.

Spaces are those of Musgrave et al., A Metric Learning Reality Check, ECCV 2020, where that paper has the loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry, hookimpl

if TYPE_CHECKING:
    from torch import nn


def contrastive(pos_margin: float, neg_margin: float) -> nn.Module:
    """Positive distances above ``pos_margin`` and negative ones below ``neg_margin`` cost."""
    from pytorch_metric_learning.losses import ContrastiveLoss

    return ContrastiveLoss(pos_margin=pos_margin, neg_margin=neg_margin)


def triplet(margin: float) -> nn.Module:
    """Hinge on d(anchor, positive) - d(anchor, negative) + margin, mean over the triplets that violate it."""
    from pytorch_metric_learning.losses import TripletMarginLoss

    return TripletMarginLoss(margin=margin)


def npair(l2_weight: float) -> nn.Module:
    """One pair of each class; inner products of embeddings that are not normalised, their norms held by a penalty."""
    from pytorch_metric_learning.distances import DotProductSimilarity
    from pytorch_metric_learning.losses import NPairsLoss
    from pytorch_metric_learning.regularizers import LpRegularizer

    return NPairsLoss(
        distance=DotProductSimilarity(normalize_embeddings=False),
        embedding_regularizer=LpRegularizer(p=2, power=2),
        embedding_reg_weight=l2_weight,
    )


def angular(alpha: float) -> nn.Module:
    """The angle at the negative of each triangle is bounded by ``alpha`` degrees."""
    from pytorch_metric_learning.losses import AngularLoss

    return AngularLoss(alpha=alpha)


def ntxent(temperature: float) -> nn.Module:
    """Softmax cross-entropy of each positive pair against the anchor's negatives."""
    from pytorch_metric_learning.losses import NTXentLoss

    return NTXentLoss(temperature=temperature)


def supcon(temperature: float) -> nn.Module:
    """As ntxent, with every positive in the denominator and the mean over positives outside the logarithm."""
    from pytorch_metric_learning.losses import SupConLoss

    return SupConLoss(temperature=temperature)


def multi_similarity(alpha: float, beta: float, base: float) -> nn.Module:
    """Soft-weighted positives (``alpha``) and negatives (``beta``) around the similarity ``base``."""
    from pytorch_metric_learning.losses import MultiSimilarityLoss

    return MultiSimilarityLoss(alpha=alpha, beta=beta, base=base)


def proxy_anchor(margin: float, alpha: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Each class's proxy is an anchor for the whole batch."""
    from pytorch_metric_learning.losses import ProxyAnchorLoss

    return ProxyAnchorLoss(num_classes, embedding_size, margin=margin, alpha=alpha)


def arcface(margin: float, scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes with ``margin`` degrees added to the angle of the true one."""
    from pytorch_metric_learning.losses import ArcFaceLoss

    return ArcFaceLoss(num_classes, embedding_size, margin=margin, scale=scale)


@hookimpl
def siambench_losses() -> dict[str, LossEntry]:
    """The vocabulary most papers compare."""
    return {
        "contrastive": LossEntry(
            contrastive,
            space={"pos_margin": Float(-0.2, 2.0), "neg_margin": Float(-0.2, 2.0)},
            defaults={"pos_margin": 0.0, "neg_margin": 1.0},
            takes="pairs",
            feeds=("classes", "pairs"),
            source="Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006",
        ),
        "triplet": LossEntry(
            triplet,
            space={"margin": Float(-0.2, 2.0)},
            defaults={"margin": 0.1},
            takes="triplets",
            source="Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015",
        ),
        "npair": LossEntry(
            npair,
            space={"l2_weight": Float(1e-5, 1e-1, log=True)},
            defaults={"l2_weight": 2e-3},
            images_per_class=2,
            normalise=False,
            source="Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016",
        ),
        "angular": LossEntry(
            angular,
            space={"alpha": Float(20.0, 70.0)},
            defaults={"alpha": 45.0},
            images_per_class=2,
            source="Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, ICCV 2017",
        ),
        "ntxent": LossEntry(
            ntxent,
            space={"temperature": Float(1e-4, 100.0, log=True)},
            defaults={"temperature": 0.07},
            takes="pairs",
            source="Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning, ICML 2020",
        ),
        "supcon": LossEntry(
            supcon,
            space={"temperature": Float(1e-2, 10.0, log=True)},
            defaults={"temperature": 0.1},
            takes="pairs",
            source="Khosla et al., Supervised Contrastive Learning, NeurIPS 2020",
        ),
        "multi-similarity": LossEntry(
            multi_similarity,
            space={"alpha": Float(0.01, 100.0), "beta": Float(0.01, 100.0), "base": Float(0.0, 1.0)},
            defaults={"alpha": 2.0, "beta": 50.0, "base": 0.5},
            takes="pairs",
            source="Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, CVPR 2019",
        ),
        "proxy-anchor": LossEntry(
            proxy_anchor,
            space={"margin": Float(0.0, 1.0), "alpha": Float(1.0, 100.0, log=True)},
            defaults={"margin": 0.1, "alpha": 32.0},
            sampler="random",
            own_parameters=True,
            source="Kim, Kim, Cho, Kwak, Proxy Anchor Loss for Deep Metric Learning, CVPR 2020",
        ),
        "arcface": LossEntry(
            arcface,
            space={"margin": Float(0.0, 90.0), "scale": Float(0.01, 200.0)},
            defaults={"margin": 28.6, "scale": 64.0},
            sampler="random",
            own_parameters=True,
            source="Deng, Guo, Xue, Zafeiriou, ArcFace, CVPR 2019",
        ),
    }

"""Losses with options set: factories of rows that are made otherwise than those without.

A row without options is made by the factory beside the loss's entry, whose code is part of its identity; none of these is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from siambench.builtin.losses.forms.library import Options


def contrastive(pos_margin: float, neg_margin: float, options: Options) -> nn.Module:
    """As contrastive, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.contrastive import Contrastive
    from siambench.builtin.losses.forms.library import in_library, library, regularised

    if in_library(options):
        return library("ContrastiveLoss", options, pos_margin=pos_margin, neg_margin=neg_margin)
    return regularised(Contrastive(pos_margin=pos_margin, neg_margin=neg_margin), options)


def triplet(margin: float, options: Options) -> nn.Module:
    """As triplet, with its variants, another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import distance, in_library, library, reducer, regularised
    from siambench.builtin.losses.forms.triplet import Triplet
    from siambench.builtin.losses.forms.triplet_variants import TripletVariant

    swap, soft, squared = (options.get(name, False) for name in ("swap", "soft", "squared"))
    over_all = options.get("average") == "all"
    if not in_library(options):
        is_plain = not (swap or soft or squared or over_all)
        own = TripletVariant(margin=margin, swap=swap, soft=soft, squared=squared, over_all=over_all)
        return regularised(Triplet(margin=margin) if is_plain else own, options)
    between = distance({"distance": "lp", **options}, power=2 if squared else 1)
    over = reducer({"reducer": "mean", **options} if over_all else options)
    return library("TripletMarginLoss", options, margin=margin, swap=swap, smooth_loss=soft, distance=between, reducer=over)


def margin(margin: float, beta: float, options: Options) -> nn.Module:
    """As margin, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import in_library, library, regularised
    from siambench.builtin.losses.forms.margin import Margin

    if in_library(options):
        return library("MarginLoss", options, margin=margin, beta=beta)
    return regularised(Margin(margin=margin, beta=beta), options)


def npair(l2_weight: float, options: Options) -> nn.Module:
    """As npair, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import in_library, library, regularised, squared_norms
    from siambench.builtin.losses.forms.npair import NPair

    if in_library(options):
        return library("NPairsLoss", options, **squared_norms(options, l2_weight))
    return regularised(NPair(l2_weight=l2_weight), options)


def lifted(neg_margin: float, pos_margin: float, options: Options) -> nn.Module:
    """As lifted, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import in_library, library, regularised
    from siambench.builtin.losses.forms.lifted import Lifted

    if in_library(options):
        return library("LiftedStructureLoss", options, neg_margin=neg_margin, pos_margin=pos_margin)
    return regularised(Lifted(neg_margin=neg_margin, pos_margin=pos_margin), options)


def generalised_lifted(neg_margin: float, pos_margin: float, options: Options) -> nn.Module:
    """As gen-lifted, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.generalised_lifted import GeneralisedLifted
    from siambench.builtin.losses.forms.library import in_library, library, regularised

    if in_library(options):
        return library("GeneralizedLiftedStructureLoss", options, neg_margin=neg_margin, pos_margin=pos_margin)
    return regularised(GeneralisedLifted(neg_margin=neg_margin, pos_margin=pos_margin), options)


def ntxent(temperature: float, options: Options) -> nn.Module:
    """As ntxent, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import in_library, library, regularised
    from siambench.builtin.losses.forms.ntxent import NTXent

    if in_library(options):
        return library("NTXentLoss", options, temperature=temperature)
    return regularised(NTXent(temperature=temperature), options)


def supcon(temperature: float, options: Options) -> nn.Module:
    """As supcon, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import in_library, library, regularised
    from siambench.builtin.losses.forms.supcon import SupCon

    if in_library(options):
        return library("SupConLoss", options, temperature=temperature)
    return regularised(SupCon(temperature=temperature), options)


def multi_similarity(alpha: float, beta: float, base: float, options: Options) -> nn.Module:
    """As multi-similarity, with another distance, another reducer or a regulariser."""
    from siambench.builtin.losses.forms.library import in_library, library, regularised
    from siambench.builtin.losses.forms.multi_similarity import MultiSimilarity

    if in_library(options):
        return library("MultiSimilarityLoss", options, alpha=alpha, beta=beta, base=base)
    return regularised(MultiSimilarity(alpha=alpha, beta=beta, base=base), options)


def proxy_anchor(margin: float, alpha: float, num_classes: int, embedding_size: int, options: Options) -> nn.Module:
    """As proxy-anchor, with a regulariser of its proxies."""
    from siambench.builtin.losses.forms.library import regularised
    from siambench.builtin.losses.forms.proxy_anchor import ProxyAnchor

    return regularised(ProxyAnchor(num_classes=num_classes, embedding_size=embedding_size, margin=margin, alpha=alpha), options)


def arcface(margin: float, scale: float, num_classes: int, embedding_size: int, options: Options) -> nn.Module:
    """As arcface, with a regulariser of its class weights."""
    from siambench.builtin.losses.forms.arcface import ArcFace
    from siambench.builtin.losses.forms.library import regularised

    return regularised(ArcFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale), options)


def cosface(margin: float, scale: float, num_classes: int, embedding_size: int, options: Options) -> nn.Module:
    """As cosface, with a regulariser of its class weights."""
    from siambench.builtin.losses.forms.cosface import CosFace
    from siambench.builtin.losses.forms.library import regularised

    return regularised(CosFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale), options)


def normalised_softmax(temperature: float, num_classes: int, embedding_size: int, options: Options) -> nn.Module:
    """As normalised-softmax, with a regulariser of its class weights."""
    from siambench.builtin.losses.forms.library import regularised
    from siambench.builtin.losses.forms.normalised_softmax import NormalisedSoftmax

    own = NormalisedSoftmax(num_classes=num_classes, embedding_size=embedding_size, temperature=temperature)
    return regularised(own, options)


def subcenter_arcface(margin: float, scale: float, sub_centers: int, num_classes: int, embedding_size: int, options: Options) -> nn.Module:
    """As subcenter-arcface, with a regulariser that draws the centres of a class together."""
    from siambench.builtin.losses.forms.library import regularised
    from siambench.builtin.losses.forms.subcenter_arcface import SubcenterArcFace

    own = SubcenterArcFace(num_classes=num_classes, embedding_size=embedding_size, sub_centers=sub_centers, margin=margin, scale=scale)
    return regularised(own, options, centers=(num_classes, sub_centers))

"""Terms to be added to another loss: ``sum(triplet,intra-pair-variance)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def intra_pair_variance(pos_eps: float, neg_eps: float) -> nn.Module:
    """Cosines of positive pairs below their mean, and of negative pairs above theirs, cost their squared distance from it."""
    from siambench.builtin.losses.forms.similarity_terms import IntraPairVariance

    return IntraPairVariance(pos_eps=pos_eps, neg_eps=neg_eps)


def threshold_consistent_margin(pos_weight: float, neg_weight: float, pos_margin: float, neg_margin: float) -> nn.Module:
    """Positive pairs below one cosine and negative pairs above another cost: one threshold is to suit all classes."""
    from siambench.builtin.losses.forms.similarity_terms import ThresholdConsistentMargin

    return ThresholdConsistentMargin(pos_weight=pos_weight, neg_weight=neg_weight, pos_margin=pos_margin, neg_margin=neg_margin)


ENTRIES = {
    "intra-pair-variance": LossEntry(
        intra_pair_variance,
        space={"pos_eps": Float(1e-3, 0.2, log=True), "neg_eps": Float(1e-3, 0.2, log=True)},
        defaults={"pos_eps": 0.01, "neg_eps": 0.01},
        space_source="defaults: pytorch-metric-learning's; space: from a tenth to twenty times",
        takes="pairs",
        feeds=("classes", "views"),
        source="Yu, Tao, Deep Metric Learning with Tuplet Margin Loss, ICCV 2019",
        equation="mean of max(0, (1 - pos_eps) m_p - s)^2 over positive + mean of max(0, s - (1 + neg_eps) m_n)^2 over negative pairs",
        needs="another loss that it is added to: sum(triplet,intra-pair-variance)",
        distance="cosine",
        reducer="mean over the positive pairs, plus mean over the negative pairs",
        differs=("it is alone here; the paper adds it to the tuplet margin loss with a weight",),
    ),
    "threshold-consistent-margin": LossEntry(
        threshold_consistent_margin,
        space={"pos_margin": Float(0.5, 1.0), "neg_margin": Float(0.0, 1.0)},
        defaults={"pos_weight": 1.0, "neg_weight": 1.0, "pos_margin": 0.9, "neg_margin": 0.5},
        space_source="defaults: pytorch-metric-learning's; space: around them, within what a cosine of a pair of the kind can be",
        takes="pairs",
        feeds=("classes", "views"),
        source="Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, ICLR 2024",
        equation="pos_weight mean of (m_p - s) over positive with s <= m_p + neg_weight mean of (s - m_n) over negative with s >= m_n",
        needs="another loss that it is added to: sum(contrastive,threshold-consistent-margin)",
        distance="cosine",
        reducer="mean over the positive pairs that cost, plus mean over the negative pairs that cost",
        differs=("it is alone here; the paper adds it to a loss that it regularises",),
    ),
}
"""By name."""

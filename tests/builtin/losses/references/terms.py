"""Terms that are added to another loss."""

from __future__ import annotations

from references import Reference
from references.arithmetic import dot, mean, pairs


def intra_pair_variance(x, labels, pos_eps, neg_eps):
    """Mean of [(1 - ε) m - s]₊² over genuine pairs, m their mean cosine, plus mean of [s - (1 + ε) m]₊² over impostors, m theirs."""
    genuine, impostors = ([dot(x, i, j) for i, j in kind] for kind in pairs(labels))
    near = mean(max(0.0, (1 - pos_eps) * mean(genuine) - s) ** 2 for s in genuine)
    return near + mean(max(0.0, s - (1 + neg_eps) * mean(impostors)) ** 2 for s in impostors)


def threshold_consistent_margin(x, labels, pos_weight, neg_weight, pos_margin, neg_margin):
    """Weight times mean of m - s over genuine pairs with s ≤ m, plus weight times mean of s - m over impostors with s ≥ m."""
    genuine, impostors = ([dot(x, i, j) for i, j in kind] for kind in pairs(labels))
    near = mean(pos_margin - s for s in genuine if s <= pos_margin)
    return pos_weight * near + neg_weight * mean(s - neg_margin for s in impostors if s >= neg_margin)


REFERENCES = {
    "intra-pair-variance": Reference(intra_pair_variance, [{"pos_eps": 0.2, "neg_eps": 0.1}]),
    "threshold-consistent-margin": Reference(
        threshold_consistent_margin, [{"pos_margin": 0.5, "neg_margin": 0.1, "neg_weight": 2.0}], collapsed=0.5
    ),
}

"""The losses of the first edition."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import (
    cosines,
    cross_entropy,
    distance,
    dot,
    log_one_plus_sum_exp,
    log_sum_exp,
    mean,
    mean_of_positive,
    pairs,
    triplets,
)


def contrastive(x, labels, pos_margin, neg_margin):
    """[d(a, p) - pos_margin]₊ over genuine pairs plus [neg_margin - d(a, n)]₊ over impostors, each the mean of what costs."""
    genuine, impostors = pairs(labels)
    near = mean_of_positive([distance(x, i, j) - pos_margin for i, j in genuine])
    return near + mean_of_positive([neg_margin - distance(x, i, j) for i, j in impostors])


def triplet(x, labels, margin):
    """[d(a, p) - d(a, n) + margin]₊, mean over the triplets that violate the margin."""
    return mean_of_positive([distance(x, a, p) - distance(x, a, n) + margin for a, p, n in triplets(labels)])


def npair(x, labels, l2_weight):
    """-log of the softmax over the classes' positives, one pair of each class, plus the weighted mean of squared norms."""
    chosen = {}
    for a, p in pairs(labels)[0]:
        chosen.setdefault(labels[a], (a, p))
    positives = [p for _, p in chosen.values()]
    total = [log_sum_exp(dot(x, a, other) for other in positives) - dot(x, a, p) for a, p in chosen.values()]
    return mean(total) + l2_weight * mean(dot(x, i, i) for i in range(len(x)))


def angular(x, labels, alpha):
    """log(1 + Σ over n of exp(4 tan²α (a + p)·n - 2 (1 + tan²α) a·p)), mean over genuine pairs."""
    square = math.tan(math.radians(alpha)) ** 2
    genuine, impostors = pairs(labels)
    total = []
    for a, p in genuine:
        terms = [4 * square * (dot(x, a, n) + dot(x, p, n)) - 2 * (1 + square) * dot(x, a, p) for b, n in impostors if b == a]
        total.append(log_one_plus_sum_exp(terms))
    return mean(total)


def ntxent(x, labels, temperature):
    """-log of exp(a·p / T) over itself and all exp(a·n / T), mean over genuine pairs."""
    genuine, impostors = pairs(labels)
    return mean(log_one_plus_sum_exp((dot(x, a, n) - dot(x, a, p)) / temperature for b, n in impostors if b == a) for a, p in genuine)


def supcon(x, labels, temperature):
    """Mean over a's positives of -log(exp(a·p / T) / Σ over all others), mean over anchors that have a positive; 0 of one class."""
    genuine, impostors = pairs(labels)
    if not genuine or not impostors:
        return 0.0
    total = []
    for a in range(len(labels)):
        positives = [p for b, p in genuine if b == a]
        everyone = log_sum_exp(dot(x, a, k) / temperature for k in range(len(labels)) if k != a)
        total += [mean(everyone - dot(x, a, p) / temperature for p in positives)] if positives else []
    return mean_of_positive(total)


def multi_similarity(x, labels, alpha, beta, base):
    """1/α log(1 + Σ exp(-α (s - λ))) over positives plus 1/β log(1 + Σ exp(β (s - λ))) over negatives, mean over the batch."""
    genuine, impostors = pairs(labels)
    total = []
    for a in range(len(labels)):
        near = log_one_plus_sum_exp(-alpha * (dot(x, a, p) - base) for b, p in genuine if b == a)
        far = log_one_plus_sum_exp(beta * (dot(x, a, n) - base) for b, n in impostors if b == a)
        total.append(near / alpha + far / beta)
    return mean(total)


def proxy_anchor(x, labels, margin, alpha, own):
    """log(1 + Σ exp(-α (s - δ))) over each proxy's items, mean over proxies that have some; likewise exp(α (s + δ)) over all proxies."""
    cosine = cosines(x, own["proxies"])
    near, far = [], []
    for c in range(len(own["proxies"])):
        inside = [cosine[i][c] for i in range(len(labels)) if labels[i] == c]
        near += [log_one_plus_sum_exp(-alpha * (s - margin) for s in inside)] if inside else []
        far.append(log_one_plus_sum_exp(alpha * (cosine[i][c] + margin) for i in range(len(labels)) if labels[i] != c))
    return mean(near) + mean(far)


def arcface(x, labels, margin, scale, own):
    """Cross-entropy of scale · cos θ with ``margin`` degrees added to the angle of the true class; past 180° cos θ - m sin m."""
    angle = math.radians(margin)
    total = []
    for row, label in zip(cosines(x, zip(*own["weight"], strict=True)), labels, strict=True):
        theta = math.acos(max(-1.0, min(1.0, row[label])))
        true = math.cos(theta + angle) if theta + angle <= math.pi else math.cos(theta) - angle * math.sin(angle)
        total.append(cross_entropy([scale * (true if c == label else value) for c, value in enumerate(row)], label))
    return mean(total)


REFERENCES = {
    "contrastive": Reference(
        contrastive,
        [{"pos_margin": 0.7, "neg_margin": 1.3}, {"pos_margin": -0.2, "neg_margin": -0.2}],
        collapsed=1.0,  # neg_margin
    ),
    "triplet": Reference(triplet, [{"margin": 0.9}, {"margin": -0.2}], collapsed=0.1),  # margin
    "npair": Reference(npair, [{"l2_weight": 0.1}], collapsed=math.log(8) + 2e-3),  # ln K, and the penalty on squared norms of 1
    "angular": Reference(angular, [{"alpha": 20.0}, {"alpha": 70.0}]),
    "ntxent": Reference(ntxent, [{"temperature": 3.0}], collapsed=math.log(29)),
    "supcon": Reference(supcon, [{"temperature": 10.0}], collapsed=math.log(31)),
    "multi-similarity": Reference(multi_similarity, [{"alpha": 17.0, "beta": 3.0, "base": 0.0}], collapsed=0.9385),
    "proxy-anchor": Reference(proxy_anchor, [{"margin": 0.8, "alpha": 3.0}]),
    "arcface": Reference(arcface, [{"margin": 85.0, "scale": 3.0}, {"margin": 0.0, "scale": 0.5}], gradient={"scale": 4.0}),
}

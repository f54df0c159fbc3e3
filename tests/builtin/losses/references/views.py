"""The losses of two views."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import dot, log_sum_exp, mean, pairs, softplus


def negatives_of(x, labels, a, temperature):
    """Log Σ exp(s / T) over the items of other labels."""
    return log_sum_exp(dot(x, a, n) / temperature for n in range(len(labels)) if labels[n] != labels[a])


def dcl(x, labels, temperature):
    """-s_ap / T + log Σ over other labels of exp(s_an / T), mean over positive pairs; 0 of one label."""
    if len(set(labels)) == 1:
        return 0.0
    return mean(negatives_of(x, labels, a, temperature) - dot(x, a, p) / temperature for a, p in pairs(labels)[0])


def dclw(x, labels, temperature, concentration):
    """-w s_ap / T + log Σ over other labels of exp(s_an / T), w = 2 - exp(s_ap / σ) / mean of that over positive pairs."""
    if len(set(labels)) == 1:
        return 0.0
    genuine = pairs(labels)[0]
    level = mean(math.exp(dot(x, a, p) / concentration) for a, p in genuine)
    total = []
    for a, p in genuine:
        weight = 2 - math.exp(dot(x, a, p) / concentration) / level
        total.append(negatives_of(x, labels, a, temperature) - weight * dot(x, a, p) / temperature)
    return mean(total)


def sigmoid(x, labels, own):
    """log(1 + exp(-z (t s + b))), z = 1 in a label and -1 between two, summed over ordered pairs, over the number of items."""
    genuine, impostors = pairs(labels)
    scale, bias = math.exp(own["log_scale"]), own["bias"]
    near = math.fsum(softplus(-scale * dot(x, i, j) - bias) for i, j in genuine)
    return (near + math.fsum(softplus(scale * dot(x, i, j) + bias) for i, j in impostors)) / len(labels)


def views_of(x, labels):
    """Two lists of rows: the first, third, … of each label, and its second, fourth, …, as many."""
    left, right = [], []
    for label in set(labels):
        places = [i for i, one in enumerate(labels) if one == label]
        for i, j in zip(places[::2], places[1::2], strict=False):
            left.append(x[i])
            right.append(x[j])
    return left, right


def columns(rows):
    """The columns of rows, each less its mean."""
    return [[value - mean(column) for value in column] for column in zip(*rows, strict=True)]


def vicreg(x, labels, invariance, variance, covariance):
    """λ mean of (z - z')² + μ mean of [1 - √(var + 1e-4)]₊ over coordinates and views + ν Σ of squared covariances / D over views."""
    left, right = views_of(x, labels)
    if not left:
        return 0.0
    apart = mean((a - b) ** 2 for one, other in zip(left, right, strict=True) for a, b in zip(one, other, strict=True))
    flat, bound = [], []
    for branch in (columns(left), columns(right)):
        for i, one in enumerate(branch):
            for j, other in enumerate(branch):
                moment = math.fsum(a * b for a, b in zip(one, other, strict=True)) / max(1, len(left) - 1)
                if i == j:
                    flat.append(max(0.0, 1 - math.sqrt(moment + 1e-4)))
                else:
                    bound.append(moment**2 / len(branch))
    return invariance * apart + variance * mean(flat) + covariance * math.fsum(bound)


def barlow_twins(x, labels, redundancy):
    """Σ (1 - c_ii)² + λ Σ c_ij², c_ij the mean product of coordinate i of one view and j of the other, each standardised."""
    left, right = views_of(x, labels)
    if not left:
        return 0.0
    one, other = ([[v / math.sqrt(mean(w * w for w in c) + 1e-5) for v in c] for c in columns(rows)] for rows in (left, right))
    terms = []
    for i, first in enumerate(one):
        for j, second in enumerate(other):
            correlation = mean(a * b for a, b in zip(first, second, strict=True))
            terms.append((1 - correlation) ** 2 if i == j else redundancy * correlation**2)
    return math.fsum(terms)


REFERENCES = {
    "dcl": Reference(dcl, [{"temperature": 0.02}, {"temperature": 3.0}], collapsed=math.log(28)),
    "dclw": Reference(dclw, [{"temperature": 1.0, "concentration": 0.1}, {"concentration": 2.0}], collapsed=math.log(28)),
    "sigmoid": Reference(
        sigmoid,
        [{"scale": 100.0, "bias": 0.0}, {"scale": 1.0, "bias": -20.0}],
        collapsed=31 * math.log(2),  # at cosines of 1 the first scale and bias leave 0
    ),
    "vicreg": Reference(
        vicreg,
        [{"invariance": 1.0, "variance": 100.0, "covariance": 0.1}, {"variance": 1.0, "covariance": 10.0}],
        collapsed=25 * 0.99,  # 1 less the deviation that is added for its slope
    ),
    "barlow-twins": Reference(barlow_twins, [{"redundancy": 0.05}, {"redundancy": 2.0}], collapsed=16.0),  # D
}

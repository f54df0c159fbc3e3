"""The losses of classification: weight vectors, several of a class, and proxies."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import cosines, cross_entropy, log_sum_exp, mean, product, unit


def columns(matrix):
    """The columns of a matrix of weights, lists of floats."""
    return [list(column) for column in zip(*matrix, strict=True)]


def length(row):
    """Euclidean norm."""
    return math.sqrt(product(row, row))


def psi(cosine, margin):
    """(-1)^k cos(m θ) - 2k with k the whole number of times that π / m goes into θ."""
    theta = math.acos(max(-1.0, min(1.0, cosine)))
    k = min(margin - 1, math.floor(theta * margin / math.pi))
    return (-1) ** k * math.cos(margin * theta) - 2 * k


def cosface(x, labels, margin, scale, own):
    """Cross-entropy of scale · cos θ, the margin taken off the cosine of the true class."""
    rows = cosines(x, columns(own["weight"]))
    return mean(
        cross_entropy([scale * (value - margin if c == y else value) for c, value in enumerate(row)], y)
        for row, y in zip(rows, labels, strict=True)
    )


def eased(cosine, margin, ease):
    """(λ cos θ + ψ(θ)) / (1 + λ) at the first step, when λ is 200 times the ease."""
    return (200 * ease * cosine + psi(cosine, margin)) / (1 + 200 * ease)


def sphereface(x, labels, margin, scale, ease, own):
    """Cross-entropy of scale |x| cos θ, with ψ(θ), eased, for the true class."""
    total = []
    for i, y in enumerate(labels):
        row = cosines([unit(x[i])], columns(own["weight"]))[0]
        total.append(cross_entropy([scale * length(x[i]) * (eased(s, margin, ease) if c == y else s) for c, s in enumerate(row)], y))
    return mean(total)


def large_margin_softmax(x, labels, margin, scale, ease, own):
    """Cross-entropy of scale |w| |x| cos θ, with ψ(θ), eased, for the true class."""
    weights, total = columns(own["weight"]), []
    for row, y in zip(x, labels, strict=True):
        logits = [product(row, weight) for weight in weights]
        lengths = length(row) * length(weights[y])
        logits[y] = lengths * eased(logits[y] / lengths, margin, ease)
        total.append(cross_entropy([scale * logit for logit in logits], y))
    return mean(total)


def normalised_softmax(x, labels, temperature, own):
    """Cross-entropy of cos θ / T."""
    rows = cosines(x, columns(own["weight"]))
    return mean(cross_entropy([value / temperature for value in row], y) for row, y in zip(rows, labels, strict=True))


def subcenter_arcface(x, labels, margin, scale, sub_centers, own):
    """Cross-entropy of scale · cos θ to the nearest vector of each class, degrees added to the true angle; past 180° cos θ - m sin m."""
    angle, total = math.radians(margin), []
    for row, y in zip(cosines(x, columns(own["weight"])), labels, strict=True):
        nearest = [max(row[first : first + sub_centers]) for first in range(0, len(row), sub_centers)]
        theta = math.acos(max(-1.0, min(1.0, nearest[y])))
        nearest[y] = math.cos(theta + angle) if theta + angle <= math.pi else math.cos(theta) - angle * math.sin(angle)
        total.append(cross_entropy([scale * value for value in nearest], y))
    return mean(total)


def soft_triple(x, labels, la, gamma, margin, reg_weight, centers_per_class, own):
    """Cross-entropy of λ S, S the softmax-weighted mean of the cosines to a class's centres, plus half their mean distance, weighted."""
    centers, total = columns(own["centers"]), []
    for row, y in zip(cosines(x, centers), labels, strict=True):
        scores = []
        for first in range(0, len(row), centers_per_class):
            inside = row[first : first + centers_per_class]
            whole = log_sum_exp(value / gamma for value in inside)
            scores.append(math.fsum(math.exp(value / gamma - whole) * value for value in inside))
        scores[y] -= margin
        total.append(cross_entropy([la * score for score in scores], y))
    apart = []
    for first in range(0, len(centers), centers_per_class):
        inside = [unit(center) for center in centers[first : first + centers_per_class]]
        apart += [math.sqrt(2 + 1e-5 - 2 * product(inside[i], inside[j])) for j in range(len(inside)) for i in range(j)]
    return mean(total) + reg_weight * mean(apart) / 2


def p2sgrad(x, labels, own):
    """Σ over the classes of (cos θ - [true])², mean over the items."""
    rows = cosines(x, columns(own["weight"]))
    return mean(math.fsum((s - (c == y)) ** 2 for c, s in enumerate(row)) for row, y in zip(rows, labels, strict=True))


def squares(x, proxies):
    """Squared distances of rows of unit length to proxies brought to it."""
    proxies = [unit(proxy) for proxy in proxies]
    return [[math.fsum((a - b) ** 2 for a, b in zip(row, proxy, strict=True)) for proxy in proxies] for row in x]


def proxy_nca(x, labels, softmax_scale, own):
    """-log(exp(-s d²) of the own proxy over Σ exp(-s d²) of the others)."""
    rows = [[-softmax_scale * value for value in row] for row in squares(x, own["proxies"])]
    return mean(log_sum_exp(value for c, value in enumerate(row) if c != y) - row[y] for row, y in zip(rows, labels, strict=True))


def proxy_nca_pp(x, labels, scale, own):
    """-log of the softmax over all proxies of -(scale d)²."""
    rows = squares(x, own["proxies"])
    return mean(cross_entropy([-(scale**2) * value for value in row], y) for row, y in zip(rows, labels, strict=True))


# No ease at all, as much of the cosine as of ψ, and twice as much.
_EASES = {1: 0.0, 2: 0.005, 3: 0.01}

REFERENCES = {
    "cosface": Reference(cosface, [{"margin": 0.9, "scale": 3.0}, {"margin": 0.0, "scale": 0.5}], gradient={"scale": 4.0}),
    "sphereface": Reference(
        sphereface, [{"margin": m, "scale": 2.0, "ease": ease} for m, ease in _EASES.items()], gradient={"scale": 0.3, "ease": 0.01}
    ),
    "large-margin-softmax": Reference(
        large_margin_softmax,
        [{"margin": m, "scale": 0.3, "ease": ease} for m, ease in _EASES.items()],
        gradient={"scale": 0.2, "ease": 0.01},
    ),
    "normalised-softmax": Reference(normalised_softmax, [{"temperature": 3.0}], gradient={"temperature": 0.3}),
    "subcenter-arcface": Reference(
        subcenter_arcface,
        [{"margin": 85.0, "scale": 3.0, "sub_centers": 2}, {"margin": 0.0, "scale": 0.5, "sub_centers": 1}],
        gradient={"scale": 4.0},
    ),
    "soft-triple": Reference(
        soft_triple,
        [{"la": 2.0, "gamma": 3.0, "margin": 0.5, "centers_per_class": 2}, {"gamma": 0.02, "reg_weight": 0.9, "centers_per_class": 4}],
        gradient={"la": 3.0},
    ),
    "p2sgrad": Reference(p2sgrad),
    "proxy-nca": Reference(proxy_nca, [{"softmax_scale": 20.0}]),
    "proxy-nca-pp": Reference(proxy_nca_pp, [{"scale": 1.3}], gradient={"scale": 1.5}),
}

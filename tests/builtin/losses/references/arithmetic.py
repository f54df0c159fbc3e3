"""What the formulas share: rows and labels are lists, nothing is a tensor."""

from __future__ import annotations

import math


def pairs(labels):
    """Ordered pairs (i, j), i ≠ j, of one class, and of two."""
    everyone = [(i, j) for i in range(len(labels)) for j in range(len(labels)) if i != j]
    return [(i, j) for i, j in everyone if labels[i] == labels[j]], [(i, j) for i, j in everyone if labels[i] != labels[j]]


def triplets(labels):
    """All (a, p, n) with p of a's class, not a itself, and n of another."""
    genuine, impostors = pairs(labels)
    return [(a, p, n) for a, p in genuine for b, n in impostors if a == b]


def mean(values):
    """The mean; 0 of nothing."""
    values = list(values)
    return math.fsum(values) / len(values) if values else 0.0


def mean_of_positive(values):
    """Mean of those above zero; 0 if there are none."""
    return mean(value for value in values if value > 0)


def product(one, other):
    """Inner product of two lists."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def dot(x, i, j):
    """Inner product of two rows."""
    return product(x[i], x[j])


def distance(x, i, j):
    """Euclidean distance of two rows."""
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(x[i], x[j], strict=True)))


def unit(row):
    """A list divided by its length."""
    length = math.sqrt(product(row, row))
    return [value / length for value in row]


def cosines(x, others):
    """Cosine of each row, which has length 1, with each of some others of any length."""
    others = [unit(other) for other in others]
    return [[product(row, other) for other in others] for row in x]


def log_sum_exp(values):
    """Log Σ exp; minus infinity of nothing."""
    values = list(values)
    if not values:
        return -math.inf
    most = max(values)
    return most + math.log(math.fsum(math.exp(value - most) for value in values))


def log_one_plus_sum_exp(values):
    """log(1 + Σ exp)."""
    return log_sum_exp([0.0, *values])


def softplus(value):
    """log(1 + exp)."""
    return log_one_plus_sum_exp([value])


def cross_entropy(logits, true):
    """-log of the softmax at the true place."""
    return log_sum_exp(logits) - logits[true]

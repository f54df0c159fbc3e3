"""The losses of face recognition."""

from __future__ import annotations

import math
import statistics

import torch

from references import Reference
from references.arithmetic import cross_entropy, mean, product, softplus, unit

EDGE = 1e-3


def held(value, low, high):
    """A number within bounds."""
    return max(low, min(high, value))


def length(row):
    """Of a list."""
    return math.sqrt(product(row, row))


def angles(x, weights):
    """Cosine of each row with each weight vector."""
    return [[product(unit(row), unit(weight)) for weight in weights] for row in x]


def margined(cosines, labels, scale, moved):
    """Mean cross-entropy of scaled cosines, that of the own class moved."""
    return mean(
        cross_entropy([scale * (moved(i, value) if c == label else value) for c, value in enumerate(row)], label)
        for i, (row, label) in enumerate(zip(cosines, labels, strict=True))
    )


def adaface(x, labels, margin, concentration, scale, own):
    """-log softmax of s (cos(θ - m z) - m (1 + z)) at the own class; z the length in deviations from the batch's mean, times h."""
    lengths = [held(length(row), 1e-3, 100) for row in x]
    centre, deviation = mean(lengths), statistics.stdev(lengths)
    quality = [held(concentration * (one - centre) / (deviation + EDGE), -1, 1) for one in lengths]
    cosines = [[held(value, EDGE - 1, 1 - EDGE) for value in row] for row in angles(x, own["weight"])]

    def moved(i, value):
        return math.cos(held(math.acos(value) - margin * quality[i], EDGE, math.pi - EDGE)) - margin * (1 + quality[i])

    return margined(cosines, labels, scale, moved)


def magface(x, labels, margin, rise, regulariser, scale, own):
    """-log softmax with m(a) added to an own angle below 90°, plus λ (a / 110² + 1 / a); a = length √(512 / D) in [10, 110]."""
    lengths = [held(length(row) * math.sqrt(512 / len(row)), 10, 110) for row in x]

    def moved(i, value):
        angle = margin + rise * (lengths[i] - 10) / 100
        return math.cos(math.acos(held(value, -1, 1)) + angle) if value > 0 else value

    pull = mean(one / 110**2 + 1 / one for one in lengths)
    return margined(angles(x, own["weight"]), labels, scale, moved) + regulariser * pull


def elasticface(x, labels, margin, spread, scale, own):
    """-log softmax with a margin added to the own angle that is drawn from N(m, σ) for each item."""
    state = torch.get_rng_state()
    drawn = torch.randn(len(x), dtype=torch.float64).tolist()
    torch.set_rng_state(state)  # What the loss is about to draw.

    def moved(i, value):
        return math.cos(math.acos(held(value, -1, 1)) + margin + spread * drawn[i])

    return margined(angles(x, own["weight"]), labels, scale, moved)


def uniface(x, labels, margin, scale, negatives, own):
    """log(1 + exp(b - s (cos θ - m))) at the own class plus λ Σ log(1 + exp(s cos θ - b)) over the others, mean over items."""
    bias = own["bias"]
    return mean(
        softplus(bias - scale * (row[label] - margin))
        + negatives * math.fsum(softplus(scale * value - bias) for c, value in enumerate(row) if c != label)
        for row, label in zip(angles(x, own["weight"]), labels, strict=True)
    )


REFERENCES = {
    # The gradient leaves out that lengths move the margin, by design: without concentration they do not.
    "adaface": Reference(
        adaface,
        [{"margin": 0.6, "concentration": 1.0, "scale": 8.0}, {"margin": 0.0, "scale": 2.0}],
        gradient={"concentration": 0.0, "scale": 4.0},
    ),
    "magface": Reference(
        magface,
        [{"margin": 0.0, "rise": 0.8, "scale": 8.0}, {"regulariser": 5.0, "rise": 0.0, "scale": 3.0}],
        gradient={"scale": 4.0},
    ),
    # Each call draws other margins: without spread they are all the same.
    "elasticface": Reference(
        elasticface,
        [{"margin": 0.8, "spread": 0.2, "scale": 8.0}, {"margin": 0.0, "spread": 0.0}],
        gradient={"spread": 0.0, "scale": 4.0},
    ),
    "uniface": Reference(
        uniface,
        [{"margin": 0.0, "scale": 8.0}, {"margin": 0.6, "negatives": 5.0, "scale": 20.0}],
        gradient={"scale": 4.0},
    ),
}

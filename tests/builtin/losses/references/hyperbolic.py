"""The losses of curved space."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import log_one_plus_sum_exp, mean, pairs, product


def placed(row, curvature, radius):
    """The exponential map at the centre of the ball, of a list that is cut at a length."""
    length = math.sqrt(product(row, row))
    root = math.sqrt(curvature)
    factor = math.tanh(root * min(length, radius)) / (root * length)
    return [factor * value for value in row]


def geodesic(x, y, curvature):
    """2 / √c artanh(√c |(-x) ⊕ y|), the sum that of Möbius."""
    x = [-value for value in x]
    xy, xx, yy = product(x, y), product(x, x), product(y, y)
    below = 1 + 2 * curvature * xy + curvature**2 * xx * yy
    total = [((1 + 2 * curvature * xy + curvature * yy) * a + (1 - curvature * xx) * b) / below for a, b in zip(x, y, strict=True)]
    return 2 / math.sqrt(curvature) * math.atanh(math.sqrt(curvature * product(total, total)))


def hyperbolic(x, labels, temperature, curvature, radius):
    """-log of exp(-d_ap / T) over itself and all exp(-d_an / T), mean over genuine pairs, d in the Poincaré ball."""
    points = [placed(row, curvature, radius) for row in x]
    genuine, impostors = pairs(labels)

    def d(i, j):
        return 0.0 if points[i] == points[j] else geodesic(points[i], points[j], curvature)

    return mean(log_one_plus_sum_exp((d(a, p) - d(a, n)) / temperature for b, n in impostors if b == a) for a, p in genuine)


REFERENCES = {
    "hyperbolic": Reference(
        hyperbolic,
        [{"temperature": 1.0, "curvature": 1.0, "radius": 1.0}, {"curvature": 0.01, "radius": 3.5}],
        collapsed=math.log(29),
    ),
}

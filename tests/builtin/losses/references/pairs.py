"""The losses that rank all pairs at once."""

from __future__ import annotations

from references import Reference
from references.arithmetic import dot, log_one_plus_sum_exp, pairs


def ranked(similarity, labels, scale):
    """log(1 + Σ exp(scale (s_n - s_p))) over every genuine pair and every impostor, both ordered."""
    genuine, impostors = pairs(labels)
    near = [similarity(i, j) for i, j in genuine]
    far = [similarity(i, j) for i, j in impostors]
    return log_one_plus_sum_exp(scale * (n - p) for p in near for n in far)


def cosent(x, labels, scale):
    """log(1 + Σ exp(scale (s_n - s_p))) over all genuine pairs p and impostors n, s the cosine."""
    return ranked(lambda i, j: dot(x, i, j), labels, scale)


def angle(x, labels, scale):
    """log(1 + Σ exp(scale (a_n - a_p))) over all genuine pairs p and impostors n, a the absolute sum of parts of quotients z / w."""
    half = (len(x[0]) + 1) // 2
    numbers = [[complex(re, im) for re, im in zip(row[:half], [*row[half:], 0.0], strict=False)] for row in x]

    def similarity(i, j):
        # z / w = z w̄ / |w|², and w as a whole is of length 1.
        quotients = [z * w.conjugate() for z, w in zip(numbers[i], numbers[j], strict=True)]
        return abs(sum(one.real + one.imag for one in quotients))

    return ranked(similarity, labels, scale)


REFERENCES = {
    "cosent": Reference(cosent, [{"scale": 5.0}, {"scale": 80.0}]),
    "angle": Reference(angle, [{"scale": 5.0}, {"scale": 80.0}]),
}

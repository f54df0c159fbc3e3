"""Points that fill a space evenly: the trials of a study that do not depend on each other's results."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import qmc

from siambench.identity import seed_of
from siambench.spaces import Choice, Dimension, Float, Int, Value


def quasi_random(space: Mapping[str, Dimension], number: int, *, seed: int) -> dict[str, Value]:
    """The point of a trial in a scrambled Sobol sequence: it fills the space evenly, and does not depend on other trials' results.

    A `Choice` has no order that a sequence could fill evenly: its option is drawn by a hash.

    Args:
        space: what is searched, at least one dimension.
        number: of the trial, from 1: trial 0 is the default.
        seed: of the sequence, the same for all trials of a study.

    Source:
        Sobol, On the distribution of points in a cube and the approximate evaluation of integrals, USSR Computational Mathematics and
        Mathematical Physics 1967; scrambled after Owen, Journal of Complexity 1998.
    """
    ordered = [(name, dimension) for name, dimension in sorted(space.items()) if not isinstance(dimension, Choice)]
    found: dict[str, Value] = {}
    if ordered:
        # A power of two of points, as the sequence is made for.
        points = qmc.Sobol(len(ordered), scramble=True, rng=np.random.default_rng(seed)).random_base2(max(1, number.bit_length()))
        found |= {name: _at(dimension, float(share)) for (name, dimension), share in zip(ordered, points[number - 1], strict=True)}
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            found[name] = dimension.options[seed_of(seed, name, number) % len(dimension.options)]
    return found


def _at(dimension: Float | Int, share: float) -> Value:
    """The value of a dimension at a share of its range, in [0, 1)."""
    low, high = float(dimension.low), float(dimension.high)
    if isinstance(dimension, Int):
        # Every whole number has the same share of the range, or of its logarithm.
        low, high = low - 0.5, high + 0.5
    value = math.exp(math.log(low) + share * (math.log(high) - math.log(low))) if dimension.log else low + share * (high - low)
    if isinstance(dimension, Int):
        return min(dimension.high, max(dimension.low, round(value)))
    return min(dimension.high, max(dimension.low, value))

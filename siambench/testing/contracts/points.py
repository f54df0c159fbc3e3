"""Points of a search space: its corners, drawn ones, and how one is told to people."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

from siambench.spaces import Choice, Dimension, Params, Space, Value

DRAWN = 16
"""Points drawn of a space."""

_ALL_CORNERS_UP_TO = 4


def ends(dimension: Dimension) -> tuple[Value, ...]:
    """The two bounds of a range, every option of a choice."""
    return dimension.options if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def corners(space: Space, defaults: Params) -> list[Params]:
    """All corners of up to four dimensions; of more, each bound alone, and all low or all high ones together.

    Args:
        space: what is tuned.
        defaults: the values of the other parameters.
    """
    names = sorted(space)
    if len(names) <= _ALL_CORNERS_UP_TO:
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*(ends(space[name]) for name in names))]
    alone: list[Params] = [{**defaults, name: value} for name in names for value in ends(space[name])]
    return [*alone, {name: ends(space[name])[0] for name in names}, {name: ends(space[name])[-1] for name in names}]


def drawn(space: Space, count: int = DRAWN) -> list[Params]:
    """Points drawn evenly, on the scale of each dimension; the same ones each time."""
    source = random.Random(4)  # noqa: S311  points to try, not secrets
    return [{name: _draw(space[name], source) for name in sorted(space)} for _ in range(count)]


def _draw(dimension: Dimension, source: random.Random) -> Value:
    if isinstance(dimension, Choice):
        return source.choice(dimension.options)
    low, high = (math.log(bound) if dimension.log else float(bound) for bound in (dimension.low, dimension.high))
    value = source.uniform(low, high)
    value = math.exp(value) if dimension.log else value
    # Rounding in exp and log must not step over a bound.
    value = min(max(value, dimension.low), dimension.high)
    return round(value) if isinstance(dimension.low, int) and isinstance(dimension.high, int) else value


def told(params: Params, names: Sequence[str]) -> str:
    """``margin = 0.2, scale = 64``: the values of some parameters, for a reason."""
    return ", ".join(f"{name} = {params[name]:.6g}" if isinstance(params[name], float) else f"{name} = {params[name]}" for name in names)

"""Values → places on an axis, and the numbers that are written along it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from siambench.figures.picture import Axis, Scale

_NORMAL = NormalDist()
_SMALLEST_SHARE = 1e-6
_SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_PADDING = 0.04


def moved(value: float, scale: Scale) -> float:
    """A value in the units in which its scale is even; what has no place, such as 0 on a logarithmic one, goes to its lowest."""
    if scale == "log":
        return math.log10(max(value, 1e-12))
    if scale == "probit":
        return _NORMAL.inv_cdf(min(max(value, _SMALLEST_SHARE), 1 - _SMALLEST_SHARE))
    return value


@dataclass(frozen=True)
class Range:
    """What an axis reaches over.

    Args:
        low: its lower end, in the units of the data.
        high: its upper end, above the lower one.
        scale: how values become places.
    """

    low: float
    high: float
    scale: Scale = "linear"

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0 at the lower and 1 at the upper one."""
        low, high = moved(self.low, self.scale), moved(self.high, self.scale)
        return (moved(value, self.scale) - low) / (high - low)


def range_of(axis: Axis, values: Sequence[float]) -> Range:
    """The range of an axis: what it says itself, else what its marks reach, with some room.

    Args:
        axis: the axis.
        values: of its marks, in any order.
    """
    if axis.names:
        return Range(-0.5, len(axis.names) - 0.5)
    if axis.scale == "log":
        values = [value for value in values if value > 0]
    if axis.scale == "probit":
        values = [min(max(value, _SMALLEST_SHARE), 1 - _SMALLEST_SHARE) for value in values]
    low, high = min(values, default=0.0 if axis.scale == "linear" else 0.1), max(values, default=1.0 if axis.scale != "probit" else 0.9)
    low, high = (low if axis.low is None else axis.low), (high if axis.high is None else axis.high)
    start, end = moved(low, axis.scale), moved(high, axis.scale)
    if not end > start:
        # One value, or ends the wrong way round: room around it, so that it has a place.
        room = abs(start) * 0.1 or 0.5
        return Range(_back(start - room, axis.scale), _back(start + room, axis.scale), axis.scale)
    room = _PADDING * (end - start)
    return Range(
        low if axis.low is not None else _back(start - room, axis.scale),
        high if axis.high is not None else _back(end + room, axis.scale),
        axis.scale,
    )


def _back(place: float, scale: Scale) -> float:
    if scale == "log":
        return float(10.0**place)
    return _NORMAL.cdf(place) if scale == "probit" else place


def ticks_of(axis: Axis, found: Range, most: int) -> list[tuple[float, str]]:
    """The values to mark on an axis of numbers, and how each is written.

    Args:
        axis: the axis.
        found: its range.
        most: about how many there is room for, at least 2.
    """
    if found.scale == "log":
        values = _log_ticks(found, most)
    elif found.scale == "probit":
        inside = [share for share in _SHARES if found.low <= share <= found.high]
        values = inside if len(inside) <= most else inside[:: math.ceil(len(inside) / most)]
    else:
        values = _linear_ticks(found, most, whole=axis.whole)
    return list(zip(values, _written(values, percent=axis.percent, scale=found.scale), strict=True))


def _linear_ticks(found: Range, most: int, *, whole: bool) -> list[float]:
    span = found.high - found.low
    power = math.floor(math.log10(span / max(most, 2)))
    found_ticks: list[float] = []
    for factor in (1, 2, 5, 10, 20, 50):
        # A decimal literal rather than a product, whose last digit would show.
        step = max(float(f"{factor}e{power}"), 1.0 if whole else 0.0)
        first, last = math.ceil(found.low / step - 1e-9), math.floor(found.high / step + 1e-9)
        found_ticks = [number * step for number in range(first, last + 1)]
        if len(found_ticks) <= max(most, 2):
            break
    return found_ticks


def _log_ticks(found: Range, most: int) -> list[float]:
    first, last = math.floor(math.log10(found.low)), math.ceil(math.log10(found.high))
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
        inside = [value for value in values if found.low * (1 - 1e-9) <= value <= found.high * (1 + 1e-9)]
        if len(inside) <= max(most, 2):
            # Within a fraction of a decade there may be no such value.
            return inside if len(inside) > 1 else _linear_ticks(found, most, whole=False)
    return inside[:: math.ceil(len(inside) / max(most, 2))]


def _written(values: Sequence[float], *, percent: bool, scale: Scale) -> list[str]:
    """All with the decimals that tell neighbours apart; of a scale that is not even each with those that it needs."""
    shown = [100 * value for value in values] if percent else list(values)
    unit = " %" if percent else ""
    if scale != "linear":
        return [f"{_short(value)}{unit}" for value in shown]
    steps = [abs(b - a) for a, b in itertools.pairwise(shown)]
    step = min(steps, default=abs(shown[0]) if shown else 1.0) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals > 6 or max(map(abs, shown), default=0.0) >= 1e7:
        return [f"{value:.3g}{unit}" for value in shown]
    return [_signed(f"{value:,.{decimals}f}") + unit for value in shown]


def _short(value: float) -> str:
    if value and (abs(value) >= 1e7 or abs(value) < 1e-3):
        mantissa, _, power = f"{value:.0e}".partition("e")
        return f"{mantissa}e{int(power)}"
    return _signed(f"{value:,.6f}".rstrip("0").rstrip("."))


def _signed(text: str) -> str:
    """Without a minus before 0."""
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text.replace("-", "−")

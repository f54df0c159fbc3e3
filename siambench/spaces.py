"""What can be tuned: the dimensions of a search space, and values in them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from siambench.errors import UnknownNameError

Value = float | int | str | bool
Params = Mapping[str, Value]


def kind_of(value: object) -> str:
    """For people: what a value is."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")


def fits(value: object, default: object) -> bool:
    """Whether a value is of the kind of a default: a whole number is a number too, but true is neither, nor is text that reads as one."""
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return type(value) is type(default) if isinstance(default, bool | int | str) else True


@dataclass(frozen=True)
class Float:
    """A real hyperparameter.

    Args:
        low: smallest value, included.
        high: largest value, included; ``low < high``.
        log: whether it is searched on a logarithmic scale, which needs ``low > 0``.

    Raises:
        ValueError: if the bounds do not hold.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Float needs finite low < high, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"Float on a log scale needs low > 0, got low={self.low}")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a number inside the bounds."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def on_bound(self, value: Value) -> bool:
        """Whether ``value`` lies within 1 % of a bound, on the scale of the space."""
        return _near_bound(self.low, self.high, value, log=self.log)


@dataclass(frozen=True)
class Int:
    """A whole-number hyperparameter; bounds included, ``log`` as in `Float`.

    Raises:
        ValueError: if the bounds do not hold.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Int needs low < high, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"Int on a log scale needs low > 0, got low={self.low}")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a whole number inside the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def on_bound(self, value: Value) -> bool:
        """Whether ``value`` lies within 1 % of a bound, on the scale of the space."""
        return _near_bound(self.low, self.high, value, log=self.log)


@dataclass(frozen=True)
class Choice:
    """A hyperparameter that takes one of a few named values.

    Raises:
        ValueError: if there are fewer than two options.
    """

    options: tuple[Value, ...]

    def __init__(self, *options: Value) -> None:
        if len(options) < 2:
            raise ValueError(f"Choice needs at least two options, got {options}")
        object.__setattr__(self, "options", options)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the options; true is not 1."""
        return any(value == option and fits(value, option) for option in self.options)

    def on_bound(self, value: Value) -> bool:  # noqa: ARG002  a choice has no bounds; the signature is shared
        """Never: a choice has no bounds."""
        return False


def _near_bound(low: float, high: float, value: Value, *, log: bool) -> bool:
    assert isinstance(value, int | float)
    start, end, at = (math.log(x) if log else float(x) for x in (low, high, value))
    return min(at - start, end - at) <= 0.01 * (end - start)


Dimension = Float | Int | Choice
Space = Mapping[str, Dimension]


def check_space(space: Mapping[str, object], defaults: Mapping[str, object], *, holds_defaults: bool) -> None:
    """Refuse a space that does not hold.

    Args:
        space: of a loss or a miner.
        defaults: of its parameters.
        holds_defaults: whether each default must lie in it.

    Raises:
        TypeError: of a dimension that is none.
        ValueError: of a parameter without a default, or with one that lies outside.
    """
    for name, dimension in space.items():
        if not isinstance(dimension, Float | Int | Choice):
            raise TypeError(f"space of {name!r} must be a Float, Int or Choice, got {type(dimension).__name__}")
        if name not in defaults:
            raise ValueError(f"parameter {name!r} has a space but no default")
        if holds_defaults and not dimension.contains(defaults[name]):
            raise ValueError(f"default {defaults[name]!r} of {name!r} lies outside its space {dimension}")


def nearest(dimension: Dimension, value: Value) -> Value:
    """The value of a dimension that is nearest to another value: the bound that it lies beyond; the first option for a stranger."""
    if dimension.contains(value):
        return value
    if isinstance(dimension, Choice):
        return dimension.options[0]
    assert isinstance(value, int | float)
    return min(max(value, dimension.low), dimension.high)


class _Searched(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def space(self) -> Space: ...
    @property
    def defaults(self) -> Params: ...
    @property
    def spaces(self) -> Mapping[str, Space]: ...


SearchedEntry = TypeVar("SearchedEntry", bound=_Searched)


def with_space(entry: SearchedEntry, name: str) -> SearchedEntry:
    """An entry whose space is one of its further, named ones, each default that lies outside moved to the nearest value inside.

    Args:
        entry: of a loss or a miner.
        name: of the space, such as ``"reality-check"``.

    Raises:
        UnknownNameError: if the entry has no space of that name.
    """
    if name not in entry.spaces:
        raise UnknownNameError("space", name, entry.spaces)
    space = entry.spaces[name]
    moved = {parameter: nearest(dimension, entry.defaults[parameter]) for parameter, dimension in space.items()}
    return dataclasses.replace(entry, space=space, defaults={**entry.defaults, **moved})


def told(value: Value) -> str:
    """A value as ``--set`` and ``--space`` take it: ``0.05``, ``true``."""
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def dimension_text(dimension: Dimension) -> str:
    """For people: ``0.02 to 0.7, log``, or the options of a choice: ``a | b | c``."""
    if isinstance(dimension, Choice):
        return " | ".join(map(told, dimension.options))
    return f"{told(dimension.low)} to {told(dimension.high)}" + (", log" if dimension.log else "")


def dimension_to_json(dimension: Dimension) -> dict[str, Any]:
    """A JSON form of one dimension, e.g. ``{"type": "float", "low": 0.0, "high": 1.0, "log": false}``."""
    if isinstance(dimension, Choice):
        return {"type": "choice", "options": list(dimension.options)}
    kind = "float" if isinstance(dimension, Float) else "int"
    return {"type": kind, "low": dimension.low, "high": dimension.high, "log": dimension.log}


def dimension_from_json(value: Mapping[str, Any]) -> Dimension:
    """The inverse of `dimension_to_json`."""
    if value["type"] == "choice":
        return Choice(*value["options"])
    if value["type"] == "float":
        return Float(value["low"], value["high"], log=value["log"])
    return Int(value["low"], value["high"], log=value["log"])

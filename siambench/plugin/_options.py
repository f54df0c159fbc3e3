"""Options of a loss: settings that are neither tuned nor part of a row unless a user sets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from siambench.spaces import Choice, Dimension, Float, Params, Value


@dataclass(frozen=True)
class Option:
    """A setting of a loss that a user may set: ``--set loss.swap=true``.

    Args:
        neutral: what the loss is without it; a user who sets that has the row without the option. It may lie outside ``allowed``, as a
            word for what no value stands for.
        allowed: the values that it can be set to: ``Choice(False, True)``, ``Float(1.0, 10.0)``; nothing is searched in it.
        about: what it does, half a sentence.
    """

    neutral: Value
    allowed: Dimension
    about: str = ""

    @property
    def values(self) -> str:
        """For people: what it can be set to, its neutral value first."""
        first = _told(self.neutral)
        if isinstance(self.allowed, Choice):
            return " or ".join(dict.fromkeys([first, *map(_told, self.allowed.options)]))
        kind = "a number" if isinstance(self.allowed, Float) else "a whole number"
        told = f"{kind} from {self.allowed.low:g} to {self.allowed.high:g}"
        return told if self.allowed.contains(self.neutral) else f"{first} or {told}"

    def is_neutral(self, value: Value) -> bool:
        """Whether a value is what the loss is without the option; true is not 1."""
        return value == self.neutral and isinstance(value, bool) == isinstance(self.neutral, bool)


def _told(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_options(options: Mapping[str, object], others: Iterable[str]) -> None:
    """Refuse options that do not hold.

    Args:
        options: of a loss, by name.
        others: names that mean something else to it: its parameters, and what the harness gives.

    Raises:
        TypeError: of an option that is none.
        ValueError: of one whose name is taken.
    """
    for name, option in options.items():
        if not isinstance(option, Option):
            raise TypeError(f"option {name!r} must be an Option, got {type(option).__name__}")
        if name in others or name == "options":
            raise ValueError(f"an option cannot be called {name!r}, which means something else to the loss")


def options_among(options: Mapping[str, Option], given: Params) -> dict[str, Value]:
    """Those of some values that set an option to something else than its neutral value, each as a row knows it.

    Args:
        options: of a loss, by name.
        given: values by the same names, and by others, which are passed over.

    Raises:
        ValueError: of a value that an option cannot have, in one sentence.
    """
    found: dict[str, Value] = {}
    for name, option in options.items():
        if name not in given or option.is_neutral(given[name]):
            continue
        value = given[name]
        if not option.allowed.contains(value):
            raise ValueError(f"{name} must be {option.values}, got {_told(value)[:60]!r}")
        # 1 and 1.0 are one number: they make one row.
        found[name] = float(value) if isinstance(option.allowed, Float) else value
    return found

"""What the values of rules are made of: their base, whole numbers that documents hold, ranges, options, names of components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from siambench.spaces import Value

MOST_STEPS = 1_000_000
"""Of epochs, of steps per epoch, and of items in a batch: what is larger is a slip, not a plan."""

LARGEST_WHOLE = (1 << 53) - 1
"""Beyond it not every whole number has a floating one, and documents that others read would round it."""


class Frozen(BaseModel):
    """Rules that cannot be changed, and know no key but their own."""

    # Strict: true is no number, "2" is no 2, and 2.0 no whole number; a whole number is a number.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=True, allow_inf_nan=False)


def _sane(options: dict[str, Value]) -> dict[str, Value]:
    for name, value in options.items():
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise ValueError(f"{name}: whole numbers lie in ±{LARGEST_WHOLE}")
    return options


Options = Annotated[dict[str, Value], AfterValidator(_sane)]
"""What is handed on to a component, or fixed for one."""


def _flat(given: Any) -> Any:
    # A table is of one of two backbones: its keys are told with its name.
    if not isinstance(given, Mapping):
        return given
    found: dict[Any, Any] = {}
    for name, value in given.items():
        found |= {f"{name}.{key}": own for key, own in value.items()} if isinstance(value, Mapping) else {name: value}
    return found


OptionsOfSides = Annotated[dict[str, Value], BeforeValidator(_flat), AfterValidator(_sane)]
"""Likewise, and for items of two sides in a table for each, ``first`` and ``second``."""


# TOML and JSON have lists, and no tuples.
Range = Annotated[tuple[float, float], Field(strict=False)]
"""[low, high]."""

Component = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
"""The name of a component, which what is installed knows."""

Names = Annotated[tuple[str, ...], Field(strict=False)]
"""Names, in order."""

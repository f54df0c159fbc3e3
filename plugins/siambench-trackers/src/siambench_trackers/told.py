"""What trackers are told of a unit: its name, its parameters, and numbers by name."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siambench.interfaces import EpochEnded, Outcome, UnitStarted

_ODD = re.compile(r"[^A-Za-z0-9._+@-]+")
_ID = 8


@dataclass(frozen=True)
class Point:
    """The numbers of one epoch.

    Args:
        epoch: from 1.
        seconds: since the unit began.
        numbers: by name, all finite.
    """

    epoch: int
    seconds: float
    numbers: Mapping[str, float]


def name_of(event: UnitStarted) -> str:
    """``triplet+hard trial 3 fold 1 1a2b3c4d``: what people call a unit, and the first digits of its id, which no other has."""
    return f"{event.label} {event.unit[:_ID]}"


def folder_name(name: str) -> str:
    """The same as the name of a folder: letters, digits and ``._+@-``, never hidden."""
    return _ODD.sub("-", name).strip("-.") or "unit"


def facts_of(event: UnitStarted) -> dict[str, str | int]:
    """What kind of unit it is, in text and whole numbers; what it has none of is left out."""
    facts: dict[str, str | int] = {
        "unit": event.unit,
        "track": event.track,
        "method": event.method,
        "kind": event.kind,
        "repetition": event.repetition,
    }
    return {**facts, **{name: value for name, value in (("trial", event.trial), ("fold", event.fold)) if value is not None}}


def point_of(event: EpochEnded) -> Point:
    """The figures of an epoch and what was measured in it; what is missing or not finite is left out.

    Names are ``loss``, ``gradient_norm``, ``tuples``, ``validation/METRIC`` and ``measures/…``, the fields of `Measures` as they nest.
    """
    figures = event.figures
    numbers: dict[str, Any] = {"loss": figures.loss, "gradient_norm": figures.gradient_norm, "tuples": figures.tuples}
    numbers |= {f"validation/{name}": value for name, value in (figures.validation or {}).items()}
    if event.measures is not None:
        numbers |= dict(_flat("measures", dataclasses.asdict(event.measures)))
        numbers.pop("measures/epoch", None)
    return Point(event.epoch, event.seconds, finite(numbers))


def scores_of(outcome: Outcome) -> dict[str, float]:
    """``test/METRIC``: the scores of a final unit; none of one that failed, and of a tune unit."""
    return finite({f"test/{name}": value for name, value in outcome.scores.items()})


def finite(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Those that are numbers, finite, as floats."""
    return {name: float(value) for name, value in numbers.items() if isinstance(value, int | float) and math.isfinite(value)}


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _flat(f"{name}/{inner}", one)
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from _flat(f"{name}/{place}", one)
    else:
        yield name, value

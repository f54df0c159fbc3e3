"""What the units of a row took: wall time by phase, peak memory, device. Shown beside a table, and never compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.records.record import Record

PHASES = ("data", "train", "mine", "embed", "evaluate")
"""The phases that telemetry may tell apart; what a record does not tell stays empty."""

_DECIMALS = 4
"""Those of the telemetry itself."""


@dataclass(frozen=True)
class Spent:
    """The wall time of some units.

    Args:
        units: how many.
        seconds: of whole units; None where none of them says.
        phases: seconds by phase, of those that any unit names.
    """

    units: int
    seconds: float | None
    phases: Mapping[str, float]


@dataclass(frozen=True)
class Costs:
    """What a row took.

    Args:
        tuning: sums over the tune units of the trials that the row counts, failed ones included: they spent budget.
        final: medians over its final units.
        peak_memory_mb: the highest of all its units; a unit says what its worker process had needed by then, earlier units
            of that process included.
        devices: sorted.
    """

    tuning: Spent
    final: Spent
    peak_memory_mb: float | None
    devices: tuple[str, ...]


def costs_of(tuning: Sequence[Record], final: Sequence[Record]) -> Costs:
    """What units took, as their telemetry says; what it does not say, or not as a number, stays unknown.

    Args:
        tuning: records of tune units, in any order.
        final: records of final units, in any order.
    """
    units = (*tuning, *final)
    peaks = [record.peak_memory_mb for record in units if record.peak_memory_mb is not None]
    devices = {record.device for record in units if record.device is not None}
    return Costs(_spent(tuning, math.fsum), _spent(final, statistics.median), max(peaks, default=None), tuple(sorted(devices)))


def _spent(records: Sequence[Record], together: Callable[[list[float]], float]) -> Spent:
    whole = [record.seconds for record in records if record.seconds is not None]
    by_phase = {}
    for phase in PHASES:
        known = [record.phases[phase] for record in records if phase in record.phases]
        if known:
            by_phase[phase] = round(together(known), _DECIMALS)
    return Spent(len(records), round(together(whole), _DECIMALS) if whole else None, by_phase)


HEAD = (
    "method",
    *("tuning_units", "tuning_seconds", *(f"tuning_{phase}_seconds" for phase in PHASES)),
    *("final_units", "final_seconds", *(f"final_{phase}_seconds" for phase in PHASES)),
    *("peak_memory_mb", "device"),
)
"""The columns of ``costs.csv``: of tuning the sums, of final units the medians per unit."""


def cells(name: str, costs: Costs) -> list[object]:
    """A row of ``costs.csv``."""
    spent: list[object] = []
    for part in (costs.tuning, costs.final):
        spent += [part.units, _cell(part.seconds), *(_cell(part.phases.get(phase)) for phase in PHASES)]
    return [name, *spent, _cell(costs.peak_memory_mb), " ".join(costs.devices)]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"


def to_json(costs: Costs) -> dict[str, Any]:
    """The key ``costs`` of a row; documented in leaderboards/README.md."""
    parts = {
        name: {"units": part.units, "seconds": part.seconds, "phases": {phase: part.phases.get(phase) for phase in PHASES}}
        for name, part in (("tuning", costs.tuning), ("final", costs.final))
    }
    return {**parts, "peak_memory_mb": costs.peak_memory_mb, "devices": list(costs.devices)}

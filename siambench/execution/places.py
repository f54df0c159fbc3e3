"""Where a unit may run: in a process that no other method's foreign code has touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.components.roles import SPLIT_RULE
from siambench.spec import Context, Unit

if TYPE_CHECKING:
    from siambench.interfaces import Place

OWN = "siambench"
"""The plugin that the built-in components are of."""

EVERY = "*"
"""Stands for all distributions that are installed: for a unit of an older siambench, which does not name those of all it needs."""

_NAMED_SINCE = ("dataset", "primary")
"""Roles that the units of today name, and those of older records do not."""


def foreign(unit: Unit, context: Context) -> tuple[str, ...]:
    """The distributions, other than siambench itself, that a unit's components and observers come from; files are none."""
    if any(role not in unit.components for role in _NAMED_SINCE):
        return (EVERY,)
    found = {where.distribution for where in unit.components.values() if where.plugin != OWN and not where.is_local}
    return tuple(sorted({*found, *context.distributions}))


def is_read_ahead(unit: Unit) -> bool:
    """Whether its data is read and cut where workers of several methods are forked from: by siambench's own code alone."""
    return "dataset" in unit.components and unit.components["dataset"].plugin == OWN and SPLIT_RULE not in unit.components


def place_of(unit: Unit, context: Context) -> Place:
    """Where a unit may run: units without foreign code share workers, others those of their method and of the same foreign code."""
    from siambench.execution.calls import read_ahead
    from siambench.interfaces import Place

    files = sorted(f"{where.plugin}:{where.digest}" for where in unit.components.values() if where.is_local)
    key = (*foreign(unit, context), *files)
    data = (unit.data, context.local.get(unit.data.dataset, unit.data.dataset))
    return Place((unit.method.name, *key) if key else (), (read_ahead, data) if is_read_ahead(unit) else None)

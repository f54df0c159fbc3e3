"""Which engine a run asks for, checked before anything is loaded or trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component
from siambench.errors import PluginError, SiambenchError, UsageError
from siambench.interfaces import Engine
from siambench.plugin import call_factory

OPTIONS = ("jobs", "address", "time_limit", "memory_limit")
"""What a run may say of its engine; an option that is not given is not passed."""


@dataclass(frozen=True)
class Choice:
    """An engine and what was said of it.

    Args:
        component: the engine.
        options: by their names in `OPTIONS`, those that were given.
    """

    component: Component
    options: Mapping[str, Any]

    def start(self, **offered: Any) -> Engine:
        """Make the engine; it is passed what its signature names.

        Raises:
            UsageError: if it cannot be had here.
            PluginError: if its factory breaks, or gives something else than an engine.
        """
        name = f"the engine {self.component.name!r} of {self.component.provenance}"
        try:
            engine = call_factory(self.component.entry.build, {**offered, **self.options})
        except SiambenchError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"{name} cannot be started: {type(error).__name__}: {error}") from error
        if not isinstance(engine, Engine):
            raise PluginError(f"{name} must give a siambench.interfaces.Engine, got {type(engine).__name__}")
        return engine


def choose(catalogue: Catalogue, name: str, options: Mapping[str, Any]) -> Choice:
    """The engine of that name.

    Args:
        catalogue: what is installed.
        name: of the engine.
        options: by their names in `OPTIONS`; None: not given.

    Raises:
        UnknownNameError: if nothing provides it.
        UsageError: if it does not take an option that was given.
    """
    component = catalogue.get("engines", name)
    given = {option: value for option, value in options.items() if value is not None}
    takes = inspect.signature(component.entry.build).parameters
    for option in given:
        if option not in takes:
            known = ", ".join(_flag(option) for option in OPTIONS if option in takes) or "none of them"
            raise UsageError(f"the engine {name!r} does not take {_flag(option)}; of the options for engines it takes: {known}")
    return Choice(component, given)


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"

"""Which engine a run asks for, checked before anything is loaded or trained."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component
from siambench.errors import PluginError, SiambenchError, UsageError, named, suggestion
from siambench.interfaces import Engine
from siambench.plugin import call_factory
from siambench.spaces import Value

GENERAL = ("jobs", "address", "time_limit", "memory_limit")
"""The options that have a flag of their own; one that is not given is not passed."""

OFFERED = ("function", "preload", "fits", "place")
"""What the harness itself passes, as far as an engine names it."""


@dataclass(frozen=True)
class Choice:
    """An engine and what was said of it.

    Args:
        component: the engine.
        options: by their names, those that were given.
    """

    component: Component
    options: Mapping[str, Any]

    def takes(self, name: str) -> bool:
        """Whether the engine's factory names that argument."""
        return name in inspect.signature(self.component.entry.build).parameters

    def start(self, **offered: Any) -> Engine:
        """Make the engine; it is passed what its signature names.

        Raises:
            UsageError: if it cannot be had here.
            PluginError: if its factory breaks, or gives something else than an engine.
        """
        name = f"the engine {self.component.name!r} of {self.component.provenance}"
        try:
            engine = call_factory(self.component.entry.build, {**offered, **self.options})
        except (SiambenchError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginError(f"{name} cannot be started: {named(error)}") from error
        if not isinstance(engine, Engine):
            raise PluginError(f"{name} must give a siambench.interfaces.Engine, got {type(engine).__name__}")
        return engine


def choose(catalogue: Catalogue, name: str, options: Mapping[str, Any], own: Sequence[str] = ()) -> Choice:
    """The engine of that name.

    Args:
        catalogue: what is installed.
        name: of the engine.
        options: by their names in `GENERAL`; None: not given.
        own: ``key=value`` of options of its own.

    Raises:
        UnknownNameError: if nothing provides it.
        UsageError: if it does not take an option that was given, or not that value.
    """
    component = catalogue.get("engines", name)
    given = {option: value for option, value in options.items() if value is not None}
    takes = inspect.signature(component.entry.build).parameters
    for option in given:
        if option not in takes:
            known = ", ".join(_flag(option) for option in GENERAL if option in takes) or "none of them"
            raise UsageError(f"the engine {name!r} does not take {_flag(option)}; of the options for engines it takes: {known}")
    return Choice(component, {**given, **_own(name, takes, own)})


def _own(name: str, takes: Mapping[str, inspect.Parameter], texts: Sequence[str]) -> dict[str, Value]:
    """The options of an engine's own: checked against what its factory names, and against the type of the default there."""
    named = {key: parameter for key, parameter in takes.items() if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)}
    parameters = {key: parameter for key, parameter in named.items() if key not in (*GENERAL, *OFFERED)}
    found: dict[str, Value] = {}
    for text in texts:
        key, has_value, value = (part.strip() for part in text.partition("="))
        if not has_value or not key:
            raise UsageError(f"--engine-option takes KEY=VALUE, got {text!r}")
        if key not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise UsageError(f"the engine {name!r} has no option {key!r}{suggestion(key, parameters)}; options of its own: {known}")
        found[key] = _typed(name, key, value, parameters[key].default)
    return found


def _typed(name: str, key: str, text: str, default: object) -> Value:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise UsageError(f"--engine-option {key} of {name!r} is true or false, got {text!r}")
        return text == "true"
    if isinstance(default, int | float):
        wanted = type(default)
        try:
            value = wanted(text)
        except ValueError as error:
            what = "a whole number" if wanted is int else "a number"
            raise UsageError(f"--engine-option {key} of {name!r} is {what}, got {text!r}") from error
        if not math.isfinite(value):
            raise UsageError(f"--engine-option {key} of {name!r} must be finite, got {text!r}")
        return value
    return text


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"

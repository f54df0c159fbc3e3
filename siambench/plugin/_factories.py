"""What makes a component: a callable, given just what its signature names."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any


class Lazy:
    """A factory that is imported when it is called, or asked for its signature: what makes a module light to import.

    Args:
        place: ``package.module:name``.
        accepted: the names of its arguments, for an entry with options, which is compared with them: it is then not imported for that.
    """

    def __init__(self, place: str, *, accepted: tuple[str, ...] | None = None) -> None:
        self.place = place
        if accepted is not None:
            self.accepted = accepted

    @property
    def found(self) -> Callable[..., Any]:
        """What it stands for, imported now."""
        module, _, name = self.place.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it."""
        return self.found(*arguments, **named)

    @property
    def __signature__(self) -> inspect.Signature:
        """That of what it stands for."""
        return inspect.signature(self.found)


def accepted_by(build: Callable[..., Any]) -> Collection[str]:
    """The names of the arguments that a factory takes: those of its signature, or where it says so its ``accepted``."""
    said: Collection[str] | None = getattr(build, "accepted", None)
    return inspect.signature(build).parameters if said is None else said


def required_by(build: Callable[..., Any]) -> Collection[str]:
    """The names of the arguments that a factory cannot be called without; none where it says itself what it takes."""
    if getattr(build, "accepted", None) is not None:
        return ()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(build).parameters.values()
    return [one.name for one in found if one.kind in named and one.default is inspect.Parameter.empty]


def call_factory(build: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    """Call a factory with just those of the available arguments that its signature names.

    Raises:
        TypeError: if it asks for an argument that is not available; Python's own message says which.
    """
    named = accepted_by(build)
    return build(**{name: value for name, value in available.items() if name in named})

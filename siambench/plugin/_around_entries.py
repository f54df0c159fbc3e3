"""Entries of what stands around units: engines, observers, formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from siambench.plugin._entries import _check
from siambench.plugin._factories import call_factory


@dataclass(frozen=True)
class EngineEntry:
    """An engine: where units run.

    Args:
        build: returns a `siambench.interfaces.Engine`. It is called with ``function``, what to run, and as far as its signature
            names them and they were given: ``jobs`` (how many calls at once), ``address``, ``time_limit`` (seconds),
            ``memory_limit`` (megabytes), ``preload`` (modules that ``function`` will import), ``fits``, which called on a
            worker gives None, or why that worker cannot run the units, and options of its own, which a user gives as
            ``--engine-option NAME=VALUE``. One that is not given keeps its default.
        source: what it is built on.
    """

    build: Callable[..., Any]
    source: str

    def __post_init__(self) -> None:
        _check(self.build, {}, {}, self.source)


@dataclass(frozen=True)
class ObserverEntry:
    """An observer: told of started units, ended epochs and ended units, in the worker; it can change nothing.

    Args:
        build: returns a `siambench.interfaces.Observer`; called once per unit, as far as its signature names them with ``argument``, what
            stands behind the colon in ``--observe NAME:argument`` (None: nothing), and ``folder``, a `pathlib.Path` of its own beside the
            records of the exam and outside of them, where it may write; it is there when something is written into it that makes it.
        source: what it is, or what it is built on.
        ready: says before anything runs why it cannot do its work here, in one sentence: a package is missing, or its argument does not
            hold; None where it can. Called with ``argument``, if its signature names it; it changes nothing, and is quick.
    """

    build: Callable[..., Any]
    source: str
    ready: Callable[..., str | None] | None = None

    def __post_init__(self) -> None:
        _check(self.build, {}, {}, self.source)
        if self.ready is not None and not callable(self.ready):
            raise TypeError(f"ready must be a function of argument, got {type(self.ready).__name__}")

    def unready(self, argument: str | None) -> str | None:
        """Why it cannot be used here with that argument, in one sentence; None where it can, or says nothing."""
        return None if self.ready is None else call_factory(self.ready, {"argument": argument})


@dataclass(frozen=True)
class FormatEntry:
    """A format: a way to write a table down.

    Args:
        render: from a `siambench.interfaces.TableView`, as ``table``, to text.
        source: what the format is.
    """

    render: Callable[..., str]
    source: str

    def __post_init__(self) -> None:
        _check(self.render, {}, {}, self.source)

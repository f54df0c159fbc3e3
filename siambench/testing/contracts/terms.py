"""The words of the contract kit: a contract is data, what comes of examining it is an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from siambench.components.component import Component

State = Literal["passed", "failed", "skipped"]

PROCESS = "leaves-the-process-alone"
"""The contract that every kind has, and that is examined first: what leaves the process changed makes the other answers worthless."""

PROCESS_PROMISE = (
    "it leaves the process as it was: settings, modes, hooks and functions of torch, generators, threads, signals, timers, "
    "environment, folder and streams"
)


@dataclass(frozen=True)
class Contract:
    """One promise that a component makes.

    Args:
        name: what it is called in tables and documents.
        promise: one sentence of what holds.
        examine: given a component; returns None where the promise is kept, or the reason why it does not apply, and raises
            where it is broken: `siambench.errors.PluginError` with one sentence, or whatever the component itself raises.
        first: whether a component that breaks it, or that it does not apply to, is not examined any further.
    """

    name: str
    promise: str
    examine: Callable[[Component], str | None]
    first: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of examining one contract.

    Args:
        component: ``losses:NAME`` and so on, or ``plugin:NAME`` for what a plugin promises as a whole.
        contract: the name of the contract.
        state: ``"passed"``, ``"failed"`` or ``"skipped"``.
        reason: one sentence; empty where it passed.
        place: of what a component raises, the innermost line of its own code, ``mine.py:12``; empty where none had a part.
        trace: its traceback from there on, for whoever asks with ``--traceback``.
    """

    component: str
    contract: str
    state: State
    reason: str = ""
    place: str = ""
    trace: str = field(default="", compare=False, repr=False)

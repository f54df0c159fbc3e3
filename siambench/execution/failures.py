"""What a unit's outcome is where something was raised: whose doing it is, and text that a record can hold."""

from __future__ import annotations

import traceback
from typing import Literal

from siambench.errors import DivergedError, LostError, MetricError, UsageError, named, text_of
from siambench.interfaces import Failed
from siambench.wording import without_paths

_FRAMES = 40
"""How many of the innermost frames of an error its record tells."""

_TRACE = 20_000
"""Of how many characters at most."""


def failure(error: BaseException) -> Failed:
    """A unit's outcome, of what its method raised."""
    text = text_of(error) if isinstance(error, DivergedError | UsageError | MetricError) else named(error)
    ended: Literal["raised", "diverged"] = "diverged" if isinstance(error, DivergedError) else "raised"
    return Failed(error=without_paths(text)[:2000], ended=ended)


def is_ours(error: LostError) -> bool:
    """Whether siambench itself said that the environment took the unit; a component that says so has failed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.startswith("siambench.") and not name.startswith("siambench.builtin.")


def trace_of(error: BaseException) -> str:
    """Where an error came from, as text that a record can hold: the beginning and the end of what would be too long."""
    try:
        lines = traceback.TracebackException.from_exception(error, limit=-_FRAMES, compact=True)
        text = "".join(lines.format())
    except BaseException as other:  # noqa: BLE001  what stands in it comes from anybody's classes
        text = f"{type(error).__name__}, whose traceback cannot be told: {type(other).__name__}\n"
    if len(text) > _TRACE:
        text = f"{text[: _TRACE // 2]}\n…\n{text[-_TRACE // 2 :]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

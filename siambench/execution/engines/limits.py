"""What every engine here keeps: a call that was killed or ran over a limit is tried once more, and then lost with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from siambench.errors import named, text_of

ATTEMPTS = 2
"""A call whose worker was killed, or that was ended for its time or its memory, is tried once more before it is lost."""

POLL = 0.1
"""Seconds between two looks at a call that has a limit."""


def over_time(seconds: float | None) -> str:
    """Why a call was ended that hung."""
    return f"it ran longer than the limit of {seconds or 0:g} s"


def over_memory(megabytes: float | None) -> str:
    """Why a call was ended that grew."""
    return f"it used more than the limit of {megabytes or 0:g} MB"


def told(reasons: Sequence[str]) -> str:
    """The reasons of all attempts at one call as one."""
    if len(reasons) > 1 and len(set(reasons)) == 1:
        return f"{reasons[0]}, {len(reasons)} times"
    return ", then ".join(reasons)


def why(error: BaseException) -> str:
    """The reason of a call that raised: a `siambench.errors.LostError` says it itself."""
    return text_of(error) if type(error).__name__ == "LostError" else named(error)


def resident_megabytes(process: int | None = None) -> float:
    """How much memory a process holds, this one where none is named; 0.0 for one that is gone."""
    import psutil

    try:
        return float(psutil.Process(process).memory_info().rss) / (1 << 20)
    except psutil.Error:
        return 0.0

"""What every engine here keeps: a call that was killed or ran over a limit is tried once more, and then lost with its reason."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

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
    return str(error) if type(error).__name__ == "LostError" else f"{type(error).__name__}: {error}"


def resident_megabytes() -> float:
    """How much memory this process holds."""
    import psutil

    return float(psutil.Process().memory_info().rss) / (1 << 20)


@contextlib.contextmanager
def watched(over: Callable[[str], None], *, seconds: float | None = None, megabytes: float | None = None) -> Iterator[None]:
    """Look at the clock and at this process's resident memory beside a call.

    Args:
        over: called once, in a thread of its own, with the reason; it ends the process.
        seconds: how long the call may take; None: any time.
        megabytes: how much memory the process may hold, what it held before included; None: any.
    """
    if seconds is None and megabytes is None:
        yield
        return
    ended, start = threading.Event(), time.monotonic()

    def look() -> None:
        while not ended.wait(POLL):
            if seconds is not None and time.monotonic() - start > seconds:
                return over(over_time(seconds))
            if megabytes is not None and resident_megabytes() > megabytes:
                return over(over_memory(megabytes))
        return None

    thread = threading.Thread(target=look, name="siambench-limits", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

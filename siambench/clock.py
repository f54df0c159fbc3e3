"""Where the time of a unit went."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Seconds by phase, and since it was made: by a clock that nobody sets back.

    Each second counts for the phase that was opened last and is still open, so the phases of a unit add up to no more than it took.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = self._booked = time.perf_counter()
        self._open: list[str] = []

    @property
    def total(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self._start

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside for a phase."""
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._booked
        self._booked = now

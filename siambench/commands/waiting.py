"""What people see of anything else that takes longer than two seconds: one line on stderr, on a terminal alone, gone when it is over.

It has the look of the tree of `run`. Whoever reads a pipe, a file or a document (``--json``) sees nothing of it, and what ends sooner shows
nothing: `rich` is imported when the line is first drawn. Two commands that scripts run, `embed` and `compare`, write one line where stderr
is a pipe or a file, once they have taken ten seconds.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from siambench.wording import duration, printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

AFTER = 2.0
"""Seconds after which the line appears."""

AFTER_ELSEWHERE = 10.0
"""Seconds after which a command that says so writes one line where stderr is no terminal."""

_LEAST = 2


class Waiting:
    """Says what is waited for; use as a context manager.

    Args:
        text: what is done, such as ``scoring mine.npz``.
        total: of how many steps, where that is known: each is told by `step`.
        silent: whether nothing is shown whatever stderr is, as where a document is asked for.
        elsewhere: whether one line is written where stderr is no terminal. Not where processes are forked meanwhile, for it takes a thread.
    """

    def __init__(self, text: str, *, total: int | None = None, silent: bool = False, elsewhere: bool = False) -> None:
        self._text = printable(text)
        self._total = total
        self._done = 0
        self._start = time.monotonic()
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._plain = elsewhere and not _is_terminal()
        self._over = silent or not (self._plain or _is_terminal())

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        if not self._over:
            self._timer = threading.Timer(AFTER_ELSEWHERE if self._plain else AFTER, self._write if self._plain else self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
            if self._live is not None:
                self._live.stop()
        if self._timer is not None:
            self._timer.cancel()

    def step(self) -> None:
        """One more step has ended."""
        self._done += 1

    def line(self) -> str:
        """What the line says now: what is done, how far it is, how long it has taken, and what is left at that pace."""
        took = time.monotonic() - self._start
        parts = [self._text if self._total is None else f"{self._text}: {self._done} of {self._total}", duration(took)]
        if self._total is not None and _LEAST <= self._done < self._total:
            parts.append(f"about {duration(took / self._done * (self._total - self._done))} left")
        return ", ".join(parts)

    def _write(self) -> None:
        with self._lock:
            if not self._over:
                # There may be no stream, or it was closed meanwhile: what is waited for goes on.
                with contextlib.suppress(AttributeError, OSError, ValueError):
                    sys.stderr.write(f"{self.line()} so far\n")
                    sys.stderr.flush()

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._lock:
            if self._over:
                return
            # What goes to stdout is not the line's: it may be a document.
            self._live = Live(
                console=Console(stderr=True), get_renderable=self._drawn, refresh_per_second=4, transient=True, redirect_stdout=False
            )
            self._live.start()

    def _drawn(self) -> Text:
        from rich.text import Text

        return Text(self.line(), no_wrap=True, overflow="ellipsis")


class Steps:
    """The same where nothing may tick beside what is done, as where somebody's threads are looked for: drawn anew at each step alone.

    Args:
        text: what is done, such as ``examining``.
        silent: whether nothing is shown whatever stderr is.
    """

    def __init__(self, text: str, *, silent: bool = False) -> None:
        self._text = text
        # What is examined may put another stream in its place.
        self._stream = None if silent or not _is_terminal() else sys.stderr
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")

    def step(self, name: str, number: int, total: int) -> None:
        """What is done now, and of how many it is which, from 1."""
        self._write(printable(f"{self._text} {name}: {number} of {total}"))

    def _write(self, line: str) -> None:
        if self._stream is not None and (line or self._drawn):
            columns = shutil.get_terminal_size().columns
            self._stream.write(f"\r\x1b[2K{line[: columns - 1]}")
            self._stream.flush()
            self._drawn = True


def _is_terminal() -> bool:
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, ValueError):
        # There is none, or it is closed.
        return False

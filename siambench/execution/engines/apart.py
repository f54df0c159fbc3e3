"""One call in a process apart, for engines that know nothing of places: on the worker of a cluster, in a job, or anywhere.

The process that asks is kept clean: what the call imports and changes stays in a process of its own, which ends with this one.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from siambench.execution.engines.pool import Ended, Pool
from siambench.interfaces import Place

_POLL = 0.25
"""Seconds between two looks at whether the result is still wanted."""


class Apart:
    """A worker process beside this one, for one call after the other; it is kept for further calls of its place.

    Args:
        preload: modules that it finds imported.
        limits: seconds after which a call is ended, and megabytes of resident memory above which it is; None: none.
    """

    def __init__(self, preload: Sequence[str] = (), limits: tuple[float | None, float | None] = (None, None)) -> None:
        self._ended: queue.Queue[Ended] = queue.Queue()
        self._pool = Pool(1, self._ended.put, preload=preload, limits=limits)
        self._lock = threading.Lock()
        self.owner = os.getpid()

    def call(
        self, place: Place, function: Callable[..., Any], arguments: tuple[Any, ...], *, wanted: Callable[[], bool] = lambda: True
    ) -> Ended:
        """Run a call and wait for it.

        Args:
            place: where it may run.
            function: importable by name.
            arguments: of the function.
            wanted: asked now and then: where nobody wants the result any more, the call is ended.
        """
        with self._lock:
            self._pool.submit("", place, function, arguments)
            while True:
                try:
                    return self._ended.get(timeout=_POLL)
                except queue.Empty:
                    if not wanted():
                        self._pool.drop("", "nobody waits for it any more")
                except BaseException:
                    self._pool.drop("", "nobody waits for it any more")
                    self._ended.get()
                    raise


_made: dict[tuple[Any, ...], Apart] = {}
_making = threading.Lock()


def apart(preload: Sequence[str] = (), limits: tuple[float | None, float | None] = (None, None)) -> Apart:
    """The process beside this one, made when it is first asked for."""
    name = (tuple(preload), limits)
    with _making:
        # A process that was forked from the one that made it has none of its own yet.
        if name not in _made or _made[name].owner != os.getpid():
            _made[name] = Apart(preload, limits)
        return _made[name]

"""The local engine: persistent worker processes of one thread each, forked from a server that has imported torch."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from siambench.execution.engines.limits import ATTEMPTS, told
from siambench.execution.engines.pool import Ended, Pool
from siambench.interfaces import Finished, Lost, Place
from siambench.machine import cores


def automatic_jobs() -> int:
    """One worker per GPU where there are GPUs, else one per core that the process may use."""
    return gpu_count() or cores()


def gpu_count() -> int:
    """How many GPUs there are, asked without importing torch where none can be."""
    if "torch" not in sys.modules and not os.path.exists("/dev/nvidiactl") and sys.platform != "win32":  # noqa: PTH110
        return 0
    import torch

    return torch.cuda.device_count()


def gpu_names() -> list[str]:
    """What ``CUDA_VISIBLE_DEVICES`` of a worker may be, one for each GPU."""
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (visible or [str(number) for number in range(gpu_count())])[: gpu_count()]


class LocalEngine:
    """Worker processes on this machine.

    Args:
        function: importable by name; runs in the workers.
        jobs: number of workers; None: one per GPU, or per core.
        preload: modules that workers find imported.
        time_limit: seconds after which a call is ended; None: none.
        memory_limit: megabytes of resident memory of its worker above which a call is ended; None: none.
        place: where a call of those arguments may run: a worker serves one place alone; None: one place for all.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        jobs: int | None = None,
        preload: Sequence[str] = (),
        time_limit: float | None = None,
        memory_limit: float | None = None,
        place: Callable[..., Place] | None = None,
    ) -> None:
        self._function = function
        self.jobs = jobs or automatic_jobs()
        self._place = place
        self._draining = False
        self._open: dict[str, tuple[tuple[Any, ...], tuple[str, ...]]] = {}
        self._finished: queue.Queue[Finished | Lost] = queue.Queue()
        self._lock = threading.Lock()
        # A worker keeps to the GPU of its slot, so that none ever gets two.
        gpus = [{"CUDA_VISIBLE_DEVICES": name} for name in gpu_names()]
        self._pool = Pool(self.jobs, self._ended, preload=preload, limits=(time_limit, memory_limit), surroundings=gpus)

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call."""
        self._schedule(key, arguments, ())

    def _schedule(self, key: str, arguments: tuple[Any, ...], before: tuple[str, ...]) -> None:
        place = Place() if self._place is None else self._place(*arguments)
        self._open[key] = (arguments, before)
        self._pool.submit(key, place, self._function, arguments)

    def _ended(self, ended: Ended) -> None:
        # In the thread of the pool: what is killed is tried again there, while the coordinator does something else.
        with self._lock:
            arguments, before = self._open.pop(ended.key)
            reasons = before if ended.reason is None else (*before, ended.reason)
            if not ended.fault or len(reasons) >= ATTEMPTS or self._draining:
                reason = told(reasons) if ended.fault else ended.reason
                self._finished.put(Finished(ended.key, ended.value) if reason is None else Lost(ended.key, reason))
                return
        self._schedule(ended.key, arguments, reasons)

    def wait(self, seconds: float) -> list[Finished | Lost]:
        """The calls that ended since the last wait."""
        found: list[Finished | Lost] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._finished.get(timeout=seconds))
            while True:
                found.append(self._finished.get_nowait())
        return found

    def cancel(self) -> list[str]:
        """Drop the calls that have not started; those that run are not tried again if they are killed."""
        with self._lock:
            self._draining = True
        return self._pool.cancel()

    def close(self, *, now: bool) -> None:
        """End the workers."""
        self._pool.close(now=now)

    def describe(self) -> str:
        """``local, 2 workers``."""
        return f"local, {self.jobs} worker{'s' if self.jobs > 1 else ''}"

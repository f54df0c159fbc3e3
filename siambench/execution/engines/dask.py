"""The dask engine: calls run on the workers of a scheduler, or of a cluster that it makes on this machine.

Each call is given to one idle worker and to no other. So what waits is here, where it can be dropped; a worker never runs two, which
would draw from the same generators; and a call whose worker died is known, however the scheduler counts such deaths.
"""

from __future__ import annotations

import contextlib
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.errors import UsageError
from siambench.execution.engines.apart import apart
from siambench.execution.engines.dask_cluster import check, connected, facts, local_cluster
from siambench.execution.engines.limits import ATTEMPTS, told, why
from siambench.execution.engines.local import automatic_jobs
from siambench.interfaces import Finished, Lost, Place
from siambench.machine import own_version

PATIENCE = 60.0
"""Seconds without any worker that can run a call, after which the open calls are lost."""

_KILLED = "its worker process was killed"


@dataclass
class _Call:
    key: str
    arguments: tuple[Any, ...]
    reasons: tuple[str, ...] = ()
    worker: str = ""
    future: Any = None


class DaskEngine:
    """Workers of a Dask cluster.

    Args:
        function: importable by name on the workers.
        jobs: how many calls at once; None: as many as there are workers, or on a cluster made here one per GPU or core.
        address: of the scheduler; ``"local"``: a cluster of ``jobs`` processes on this machine.
        time_limit: seconds after which a call is ended; None: none.
        memory_limit: megabytes of resident memory of its process above which a call is ended; None: none.
        preload: modules that the processes of calls find imported.
        place: where a call of those arguments may run: a process serves one place alone; None: one place for all.
        fits: asked of each worker before anything runs: None, or why it cannot run the calls.

    Raises:
        UsageError: if distributed is not installed, nothing answers at the address, or a worker does not fit.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        jobs: int | None = None,
        address: str = "local",
        time_limit: float | None = None,
        memory_limit: float | None = None,
        preload: Sequence[str] = (),
        place: Callable[..., Place] | None = None,
        fits: Callable[[], str | None] | None = None,
    ) -> None:
        try:
            import cloudpickle
            import distributed
        except ImportError as error:
            raise UsageError(f"the engine 'dask' needs the extra dask, pip install 'siambench[dask]': {error}") from error
        self._killed = distributed.KilledWorker
        self._pack = cloudpickle.dumps
        self._function = function
        self._limits = (time_limit, memory_limit)
        self._preload = tuple(preload)
        self._place = place
        self._jobs = jobs
        self._address = address
        self._draining = False
        self._waiting: deque[_Call] = deque()
        self._running: dict[str, _Call] = {}
        self._ended: queue.Queue[str] = queue.Queue()
        self._workers: dict[str, bool] = {}
        self._gpus = False
        self._seen, self._looked = time.monotonic(), float("-inf")
        self._name = f"siambench-{uuid.uuid4().hex}"
        self._client: Any = None
        self._cluster = local_cluster(jobs or automatic_jobs()) if address == "local" else None
        try:
            self._client = connected(address, self._cluster)
            check(self._client, address, fits, self._preload)
            self._look()
            self._gpus = any(self._workers.values())
        except BaseException:
            self.close(now=True)
            raise

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call."""
        self._waiting.append(_Call(key, arguments))
        self._fill()

    def wait(self, seconds: float) -> list[Finished | Lost]:
        """The calls that ended since the last wait."""
        found: list[Finished | Lost] = []
        with contextlib.suppress(queue.Empty):
            found += self._take(self._ended.get(timeout=seconds))
            while True:
                found += self._take(self._ended.get_nowait())
        found += self._missing()
        self._fill()
        return found

    def cancel(self) -> list[str]:
        """Drop the calls that have not started; those that run are not tried again if they are killed."""
        self._draining = True
        dropped = [call.key for call in self._waiting]
        self._waiting.clear()
        return dropped

    def close(self, *, now: bool) -> None:
        """Leave the cluster, and end it if it was made here; what runs elsewhere ends as soon as its worker hears of that."""
        with contextlib.suppress(Exception):
            if now and self._client is not None:
                self._client.cancel([call.future for call in self._running.values()])
        self._running.clear()
        for part in (self._client, self._cluster):
            with contextlib.suppress(Exception):
                if part is not None:
                    part.close(timeout=10)

    def describe(self) -> str:
        """``dask, 2 workers at tcp://10.0.0.1:8786``."""
        number = len(self._usable())
        return f"dask, {number} worker{'s' if number != 1 else ''} at {self._client.scheduler.address}"

    def _closed(self) -> bool:
        return self._client.status in ("closing", "closed")

    def _usable(self) -> list[str]:
        return [worker for worker, gpu in self._workers.items() if gpu or not self._gpus]

    def _look(self) -> None:
        """Which workers there are, once a second: some died, some are new."""
        if time.monotonic() - self._looked < 1 or self._closed():
            return
        self._looked = time.monotonic()
        with contextlib.suppress(OSError, TimeoutError):
            there = list(self._client.nthreads())
            new = [worker for worker in there if worker not in self._workers]
            answers = self._client.run(facts, workers=new, on_error="return") if new else {}
            # One that came later with another siambench, or without, is passed over.
            gpus = {worker: fact[1] for worker, fact in answers.items() if isinstance(fact, tuple) and fact[0] == own_version()}
            self._workers = {worker: gpu for worker, gpu in (self._workers | gpus).items() if worker in there}
        if self._usable():
            self._seen = time.monotonic()

    def _fill(self) -> None:
        if self._waiting:
            self._look()
        busy = {call.worker for call in self._running.values()}
        idle = [worker for worker in self._usable() if worker not in busy]
        while self._waiting and idle and len(self._running) < (self._jobs or len(self._workers)):
            call = self._waiting.popleft()
            call.worker = idle.pop(0)
            # A key of its own for each attempt of each run: a scheduler remembers the results of keys.
            name = f"{self._name}-{call.key}-{len(call.reasons)}"
            place = Place() if self._place is None else self._place(*call.arguments)
            call.future = self._client.submit(
                _opener(),
                self._pack((name, self._function, call.arguments, place, self._preload, self._limits)),
                key=name,
                pure=False,
                workers=[call.worker],
                resources={"GPU": 1} if self._gpus else None,
            )
            self._running[call.key] = call
            call.future.add_done_callback(lambda _, key=call.key: self._ended.put(key))

    def _take(self, key: str) -> list[Finished | Lost]:
        call = self._running.get(key)
        if call is None or not call.future.done():
            return []
        try:
            value, reason, fault = call.future.result(timeout=5)
        except TimeoutError:
            # Its worker died with the result: that is seen like any other death.
            return []
        except self._killed:
            self._workers.pop(call.worker, None)
            return self._again(call, _KILLED)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            value, fault = None, False
            reason = "the scheduler dropped it" if "Cancelled" in type(error).__name__ else why(error)
        if fault:
            return self._again(call, reason)
        del self._running[key]
        return [Finished(key, value) if reason is None else Lost(key, reason)]

    def _again(self, call: _Call, reason: str) -> list[Finished | Lost]:
        del self._running[call.key]
        call.reasons = (*call.reasons, reason)
        if len(call.reasons) < ATTEMPTS and not self._draining:
            self._waiting.appendleft(call)
            return []
        return [Lost(call.key, told(call.reasons))]

    def _missing(self) -> list[Finished | Lost]:
        """The calls whose worker is gone; all of them, where there is nothing left that could run them."""
        if not self._running and not self._waiting:
            return []
        self._look()
        reason = None
        if self._closed():
            reason = f"the scheduler at {self._address} is gone"
        elif time.monotonic() - self._seen > PATIENCE:
            reason = f"there was no worker at {self._address} for {PATIENCE:g} s"
        if reason is not None:
            keys = [*self._running, *(call.key for call in self._waiting)]
            self._running.clear()
            self._waiting.clear()
            return [Lost(key, reason) for key in keys]
        found: list[Finished | Lost] = []
        for call in [call for call in self._running.values() if call.worker not in self._workers]:
            if not call.future.done():
                call.future.cancel()
                found += self._again(call, _KILLED)
        return found


def _opener() -> Callable[[bytes], Any]:
    # A scheduler unpickles what it passes on. This function has no module to be found in, and the rest are bytes: so it needs no siambench.
    def open_and_run(packed: bytes) -> Any:
        import pickle

        from siambench.execution.engines.dask import run

        return run(*pickle.loads(packed))  # noqa: S301  from the coordinator, as all that Dask runs

    return open_and_run


def run(
    name: str,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    place: Place,
    preload: tuple[str, ...],
    limits: tuple[float | None, float | None],
) -> tuple[Any, str | None, bool]:
    """On a worker: what the function returned, or why there is nothing, and whether another attempt may go well.

    It runs in a process of its own beside the worker, which may have no children that multiprocessing knows of, and serves
    whatever comes next. So it can be ended, be it over a limit, or because nobody waits for it any more: its client has left.
    """
    from distributed import get_worker

    tasks = get_worker().state.tasks

    def wanted() -> bool:
        task = tasks.get(name)
        return task is not None and task.state != "cancelled"

    ended = apart(preload, limits).call(place, function, arguments, wanted=wanted)
    return ended.value, ended.reason, ended.fault

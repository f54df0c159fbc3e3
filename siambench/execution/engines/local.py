"""The local engine: persistent worker processes of one thread each, forked from a server that has imported torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import sys
import threading
import types
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from siambench.execution.engines.limits import ATTEMPTS, over_memory, over_time, told, watched, why
from siambench.interfaces import Finished, Lost
from siambench.machine import cores, is_alive

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from pebble import ProcessFuture, ProcessPool

_OVER_MEMORY = 86
"""With this exit code a worker says that its call grew beyond the limit."""

_RENEWALS = 5
"""How many pools in a row may break before any call has ended."""

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_swap = threading.Lock()


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
        preload: modules that the fork server imports once for all workers.
        time_limit: seconds after which a call is ended; None: none.
        memory_limit: megabytes of resident memory of its worker above which a call is ended; None: none.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        jobs: int | None = None,
        preload: Sequence[str] = (),
        time_limit: float | None = None,
        memory_limit: float | None = None,
    ) -> None:
        self._function = function
        self._jobs = jobs or automatic_jobs()
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._draining = False
        self._finished: queue.Queue[Finished | Lost] = queue.Queue()
        self._running: dict[str, ProcessFuture[Any]] = {}
        self._orphans: queue.Queue[tuple[str, tuple[Any, ...], tuple[str, ...]]] = queue.Queue()
        self._renewals = 0
        self._context = _context(preload)
        # Nobody writes to it, and this process alone holds the end for writing: its end is how workers learn of ours.
        self._tether, self._held = self._context.Pipe(duplex=False)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        # Imported when an engine is made: what is installed is listed without it.
        from pebble import ProcessPool

        # The fork server keeps the environment of its start; what this run's environment says is handed over.
        environment = {name: value for name, value in os.environ.items() if name.startswith("SIAMBENCH_")}
        arguments = (environment, self._context.Array("i", self._jobs), gpu_names(), list(sys.path), self._tether)
        return ProcessPool(max_workers=self._jobs, context=self._context, initializer=_initialise, initargs=arguments)

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call."""
        self._schedule(key, arguments, ())

    def _schedule(self, key: str, arguments: tuple[Any, ...], before: tuple[str, ...]) -> None:
        from pebble import ProcessExpired

        call = (self._function, self._memory_limit, arguments)
        try:
            future = self._pool.schedule(_call, args=call, timeout=self._time_limit)
        except RuntimeError:
            # The pool has broken, and nobody has waited since.
            self._orphans.put((key, arguments, before))
            return
        self._running[key] = future

        def done(ended: Future[Any]) -> None:
            try:
                value, reason = ended.result()
                self._finished.put(Finished(key, value) if reason is None else Lost(key, reason))
            except CancelledError:
                pass
            except (ProcessExpired, FutureTimeoutError) as error:
                reasons = (*before, self._ended(error))
                if len(reasons) < ATTEMPTS and self._pool.active and not self._draining:
                    self._schedule(key, arguments, reasons)
                    return
                self._finished.put(Lost(key, told(reasons)))
            except BrokenProcessPool:
                # A worker that died between two calls takes the pool with it, and no call is to blame.
                self._orphans.put((key, arguments, before))
            except Exception as error:  # noqa: BLE001  what cannot be pickled, for one: the reason goes to the user, whatever it is
                self._finished.put(Lost(key, why(error)))
            self._running.pop(key, None)

        future.add_done_callback(done)

    def _ended(self, error: Exception) -> str:
        from pebble import ProcessExpired

        if not isinstance(error, ProcessExpired):
            return over_time(self._time_limit)
        if error.exitcode == _OVER_MEMORY:
            return over_memory(self._memory_limit)
        return f"its worker process was killed (exit code {error.exitcode})"

    def wait(self, seconds: float) -> list[Finished | Lost]:
        """The calls that ended since the last wait."""
        found: list[Finished | Lost] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._finished.get(timeout=seconds))
            while True:
                found.append(self._finished.get_nowait())
        if found:
            self._renewals = 0
        return [*found, *self._renewed()]

    def _renewed(self) -> list[Lost]:
        """Give the calls of a broken pool to a new one; what is lost where that happens again and again."""
        orphans = []
        with contextlib.suppress(queue.Empty):
            while True:
                orphans.append(self._orphans.get_nowait())
        if not orphans:
            return []
        self._renewals += 1
        if self._draining or self._renewals > _RENEWALS:
            return [Lost(key, f"its worker processes died before they began it, {self._renewals} times") for key, *_ in orphans]
        self._pool.stop()
        self._pool.join()
        self._pool = self._new_pool()
        for key, arguments, before in orphans:
            self._schedule(key, arguments, before)
        return []

    def cancel(self) -> list[str]:
        """Drop the calls that have not started; those that run are not tried again if they are killed."""
        self._draining = True
        waiting = [key for key, future in list(self._running.items()) if not future.running() and not future.done()]
        for key in waiting:
            self._running[key].cancel()
            self._running.pop(key, None)
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.append(self._orphans.get_nowait()[0])
        return waiting

    def close(self, *, now: bool) -> None:
        """End the workers."""
        if now:
            self._pool.stop()
        else:
            self._pool.close()
        self._pool.join()
        self._held.close()
        self._tether.close()

    def describe(self) -> str:
        """``local, 2 workers``."""
        return f"local, {self._jobs} worker{'s' if self._jobs > 1 else ''}"


def _call(function: Callable[..., Any], memory_limit: float | None, arguments: tuple[Any, ...]) -> tuple[Any, str | None]:
    """In the worker: what the function returned, or why there is nothing. So all that a future raises is the pool's own."""
    try:
        with watched(lambda _: os._exit(_OVER_MEMORY), megabytes=memory_limit):
            return function(*arguments), None
    except Exception as error:  # noqa: BLE001  the reason goes to the user, whatever it is
        return None, why(error)


def _initialise(environment: dict[str, str], slots: Any, gpus: Sequence[str], path: list[str], tether: Connection) -> None:
    threading.Thread(target=_end_with, args=(tether,), name="siambench-tether", daemon=True).start()
    for name in [name for name in os.environ if name.startswith("SIAMBENCH_")]:
        if name not in environment:
            del os.environ[name]
    os.environ.update(environment)
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    sys.path[:] = path
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[_slot(slots) % len(gpus)]
    import torch

    torch.set_num_threads(1)


def _end_with(tether: Connection) -> None:
    """End this worker when its coordinator has ended, however that was and whatever runs here: a unit that hangs included."""
    with contextlib.suppress(EOFError, OSError):
        tether.recv()
    os._exit(1)


def _slot(slots: Any) -> int:
    """The place of this worker: that of the killed one whose stead it takes, so that a GPU never gets two."""
    with slots.get_lock():
        place = next((place for place, pid in enumerate(slots) if not pid or not is_alive(pid)), 0)
        slots[place] = os.getpid()
    return place


def _context(preload: Sequence[str]) -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = _HeadlessContext()
    context.set_forkserver_preload(list(preload))
    return context


if "forkserver" in multiprocessing.get_all_start_methods():

    class _HeadlessProcess(multiprocessing.context.ForkServerProcess):
        """A worker that does not import the user's script: a script without a ``__main__`` guard must not run twice."""

        @staticmethod
        def _Popen(process_obj: Any) -> Any:  # noqa: N802  multiprocessing's own name
            with _swap:
                script = sys.modules["__main__"]
                sys.modules["__main__"] = types.ModuleType("__main__")
                try:
                    return multiprocessing.context.ForkServerProcess._Popen(process_obj)  # noqa: SLF001
                finally:
                    sys.modules["__main__"] = script

    class _HeadlessContext(multiprocessing.context.ForkServerContext):
        Process = _HeadlessProcess

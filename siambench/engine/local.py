"""The local engine: persistent worker processes of one thread each, forked from a server that has imported torch."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
import threading
import types
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from siambench.engine import Finished

ATTEMPTS = 2
"""A call whose worker was killed is tried once more before it is lost."""

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_swap = threading.Lock()


def automatic_jobs() -> int:
    """One worker per GPU where there are GPUs, else one per core that the process may use."""
    gpus = gpu_count()
    if gpus:
        return gpus
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)


def gpu_count() -> int:
    """How many GPUs there are, asked without importing torch where none can be."""
    if "torch" not in sys.modules and not os.path.exists("/dev/nvidiactl") and sys.platform != "win32":  # noqa: PTH110
        return 0
    import torch

    return torch.cuda.device_count()


class LocalEngine:
    """Worker processes on this machine.

    Args:
        function: importable by name; runs in the workers.
        jobs: number of workers.
        preload: modules that the fork server imports once for all workers.
        time_limit: seconds after which a call is ended and lost; None: none.
    """

    def __init__(self, function: Callable[..., Any], *, jobs: int, preload: Sequence[str] = (), time_limit: float | None = None) -> None:
        self._function = function
        self._jobs = jobs
        self._time_limit = time_limit
        self._finished: queue.Queue[Finished] = queue.Queue()
        self._running: dict[str, ProcessFuture[Any]] = {}
        context = _context(preload)
        slots = context.Value("i", 0)
        # The fork server keeps the environment of its start; what this run's environment says is handed over.
        environment = {name: value for name, value in os.environ.items() if name.startswith("SIAMBENCH_")}
        self._pool = ProcessPool(
            max_workers=jobs, context=context, initializer=_initialise, initargs=(environment, slots, gpu_count(), list(sys.path))
        )

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call."""
        self._schedule(key, arguments, attempt=1)

    def _schedule(self, key: str, arguments: tuple[Any, ...], *, attempt: int) -> None:
        future = self._pool.schedule(self._function, args=arguments, timeout=self._time_limit)
        self._running[key] = future

        def done(ended: Future[Any]) -> None:
            try:
                self._finished.put(Finished(key, ended.result(), None))
            except CancelledError:
                pass
            except ProcessExpired as error:
                if attempt < ATTEMPTS and self._pool.active:
                    self._schedule(key, arguments, attempt=attempt + 1)
                    return
                self._finished.put(Finished(key, None, f"its worker process was killed {attempt} times (exit code {error.exitcode})"))
            except FutureTimeoutError:
                self._finished.put(Finished(key, None, f"it ran longer than the limit of {self._time_limit:g} s"))
            except Exception as error:  # noqa: BLE001  the reason goes to the user, whatever it is
                self._finished.put(
                    Finished(key, None, f"{error}" if type(error).__name__ == "LostError" else f"{type(error).__name__}: {error}")
                )
            self._running.pop(key, None)

        future.add_done_callback(done)

    def wait(self, seconds: float) -> list[Finished]:
        """The calls that ended since the last wait."""
        found = []
        try:
            found.append(self._finished.get(timeout=seconds))
            while True:
                found.append(self._finished.get_nowait())
        except queue.Empty:
            return found

    def cancel(self) -> list[str]:
        """Drop the calls that have not started."""
        waiting = [key for key, future in list(self._running.items()) if not future.running() and not future.done()]
        for key in waiting:
            self._running[key].cancel()
            self._running.pop(key, None)
        return waiting

    def close(self, *, now: bool) -> None:
        """End the workers."""
        if now:
            self._pool.stop()
        else:
            self._pool.close()
        self._pool.join()

    def describe(self) -> str:
        """``local, 2 workers``."""
        return f"local, {self._jobs} worker{'s' if self._jobs > 1 else ''}"


def _initialise(environment: dict[str, str], slots: Any, gpus: int, path: list[str]) -> None:
    for name in [name for name in os.environ if name.startswith("SIAMBENCH_")]:
        if name not in environment:
            del os.environ[name]
    os.environ.update(environment)
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    sys.path[:] = path
    if gpus:
        with slots.get_lock():
            os.environ["CUDA_VISIBLE_DEVICES"] = str(slots.value % gpus)
            slots.value += 1
    import torch

    torch.set_num_threads(1)


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

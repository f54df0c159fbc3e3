"""The engines: processes on this machine, or the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from siambench.plugin import EngineEntry, hookimpl

if TYPE_CHECKING:
    from siambench.interfaces import Engine


def local(
    function: Callable[..., Any],
    jobs: int | None = None,
    preload: Sequence[str] = (),
    time_limit: float | None = None,
    memory_limit: float | None = None,
) -> Engine:
    """Worker processes of one thread each, forked from a server that has imported torch; one per GPU where there are GPUs."""
    from siambench.execution.engines.local import LocalEngine, automatic_jobs

    workers = jobs or automatic_jobs()
    return LocalEngine(function, jobs=workers, preload=preload, time_limit=time_limit, memory_limit=memory_limit)


def dask(
    function: Callable[..., Any],
    jobs: int | None = None,
    address: str = "local",
    time_limit: float | None = None,
    memory_limit: float | None = None,
    fits: Callable[[], str | None] | None = None,
) -> Engine:
    """The workers of the Dask scheduler at ``address``, at most ``jobs`` units at once; ``local``: a cluster of ``jobs`` processes here."""
    from siambench.execution.engines.dask import DaskEngine

    return DaskEngine(function, jobs=jobs, address=address, time_limit=time_limit, memory_limit=memory_limit, fits=fits)


@hookimpl
def siambench_engines() -> dict[str, EngineEntry]:
    """Where units run."""
    return {
        "local": EngineEntry(local, source="Pebble: a process pool that survives killed workers"),
        "dask": EngineEntry(dask, source="Rocklin, Dask: Parallel Computation with Blocked Algorithms and Task Scheduling, SciPy 2015"),
    }

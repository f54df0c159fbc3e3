"""The engines: processes on this machine, or the workers of a Dask cluster. What they take, their constructors say."""

from __future__ import annotations

from siambench.plugin import EngineEntry, Lazy, hookimpl


@hookimpl
def siambench_engines() -> dict[str, EngineEntry]:
    """Where units run."""
    return {
        "local": EngineEntry(
            Lazy("siambench.execution.engines.local:LocalEngine"),
            source="Python's fork server (multiprocessing), with a server for each data set and workers that keep to one method",
        ),
        "dask": EngineEntry(
            Lazy("siambench.execution.engines.dask:DaskEngine"),
            source="Rocklin, Dask: Parallel Computation with Blocked Algorithms and Task Scheduling, SciPy 2015",
        ),
    }

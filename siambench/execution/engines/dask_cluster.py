"""Dask clusters: one made on this machine, or somebody else's, whose workers are asked whether they fit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections.abc import Callable
from typing import Any

from siambench.errors import UsageError
from siambench.execution.engines.apart import apart
from siambench.execution.engines.limits import ATTEMPTS, why
from siambench.execution.engines.local import gpu_names
from siambench.interfaces import Place
from siambench.machine import own_version

CONNECT = 5.0
"""Seconds within which a scheduler must answer, and then have a worker."""

_ASKED = 3
"""Times that workers are asked whether they fit, where all that are asked die before they answer."""

_ADDRESS = re.compile(r"\w+://.+:\d+")


def local_cluster(workers: int) -> Any:
    """A scheduler in this process and so many worker processes of one thread each."""
    import distributed

    names = gpu_names()
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        resources={"GPU": 1} if names else {},
        # The limit of a call is kept by the call; Dask's would pause workers at a share of the machine.
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        # A call whose worker died is heard of at once, and tried again by the engine.
        scheduler_kwargs={"allowed_failures": 0},
    )
    with distributed.Client(cluster, set_as_default=False) as client:
        client.register_plugin(_set_up(names))
    return cluster


def _set_up(gpus: list[str]) -> Any:
    import distributed

    class Here(distributed.WorkerPlugin):  # type: ignore[misc]  # distributed has no types
        """What each worker process of a cluster made here does first, a restarted one too."""

        name = "siambench"

        def setup(self, worker: Any) -> None:
            # Ctrl-C on a terminal reaches the workers too, but it is for the coordinator to drain them.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = gpus[int(worker.name) % len(gpus)]

    return Here()


def connected(address: str, cluster: Any) -> Any:
    """A client of a cluster that has a worker.

    Raises:
        UsageError: if nothing answers at the address, or no worker is there.
    """
    import distributed

    if cluster is None and not _ADDRESS.fullmatch(address):
        raise UsageError(f"--address of the engine 'dask' is tcp://host:port of a scheduler, or local, got {address!r}")
    try:
        client = distributed.Client(cluster or address, set_as_default=False, timeout=CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        what = str(error).partition("\n")[0]
        raise UsageError(
            f"no Dask scheduler answers at --address {address!r} ({what}); give tcp://host:port of a running one, or local"
        ) from error
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError as error:
        client.close(timeout=5)
        raise UsageError(f"the Dask scheduler at {address} has no worker: start some with dask worker {address} --nthreads 1") from error
    return client


def check(client: Any, address: str, fits: Callable[[], str | None] | None, preload: tuple[str, ...]) -> None:
    """Ask each worker, before anything runs; one that dies while it is asked is passed over, and where none is left new ones are asked.

    Raises:
        UsageError: if a worker has another siambench, or cannot run the calls, or none lives long enough to say so.
    """
    for _ in range(_ASKED):
        reasons = _reasons(client, fits, preload)
        refused = {worker: reason for worker, reason in sorted(reasons.items()) if reason is not None}
        if refused:
            worker, reason = next(iter(refused.items()))
            others = f"; {len(refused) - 1} more cannot either" if len(refused) > 1 else ""
            raise UsageError(f"the worker {worker} of the Dask cluster at {address} cannot run this: {reason}{others}")
        if reasons:
            return
        # Those of a cluster made here are made anew.
        with contextlib.suppress(TimeoutError):
            client.wait_for_workers(1, timeout=CONNECT)
    raise UsageError(f"no worker of the Dask cluster at {address} lived long enough to say whether it can run this: {_ASKED} times asked")


def _reasons(client: Any, fits: Callable[[], str | None] | None, preload: tuple[str, ...]) -> dict[str, str | None]:
    """What each worker that answers says against the calls; None: nothing."""
    versions = client.get_versions(packages=["siambench"])["workers"]
    there = {worker: found["packages"].get("siambench") for worker, found in versions.items() if found and "packages" in found}
    reasons = {worker: _other_version(version, own_version()) for worker, version in there.items()}
    if any(reasons.values()) or fits is None or not reasons:
        return reasons
    answers = client.run(ask, fits, preload, on_error="return", workers=list(reasons))
    # A connection that broke off says nothing of what the worker can do.
    known = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}
    return {worker: why(answer) if isinstance(answer, Exception) else answer for worker, answer in known.items()}


async def ask(fits: Callable[[], str | None], preload: tuple[str, ...]) -> str | None:
    """On a worker: what it says against the calls. Asked beside it, since what calls need is imported to tell, plugins too."""
    for _ in range(ATTEMPTS):
        ended = await asyncio.to_thread(apart(preload).call, Place(("siambench fits",)), fits, ())
        if not ended.fault:
            break
    answer: str | None = ended.value
    return ended.reason or answer


def _other_version(there: str | None, here: str | None) -> str | None:
    if there == here:
        return None
    return f"it has siambench {there}, this is {here}" if there else f"siambench is not installed there, this is {here}"


def facts(dask_worker: Any) -> tuple[str | None, bool]:
    """On a worker: its siambench, and whether it declares a GPU."""
    return own_version(), bool(dask_worker.state.total_resources.get("GPU"))

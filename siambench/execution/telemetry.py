"""What is seen of a unit beside its outcome: times, memory, versions, and the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from siambench.clock import Clock
from siambench.identity import to_json
from siambench.machine import FORCE_BF16, peak_memory_mb, processor
from siambench.training.state import device, settings
from siambench.wording import without_paths

if TYPE_CHECKING:
    from siambench.training.watch import Kept

LIBRARIES = ("siambench", "torch", "torchvision", "pytorch-metric-learning", "numpy", "scipy")


def told(started: float, clock: Clock, trace: str | None) -> dict[str, Any]:
    """What was seen of a unit beside its outcome: none of it may change that, and all of it may differ from run to run.

    Args:
        started: when it began, in seconds since the epoch.
        clock: where its time went.
        trace: of what it raised; None: nothing.
    """
    versions = {}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[library] = importlib.metadata.version(library)
    return {
        "started": round(started, 3),
        "seconds": {name: round(seconds, 4) for name, seconds in clock.seconds.items()},
        "total_seconds": round(clock.total, 4),
        "peak_memory_mb": peak_memory_mb(),
        "device": str(device()),
        **_gpu(),
        **({"forced_bf16": True} if os.environ.get(FORCE_BF16) == "1" else {}),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": _cpu(),
        "traceback": None if trace is None else without_paths(trace),
        "versions": {"python": platform.python_version(), **versions},
    }


def measures_told(kept: Kept) -> dict[str, Any]:
    """What was measured of a unit while it trained, as far as it came, and why no further; nothing where nothing was to be measured."""
    found: dict[str, Any] = {"measures": [to_json(row) for row in kept.rows]} if kept.rows else {}
    if kept.error is not None:
        found["measures_error"] = without_paths(kept.error)
    return found


@lru_cache(maxsize=1)
def _cpu() -> str:
    """What decides in which order a processor adds: its model, and the instructions that torch and oneDNN use of it."""
    # torch's answer follows ATEN_CPU_CAPABILITY; what oneDNN was told is asked of nobody.
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    return f"{processor()}, {torch.backends.cpu.get_cpu_capability()}" + (f", oneDNN up to {limit}" if limit not in ("", "DEFAULT") else "")


def _gpu() -> dict[str, Any]:
    """The model of the GPU that units run on here, the version of cuDNN, and how torch is set to compute; nothing without a GPU."""
    if device().type != "cuda":
        return {}
    cudnn = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return {"gpu": torch.cuda.get_device_name(device()), "cudnn": cudnn, "settings": settings(device())}

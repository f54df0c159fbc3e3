"""What this machine is and what runs on it, told without torch."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path


def processor() -> str:
    """The model of the processor; where the system does not tell it, its kind."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return model


def peak_memory_mb() -> float | None:
    """The most resident memory that this process has held; None where the system does not tell."""
    with contextlib.suppress(OSError):
        # getrusage's figure is handed down from whoever started the process, however large that one was.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
        if found is not None:
            return round(int(found) / 1024, 1)
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Linux counts kilobytes, macOS bytes.
        return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
    return None


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def is_alive(process: int) -> bool:
    """Whether there is such a process on this machine."""
    import psutil

    return bool(psutil.pid_exists(process))

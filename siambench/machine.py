"""What this machine is, told without torch."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path


def processor() -> str:
    """The model of the processor; where the system does not tell it, its kind."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return model

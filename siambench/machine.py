"""What this machine is and what runs on it, told without torch."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""The numbers that glibc's malloc.h gives to these options of its."""


VARIABLES = {
    "SIAMBENCH_DATA": "folder in which published data files are looked for first",
    "SIAMBENCH_CACHE": "folder for downloads, decoded images and the error log; default: the user's cache folder",
    "SIAMBENCH_FORCE_BF16": "1: train in bf16 (`training.precision`) where no hardware computes in it, which is otherwise refused",
    "SIAMBENCH_MEASURES": (
        "at which steps training is measured: N: at every N-th of an epoch and at its last (default: 10); off: at none; "
        "no outcome depends on it"
    ),
    "_SIAMBENCH_COMPLETE": "set by a shell that asks what completes its words; `bash_source`, `zsh_source`, `fish_source`: print how",
    "SIAMBENCH_PLUGINS": "comma-separated names of the plugins to load; empty: none but the built-ins",
}
"""What is read of the environment, and what it means."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where a disk has no room."""

UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
"""What it says where a place cannot be written for another reason."""


@dataclass(frozen=True)
class Surroundings:
    """What one process takes over from another.

    Args:
        environment: its variables.
        path: where modules are looked for.
        folder: that it works in; None: there is none any more.
    """

    environment: dict[str, str]
    path: list[str]
    folder: str | None

    @classmethod
    def now(cls) -> Surroundings:
        """Those of this process, as they are."""
        folder = None
        with contextlib.suppress(OSError):
            folder = os.getcwd()  # noqa: PTH109  a string is what is handed over
        return cls(dict(os.environ), list(sys.path), folder)

    def take(self) -> None:
        """Make them those of this process."""
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        sys.path[:] = self.path
        if self.folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(self.folder)


_before: list[Surroundings] = []


def remember_surroundings() -> None:
    """Keep what this process's surroundings are, before code that is not siambench's is imported: it may change them."""
    _before[:] = [Surroundings.now()]


def surroundings() -> Surroundings:
    """Those that were kept last; where none were, as they are."""
    return _before[0] if _before else Surroundings.now()


def own_version() -> str | None:
    """The version of the siambench that runs; None: it was never installed."""
    try:
        return importlib.metadata.version("siambench")
    except importlib.metadata.PackageNotFoundError:
        return None


BUILDS = "https://pytorch.org/get-started/locally/"
"""Where PyTorch says how each build of it is installed."""


def torch_build() -> str | None:
    """What the installed torch is built for, read off its files without importing it.

    Returns:
        ``"cuda 13.0"``, ``"rocm 6.4"`` or ``"cpu"``; None where there is no torch, or it does not say.
    """
    try:
        found = importlib.util.find_spec("torch")
        text = (Path(next(iter(found.submodule_search_locations or ()))) / "version.py").read_text(encoding="utf-8") if found else ""
    except (ImportError, OSError, StopIteration, ValueError):
        return None
    for name, word in (("cuda", "cuda"), ("hip", "rocm"), ("rocm", "rocm")):
        if built := re.search(rf"^{name}\b[^=\n]*= *['\"]([\w.]+)['\"]", text, re.MULTILINE):
            return f"{word} {built[1]}"
    return "cpu" if re.search(r"^cuda\b[^=\n]*= *None", text, re.MULTILINE) else None


def unfit_torch() -> str | None:
    """Why another build of torch would suit this machine better, in one sentence; None where it suits, or that is not known."""
    build, gpu = torch_build() or "", _NVIDIA.exists()
    if build.startswith("cuda") and not gpu and sys.platform == "linux":
        return (
            f"torch is built for {build.upper()}, and this machine has no NVIDIA GPU: units run on the processor, as they would with "
            f"PyTorch's CPU wheels, which take gigabytes less: {BUILDS}"
        )
    if build == "cpu" and gpu:
        return (
            "this machine has an NVIDIA GPU, and torch is built without CUDA, so that units run on the processor; PyTorch says how to "
            f"install a build that uses it: {BUILDS}"
        )
    return None


COMPUTING = ("torch", "pytorch-metric-learning")
"""The libraries whose minor version is part of what a unit is."""


def libraries() -> dict[str, str]:
    """The minor versions of those that compute, such as ``{"torch": "2.9"}``; what is not installed is left out."""
    found = {}
    for name in COMPUTING:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = ".".join(importlib.metadata.version(name).split("+")[0].split(".")[:2])
    return found


def processor() -> str:
    """The model of the processor; where the system does not tell it, its kind."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return model


FORCE_BF16 = "SIAMBENCH_FORCE_BF16"
"""Set to 1 it has units train in bf16 where no hardware computes in it."""

_CPUINFO, _NVIDIA = Path("/proc/cpuinfo"), Path("/dev/nvidiactl")

_COMPUTES_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What a processor says that multiplies bf16 itself, on x86 and on ARM."""


def no_bf16() -> str | None:
    """Why training in bf16 is refused here, or None: without hardware for it a step takes seven times as long as in fp32."""
    if os.environ.get(FORCE_BF16) == "1" or _NVIDIA.exists():
        return None
    flags: set[str] = set()
    with contextlib.suppress(OSError):
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
        flags = {flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.partition(":")[2].split()}
    if flags.intersection(_COMPUTES_BF16):
        return None
    return f"{processor()} does not compute in bf16, which would take longer than fp32: set {FORCE_BF16}=1 to train in it all the same"


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


def free_memory() -> int:
    """Bytes of memory that a process may still take."""
    import psutil

    return int(psutil.virtual_memory().available)


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep what this process frees, once and for all; whether it is one that can be told so.

    A training step frees and asks again for the same tens of megabytes. Given back to the system in between, each page of them is
    faulted in anew: a unit took 2.5 times as long in a worker of a Dask nanny, which asks for that (``MALLOC_TRIM_THRESHOLD_``).
    """
    import ctypes

    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # The pad is as large as a thread's heap may get: a heap that is given back whole is given back page by page too.
    return all([tell(_TRIM_THRESHOLD, 1 << 30), tell(_MMAP_THRESHOLD, 1 << 30), tell(_TOP_PAD, 64 << 20)])


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def is_alive(process: int) -> bool:
    """Whether there is such a process on this machine."""
    import psutil

    return bool(psutil.pid_exists(process))

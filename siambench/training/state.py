"""The device of this process, how torch computes on it, and the global random states that third-party code reads."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator

import numpy as np
import torch

_MB, _MOST_TEXT = 1 << 20, 500


def device() -> torch.device:
    """The first GPU that the process may see, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def settle(target: torch.device) -> None:
    """Have torch compute the same on every run of one GPU: deterministic algorithms, no TF32, no choice of kernels by their time.

    Args:
        target: where units run. On a CPU all is so already, and nothing is set.
    """
    if target.type != "cuda":
        return
    # Read when cuBLAS starts; without it a matrix product may differ from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # An operation that has no deterministic form is told of and runs: a method that needs it is no method without.
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # It would also fill all new memory, for the sake of code that reads what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def settings(target: torch.device) -> dict[str, bool]:
    """How torch computes on a GPU, as it is set now, for the record; nothing on a CPU."""
    if target.type != "cuda":
        return {}
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "tf32": torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32,
    }


def memory_told(error: BaseException, target: torch.device) -> str:
    """What ran out of memory, with how much there was, as the reason of a lost unit.

    Args:
        error: that was raised.
        target: where the unit ran.
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if target.type != "cuda":
        return f"out of memory: {text}"[:_MOST_TEXT]
    with contextlib.suppress(RuntimeError):
        free, total = torch.cuda.mem_get_info(target)
        peak = torch.cuda.max_memory_allocated(target)
        text = f"this unit took up to {peak / _MB:.0f} MB, {free / _MB:.0f} of {total / _MB:.0f} MB are free; {text}"
    return f"out of memory on the GPU: {text}"[:_MOST_TEXT]


def seed_globals(seed: int, step: int = -1) -> None:
    """Seed the global states of torch, numpy and random, for what draws from them: dropout and third-party code."""
    # An odd multiplier spreads consecutive steps over the whole range, on any version of Python.
    seed = (seed + 0x9E3779B97F4A7C15 * (step + 1)) % 2**63
    # As torch.manual_seed, which on a machine without a GPU keeps a stack trace of every call for the day when one comes.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  third-party code reads the global state
    random.seed(seed)


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Whatever is drawn inside, the global generators are as they were."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002  third-party code draws from it
    with torch.random.fork_rng():
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)

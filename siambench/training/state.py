"""The device of this process, and the global random states that third-party code reads."""

from __future__ import annotations

import random

import numpy as np
import torch


def device() -> torch.device:
    """The first GPU that the process may see, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


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

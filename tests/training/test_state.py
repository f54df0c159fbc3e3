import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from siambench.training.state import device, generators_kept, memory_told, seed_globals, settings, settle


def drawn():
    """A draw of each global state."""
    return float(torch.rand(())), float(np.random.random()), random.random()  # noqa: NPY002  the state that third-party code reads


def after(seed, step=-1):
    """The draws that follow a seed."""
    seed_globals(seed, step)
    return drawn()


@pytest.mark.parametrize("seed", [0, 5, 2**32, 2**63 - 1])
@pytest.mark.parametrize("step", [-1, 0, 10**6])
def test_a_seed_sets_every_global_state(seed, step):
    """The states of torch, numpy and random depend on seed and step alone, whatever was drawn before."""
    first = after(seed, step)
    drawn()

    assert first == after(seed, step)


def test_every_step_draws_anew():
    """A thousand steps of one seed, and the same steps of the next seed, have as many different draws in each library."""
    found = [after(seed, step) for seed in (3, 4) for step in range(-1, 500)]

    for library in zip(*found, strict=True):
        assert len(set(library)) == len(found)


def test_torch_is_seeded_as_by_its_own_function():
    """Before the first step torch's state is that of `torch.manual_seed`."""
    seed_globals(7)
    first = torch.get_rng_state()
    torch.manual_seed(7)

    assert torch.equal(first, torch.get_rng_state())


def test_the_device_is_the_first_gpu_or_the_cpu(monkeypatch):
    """Units train on the first GPU that the process sees, and on the CPU where it sees none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device() == torch.device("cuda", 0)


def test_on_a_cpu_nothing_is_set():
    """A CPU computes the same in any case: no setting of torch is touched, and none is told."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    settle(torch.device("cpu"))

    assert before == (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32)
    assert settings(torch.device("cpu")) == {}


def test_on_a_gpu_results_are_the_same_on_every_run(monkeypatch):
    """For a GPU torch is set to deterministic algorithms without TF32 or a choice by time, and says so; cuBLAS is told, too."""
    code = (
        "import json, os, torch\n"
        "from siambench.training.state import settings, settle\n"
        "target = torch.device('cuda', 0)\n"
        "torch.backends.cudnn.benchmark = torch.backends.cuda.matmul.allow_tf32 = True\n"
        "before = settings(target)\n"
        "settle(target)\n"
        "print(json.dumps([before, settings(target), os.environ['CUBLAS_WORKSPACE_CONFIG']]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert [
        {"deterministic": False, "cudnn_benchmark": True, "tf32": True},
        {"deterministic": True, "cudnn_benchmark": False, "tf32": False},
        ":4096:8",
    ] == json.loads(found)


def test_what_ran_out_of_memory_is_told_with_its_size(monkeypatch):
    """The reason names what was taken, what is free and what there is, on one line of at most 500 characters."""
    error = torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 MiB. " + "x" * 900)
    assert memory_told(error, torch.device("cpu")).startswith("out of memory: OutOfMemoryError: CUDA out of memory. Tried")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 << 20, 80 << 30))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7 << 30)
    told = memory_told(error, torch.device("cuda", 0))

    assert told.startswith("out of memory on the GPU: this unit took up to 7168 MB, 5 of 81920 MB are free; OutOfMemoryError: CUDA")
    assert len(told) == 500
    assert "\n" not in told


def test_the_generators_are_as_they_were():
    """Whatever is drawn where they are kept, torch's, numpy's and Python's global generators go on as if nothing had been."""
    expected = after(3)
    seed_globals(3)
    with generators_kept():
        after(9)

    assert drawn() == expected

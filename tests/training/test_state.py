import random

import numpy as np
import pytest
import torch

from siambench.training.state import device, seed_globals


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

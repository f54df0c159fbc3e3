"""A diagnosis changes nothing of what it is given, nor of the process, however it ends."""

from __future__ import annotations

import copy
import random
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from worlds import Contrastive, labelled, network, pairs

import siambench
from siambench.errors import UsageError


class Drawing(nn.Module):
    """A model with all that could be changed: BatchNorm, dropout, a generator, a hook, a mode of its own, a kept result."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(12, 16), nn.BatchNorm1d(16), network()[2]
        self.drop = nn.Dropout(0.3).eval()
        self.generator = torch.Generator().manual_seed(5)
        self.numbers = np.random.default_rng(5)
        self.calls = 0
        self.kept = None
        self.register_buffer("seen", torch.zeros(()))
        self.first.register_forward_hook(_hook)
        self.first.bias.requires_grad_(requires_grad=False)

    def forward(self, items):
        """Embeddings, which draw."""
        self.calls += 1
        self.seen += 1
        torch.rand(1), np.random.rand(), random.random(), self.numbers.random()  # noqa: NPY002  as somebody's code does
        noise = 0.01 * torch.randn(items.shape, generator=self.generator)
        self.kept = self.last(self.drop(torch.relu(self.norm(self.first(items + noise)))))
        print("forward")  # noqa: T201  what somebody's code prints is not shown
        return self.kept


def _hook(*_):
    return None


def everything(model, loss, optimiser, loader):
    """A copy of all that a diagnosis could change, as one comparable value."""
    tensors = {f"{what}.{name}": value for what, one in (("model", model), ("loss", loss)) for name, value in one.state_dict().items()}
    parameters = dict([*model.named_parameters(), *loss.named_parameters()])
    return {
        "tensors": {name: value.clone() for name, value in tensors.items()},
        "identity": [id(value) for value in parameters.values()],
        "gradients": {name: None if value.grad is None else value.grad.clone() for name, value in parameters.items()},
        "requires": {name: value.requires_grad for name, value in parameters.items()},
        "modes": [module.training for one in (model, loss) for module in one.modules()],
        "hooks": [[*module._forward_hooks.values(), *module._forward_pre_hooks.values()] for module in model.modules()],
        "calls": (model.calls, id(model.kept)),
        "optimiser": copy.deepcopy(optimiser.state_dict()),
        "groups": [[id(each) for each in group["params"]] for group in optimiser.param_groups],
        "generators": [model.generator.get_state(), loader.generator.get_state(), torch.get_rng_state()],
        "numpy": (repr(np.random.get_state()), repr(model.numbers.bit_generator.state)),  # noqa: NPY002
        "random": random.getstate(),
        "process": (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(), signal.getsignal(signal.SIGALRM)),
        "timer": signal.getitimer(signal.ITIMER_REAL),
    }


def same(left, right):
    """Whether two such values are equal, tensors by each of their numbers."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    return left == right


class Weighted(nn.Module):
    """A loss with a parameter, a buffer that it changes, and a fault that may be chosen."""

    def __init__(self, fault=None):
        super().__init__()
        self.inner, self.weight, self.fault = Contrastive(), nn.Parameter(torch.ones(())), fault
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, first, second, same):
        """The loss; at its fifth call it does what its fault says."""
        self.steps += 1
        if self.fault is not None and float(self.steps) >= 5:
            raise self.fault
        return self.weight * self.inner(first, second, same)


def world(fault=None):
    """Objects in the midst of a training."""
    torch.manual_seed(11)
    model, loss = Drawing(), Weighted(fault)
    optimiser = torch.optim.Adam([*(p for p in model.parameters() if p.requires_grad), *loss.parameters()], lr=1e-2)
    first, second, labels = pairs(96)
    loader = DataLoader(TensorDataset(first, second, labels), batch_size=32, shuffle=True, generator=torch.Generator().manual_seed(2))
    value = loss(model(first), model(second), labels)
    value.backward()
    optimiser.step()
    return model, loss, optimiser, loader


@pytest.mark.parametrize("fault", [None, ValueError("no"), SystemExit(0), KeyboardInterrupt()], ids=["none", "raises", "exits", "ctrl-c"])
def test_nothing_of_what_is_given_changes_however_it_ends(fault, capsys):
    """Weights, buffers, modes, gradients, hooks, optimiser, generators, process and results kept are as before, and nothing is printed."""
    model, loss, optimiser, loader = world(fault)
    capsys.readouterr()
    before = everything(model, loss, optimiser, loader)
    if isinstance(fault, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            siambench.diagnose(model, loss, loader, optimiser)
    else:
        found = siambench.diagnose(model, loss, loader, optimiser)
        # What raises from the fifth call on passes the first batch: the checks that it ends are named.
        assert ("not looked at" in found.findings[-1].evidence) == (fault is not None)
    after = everything(model, loss, optimiser, loader)
    assert [] == [name for name in before if not same(before[name], after[name])]
    assert ("", "") == capsys.readouterr()


def test_a_closures_tensors_and_lists_stay_as_they_are():
    """What a function holds in its closure, or names among its globals, is copied: no gradient arrives there, no list grows."""
    vectors, history = torch.randn(10, 6, requires_grad=True), []

    def loss(embeddings, labels):
        value = functional.cross_entropy(embeddings @ vectors.T, labels)
        history.append(float(value))
        WRITTEN.append(1)
        return value

    before = vectors.detach().clone()
    siambench.diagnose(network(), loss, labelled(), torch.optim.SGD([vectors], lr=1.0), seconds=20)
    assert (None, [], []) == (vectors.grad, history, WRITTEN)
    assert torch.equal(before, vectors)


WRITTEN: list[int] = []


def test_batches_are_not_written_into():
    """A model that writes into its items writes into copies of the user's."""

    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, items):
            return self.inner(items.mul_(1.0).clamp_(min=-1))

    batch = pairs()
    before = [each.clone() for each in batch]
    siambench.diagnose(Writes(), Contrastive(), batch, seconds=20)
    assert all(torch.equal(one, other) for one, other in zip(before, batch, strict=True))


def test_it_works_beside_the_main_thread_and_without_gradients():
    """In another thread, and where gradients are off, the verdict is the same, and they are off afterwards."""
    found = []

    def run():
        with torch.no_grad():
            found.append(siambench.diagnose(network(), Contrastive(), pairs(), seconds=30))
            found.append(torch.is_grad_enabled())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ("ok", False) == (found[0].verdict, found[1])


def test_a_timer_of_the_users_goes_on():
    """A timer that was set before is set afterwards, with no more time than it had."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 500)
    try:
        with pytest.raises(UsageError):
            siambench.diagnose(network(), lambda *_: "none", pairs())
        assert 400 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

import math

import pytest
import torch
from torch import nn

from siambench.errors import DivergedError
from siambench.interfaces import Epoch
from siambench.training.watch import Watcher


def test_the_watcher_gives_an_epochs_figures():
    """Mean loss, mean number of tuples and the norm of the last gradient; a new epoch begins afresh."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    watcher = Watcher()
    for value, tuples in ((1.0, None), (2.0, 4), (6.0, 8)):
        watcher.step(torch.tensor(value), tuples)

    assert Epoch(1, 3.0, 5.0, 6.0, None) == watcher.epoch(1, [weight, nn.Parameter(torch.zeros(1))])
    watcher.step(torch.tensor(0.5), None)
    assert Epoch(2, 0.5, 0.0, None, None) == watcher.epoch(2, [])


def test_the_mean_is_taken_in_double_precision():
    """A large loss beside many small ones does not swallow them."""
    watcher = Watcher()
    values = [2.0**24, *[1.0] * 1000]
    for value in values:
        watcher.step(torch.tensor(value), None)

    assert math.fsum(values) / 1001 == watcher.epoch(1, []).loss


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_loss_that_is_no_number_is_named(value):
    """A loss that is not finite ends the epoch with its step, counted from 1, of the first such one."""
    watcher = Watcher()
    for loss in (1.0, 2.0, value, 3.0, float("nan")):
        watcher.step(torch.tensor(loss), None)

    with pytest.raises(DivergedError, match=f"^the loss became {value} at step 3 of the epoch$"):
        watcher.epoch(1, [])


def test_a_gradient_that_is_no_number_has_no_norm():
    """An overflown gradient is no figure: JSON could not hold it, and the loss says whether training diverged."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([float("inf"), 0.0])
    watcher = Watcher()
    watcher.step(torch.tensor(1.0), None)

    assert watcher.epoch(1, [weight]).gradient_norm is None


def test_watching_keeps_no_graph():
    """What is gathered of a loss is its value: the graph of a step is free when the next begins."""
    watcher, weight = Watcher(), nn.Parameter(torch.ones(1))
    watcher.step((2 * weight).sum(), None)

    assert [loss.requires_grad for loss in watcher._losses] == [False]

"""No built-in loss or miner waits for the device: each runs on tensors without content, where all that depends on content raises."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.miners import siambench_miners
from siambench.plugin import call_factory
from siambench.training.components import LossCall, fed_indices, mine, number_of, plain

LOSSES = {name: entry for name, entry in siambench_losses().items() if not entry.wraps}
# A miner of the whole training set is called once in an epoch, and may wait.
MINERS = {name: entry for name, entry in siambench_miners().items() if entry.scope == "batch"}
MINING = sorted(set(MINERS) - {"none"})
# Miners give triplets, pairs or runs of triplets: each loss that takes tuples meets all three, and each miner two losses.
COMBINATIONS = sorted(
    {
        *itertools.product(LOSSES, ["none"]),
        *itertools.product([name for name, entry in LOSSES.items() if entry.takes != "none"], ["hard", "multi-similarity", "semihard"]),
        *itertools.product(["contrastive", "triplet"], MINING),
    }
)
BATCH, SIZE, CLASSES = 12, 5, 6


def built(entries, name):
    """A component with its defaults."""
    return call_factory(entries[name].build, {**entries[name].defaults, "num_classes": CLASSES, "embedding_size": SIZE})


def step(loss, miner, feed="classes"):
    """Forward and backward as training does both; the gradient by the embeddings and how many tuples were mined."""
    rows = torch.randn(BATCH, SIZE, requires_grad=True)
    labels = torch.arange(BATCH) // 2
    embeddings = functional.normalize(rows)
    indices = fed_indices(feed, labels) if miner is None else mine(miner, embeddings, labels, name="mined")
    number = None if miner is None else number_of(indices)
    LossCall(loss, "tried")(embeddings, labels, indices).backward()
    return rows.grad, number


@pytest.mark.parametrize(("loss", "miner"), COMBINATIONS)
def test_nothing_waits_for_the_device(loss, miner):
    """Each loss, alone and with tuples in each of their forms, and each miner run forward and backward without knowing a number."""
    with FakeTensorMode():
        gradient, number = step(built(LOSSES, loss), built(MINERS, miner))

    assert gradient.shape == (BATCH, SIZE)
    assert (number is None) == (miner == "none")


@pytest.mark.parametrize(("loss", "feed"), [(name, feed) for name, entry in LOSSES.items() for feed in entry.feeds if feed != "views"])
def test_no_feed_waits_for_the_device(loss, feed):
    """Nor does a loss that is fed labelled pairs or triplets."""
    with FakeTensorMode():
        gradient, _ = step(built(LOSSES, loss), None, feed)

    assert gradient.shape == (BATCH, SIZE)


@pytest.mark.parametrize("miner", MINING)
def test_waiting_would_be_seen(miner):
    """What a third-party loss is handed has a length that depends on content, and there the mode raises."""
    with FakeTensorMode(), pytest.raises((DynamicOutputShapeException, DataDependentOutputException)):
        plain(built(MINERS, miner)(torch.randn(BATCH, SIZE), torch.arange(BATCH) // 2))

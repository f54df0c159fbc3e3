"""Components built and called as the harness does: seeded, in fp32, with embeddings normalised where the loss wants them so."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from siambench.interfaces import Indices
from siambench.plugin import LossEntry, MinerEntry
from siambench.spaces import Params
from siambench.testing.contracts.batches import CLASSES, SIZE, Batch
from siambench.testing.contracts.process import SEED
from siambench.training import components
from siambench.training.optimiser import build_optimiser
from siambench.training.state import seed_globals

_NAME = "examined"
PROGRESS = (0.5, 0.0, 0.9)
"""Shares of the training that are done, one batch after the other: some parameters act in the beginning or in the end alone."""

_RATE = 0.01
_RELATIVE, _ABSOLUTE = 1e-5, 1e-7
"""What rounding alone changes."""


@dataclass(frozen=True)
class Answer:
    """What a loss gave for one batch.

    Args:
        value: fp32 scalar.
        gradient: by the points of the batch, before they were normalised, fp32 [B, D]; zero where none arrived.
    """

    value: Tensor
    gradient: Tensor

    def is_equal(self, other: Answer) -> bool:
        """Whether both are the same, bit for bit."""
        return torch.equal(self.value, other.value) and torch.equal(self.gradient, other.gradient)

    def is_close(self, other: Answer) -> bool:
        """Whether both are the same, but for rounding."""
        pairs = ((self.value, other.value), (self.gradient, other.gradient))
        return all(torch.allclose(one, two, rtol=_RELATIVE, atol=_ABSOLUTE * max(1.0, float(one.abs().max()))) for one, two in pairs)


@contextlib.contextmanager
def as_in_a_unit() -> Iterator[None]:
    """One thread, as units have it, and the global random states put back afterwards."""
    threads, numpy_state, python_state = torch.get_num_threads(), np.random.get_state(), random.getstate()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def build_loss(entry: LossEntry, params: Params) -> components.LossCall:
    """The loss with these parameters, those of its own drawn from one seed.

    Raises:
        PluginError: if it is no module.
    """
    loss = components.build_loss(entry, {**entry.defaults, **params}, name=_NAME, num_classes=CLASSES, embedding_size=SIZE, seed=SEED)
    return components.LossCall(loss, _NAME)


class Training:
    """One loss in training, with a linear network in front of it, as a unit builds them.

    Args:
        entry: of the loss.
        seed: of weights, own parameters and the global generators.
    """

    def __init__(self, entry: LossEntry, seed: int) -> None:
        self._entry, self._seed = entry, seed
        seed_globals(seed)
        self.network = nn.Linear(SIZE, SIZE)
        loss = components.build_loss(entry, entry.defaults, name=_NAME, num_classes=CLASSES, embedding_size=SIZE, seed=seed)
        self.loss = components.LossCall(loss, _NAME)
        # All at one rate, whatever groups they come in: which those are, a contract of its own examines.
        rates = {"optimiser.lr": _RATE, "optimiser.weight_decay": 1e-4, "loss.lr": _RATE}
        self._optimiser = build_optimiser("adam", rates, self.network, loss)

    def step(self, batch: Batch, number: int) -> Tensor:
        """One step of training; the value of the loss, with what it was computed from."""
        seed_globals(self._seed, number)
        embeddings = components.as_seen(self.network(batch.points), normalise=self._entry.normalise)
        value = call_loss(self.loss, embeddings, batch.labels.clone(), step=number)
        self._optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return value


def embed(entry: LossEntry, batch: Batch) -> tuple[Tensor, Tensor]:
    """The leaf that gradients are read from, and the embeddings that the loss is given, both fp32 [B, D]."""
    leaf = batch.points.clone().requires_grad_()
    return leaf, components.as_seen(leaf * 1, normalise=entry.normalise)


def call_loss(loss: components.LossCall, embeddings: Tensor, labels: Tensor, indices: Indices | None = None, *, step: int = 0) -> Tensor:
    """The loss of a batch as the harness calls it: with indices or without, early or late in training, of classes in three groups.

    Raises:
        PluginError: if it is not a scalar tensor with a gradient.
    """
    return loss(embeddings, labels, indices, progress=PROGRESS[step % len(PROGRESS)], groups=labels % 3)


def answer(entry: LossEntry, loss: components.LossCall, batch: Batch, *, indices: Indices | None = None, step: int = 0) -> Answer:
    """What a loss gives for one batch; ``step`` chooses the state of the global generators."""
    leaf, embeddings = embed(entry, batch)
    seed_globals(SEED, step)
    value = call_loss(loss, embeddings, batch.labels.clone(), indices, step=step)
    value.backward()  # type: ignore[no-untyped-call]
    return Answer(value.detach(), torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)


def answers(entry: LossEntry, params: Params, batches: Iterable[Batch], *, first_step: int = 0) -> list[Answer]:
    """What a freshly built loss gives for one batch after another."""
    loss = build_loss(entry, params)
    return [answer(entry, loss, batch, step=first_step + step) for step, batch in enumerate(batches)]


def build_miner(entry: MinerEntry, params: Params, *, seed: int = SEED) -> Callable[..., Any]:
    """The miner with these parameters.

    Raises:
        PluginError: if it cannot be called.
    """
    seed_globals(seed)
    return components.build_miner(entry, {**entry.defaults, **params}, name=_NAME)


def mine(miner: Callable[..., Any], batch: Batch, *, step: int = 0, seed: int = SEED) -> Indices:
    """What a miner gives for one batch: without gradient, from normalised embeddings."""
    embeddings, labels = components.as_seen(batch.points, normalise=True), batch.labels.clone()
    seed_globals(seed, step)
    return components.plain(components.mine(miner, embeddings, labels, name=_NAME))

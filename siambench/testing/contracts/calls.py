"""Components built and called as the harness does: seeded, in fp32, with embeddings normalised where the loss wants them so."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from siambench.interfaces import Indices
from siambench.plugin import LossEntry, MinerEntry
from siambench.spaces import Params
from siambench.testing.contracts.batches import CLASSES, SIZE, Batch
from siambench.training import components
from siambench.training.state import seed_globals

SEED = 5

_NAME = "examined"


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


def embed(entry: LossEntry, batch: Batch) -> tuple[Tensor, Tensor]:
    """The leaf that gradients are read from, and the embeddings that the loss is given, both fp32 [B, D]."""
    leaf = batch.points.clone().requires_grad_()
    return leaf, components.as_seen(leaf * 1, normalise=entry.normalise)


def call_loss(loss: components.LossCall, embeddings: Tensor, labels: Tensor, indices: Indices | None = None) -> Tensor:
    """The loss of a batch in the middle of training, with indices or without as the harness calls it.

    Raises:
        PluginError: if it is not a scalar tensor with a gradient.
    """
    return loss(embeddings, labels, indices, progress=0.5, groups=torch.zeros_like(labels))


def answer(entry: LossEntry, loss: components.LossCall, batch: Batch, *, indices: Indices | None = None, step: int = 0) -> Answer:
    """What a loss gives for one batch; ``step`` chooses the state of the global generators."""
    leaf, embeddings = embed(entry, batch)
    seed_globals(SEED, step)
    value = call_loss(loss, embeddings, batch.labels.clone(), indices)
    value.backward()  # type: ignore[no-untyped-call]
    return Answer(value.detach(), torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)


def answers(entry: LossEntry, params: Params, batches: Iterable[Batch], *, first_step: int = 0) -> list[Answer]:
    """What a freshly built loss gives for one batch after another."""
    loss = build_loss(entry, params)
    return [answer(entry, loss, batch, step=first_step + step) for step, batch in enumerate(batches)]


def build_miner(entry: MinerEntry, params: Params) -> Callable[..., Any]:
    """The miner with these parameters.

    Raises:
        PluginError: if it cannot be called.
    """
    seed_globals(SEED)
    return components.build_miner(entry, {**entry.defaults, **params}, name=_NAME)


def mine(miner: Callable[..., Any], batch: Batch, *, step: int = 0) -> Indices:
    """What a miner gives for one batch: without gradient, from normalised embeddings."""
    embeddings, labels = components.as_seen(batch.points, normalise=True), batch.labels.clone()
    seed_globals(SEED, step)
    return components.mine(miner, embeddings, labels, name=_NAME)

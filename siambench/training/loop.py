"""The loop: batches in, a trained model out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from siambench.clock import Clock
from siambench.errors import DivergedError
from siambench.plugin import CHUNK, PER_CHUNK_BATCHNORM
from siambench.tracks.parts import Items, turned, unlabelled
from siambench.training.augmentations import Augmentations
from siambench.training.batches import Batches
from siambench.training.chunks import InChunks
from siambench.training.components import Entries, LossCall, as_seen, build_batches, build_loss, build_miner, mine, number_of
from siambench.training.drawing import pool_of
from siambench.training.mining import Fed, Mining
from siambench.training.model import EmbeddingModel, as_trained, build_model
from siambench.training.optimiser import build_optimiser, build_schedules
from siambench.training.state import device, seed_globals
from siambench.training.watch import Watcher

if TYPE_CHECKING:
    from siambench.interfaces import Epoch, Measures, Mined
    from siambench.plugin import MinerEntry
    from siambench.spec import Unit

Validate = Callable[[EmbeddingModel], Mapping[str, float | None]]
Feeding = Callable[[int, nn.Module, Batches], Fed]


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Args:
        model: the model after the last epoch.
        curve: the figures of each epoch.
        repeat_rate: share of the batches' items that stood in their batch already, in [0, 1]; None where the sampler does not count.
        loss: as it is after the last step.
        measures: what was measured before the first step and after each epoch.
    """

    model: EmbeddingModel
    curve: tuple[Epoch, ...] = ()
    repeat_rate: float | None = None
    loss: nn.Module | None = None
    measures: tuple[Measures, ...] = ()


def _nothing(_: Epoch) -> None:
    """Nobody is told."""


def train(
    unit: Unit,
    entries: Entries,
    items: Items,
    validate: Validate | None,
    *,
    ended: Callable[[Epoch], None] = _nothing,
    clock: Clock | None = None,
) -> Trained:
    """Train a unit's model.

    Args:
        unit: what to train.
        entries: what it is built from.
        items: the items and labels it may train on.
        validate: scores of the model, asked for after every ``validate_every`` epochs and after the last; None for a final unit.
        ended: told after each epoch.
        clock: counts mining over the training set as its phase ``mine``; None: nobody asks.

    Raises:
        DivergedError: if a loss or the embeddings are not finite.
        PluginError: if a component does not keep its contract.
    """
    rules, target, feed = unit.training, device(), unit.method.fed
    assert rules is not None
    assert unit.model is not None
    groups, items = items.groups, _as_fed(items, unit)
    model = build_model(unit, entries.backbone, items.dataset).to(target)
    pool = pool_of(items, rules, feed, groups)
    order, sampler = build_batches(
        entries.sampler, pool.labels, pool.layout, name=rules.sampler, seed=unit.seeds["order"], groups=pool.groups
    )
    trained, seen_size = as_trained(unit, model)
    built = build_loss(
        entries.loss,
        unit.own("loss"),
        name=unit.method.loss,
        num_classes=len(items.class_names),
        embedding_size=seen_size,
        seed=unit.seeds["loss"],
    )
    loss = LossCall(built.to(target), unit.method.loss)
    mined_from = round(float(unit.params.get("miner.warmup", 0.0)) * rules.epochs * rules.steps_per_epoch)
    miner, feeding = _mining(entries.miner, unit, items, clock or Clock())
    forward = _embedding(trained, unit) if entries.loss.chunked else trained
    optimiser = build_optimiser(rules.optimiser, unit.params, trained, built, entry=entries.optimiser)
    step_schedule, epoch_schedule = build_schedules(rules, optimiser, unit.params, entry=entries.schedule)
    further = Augmentations(entries.augmentations, rules.augment, seed=unit.seeds["augmentation"])
    batches = Batches(
        items,
        order,
        feed=feed,
        augment=rules.augment,
        generator=torch.Generator().manual_seed(unit.seeds["augmentation"]),
        device=target,
    )

    curve: list[Epoch] = []
    watcher, step, epochs = Watcher(), 0, unit.stop_epoch or rules.epochs
    for epoch in range(1, epochs + 1):
        model.train()
        fed = feeding(epoch, trained, batches)
        for batch in fed.batches.epoch(rules.steps_per_epoch):
            inputs = further(batch.items).contiguous(memory_format=model.memory_format)
            # Ten microseconds; without it, dropout and losses that draw would depend on what was drawn before, as by a miner.
            seed_globals(unit.seeds["loss"], step)
            with torch.autocast(target.type, torch.bfloat16, enabled=rules.precision == "bf16"):
                embeddings = forward(inputs)
            embeddings = as_seen(embeddings, normalise=rules.normalise)
            with _divergence_recognised(embeddings, step):
                indices: Mined | None = batch.indices
                tuples: Tensor | int | None = fed.tuples
                if miner is not None and step >= mined_from:
                    indices = mine(miner, embeddings, batch.labels, name=unit.method.miner)
                    tuples = number_of(indices)
                value = loss(embeddings, batch.labels, indices, progress=step / rules.steps, groups=batch.groups)
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if step_schedule is not None:
                step_schedule.step()
            watcher.step(value, tuples)
            step += 1
        figures = watcher.epoch(epoch, trained.parameters())
        if epoch_schedule is not None:
            epoch_schedule.step(figures.loss)
        figures = _validated(figures, model, validate if epoch % rules.validate_every == 0 or epoch == epochs else None)
        curve.append(figures)
        ended(figures)
        if figures.validation is not None and _stops_early(unit, curve):
            break
    return Trained(model, tuple(curve), getattr(sampler, "repeat_rate", None), built)


def _as_fed(items: Items, unit: Unit) -> Items:
    assert unit.training is not None
    items = turned(items) if unit.training.rotate_classes else items
    return unlabelled(items) if unit.method.feed == "views" else items


def _embedding(network: nn.Module, unit: Unit) -> nn.Module:
    """What embeds the batches of a loss that is trained in chunks."""
    chunk, told = unit.params[CHUNK], unit.params[PER_CHUNK_BATCHNORM]
    return InChunks(network.train(), chunk=int(chunk), per_chunk_batchnorm=bool(told))


def _mining(entry: MinerEntry | None, unit: Unit, items: Items, clock: Clock) -> tuple[Callable[..., Any] | None, Feeding]:
    """The miner of each batch, if there is one, and what says what an epoch is fed."""
    if entry is not None and entry.scope == "training-set":
        return None, Mining(entry, unit, items, clock=clock).feeding
    miner = None if entry is None else build_miner(entry, unit.own("miner"), name=unit.method.miner)
    return miner, lambda _epoch, _network, batches: Fed(batches, None)


def _validated(figures: Epoch, model: EmbeddingModel, validate: Validate | None) -> Epoch:
    return figures if validate is None else dataclasses.replace(figures, validation=dict(validate(model)))


@contextlib.contextmanager
def _divergence_recognised(embeddings: Tensor, step: int) -> Iterator[None]:
    # Miners draw with weights that cannot be computed from embeddings that are not finite: what they raise is divergence.
    try:
        yield
    except Exception as error:
        if not bool(torch.isfinite(embeddings).all()):
            raise DivergedError(f"the embeddings were not finite at step {step + 1}") from error
        raise


def _stops_early(unit: Unit, curve: Sequence[Epoch]) -> bool:
    """Whether as many validations as the patience have brought nothing better."""
    assert unit.training is not None
    patience = unit.training.early_stopping
    values = [epoch.validation.get(unit.scoring.primary) for epoch in curve if epoch.validation is not None]
    known = [value for value in values if value is not None]
    if not patience or len(values) <= patience or len(known) < len(values):
        return False
    best = max(known) if unit.scoring.maximise else min(known)
    return len(known) - 1 - known.index(best) >= patience

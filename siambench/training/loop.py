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
from siambench.training.features import Features, HeadModel
from siambench.training.gradients import Gradients, parts_of
from siambench.training.holding import holding_of
from siambench.training.mining import Fed, Mining
from siambench.training.model import Model, as_trained, build_model
from siambench.training.optimiser import build_optimiser, build_schedules
from siambench.training.probe import Probe, margins_of
from siambench.training.sides import TwoEncoders, one_after_the_other
from siambench.training.state import device, seed_globals
from siambench.training.stepping import Stepping
from siambench.training.watch import Watcher

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

    from siambench.interfaces import Epoch, Measures, Mined
    from siambench.plugin import LossEntry, MinerEntry
    from siambench.spec import TrainingSpec, Unit

Validate = Callable[[Model], Mapping[str, float | None]]
Feeding = Callable[[int, nn.Module, Batches], Fed]


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Args:
        model: the model after the last epoch; under a recipe with ``ema`` the mean of its weights.
        curve: the figures of each epoch.
        repeat_rate: share of the batches' items that stood in their batch already, in [0, 1]; None where the sampler does not count.
        loss: as it is after the last step.
        measures: before the first step, and after each epoch; none where nothing was measured.
    """

    model: Model
    curve: tuple[Epoch, ...] = ()
    repeat_rate: float | None = None
    loss: nn.Module | None = None
    measures: tuple[Measures, ...] = ()


def train(
    unit: Unit,
    entries: Entries,
    items: Items,
    validate: Validate | None,
    *,
    watcher: Watcher | None = None,
    clock: Clock | None = None,
    features: Features | None = None,
) -> Trained:
    """Train a unit's model.

    Args:
        unit: what to train.
        entries: what it is built from.
        items: the items and labels it may train on.
        validate: scores of the model, asked for after every ``validate_every`` epochs and after the last; None for a final unit.
        watcher: gathers the figures of epochs and what is measured, and tells of each epoch that has ended; None: nobody asks.
        clock: counts mining over the training set as its phase ``mine``, and features as ``features``; None: nobody asks.
        features: gives what the trunk makes of items, where that is the same in every step (`trains_on_features`): the head alone is then
            trained, on those. None: items go through the trunk.

    Raises:
        DivergedError: if a loss or the embeddings are not finite.
        PluginError: if a component does not keep its contract.
    """
    rules, target, feed = unit.training, device(), unit.method.fed
    assert rules is not None
    groups, known = items.groups, turned(items) if rules.rotate_classes else items
    clock, model = clock or Clock(), build_model(unit, entries.backbone, known.dataset, entries.started).to(target)
    known, worked = _worked_on(model, known, features, clock)
    items = unlabelled(known) if unit.method.feed == "views" else known
    pool = pool_of(items, rules, feed, groups)
    order, sampler = build_batches(
        entries.sampler, pool.labels, pool.layout, name=rules.sampler, seed=unit.seeds["order"], groups=pool.groups
    )
    trained, seen_size = as_trained(unit, worked)
    built = build_loss(
        entries.loss,
        unit.own("loss"),
        name=unit.method.loss,
        num_classes=len(items.class_names),
        embedding_size=seen_size,
        seed=unit.seeds["loss"],
    )
    loss, step, epochs = LossCall(built.to(target), unit.method.loss), 0, unit.stop_epoch or rules.epochs
    miner, mined_from, feeding = _mining(entries.miner, unit, items, clock)
    holding = holding_of(model, rules.recipe, name=unit.model.backbone if unit.model else "", epochs=epochs)
    moving = _moving(unit, entries, model, trained, built)
    forward = _embedding(trained, unit) if entries.loss.chunked else trained
    further = Augmentations(entries.augmentations, rules.augment, seed=unit.seeds["augmentation"])
    batches = Batches(
        items,
        order,
        feed=feed,
        augment=rules.augment,
        generator=torch.Generator().manual_seed(unit.seeds["augmentation"]),
        device=target,
    )

    watcher = watcher or Watcher()
    watcher.begin(
        lambda: Gradients(parts_of(model, trained, built, entries.loss, unit.params), moving.optimiser),
        lambda: _probe(unit, entries.loss, trained, known, worked.memory_format),
    )
    curve: list[Epoch] = []
    for epoch in range(1, epochs + 1):
        for part in holding:
            part.begin(epoch)
        model.train()
        fed = feeding(epoch, trained, batches)
        for batch in watcher.over(fed.batches, rules.steps_per_epoch):
            inputs = further(batch.items).contiguous(memory_format=worked.memory_format)
            # Ten microseconds; without it, dropout and losses that draw would depend on what was drawn before, as by a miner.
            seed_globals(unit.seeds["loss"], step)
            embeddings = watcher.embedded(_seen(forward, inputs, rules, sides=bool(items.dataset.sides)))
            with _divergence_recognised(embeddings, step):
                indices: Mined | None = batch.indices
                tuples: Tensor | int | None = fed.tuples
                if miner is not None and step >= mined_from:
                    indices = mine(miner, embeddings, batch.labels, name=unit.method.miner)
                    tuples = number_of(indices)
                value = loss(embeddings, batch.labels, indices, progress=step / rules.steps, groups=batch.groups)
            moving.optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            watcher.reached()
            moving.stepping.take(step)
            watcher.step(value, tuples, None if fed.tuples == 0 else indices)
            if moving.of_step is not None:
                moving.of_step.step()
            step += 1
        figures = watcher.epoch(epoch, trained.parameters())
        if moving.of_epoch is not None:
            moving.of_epoch.step(figures.loss)
        figures = _validated(figures, moving.stepping.judged, validate if epoch % rules.validate_every == 0 or epoch == epochs else None)
        curve.append(figures)
        watcher.ended(figures)
        if figures.validation is not None and _stops_early(unit, curve):
            break
    return Trained(moving.stepping.judged, tuple(curve), getattr(sampler, "repeat_rate", None), built, watcher.rows)


def _worked_on(model: Model, items: Items, features: Features | None, clock: Clock) -> tuple[Items, Model]:
    """What is trained and on what: the model on items, or its head on what its trunk makes of them."""
    if features is None or isinstance(model, TwoEncoders):
        return items, model
    with clock.phase("features"):
        return features.of(model, items), HeadModel(model)


@dataclass(frozen=True)
class _Moving:
    """What moves the weights: the optimiser, how its steps are taken, and what changes its rates after a step, and after an epoch."""

    optimiser: torch.optim.Optimizer
    stepping: Stepping
    of_step: LRScheduler | None
    of_epoch: ReduceLROnPlateau | None


def _moving(unit: Unit, entries: Entries, model: Model, trained: nn.Module, loss: nn.Module) -> _Moving:
    rules = unit.training
    assert rules is not None
    recipe = rules.recipe, model.trunk
    optimiser = build_optimiser(rules.optimiser, unit.params, trained, loss, entry=entries.optimiser, recipe=recipe)
    of_step, of_epoch = build_schedules(rules, optimiser, unit.params, entry=entries.schedule)
    return _Moving(optimiser, Stepping(optimiser, model, recipe=rules.recipe, steps=rules.steps), of_step, of_epoch)


def _embedding(network: nn.Module, unit: Unit) -> nn.Module:
    """What embeds the batches of a loss that is trained in chunks."""
    chunk, told = unit.params[CHUNK], unit.params[PER_CHUNK_BATCHNORM]
    return InChunks(network.train(), chunk=int(chunk), per_chunk_batchnorm=bool(told))


def _seen(forward: nn.Module, inputs: Tensor, rules: TrainingSpec, *, sides: bool) -> Tensor:
    """What the loss is given of a batch, in fp32 whatever the network computes in; the second sides of items behind the first."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=rules.precision == "bf16"):
        embeddings = forward(inputs)
    embeddings = one_after_the_other(embeddings) if sides else embeddings
    return as_seen(embeddings, normalise=rules.normalise)


def _probe(unit: Unit, entry: LossEntry, trained: nn.Module, items: Items, memory_format: torch.memory_format) -> Probe:
    """What looks at how a network embeds a few of the items that it is trained on, by the loss's eyes."""
    assert unit.training is not None
    margins = margins_of(entry, unit.own("loss"))
    return Probe(trained, items, normalise=unit.training.normalise, margins=margins, device=device(), memory_format=memory_format)


def _mining(entry: MinerEntry | None, unit: Unit, items: Items, clock: Clock) -> tuple[Callable[..., Any] | None, int, Feeding]:
    """The miner of each batch, if there is one, the step from which on it mines, and what says what an epoch is fed."""
    assert unit.training is not None
    mined_from = round(float(unit.params.get("miner.warmup", 0.0)) * unit.training.steps)
    if entry is not None and entry.scope == "training-set":
        return None, mined_from, Mining(entry, unit, items, clock=clock).feeding
    miner = None if entry is None else build_miner(entry, unit.own("miner"), name=unit.method.miner)
    return miner, mined_from, lambda _epoch, _network, batches: Fed(batches, None)


def _validated(figures: Epoch, model: Model, validate: Validate | None) -> Epoch:
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

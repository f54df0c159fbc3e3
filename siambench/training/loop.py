"""The loop: batches in, a trained model out."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from siambench.errors import DivergedError
from siambench.tracks.parts import Items, turned, unlabelled
from siambench.training.augmentations import Augmentations
from siambench.training.batches import Batches
from siambench.training.components import Entries, Layout, LossCall, as_seen, build_batches, build_loss, build_miner, mine, number_of
from siambench.training.model import EmbeddingModel, as_trained, build_model
from siambench.training.optimiser import build_optimiser, build_schedules
from siambench.training.state import device, seed_globals
from siambench.training.watch import Watcher

if TYPE_CHECKING:
    from siambench.interfaces import Epoch, Mined
    from siambench.spec import Unit

Validate = Callable[[EmbeddingModel], Mapping[str, float | None]]


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Args:
        model: the model after the last epoch.
        curve: the figures of each epoch.
        repeat_rate: share of the batches' items that stood in their batch already, in [0, 1]; None where the sampler does not count.
        loss: as it is after the last step.
    """

    model: EmbeddingModel
    curve: tuple[Epoch, ...] = ()
    repeat_rate: float | None = None
    loss: nn.Module | None = None


def _nothing(_: Epoch) -> None:
    """Nobody is told."""


def train(unit: Unit, entries: Entries, items: Items, validate: Validate | None, *, ended: Callable[[Epoch], None] = _nothing) -> Trained:
    """Train a unit's model.

    Args:
        unit: what to train.
        entries: what it is built from.
        items: the items and labels it may train on.
        validate: scores of the model, asked for after every ``validate_every`` epochs and after the last; None for a final unit.
        ended: told after each epoch.

    Raises:
        DivergedError: if a loss or the embeddings are not finite.
        PluginError: if a component does not keep its contract.
    """
    rules, target, feed = unit.training, device(), unit.method.feed
    assert rules is not None
    assert unit.model is not None
    items = turned(items) if rules.rotate_classes else items
    items = unlabelled(items) if feed == "views" else items
    model = build_model(unit, entries.backbone, items.dataset).to(target)
    order, sampler = build_batches(
        entries.sampler,
        torch.from_numpy(items.labels),
        Layout(
            batch_size=rules.batch_size // 2 if feed == "views" else rules.batch_size,
            images_per_class=rules.images_per_class,
            steps=rules.steps,
            branches=3 if feed == "triplets" else 1,
        ),
        name=rules.sampler,
        seed=unit.seeds["order"],
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
    miner = None if entries.miner is None else build_miner(entries.miner, unit.own("miner"), name=unit.method.miner)
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
    mined_from = round(float(unit.params.get("miner.warmup", 0.0)) * rules.epochs * rules.steps_per_epoch)

    curve: list[Epoch] = []
    watcher, step, epochs = Watcher(), 0, unit.stop_epoch or rules.epochs
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in batches.epoch(rules.steps_per_epoch):
            inputs = further(batch.items).contiguous(memory_format=model.memory_format)
            # Ten microseconds; without it, dropout and losses that draw would depend on what was drawn before, as by a miner.
            seed_globals(unit.seeds["loss"], step)
            with torch.autocast(target.type, torch.bfloat16, enabled=rules.precision == "bf16"):
                embeddings = trained(inputs)
            embeddings = as_seen(embeddings, normalise=rules.normalise)
            with _divergence_recognised(embeddings, step):
                indices: Mined | None = batch.indices
                tuples = None
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
        if validate is not None and (epoch % rules.validate_every == 0 or epoch == epochs):
            figures = dataclasses.replace(figures, validation=dict(validate(model)))
        curve.append(figures)
        ended(figures)
        if figures.validation is not None and _stops_early(unit, curve):
            break
    return Trained(model, tuple(curve), getattr(sampler, "repeat_rate", None), built)


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

"""Unit → trained model: dataset → sampler → backbone → loss/miner → optimiser, in that order."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.data.transforms import augment, to_device, to_float
from siambench.errors import DivergedError, PluginError
from siambench.plugin import BackboneEntry, LossEntry, MinerEntry, SamplerEntry, call_factory
from siambench.tracks.parts import Items, turned
from siambench.training.watch import Watcher

if TYPE_CHECKING:
    from siambench.interfaces import Indices
    from siambench.spec import Unit

Validate = Callable[["EmbeddingModel"], dict[str, float | None]]


@dataclass(frozen=True)
class Entries:
    """The entries a unit is built from; ``miner`` is None where there is none."""

    backbone: BackboneEntry
    loss: LossEntry
    miner: MinerEntry | None
    sampler: SamplerEntry


class EmbeddingModel(nn.Module):
    """A trunk and a linear embedding head.

    Args:
        trunk: features [B, F] of images [B, C, H, W] in [0, 1].
        features: F.
        embedding_size: D.
        memory_format: how the trunk takes its images.
    """

    def __init__(
        self, trunk: nn.Module, features: int, embedding_size: int, memory_format: torch.memory_format = torch.contiguous_format
    ) -> None:
        super().__init__()
        self.memory_format = memory_format
        self.trunk = trunk
        self.head = nn.Linear(features, embedding_size)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings [B, D], not normalised, of images fp32 [B, C, H, W] in [0, 1]."""
        embeddings: Tensor = self.head(self.trunk(images))
        return embeddings


@dataclass
class Trained:
    """What training leaves.

    Args:
        model: the model after the last epoch.
        curve: one line of figures per epoch; ``validation`` holds its scores where there is a validation part.
        repeat_rate: share of batch images that stood in their batch already, in [0, 1]; None where the sampler does not count.
    """

    model: EmbeddingModel
    curve: list[dict[str, Any]] = field(default_factory=list)
    repeat_rate: float | None = None


def device() -> torch.device:
    """The first GPU that the process may see, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def seed_globals(seed: int, step: int = -1) -> None:
    """Seed the global states of torch, numpy and random, for what draws from them: dropout and third-party code."""
    # An odd multiplier spreads consecutive steps over the whole range, on any version of Python.
    seed = (seed + 0x9E3779B97F4A7C15 * (step + 1)) % 2**63
    # As torch.manual_seed, which on a machine without a GPU keeps a stack trace of every call for the day when one comes.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  third-party code reads the global state
    random.seed(seed)


def build_model(unit: Unit, entry: BackboneEntry, input_shape: tuple[int, int, int]) -> EmbeddingModel:
    """The untrained model of a unit, its weights drawn from the unit's own seed.

    Raises:
        PluginError: if the trunk does not give features [B, F].
    """
    seed_globals(unit.seeds["weights"])
    trunk = call_factory(entry.build, {**unit.model["options"], "input_shape": input_shape})
    memory_format, probe = _probe(trunk, input_shape)
    if probe.ndim != 2 or len(probe) != 2:
        raise PluginError(f"backbone {unit.model['backbone']!r} must give features [B, F], got shape {tuple(probe.shape)} for B = 2")
    return EmbeddingModel(trunk, probe.shape[1], unit.model["embedding_size"], memory_format)


def _probe(trunk: nn.Module, input_shape: tuple[int, int, int]) -> tuple[torch.memory_format, Tensor]:
    # Channels-last is 1.6 times as fast for small convolutions on a CPU, and what GPUs want too; a trunk that flattens
    # with `view` cannot take it, and is told by trying.
    images = torch.zeros(2, *input_shape)
    with torch.no_grad():
        try:
            probe = trunk.eval().to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
        except RuntimeError:
            return torch.contiguous_format, trunk.to(memory_format=torch.contiguous_format)(images)
    return torch.channels_last, probe


def pretrained_features(unit: Unit, entry: BackboneEntry, input_shape: tuple[int, int, int]) -> nn.Module:
    """The trunk with its pretrained weights and no head: the anchor ``pretrained``."""
    return build_model(unit, entry, input_shape).trunk


def train(unit: Unit, entries: Entries, items: Items, validate: Validate | None, *, ended: Callable[[], None] = lambda: None) -> Trained:
    """Train a unit's model.

    Args:
        unit: what to train.
        entries: what it is built from.
        items: the images and labels it may train on.
        validate: scores of the model after an epoch, or None for a final unit.
        ended: told after each epoch.

    Raises:
        DivergedError: if a loss or the embeddings are not finite.
        PluginError: if a component does not keep its contract.
    """
    rules, target = unit.training, device()
    items = turned(items) if rules["rotate_classes"] else items
    model = build_model(unit, entries.backbone, items.dataset.shape).to(target)
    batches, sampler = _batches(unit, entries.sampler, items)
    loss = _build_loss(unit, entries.loss, len(items.class_names)).to(target)
    miner = None if entries.miner is None else call_factory(entries.miner.build, _own(unit, "miner"))
    optimiser = _optimiser(unit, model, loss)
    step_schedule, epoch_schedule = _schedules(unit, optimiser)
    augmentation = torch.Generator().manual_seed(unit.seeds["augmentation"])
    mined_from = round(float(unit.params.get("miner.warmup", 0.0)) * rules["epochs"] * rules["steps_per_epoch"])
    labels = torch.from_numpy(items.labels)

    trained, watcher, step = Trained(model), Watcher(), 0
    for epoch in range(unit.stop_epoch or rules["epochs"]):
        model.train()
        for _ in range(rules["steps_per_epoch"]):
            batch = next(batches)
            images = to_float(to_device(items.read(batch.numpy()), target))
            images = augment(images, unit.augment, generator=augmentation).contiguous(memory_format=model.memory_format)
            seed_globals(unit.seeds["loss"], step)
            with torch.autocast(target.type, torch.bfloat16, enabled=rules["precision"] == "bf16"):
                embeddings = model(images)
            embeddings = embeddings.float()
            if rules["normalise"]:
                embeddings = functional.normalize(embeddings)
            batch_labels = labels[batch].to(target, non_blocking=True)
            with _divergence_recognised(embeddings, step):
                indices, tuples = _tuples(unit, miner if step >= mined_from else None, embeddings, batch_labels)
                value = loss(embeddings, batch_labels, indices) if indices is not None else loss(embeddings, batch_labels)
            _check_loss(value, unit.method.loss)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            optimiser.step()
            if step_schedule is not None:
                step_schedule.step()
            watcher.step(value, tuples)
            step += 1
        trained.curve.append({"epoch": epoch + 1, **watcher.epoch(model.parameters())})
        if epoch_schedule is not None:
            epoch_schedule.step(trained.curve[-1]["loss"])
        if validate is not None:
            trained.curve[-1]["validation"] = validate(model)
        ended()
        if validate is not None and _stops_early(unit, trained.curve):
            break
    trained.repeat_rate = getattr(sampler, "repeat_rate", None)
    return trained


def _own(unit: Unit, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(f"{prefix}."): value for name, value in unit.params.items() if name.startswith(f"{prefix}.")}


def _batches(unit: Unit, entry: SamplerEntry, items: Items) -> tuple[Iterator[Tensor], object]:
    rules = unit.training
    sampler = call_factory(
        entry.build,
        {
            "labels": torch.from_numpy(items.labels),
            "batch_size": rules["batch_size"],
            "images_per_class": rules["images_per_class"],
            "steps": rules["epochs"] * rules["steps_per_epoch"],
            "generator": torch.Generator().manual_seed(unit.seeds["order"]),
        },
    )
    return iter(sampler), sampler


def _build_loss(unit: Unit, entry: LossEntry, num_classes: int) -> nn.Module:
    seed_globals(unit.seeds["loss"])
    available = {"num_classes": num_classes, "embedding_size": unit.model["embedding_size"], **_own(unit, "loss")}
    loss = call_factory(entry.build, available)
    if not isinstance(loss, nn.Module):
        raise PluginError(f"loss {unit.method.loss!r} must be a torch.nn.Module, got {type(loss).__name__}")
    return loss.train()


def _optimiser(unit: Unit, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    # Weight decay is for weights: on biases and BatchNorm it only fights their purpose.
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    rate, decay = float(unit.params["optimiser.lr"]), float(unit.params["optimiser.weight_decay"])
    groups: list[dict[str, Any]] = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    own = [p for p in loss.parameters() if p.requires_grad]
    if own:
        groups.append({"params": own, "lr": float(unit.params.get("loss.lr", rate)), "weight_decay": 0.0})
    kind = unit.training["optimiser"]
    if kind == "adam":
        return torch.optim.Adam(groups, lr=rate)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=rate)
    return torch.optim.SGD(groups, lr=rate, momentum=0.9)


def _schedules(
    unit: Unit, optimiser: torch.optim.Optimizer
) -> tuple[torch.optim.lr_scheduler.LRScheduler | None, torch.optim.lr_scheduler.ReduceLROnPlateau | None]:
    # The horizon is that of all epochs, also for a final unit that stops before: its first epochs are those of the trial.
    steps, kind = unit.training["epochs"] * unit.training["steps_per_epoch"], unit.training["schedule"]
    if kind == "one-cycle":
        highest = [group["lr"] for group in optimiser.param_groups]
        return torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=highest, total_steps=steps), None
    if kind == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps), None
    if kind == "plateau":
        return None, torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.3, patience=2)
    return None, None


def _tuples(unit: Unit, miner: Callable[..., Indices] | None, embeddings: Tensor, labels: Tensor) -> tuple[Indices | None, int | None]:
    if unit.method.feed == "pairs":
        return pair_indices(labels), None
    if miner is None:
        return None, None
    with torch.no_grad():
        indices = tuple(miner(embeddings.detach(), labels))
    if len(indices) not in (3, 4):
        raise PluginError(f"miner {unit.method.miner!r} must return three index tensors (triplets) or four (pairs), got {len(indices)}")
    return indices, len(indices[0])


def pair_indices(labels: Tensor) -> Indices:
    """The labelled pairs of a batch of left images followed by their right partners.

    Args:
        labels: int64 [2 P].

    Returns:
        Four index tensors: left and right of the pairs with ``same = 1``, left and right of the others.
    """
    half = len(labels) // 2
    left = torch.arange(half, device=labels.device)
    same = labels[:half] == labels[half:]
    return left[same], left[same] + half, left[~same], left[~same] + half


@contextlib.contextmanager
def _divergence_recognised(embeddings: Tensor, step: int) -> Iterator[None]:
    # Miners draw with weights that cannot be computed from embeddings that are not finite: what they raise is divergence.
    try:
        yield
    except Exception as error:
        if not bool(torch.isfinite(embeddings).all()):
            raise DivergedError(f"the embeddings were not finite at step {step + 1}") from error
        raise


def _check_loss(value: object, name: str) -> None:
    if not isinstance(value, Tensor) or value.ndim != 0:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise PluginError(f"loss {name!r} must return a scalar tensor, got {got}")
    if not value.requires_grad:
        raise PluginError(f"loss {name!r} returned a value without a gradient")


def _stops_early(unit: Unit, curve: list[dict[str, Any]]) -> bool:
    patience = unit.training["early_stopping"]
    values = [epoch["validation"][unit.primary] for epoch in curve]
    if not patience or len(values) <= patience:
        return False
    best = max(values) if unit.training["maximise"] else min(values)
    return bool(len(values) - 1 - values.index(best) >= patience)

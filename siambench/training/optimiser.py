"""The optimiser of a unit and the schedule of its learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from siambench.components.groups import grouped
from siambench.plugin import RATE

if TYPE_CHECKING:
    from siambench.spaces import Params
    from siambench.spec import TrainingSpec


_OF_GROUP = f"loss.{RATE}."
"""Before the name of a group of the loss's own parameters: its learning rate."""


def build_optimiser(kind: str, params: Params, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of a model's weights, and of the parameters of the loss's own with a learning rate of theirs.

    Args:
        kind: ``"adam"``, ``"adamw"`` or ``"sgd"``.
        params: of the unit: ``optimiser.lr``, ``optimiser.weight_decay`` and, where there is one, ``loss.lr``, or one for each group of the
            loss's parameters: ``loss.lr.proxies``.
        model: whose weights are trained.
        loss: whose parameters are trained with them.

    Raises:
        PluginError: if a parameter of the loss is in none of the groups or in two.
    """
    # Weight decay is for weights: on biases and BatchNorm it only fights their purpose.
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    rate, decay = float(params["optimiser.lr"]), float(params["optimiser.weight_decay"])
    groups: list[dict[str, Any]] = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    own = [p for p in loss.parameters() if p.requires_grad]
    rates = {name.removeprefix(_OF_GROUP): float(value) for name, value in params.items() if name.startswith(_OF_GROUP)}
    if rates:
        of_groups = grouped(loss, list(rates))
        groups += [{"params": members, "lr": rates[name], "weight_decay": 0.0} for name, members in of_groups.items()]
    elif own:
        groups.append({"params": own, "lr": float(params.get("loss.lr", rate)), "weight_decay": 0.0})
    # One kernel for all weights; a fifth of the time, and the same to the last digits. It takes floating-point numbers alone.
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    if kind == "adam":
        return torch.optim.Adam(groups, lr=rate, fused=fused)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=fused)
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, fused=fused)


def build_schedules(rules: TrainingSpec, optimiser: torch.optim.Optimizer) -> tuple[LRScheduler | None, ReduceLROnPlateau | None]:
    """What changes the learning rate after each step, and what changes it after each epoch by its loss."""
    # The horizon is that of all epochs, also for a final unit that stops before: its first epochs are those of the trial.
    if rules.schedule == "one-cycle":
        highest = [group["lr"] for group in optimiser.param_groups]
        return OneCycleLR(optimiser, max_lr=highest, total_steps=rules.steps), None
    if rules.schedule == "cosine":
        return CosineAnnealingLR(optimiser, T_max=rules.steps), None
    if rules.schedule == "plateau":
        return None, ReduceLROnPlateau(optimiser, factor=0.3, patience=2)
    return None, None

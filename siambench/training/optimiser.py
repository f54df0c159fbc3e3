"""The optimiser of a unit and the schedule of its learning rate: siambench's own by name, others by the entries of plugins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from siambench.components.groups import grouped
from siambench.errors import ConfigError, PluginError, text_of
from siambench.plugin import RATE, OptimiserEntry, ScheduleEntry, call_factory

if TYPE_CHECKING:
    from siambench.spaces import Params, Value
    from siambench.spec import Recipe, TrainingSpec

Groups = Sequence[Mapping[str, Any]]

_OF_GROUP = f"loss.{RATE}."
"""Before the name of a group of the loss's own parameters: its learning rate."""


def build_optimiser(
    kind: str,
    params: Params,
    model: nn.Module,
    loss: nn.Module,
    *,
    entry: OptimiserEntry | None = None,
    recipe: tuple[Recipe, nn.Module] | None = None,
) -> torch.optim.Optimizer:
    """The optimiser of a model's weights, and of the parameters of the loss's own with a learning rate of theirs.

    Args:
        kind: its name.
        params: of the unit: ``optimiser.lr``, ``optimiser.weight_decay`` and, where there is one, ``loss.lr``, or one for each group of the
            loss's parameters: ``loss.lr.proxies``; and its options.
        model: whose weights are trained.
        loss: whose parameters are trained with them.
        entry: of an optimiser that is a plugin's; None: siambench's own of that name.
        recipe: what a track says of the trunk's rate, of weight decay and of what is trained at all, and the trunk; None: nothing.

    Raises:
        PluginError: if a parameter of the loss is in none of the groups or in two, or if what the factory of the entry gives is no
            optimiser of these parameters.
    """
    rate, decay = float(params["optimiser.lr"]), float(params["optimiser.weight_decay"])
    groups = _of_network(model, rate, decay, recipe)
    own = [p for p in loss.parameters() if p.requires_grad]
    rates, of_loss = group_rates(params), decay if recipe is not None and recipe[0].decay_all else 0.0
    if rates:
        of_groups = grouped(loss, list(rates))
        groups += [{"params": members, "lr": rates[name], "weight_decay": of_loss} for name, members in of_groups.items()]
    elif own:
        groups.append({"params": own, "lr": float(params.get("loss.lr", rate)), "weight_decay": of_loss})
    groups = [{"lr": rate, **group} for group in groups]
    if entry is None:
        found_own: torch.optim.Optimizer = call_factory(OPTIMISERS[kind], {**_options(params, "optimiser"), "groups": groups})
        return found_own
    found = call_factory(entry.build, {**_options(params, "optimiser"), "groups": groups})
    if not isinstance(found, torch.optim.Optimizer):
        raise PluginError(f"optimiser {kind!r} must be a torch.optim.Optimizer, got {type(found).__name__}")
    given, kept = ({id(p) for group in these for p in group["params"]} for these in (groups, found.param_groups))
    if given != kept:
        raise PluginError(f"optimiser {kind!r} must be of the parameters that it is given: of {len(given)} it has {len(given & kept)}")
    return found


def _of_network(model: nn.Module, rate: float, decay: float, recipe: tuple[Recipe, nn.Module] | None) -> list[dict[str, Any]]:
    """The groups of a network's parameters: weights and vectors, and where the trunk has a rate of its own, its and the others'."""
    if recipe is None or not recipe[0].used:
        parts = [(list(model.parameters()), rate)]
    else:
        rules, trunk = recipe
        within = {id(p) for p in trunk.parameters()} if rules.trunk_rate != 1 else set()
        # What is frozen throughout is not the optimiser's: weight decay and momentum would be kept for nothing.
        trained = [p for p in model.parameters() if p.requires_grad or not rules.holds]
        parts = [([p for p in trained if id(p) in within], rate * rules.trunk_rate)] if within else []
        parts.append(([p for p in trained if id(p) not in within], rate))
    # Weight decay is for weights: on biases and BatchNorm it only fights their purpose.
    of_vectors = decay if recipe is not None and recipe[0].decay_all else 0.0
    groups: list[dict[str, Any]] = []
    for members, own in parts:
        matrices, vectors = [p for p in members if p.ndim > 1], [p for p in members if p.ndim <= 1]
        groups += [{"params": matrices, "weight_decay": decay, "lr": own}, {"params": vectors, "weight_decay": of_vectors, "lr": own}]
    return groups


def try_options(kind: str, options: Params) -> None:
    """Build one of siambench's own optimisers for nothing.

    Args:
        kind: its name.
        options: of it.

    Raises:
        ConfigError: if an option is out of its range.
    """
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": 1e-3, "weight_decay": 0.0}]
    try:
        call_factory(OPTIMISERS[kind], {**options, "groups": groups})
    except ValueError as error:
        raise ConfigError(f"training.optimiser_options of {kind}: {text_of(error)}") from error


def group_rates(params: Params) -> dict[str, float]:
    """The learning rate of each group of the loss's own parameters, by its name; none where all have one rate, or there are none."""
    return {name.removeprefix(_OF_GROUP): float(value) for name, value in params.items() if name.startswith(_OF_GROUP)}


def build_schedules(
    rules: TrainingSpec, optimiser: torch.optim.Optimizer, params: Params | None = None, *, entry: ScheduleEntry | None = None
) -> tuple[LRScheduler | None, ReduceLROnPlateau | None]:
    """What changes the learning rate after each step, and what changes it after each epoch by its loss.

    Args:
        rules: of the unit.
        optimiser: whose rates are changed.
        params: of the unit, among them the options of the schedule.
        entry: of a schedule that is a plugin's; None: siambench's own of the name in the rules.

    Raises:
        PluginError: if what the factory of the entry gives is no schedule.
    """
    # The horizon is that of all epochs, also for a final unit that stops before: its first epochs are those of the trial.
    given = {**_options(params or {}, "schedule"), "optimiser": optimiser, "steps": rules.steps}
    found = call_factory(SCHEDULES[rules.schedule] if entry is None else entry.build, given)
    if isinstance(found, ReduceLROnPlateau):
        return None, found
    if found is None or isinstance(found, LRScheduler):
        return found, None
    if not callable(found):
        raise PluginError(f"schedule {rules.schedule!r} must be a function of progress or a torch scheduler, got {type(found).__name__}")
    return LambdaLR(optimiser, _factors(found, rules.steps, rules.schedule)), None


def _factors(factor: Callable[[float], Any], steps: int, name: str) -> Callable[[int], float]:
    """What rates are multiplied by at each step, looked at."""

    def at(step: int) -> float:
        # Asked once more after the last step, when no step is left to have a rate.
        progress = min(step, steps - 1) / steps
        value = float(factor(progress))
        if not (math.isfinite(value) and value > 0):
            raise PluginError(f"schedule {name!r} must give a finite factor above 0, got {value:g} at progress {progress:g}")
        return value

    return at


def _options(params: Params, part: str) -> dict[str, Value]:
    return {name.removeprefix(f"{part}."): value for name, value in params.items() if name.startswith(f"{part}.")}


def _fused(groups: Groups) -> bool:
    # One kernel for all weights; a fifth of the time, and the same to the last digits. It takes floating-point numbers alone.
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])


def adam(groups: Groups) -> torch.optim.Optimizer:
    """Steps by running means of the gradient and of its square; weight decay is added to the gradient."""
    return torch.optim.Adam([dict(group) for group in groups], fused=_fused(groups))


def adamw(groups: Groups) -> torch.optim.Optimizer:
    """Adam with weight decay apart from the gradient."""
    return torch.optim.AdamW([dict(group) for group in groups], fused=_fused(groups))


def sgd(groups: Groups) -> torch.optim.Optimizer:
    """Gradient descent with a momentum of 0.9; weight decay is added to the gradient."""
    return torch.optim.SGD([dict(group) for group in groups], momentum=0.9, fused=_fused(groups))


def rmsprop(groups: Groups, alpha: float = 0.99, momentum: float = 0.0, eps: float = 1e-8) -> torch.optim.Optimizer:
    """Steps by the gradient over the root of a running mean of its square; weight decay is added to the gradient."""
    return torch.optim.RMSprop([dict(group) for group in groups], alpha=alpha, momentum=momentum, eps=eps)


def constant() -> None:
    """Rates stay as they are."""


def cosine(optimiser: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """Rates fall along half a cosine, to 0 after the last step."""
    return CosineAnnealingLR(optimiser, T_max=steps)


def one_cycle(optimiser: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """Rates rise from a 25th during the first three tenths, and fall to next to nothing; momentum goes the other way."""
    return OneCycleLR(optimiser, max_lr=[group["lr"] for group in optimiser.param_groups], total_steps=steps)


def plateau(optimiser: torch.optim.Optimizer) -> ReduceLROnPlateau:
    """Rates fall to three tenths where the training loss has not fallen for more than two epochs."""
    return ReduceLROnPlateau(optimiser, factor=0.3, patience=2)


OPTIMISERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {"adam": adam, "adamw": adamw, "sgd": sgd, "rmsprop": rmsprop}
SCHEDULES: Mapping[str, Callable[..., Any]] = {"constant": constant, "cosine": cosine, "one-cycle": one_cycle, "plateau": plateau}
"""siambench's own, by the names that tracks use; `siambench.builtin.optimisers` and `.schedules` register them as anybody's are."""

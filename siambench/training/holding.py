"""What of a network stays as it is: BatchNorm, the first stages of a trunk, a trunk while what is behind it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from siambench.components.stages import in_stage, stages_of
from siambench.spec import BETWEEN
from siambench.training.sides import TwoEncoders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siambench.spec import Recipe
    from siambench.training.model import EmbeddingModel, Model


class Holding:
    """Keeps parts of a model as they are: without a gradient, and in evaluation mode whatever mode the model is in.

    So running statistics do not move there, and dropout is off.

    Args:
        model: whose trunk is meant; its ``held`` modules are set here.
        recipe: ``trained_stages``, ``frozen_batchnorm``, ``trunk_warmup``.
        name: of the backbone, for people.
        epochs: that are trained; where they end before the trunk's warm-up, it stays as it is from the beginning. None: more than those.

    Raises:
        PluginError: if the stages that the trunk says are none.
    """

    def __init__(self, model: EmbeddingModel, recipe: Recipe, *, name: str, epochs: int | None = None) -> None:
        self.model, self._warmup = model, recipe.trunk_warmup
        self._always = held_by(model.trunk, recipe, name=name) if recipe.holds else ()
        for module in self._always:
            for parameter in module.parameters():
                parameter.requires_grad = False
        model.held = self._always
        self._trained = [parameter for parameter in model.trunk.parameters() if parameter.requires_grad]
        if epochs is not None and epochs <= self._warmup:
            # It is no part of what is meant to learn.
            self.begin(1)

    def begin(self, epoch: int) -> None:
        """An epoch begins, from 1: in the first ones the whole trunk may stay as it is."""
        if not self._warmup:
            return
        waits = epoch <= self._warmup
        self.model.held = (self.model.trunk,) if waits else self._always
        for parameter in self._trained:
            parameter.requires_grad = not waits


def holding_of(model: Model, recipe: Recipe, *, name: str, epochs: int | None = None) -> tuple[Holding, ...]:
    """What keeps parts of a model as they are: one, or of items of two sides one for each encoder.

    Args:
        model: whose trunks are meant.
        recipe: as of `Holding`.
        name: of the backbone, or of both.
        epochs: as of `Holding`.
    """
    encoders = model.each if isinstance(model, TwoEncoders) else (model,)
    names = name.split(BETWEEN) if len(encoders) > 1 else (name,)
    return tuple(Holding(one, recipe, name=own, epochs=epochs) for one, own in zip(encoders, names, strict=True))


def held_by(trunk: nn.Module, recipe: Recipe, *, name: str) -> tuple[nn.Module, ...]:
    """The modules of a trunk that stay as they are throughout.

    Args:
        trunk: of a model.
        recipe: that says so.
        name: of the backbone, for people.

    Raises:
        PluginError: if the stages that the trunk says are none.
    """
    if recipe.trained_stages == 0:
        return (trunk,)
    found: dict[int, nn.Module] = {}
    if recipe.trained_stages is not None:
        frozen = stages_of(trunk, name=name)[: -recipe.trained_stages]
        found |= {id(module): module for module in _of_stages(trunk, frozen)}
    if recipe.frozen_batchnorm:
        found |= {id(module): module for module in trunk.modules() if isinstance(module, _BatchNorm)}
    return tuple(found.values())


def _of_stages(trunk: nn.Module, stages: Sequence[tuple[str, ...]]) -> list[nn.Module]:
    """The modules of some stages; where one is a bare parameter of another module, that parameter is frozen here."""
    prefixes = {prefix for stage in stages for prefix in stage}
    modules = dict(trunk.named_modules())
    for prefix in prefixes - set(modules):
        trunk.get_parameter(prefix).requires_grad = False
    return [module for name, module in modules.items() if name and any(in_stage(name, stage) for stage in stages)]

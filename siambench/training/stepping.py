"""One step of an optimiser as a track wants it: its gradient clipped, its rates warmed up, the weights' mean kept."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from siambench.spec import Recipe
    from siambench.training.model import Model


class Stepping:
    """Takes steps.

    Args:
        optimiser: that takes them.
        model: that is evaluated.
        recipe: ``clip_norm``, ``rate_warmup``, ``ema``.
        steps: of the whole training run.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, model: Model, *, recipe: Recipe, steps: int) -> None:
        self._optimiser, self._clip = optimiser, recipe.clip_norm
        self._warm = round(recipe.rate_warmup * steps)
        self._trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        self._mean = Averaged(model, decay=recipe.ema) if recipe.ema else None
        self._model = model

    @property
    def judged(self) -> Model:
        """What is evaluated: the model, or the mean of its weights."""
        return self._model if self._mean is None else self._mean.model

    def take(self, step: int) -> None:
        """The gradient is there: clip it, take the step, and keep the mean.

        Args:
            step: its number, from 0.
        """
        if self._clip:
            torch.nn.utils.clip_grad_norm_(self._trained, self._clip)
        with warmed(self._optimiser, min(1.0, (step + 1) / (self._warm + 1))):
            self._optimiser.step()
        if self._mean is not None:
            self._mean.update(self._model)


@contextlib.contextmanager
def warmed(optimiser: torch.optim.Optimizer, factor: float) -> Iterator[None]:
    """Multiply all learning rates by a factor for as long as a step takes, whatever schedule they follow; at 1 nothing is touched."""
    if factor >= 1:
        yield
        return
    before = [group["lr"] for group in optimiser.param_groups]
    for group in optimiser.param_groups:
        group["lr"] = group["lr"] * factor
    try:
        yield
    finally:
        for group, rate in zip(optimiser.param_groups, before, strict=True):
            group["lr"] = rate


class Averaged:
    """The running mean of a model's weights, and of its running statistics.

    After step t, from 0, mean = d · mean + (1 - d) · weights with d = min(decay, (1 + t) / (10 + t)), so that the untrained weights are
    soon forgotten; whole numbers, such as BatchNorm's count of batches, are copied.

    Args:
        model: whose mean is kept; it begins at its weights.
        decay: in (0, 1).

    Source:
        Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM Journal on Control and Optimization 1992; the
        bound of d is that of TensorFlow's ``ExponentialMovingAverage``.
    """

    def __init__(self, model: Model, *, decay: float) -> None:
        self.model, self._decay, self._steps = copy.deepcopy(model), decay, 0

    @torch.no_grad()
    def update(self, model: Model) -> None:
        """Take in the weights after a step."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

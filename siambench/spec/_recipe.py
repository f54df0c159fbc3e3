"""What a track says of training beyond optimiser, schedule and length: what stays as it is, and how a step is taken."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siambench.identity import Document

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Recipe(Document):
    """Rules of training that units are silent of where they do not use them; see `siambench.tracks.rules.TrainingRules`.

    Args:
        trained_stages: so many of the trunk's last stages are trained, the others stay as they are; None: all are trained.
        frozen_batchnorm: whether the trunk's BatchNorm keeps its statistics, scales and shifts.
        trunk_rate: by what the learning rate of the trunk is multiplied, above 0.
        trunk_warmup: so many epochs the trunk stays as it is, and what is behind it is trained alone.
        rate_warmup: the share of all steps over which all rates rise to what they are to be, in [0, 1).
        decay_all: whether weight decay is for biases, BatchNorm and the parameters of the loss too, and not for weights alone.
        clip_norm: the largest norm of the gradient of all that is trained; 0: it is not clipped.
        ema: the decay of the running mean of the weights that is evaluated in their place, in [0, 1); 0: there is none.
    """

    trained_stages: int | None = None
    frozen_batchnorm: bool = False
    trunk_rate: float = 1.0
    trunk_warmup: int = 0
    rate_warmup: float = 0.0
    decay_all: bool = False
    clip_norm: float = 0.0
    ema: float = 0.0

    @property
    def used(self) -> dict[str, Any]:
        """Those of the rules that do something, by their names."""
        return {each.name: value for each in dataclasses.fields(self) if (value := getattr(self, each.name)) != each.default}

    @property
    def holds(self) -> bool:
        """Whether something of the network stays as it is, for a while or throughout."""
        return self.frozen_batchnorm or self.trained_stages is not None or self.trunk_warmup > 0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        """As a document it holds what is used, and nothing else."""
        schema = handler(source)
        schema["serialization"] = {"type": "function-plain", "function": lambda recipe: recipe.used}
        return schema


RECIPE = tuple(each.name for each in dataclasses.fields(Recipe))
"""The keys of these rules in a track's ``[training]``."""


def _without_idle(source: Any, handler: Callable[[Any], Any]) -> Any:
    """The schema of a value with a recipe, whose document is silent of one that does nothing.

    Units from before there were recipes are the same documents to this day, and so have the same identity.
    """

    def said(value: Any, inner: Callable[[Any], Any]) -> Any:
        document = inner(value)
        if not value.recipe.used:
            document.pop("recipe", None)
        return document

    schema = handler(source)
    schema["serialization"] = {"type": "function-wrap", "function": said}
    return schema

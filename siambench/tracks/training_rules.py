"""The rules of one training run, as a track's ``[training]`` says them; each key once, with its range."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from siambench.errors import suggestion
from siambench.spec import ANNEALING, FEEDS, RECIPE, Recipe
from siambench.tracks.rule_values import MOST_STEPS, Component, Frozen, Names, Options

_OPTIONS = ("optimiser_options", "schedule_options")
_PER_CLASS = "images_per_class"
_LATER = frozenset({*_OPTIONS, "search", "feeds", _PER_CLASS, *RECIPE})


Search = Literal["quasi-random", "tpe", "gp"]
"""What may propose the trials of a study after the default one."""


class TrainingRules(Frozen):
    """One training run, the same for every method of the track.

    ``precision`` is a fixed value, never chosen by the machine. Under an annealing schedule (``cosine``, ``one-cycle``) a trial is
    scored after its last epoch; under the others after every ``validate_every`` epochs (0: every one) and the last, and the best of
    them is chosen. A number there under an annealing schedule asks for the curve, and decides nothing. ``early_stopping`` is the number of
    validations without a better score after which a tune unit stops; 0: never. With ``racing``, of each batch of four trials the best two
    on fold 0, and always the default, run the other folds. ``search`` is what proposes the trials after the default: a ``quasi-random``
    sequence, ``tpe``, or ``gp``, a Gaussian process. With ``rotate_classes`` each training class turned by 90°, 180° and 270° is three
    further classes. ``feeds`` are the ways to form batches that the track admits; empty: all. With ``["views"]`` nothing that is trained
    sees a label, for views withhold them. ``images_per_class`` is how many items of each class a batch holds, for every loss whose batches
    hold several of one; None: as many as the loss asks for. In a batch of more than a class has, the same items stand again.

    The rest is what papers do to pretrained networks; a unit is silent of what is not used. Of the trunk the last ``trained_stages`` are
    trained (0: none, a number that is not below that of its stages: all), ``frozen_batchnorm`` keeps its BatchNorm as it is,
    ``trunk_rate`` multiplies its learning rate, and during the first ``trunk_warmup`` epochs what is behind it is trained alone. All rates
    rise over the first ``rate_warmup`` of the steps. ``decay_all`` has weight decay for biases, BatchNorm and the parameters of the loss
    too. The gradient of all that is trained is clipped to a norm of ``clip_norm`` (0: never). With ``ema``, its decay, the running
    mean of the weights is evaluated in their place (0: there is none).
    """

    epochs: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 4
    steps_per_epoch: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 30
    batch_size: Annotated[int, Field(ge=4, le=MOST_STEPS)] = 128
    optimiser: Component = "adam"
    optimiser_options: Options = Field(default_factory=dict)
    schedule: Component = "one-cycle"
    schedule_options: Options = Field(default_factory=dict)
    precision: Literal["fp32", "bf16"] = "fp32"
    validate_every: Annotated[int, Field(ge=0, le=MOST_STEPS)] = 0
    early_stopping: Annotated[int, Field(ge=0, le=MOST_STEPS)] = 0
    racing: bool = True
    search: Search = "quasi-random"
    rotate_classes: bool = False
    feeds: Names = ()
    images_per_class: Annotated[int, Field(ge=2, le=MOST_STEPS)] | None = None
    trained_stages: Annotated[int, Field(ge=0, le=MOST_STEPS)] | None = None
    frozen_batchnorm: bool = False
    trunk_rate: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    trunk_warmup: Annotated[int, Field(ge=0, le=MOST_STEPS)] = 0
    rate_warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decay_all: bool = False
    clip_norm: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @field_validator("feeds")
    @classmethod
    def _are_feeds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in FEEDS:
                raise ValueError(f"a feed should be one of {', '.join(FEEDS)}, got {name[:60]!r}{suggestion(name, FEEDS)}")
        return value

    @model_validator(mode="after")
    def _stops_where_the_rate_allows(self) -> TrainingRules:
        if self.early_stopping and self.schedule in ANNEALING:
            raise ValueError(f"early_stopping is for the schedules constant and plateau: under {self.schedule} the last epoch decides")
        return self

    @model_validator(mode="after")
    def _holds_together(self) -> TrainingRules:
        if self.rate_warmup and self.schedule == "one-cycle":
            raise ValueError("rate_warmup is for other schedules: one-cycle begins with a rise of its own")
        if self.images_per_class is not None:
            classes, rest = divmod(self.batch_size, self.images_per_class)
            if rest or classes < 2:
                must = f"batch_size, {self.batch_size}, must be a multiple of images_per_class and at least twice that"
                raise ValueError(f"{must}, got images_per_class = {self.images_per_class}")
        if self.trunk_warmup >= self.epochs:
            raise ValueError(f"trunk_warmup must be fewer epochs than all, {self.epochs}: trained_stages = 0 keeps the trunk throughout")
        if self.trained_stages == 0 and (self.trunk_warmup or self.trunk_rate != 1):
            name = "trunk_warmup" if self.trunk_warmup else "trunk_rate"
            raise ValueError(f"{name} is for a trunk that is trained, and with trained_stages = 0 none of it is")
        return self

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Exams are told apart by what their rules say: what no track could say before was never part of it.
        idle = {name: field.get_default(call_default_factory=True) for name, field in type(self).model_fields.items() if name in _LATER}
        return {name: value for name, value in whole(self).items() if name not in idle or getattr(self, name) != idle[name]}

    @property
    def recipe(self) -> Recipe:
        """What of it is a recipe."""
        return Recipe(**{name: getattr(self, name) for name in RECIPE})

    def spec(self, *, anneals: bool = False) -> dict[str, Any]:
        """What of it is part of a unit, resolved.

        Args:
            anneals: whether the schedule is a plugin's that runs out with the last epoch.
        """
        found = self.model_dump(mode="json", exclude={"racing", "search", "feeds", _PER_CLASS, *_OPTIONS, *RECIPE})
        every = self.validate_every or (self.epochs if anneals or self.schedule in ANNEALING else 1)
        return {**found, "validate_every": min(every, self.epochs), "recipe": self.recipe}

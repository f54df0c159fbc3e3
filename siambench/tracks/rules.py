"""The rules of an exam and of a comparison, as their TOML files say them; each key once, with its range."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from siambench.data.forms import AUGMENT_OF_FORM
from siambench.errors import ConfigError, suggestion
from siambench.spaces import Float, Value
from siambench.spec import MOST_REPETITIONS, MOST_STUDIES, MOST_TRIALS, SCHEMA, Form, SplitSpec, feed_asked
from siambench.tracks.rule_values import LARGEST_WHOLE, Component, Frozen, Names, Options, OptionsOfSides, Range
from siambench.tracks.training_rules import TrainingRules

log = logging.getLogger("siambench")

TRACK_SECTIONS = ("dataset", "split", "model", "training", "augment", "budget", "evaluation", "metrics")


def in_todays_words(given: Any, where: str) -> Any:
    """Rules in which ``seeds`` is called by its name of today, with a word about it.

    Raises:
        ValueError: if both are given.
    """
    if not isinstance(given, Mapping) or "seeds" not in given:
        return given
    if "repetitions" in given:
        raise ValueError("seeds is the older word for repetitions: give one of the two")
    log.warning("%s: seeds is read as repetitions; the next version will not know it", where)
    return {"repetitions" if name == "seeds" else name: value for name, value in given.items()}


def _whole(value: object) -> object:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


_Schema = Annotated[Literal[1], BeforeValidator(_whole), Field(alias="schema")]


class DatasetRules(Frozen):
    """Which data; ``options`` go to its loader."""

    name: str
    options: Options = Field(default_factory=dict)


class SplitRules(Frozen):
    """How the data is cut; see `siambench.tracks.split.cut`."""

    rule: Component = "class-halves"
    folds: Annotated[int, Field(ge=2, le=1000)] = 2
    group: str | None = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    acknowledged_duplicates: Annotated[int, Field(ge=0, le=LARGEST_WHOLE)] = 0

    @property
    def spec(self) -> SplitSpec:
        """As a part of a unit."""
        return SplitSpec(**self.model_dump())


class ModelRules(Frozen):
    """The backbone where the comparison names none, its options, and the size of the embedding.

    For items of two sides it is two, ``conv4|bag``, and options are ``first.width`` or stand in a table: ``[model.options.first]``.
    """

    backbone: str = "conv4"
    options: OptionsOfSides = Field(default_factory=dict)
    embedding_size: Annotated[int, Field(ge=1, le=65536)] = 128


class AugmentRules(Frozen):
    """Random changes of each item, by its form; see `siambench.data.transforms`.

    Images are moved by affine maps: ``rotate``, ``scale``, ``translate``, ``shear``, ``flip``, ``padding``. With ``crop``, the least and
    the most of its area, a part of each is taken first and brought to the size of the whole; its width by its height lies in
    ``crop_ratio``. Parts are taken from what a data set with the option ``resize`` has cut the middle out of. Arrays get ``jitter``,
    ``scaling`` and ``time_warp``; tokens are left out (``drop``) and change places (``swap``). A table ``[augment.NAME]`` asks for the
    augmentation of that name which is installed, with its options; these come after the others, in the order of the file.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Options] = Field(init=False)

    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Range = (1.0, 1.0)
    translate: Annotated[float, Field(ge=0, le=1)] = 0.0
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    flip: bool = False
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    crop: Range | None = None
    crop_ratio: Range = (3 / 4, 4 / 3)
    jitter: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    scaling: Range = (1.0, 1.0)
    time_warp: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    swap: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, Mapping) else ():
            if name not in cls.model_fields and not isinstance(value, Mapping):
                keys = [f"augment.{key}" for key in cls.model_fields]
                near = suggestion(f"augment.{name}", keys)
                raise ValueError(f"unknown key 'augment.{name}'{near}; keys here: {', '.join(keys)}, and tables of further augmentations")
        return given

    @property
    def further(self) -> Mapping[str, Mapping[str, Value]]:
        """The options of each augmentation that is a component, by its name."""
        return self.__pydantic_extra__ or {}

    @field_validator("scale", "scaling", "crop_ratio")
    @classmethod
    def _ordered(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        if not 0 < value[0] <= value[1] <= 1000:
            raise ValueError(f"{info.field_name} must be [low, high] with 0 < low <= high <= 1000, got {list(value)}")
        return value

    @field_validator("crop")
    @classmethod
    def _of_an_area(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1] <= 1:
            raise ValueError(f"crop must be [low, high] with 0 < low <= high <= 1, shares of an image's area, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _of_a_crop(self) -> AugmentRules:
        if self.crop is None and self.crop_ratio != type(self).model_fields["crop_ratio"].default:
            raise ValueError("crop_ratio is that of a crop: give crop = [low, high] too, shares of an image's area")
        return self

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Crops that nobody asked for were never part of an exam or a unit.
        return {name: value for name, value in whole(self).items() if self.crop is not None or name not in ("crop", "crop_ratio")}

    def of_form(self, *forms: Form) -> dict[str, Any]:
        """The rules for items of a form, or for both sides of items by the forms of the sides.

        Raises:
            ConfigError: if a rule for items of another form is set.
        """
        for other, names in AUGMENT_OF_FORM.items():
            strange = sorted(name for name in names if other not in forms and getattr(self, name) != type(self).model_fields[name].default)
            if strange:
                raise ConfigError(f"augment.{strange[0]} is for {other}, the items of the data set are {' and '.join(forms)}")
        own = {name for form in forms for name in AUGMENT_OF_FORM[form]}
        return self.model_dump(mode="json", include={*own, *self.further})


class RangeRules(Frozen):
    """One dimension of the track's own space, and its value in trial 0; a number in its place is not tuned."""

    low: float
    high: float
    log: bool = False
    default: float

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, given: Any) -> Any:
        if isinstance(given, int | float) and not isinstance(given, bool):
            return {"low": given, "high": given, "default": given}
        if not isinstance(given, Mapping | RangeRules):
            raise ValueError("a range is a table of low, high, default and log, and a number one value that is not tuned")  # noqa: TRY004
        return given

    @property
    def is_fixed(self) -> bool:
        """Whether it is one value, which is not tuned."""
        return self.low == self.high == self.default

    @model_validator(mode="after")
    def _holds(self) -> RangeRules:
        if self.is_fixed:
            return self
        if not self.dimension.contains(self.default):
            raise ValueError(f"default {self.default} lies outside [{self.low}, {self.high}]")
        return self

    @property
    def dimension(self) -> Float:
        """The range as a dimension of a space."""
        return Float(self.low, self.high, log=self.log)


class SpaceRules(Frozen):
    """What every method tunes beside its own parameters; ``loss_lr`` is for losses with parameters of their own.

    Proxies and class weights are compared by their direction, so that a rate moves them by an angle: below 1e-3 Adam hardly turns them
    within some hundred steps. Kim et al., Proxy Anchor Loss, CVPR 2020, train them at 1e-2, a hundred times the network's rate.
    """

    lr: RangeRules = RangeRules(low=1e-4, high=1e-1, log=True, default=3e-3)
    weight_decay: RangeRules = RangeRules(low=1e-6, high=1e-2, log=True, default=1e-4)
    loss_lr: RangeRules = RangeRules(low=1e-3, high=1.0, log=True, default=1e-2)


class BudgetRules(Frozen):
    """How many independent studies each method has, with how many trials each may tune, and how many final models each trains.

    ``seeds`` is the older word for ``repetitions``, read for one more version.
    """

    studies: Annotated[int, Field(ge=1, le=MOST_STUDIES)] = 3
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 8
    repetitions: Annotated[int, Field(ge=1, le=MOST_REPETITIONS)] = 2

    @model_validator(mode="before")
    @classmethod
    def _older_word(cls, given: Any) -> Any:
        return in_todays_words(given, "[budget]")


class EvaluationRules(Frozen):
    """How final models are scored.

    ``protocol``: ``retrain`` trains each final model on all of trainval; ``reality-check`` trains one per fold and reports
    the mean of their scores, and the scores of their concatenated embeddings. ``pairs`` names a file of verification
    pairs for the test part; ``all``: every pair counts; empty: they are drawn.
    """

    distance: Literal["cosine", "euclidean"] = "cosine"
    protocol: Literal["retrain", "reality-check"] = "retrain"
    pairs: str = ""


DEFAULT_METRICS = ("recall@1", "recall@2", "recall@4", "recall@8", "r_precision", "map@r", "verification_accuracy", "roc_auc", "eer")
"""What is reported where nobody names metrics."""


class MetricRules(Frozen):
    """The metric that tuning watches and rows are ordered by, and all that are reported.

    ``over`` is the attribute of classes whose groups the interval of a row is taken over; where nothing is said the split's group.
    """

    primary: str = "map@r"
    report: Names = DEFAULT_METRICS
    over: str | None = None

    @model_validator(mode="after")
    def _reported(self) -> MetricRules:
        if self.primary not in self.report:
            raise ValueError(f"the primary metric {self.primary!r} must be among those reported")
        return self


class Track(Frozen):
    """The rules of one exam."""

    schema_: _Schema = SCHEMA
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:+-]*$", max_length=200)]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+$", max_length=20)]
    title: str = ""
    notes: str = ""
    dataset: DatasetRules
    split: SplitRules = SplitRules()
    model: ModelRules = ModelRules()
    training: TrainingRules = TrainingRules()
    augment: AugmentRules | None = None
    space: SpaceRules = SpaceRules()
    budget: BudgetRules = BudgetRules()
    evaluation: EvaluationRules = EvaluationRules()
    metrics: MetricRules = MetricRules()


class MethodRules(Frozen):
    """One method, or with lists a grid of them. ``feed`` is one of `FEEDS`, or ``pairs=FILE`` or ``triplets=FILE``; ``init`` is a FILE."""

    loss: str | list[str]
    miner: str | list[str] = "none"
    feed: str = "classes"
    backbone: str | None = None
    init: str | None = None

    @field_validator("feed")
    @classmethod
    def _is_a_feed(cls, value: str) -> str:
        feed_asked(value)
        return value


class Comparison(Frozen):
    """A track and the methods that sit it."""

    schema_: _Schema = SCHEMA
    track: str = "glyphs"
    methods: Annotated[list[MethodRules], Field(min_length=1)]
    studies: Annotated[int, Field(ge=1, le=MOST_STUDIES)] | Literal["all"] | None = None
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] | None = None
    repetitions: Annotated[int, Field(ge=1, le=MOST_REPETITIONS)] | None = None
    space: str | list[str] | None = None
    set: Options = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _older_word(cls, given: Any) -> Any:
        return in_todays_words(given, "comparison")

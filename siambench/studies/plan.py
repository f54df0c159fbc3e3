"""A comparison, entries and fingerprints → studies and units. Pure: the grid, identities, and seeds that are hashes of names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from siambench.errors import ConfigError, some, suggestion
from siambench.identity import digest, seed_of
from siambench.plugin import (
    CHUNK,
    EVERY,
    PROJECTOR,
    RATE,
    WARMUP,
    BackboneEntry,
    LossEntry,
    MinerEntry,
    projector_text,
    projector_widths,
)
from siambench.records.selection import ANNEALS, is_annealed, most_tune_units
from siambench.spaces import Dimension, Float, Params, Value, dimension_to_json, fits, kind_of
from siambench.spec import (
    API,
    NO_MINER,
    TRAINING_REVISION,
    DataSpec,
    Drawn,
    Exam,
    Method,
    ModelSpec,
    ScoringSpec,
    Source,
    TrainingSpec,
    Unit,
    VerificationPairs,
)
from siambench.studies.methods import SAMPLER, sampler_of
from siambench.studies.narrowed import narrow
from siambench.tracks.exam import base_name
from siambench.tracks.rules import BudgetRules, RangeRules, Track
from siambench.tracks.steps import scaled_steps
from siambench.tracks.training_rules import Search

STREAMS = ("weights", "order", "augmentation", "loss")
"""Separate sources of randomness, so that a change in one leaves the others as they are."""

REPORTED = "metric:"
"""Begins the role of a metric that is reported; the primary one's role is ``primary``."""


@dataclass(frozen=True)
class Resolved:
    """One method on one track, everything looked up: what `study_plans` makes its studies of.

    Args:
        method: what is compared.
        loss: its entry.
        miner: its entry.
        backbone: its entry.
        components: the code of each component, by its role.
        libraries: minor versions of those that compute.
        track: the rules.
        exam: what they are with the data.
        dataset_options: of the loader.
        model_options: of the backbone; of files the content.
        augment: the rules of augmentation for the form of the items.
        maximise: whether a higher primary metric is better.
        pairs: the verification pairs of the test part.
        budget: how many trials each study has, and how many final models; of the studies those that are asked for.
        images: how many images final models are trained on, then for each fold how many trials are.
        space_name: what the space of the entries is called; ``""``: their own.
        ranges: narrower ranges of parameters as the user says them, those of other methods included.
        fixed: parameters fixed by the user, those of other methods included.
        sampler: that the user asks for instead of the method's own; None: that one.
        training: options of the optimiser and the schedule where these are a plugin's, as ``optimiser.NAME`` and ``schedule.NAME``.
    """

    method: Method
    loss: LossEntry
    miner: MinerEntry
    backbone: BackboneEntry
    components: Mapping[str, Source]
    libraries: Mapping[str, str]
    track: Track
    exam: Exam
    dataset_options: Params
    model_options: Params
    augment: Mapping[str, Any]
    maximise: bool
    budget: BudgetRules
    images: tuple[int, tuple[int, ...]]
    pairs: VerificationPairs = field(default_factory=Drawn)
    space_name: str = ""
    ranges: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Value] = field(default_factory=dict)
    sampler: str | None = None
    training: Params = field(default_factory=dict)

    @property
    def is_annealed(self) -> bool:
        """Whether the schedule is a plugin's that runs out with the last epoch."""
        return ANNEALS in self.training


@dataclass(frozen=True)
class StudyPlan:
    """One independent tuning of one method on one track, and its final models.

    Args:
        method: what is tuned.
        study: its number, from 0.
        space: what is searched, by flat names such as ``loss.margin``.
        defaults: a value for every parameter: trial 0, and what is not searched.
        edited: parameters fixed by the user, or searched in a narrower space, whose row is marked.
        template: a final unit from which all others are made.
        steps: per epoch, of a trial.
        trials: budget.
        repetitions: number of final models.
        folds: folds of a trial.
        racing: whether in each batch of trials only the best on fold 0 run the others.
        search: what proposes the trials after the default.
        scratch: options under which the backbone starts from random weights, where it can start from others.
        options: names of what else could be set, and is neither tuned nor in the row, such as ``loss.swap``.
    """

    method: Method
    study: int
    space: Mapping[str, Dimension]
    defaults: Params
    edited: tuple[str, ...]
    template: Unit
    steps: int
    trials: int
    repetitions: int
    folds: int
    racing: bool
    search: Search
    scratch: Params
    options: tuple[str, ...] = ()

    @property
    def row(self) -> str:
        """The identity of its row: rules, method, space, components and data, without the budget and the study."""
        return self.template.row

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from the other studies of a run."""
        return self.row, self.study

    @property
    def is_annealed(self) -> bool:
        """Whether trials count by their last epoch."""
        training = self.template.training
        return training is not None and is_annealed(training.schedule, self.defaults)

    @property
    def races(self) -> bool:
        """Whether trials may end after fold 0."""
        return self.racing and self.folds > 1

    @property
    def tune_units(self) -> int:
        """How many tune units it comes to, at the most."""
        return most_tune_units(self.trials, self.folds, racing=self.racing)

    @property
    def maximise(self) -> bool:
        """Whether a higher primary metric is better."""
        return self.template.scoring.maximise

    def tune_unit(self, trial: int, fold: int, params: Params) -> Unit:
        """One fold of one trial."""
        assert self.template.training is not None
        return dataclasses.replace(
            _tuned_by_primary(self.template),
            kind="tune",
            trial=trial,
            fold=fold,
            repetition=0,
            stop_epoch=None,
            training=dataclasses.replace(self.template.training, steps_per_epoch=self.steps),
            params=dict(sorted(params.items())),
            seeds=seeds_of(self.template, "tune", fold, 0),
        )

    def final_unit(self, trial: int | None, epoch: int | None, params: Params, repetition: int) -> Unit:
        """One final model: the selected trial's parameters, trained up to the selected epoch."""
        return dataclasses.replace(
            self.template,
            trial=trial,
            stop_epoch=epoch,
            repetition=repetition,
            params=dict(sorted(params.items())),
            seeds=seeds_of(self.template, "final", None, repetition),
        )


def seeds_of(template: Unit, kind: str, fold: int | None, repetition: int) -> dict[str, int]:
    """The seeds of a unit by their streams: hashes of names, of which the study is one."""
    # The method is not among the names: methods meet the same weights and, in one batch layout, the same order.
    names = (base_name(template.track), template.data.fingerprint, kind, template.study, fold, repetition)
    return {stream: seed_of(*names, stream) for stream in STREAMS}


def study_plans(resolved: Resolved) -> list[StudyPlan]:
    """The studies of one method on one track, as many as its budget says.

    Raises:
        ConfigError: if a fixed value or a range lies outside its space.
    """
    space, defaults = _space(resolved)
    fixed, track = resolved.fixed, resolved.track
    given = sorted(name for name in fixed if name in defaults)
    ranged = narrow(space, defaults, resolved.ranges)
    edited = tuple(sorted([*given, *ranged, *([SAMPLER] if resolved.sampler else [])]))
    for name in given:
        if name not in space and not fits(fixed[name], defaults[name]):
            raise ConfigError(
                f"--set {name}: it must be {kind_of(defaults[name])}, as its default {defaults[name]!r} is, got {kind_of(fixed[name])}: "
                f"{str(fixed[name])[:60]!r}"
            )
        if name in space and not space[name].contains(fixed[name]):
            raise ConfigError(f"--set {name}={fixed[name]} lies outside its space {space[name]}")
        if name == ANNEALS:
            raise ConfigError(f"--set {name}: whether a schedule anneals is said by its entry")
        if name == PROJECTOR:
            _check_projector(str(fixed[name]))
        if name == EVERY and resolved.miner.scope == "training-set" and int(fixed[name]) < 1:
            raise ConfigError(f"--set {EVERY}: it is a number of epochs, at least 1, got {fixed[name]}")
        if name == CHUNK and resolved.loss.chunked and int(fixed[name]) < 1:
            raise ConfigError(f"--set {CHUNK}: it is a number of items, at least 1, got {fixed[name]}")
        # 1 and 1.0 are one number: they make one row.
        is_real = isinstance(space.pop(name, None), Float) or isinstance(defaults[name], float)
        defaults[name] = float(fixed[name]) if is_real else fixed[name]
    template = _template(resolved, space, defaults, edited)
    return [
        StudyPlan(
            method=resolved.method,
            study=study,
            space=space,
            defaults=defaults,
            edited=edited,
            template=dataclasses.replace(template, study=study),
            steps=track.training.steps_per_epoch,
            # With nothing left to search every trial would be the same.
            trials=resolved.budget.trials if space else 1,
            repetitions=resolved.budget.repetitions,
            folds=track.split.folds,
            racing=track.training.racing,
            search=track.training.search,
            scratch=resolved.backbone.scratch,
            options=tuple(f"loss.{name}" for name in resolved.loss.options),
        )
        for study in range(resolved.budget.studies)
    ]


def of_loss(params: Params) -> dict[str, Value]:
    """Those parameters that are the loss's, by the names that it knows them by."""
    return {name.removeprefix("loss."): value for name, value in params.items() if name.startswith("loss.")}


def _check_projector(text: str) -> None:
    try:
        projector_widths(text)
    except ValueError as error:
        raise ConfigError(f"--set {PROJECTOR}: {error}") from error


def _space(resolved: Resolved) -> tuple[dict[str, Dimension], dict[str, Value]]:
    rules, loss, miner = resolved.track.space, resolved.loss, resolved.miner
    space: dict[str, Dimension] = {}
    defaults: dict[str, Value] = {}
    _add(space, defaults, "optimiser.lr", rules.lr)
    _add(space, defaults, "optimiser.weight_decay", rules.weight_decay)
    entries: tuple[tuple[str, LossEntry | MinerEntry], ...] = (("loss", loss), ("miner", miner))
    for prefix, entry in entries:
        space |= {f"{prefix}.{name}": dimension for name, dimension in entry.space.items()}
        defaults |= {f"{prefix}.{name}": value for name, value in entry.defaults.items()}
    if loss.own_parameters and RATE not in loss.defaults:
        for rate in [f"loss.{RATE}.{group}" for group in loss.groups] or [f"loss.{RATE}"]:
            _add(space, defaults, rate, rules.loss_lr)
    defaults |= resolved.training
    if loss.projector:
        defaults[PROJECTOR] = projector_text(loss.projector)
    # No part of a row that does not set them.
    defaults |= {f"loss.{name}": value for name, value in loss.options_among(of_loss(resolved.fixed)).items()}
    if miner.warmup is not None:
        space["miner.warmup"], defaults["miner.warmup"] = WARMUP, miner.warmup
    if miner.scope == "training-set":
        defaults.setdefault(EVERY, 1)
    return space, defaults


def _add(space: dict[str, Dimension], defaults: dict[str, Value], name: str, rule: RangeRules) -> None:
    defaults[name] = rule.default
    if not rule.is_fixed:
        space[name] = rule.dimension


def _template(resolved: Resolved, space: Mapping[str, Dimension], defaults: Params, edited: tuple[str, ...]) -> Unit:
    method, loss, track = resolved.method, resolved.loss, resolved.track
    backbone = method.backbone or track.model.backbone
    unit = Unit(
        kind="final",
        track=track.name,
        track_version=track.version,
        method=method,
        row="",
        study=0,
        trial=None,
        fold=None,
        repetition=0,
        stop_epoch=None,
        data=DataSpec(
            dataset=track.dataset.name,
            options=dict(sorted(resolved.dataset_options.items())),
            split=track.split.spec,
            fingerprint=resolved.exam.data,
            groups=resolved.exam.groups,
        ),
        model=ModelSpec(backbone=backbone, options=dict(resolved.model_options), embedding_size=track.model.embedding_size),
        training=TrainingSpec(
            **{**track.training.spec(anneals=resolved.is_annealed), "steps_per_epoch": _final_steps(resolved)},
            sampler=resolved.sampler or sampler_of(method, loss),
            images_per_class=_images_per_class(loss, track),
            normalise=loss.normalise,
            augment=dict(resolved.augment),
        ),
        scoring=ScoringSpec(
            primary=track.metrics.primary,
            maximise=resolved.maximise,
            metrics=track.metrics.report,
            distance=track.evaluation.distance,
            protocol=track.evaluation.protocol,
            pairs=resolved.pairs,
        ),
        params={},
        space={name: dimension_to_json(dimension) for name, dimension in sorted(space.items())},
        space_name=resolved.space_name,
        space_versions=_space_versions(resolved),
        edited=edited,
        components=dict(sorted(resolved.components.items())),
        libraries=dict(sorted(resolved.libraries.items())),
        seeds={},
        api=API,
        revision=TRAINING_REVISION,
    )
    fixed = {name: value for name, value in defaults.items() if name not in space}
    # Another version of a library is another unit, and the same row.
    document = dataclasses.replace(_tuned_by_primary(unit), libraries={}).to_json()
    return dataclasses.replace(unit, row=digest([document, dict(sorted(fixed.items())), dict(sorted(defaults.items()))])[:32])


def _images_per_class(loss: LossEntry, track: Track) -> int:
    """As many as the track says, of a loss whose batches hold several of a class; else what the loss asks for."""
    asked = track.training.images_per_class
    return loss.images_per_class if asked is None or loss.images_per_class == 1 else asked


def _tuned_by_primary(unit: Unit) -> Unit:
    """The same without what is reported beside the primary metric: one more of those leaves all tuning as it is."""
    components = {role: where for role, where in unit.components.items() if not role.startswith(REPORTED)}
    scoring = dataclasses.replace(unit.scoring, metrics=(unit.scoring.primary,))
    return dataclasses.replace(unit, scoring=scoring, components=components)


def _final_steps(resolved: Resolved) -> int:
    """Of the fold-models of the Reality Check each has its own number, which the worker takes from the track's."""
    steps = resolved.track.training.steps_per_epoch
    if resolved.track.evaluation.protocol == "reality-check":
        return steps
    images, of_folds = resolved.images
    return scaled_steps(steps, images=images, of_folds=of_folds)


def _space_versions(resolved: Resolved) -> dict[str, int]:
    versions = {"loss": resolved.loss.space_version}
    return versions if resolved.method.miner == NO_MINER else versions | {"miner": resolved.miner.space_version}


def check_fixed(fixed: Mapping[str, Value], plans: Sequence[StudyPlan]) -> None:
    """Every parameter that the user fixes must belong to some method.

    Raises:
        ConfigError: naming the nearest parameter.
    """
    known = sorted({name for plan in plans for name in (*plan.defaults, *plan.options)})
    for name in fixed:
        if name not in known:
            raise ConfigError(f"--set: no method here has a parameter {name!r}{suggestion(name, known)}; parameters: {some(name, known)}")

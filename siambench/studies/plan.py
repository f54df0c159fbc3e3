"""A comparison, entries and fingerprints → studies and units. Pure: the grid, identities, and seeds that are hashes of names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.errors import ConfigError, suggestion
from siambench.plugin import BackboneEntry, LossEntry, MinerEntry
from siambench.spec import ANCHORS, FIXED_ANCHORS, Dimension, Float, Method, Params, Unit, Value, digest, dimension_to_json, seed_of
from siambench.tracks.rules import MethodRules, Track

STREAMS = ("weights", "order", "augmentation", "loss")
"""Separate sources of randomness, so that a change in one leaves the others as they are."""

WARMUP = Float(0.0, 0.5)


@dataclass(frozen=True)
class Refused:
    """A combination that makes no sense, and why."""

    method: Method
    reason: str


@dataclass(frozen=True)
class Parts:
    """The entries a method is made of, and where each comes from."""

    loss: LossEntry
    miner: MinerEntry
    backbone: BackboneEntry
    components: Mapping[str, str]


@dataclass(frozen=True)
class StudyPlan:
    """The tuning and the final models of one method on one track.

    Args:
        method: what is tuned.
        space: what is searched, by flat names such as ``loss.margin``.
        defaults: a value for every parameter: trial 0, and what is not searched.
        edited: parameters fixed by the user, whose row is marked.
        template: a unit from which all others are made.
        trials: budget.
        seeds: number of final models.
        folds: folds of a trial.
        maximise: whether a higher primary metric is better.
        scratch: options under which the backbone starts from random weights, where it can start from others.
    """

    method: Method
    space: Mapping[str, Dimension]
    defaults: Params
    edited: tuple[str, ...]
    template: Unit
    trials: int
    seeds: int
    folds: int
    maximise: bool
    scratch: Params

    @property
    def key(self) -> str:
        """The identity of the study: rules, method, space, components and data, without the budget."""
        return self.template.study

    def tune_unit(self, trial: int, fold: int, params: Params) -> Unit:
        """One fold of one trial."""
        return dataclasses.replace(
            self.template,
            kind="tune",
            trial=trial,
            fold=fold,
            repetition=0,
            stop_epoch=None,
            params=dict(sorted(params.items())),
            metrics=(self.template.primary,),
            seeds=_seeds(self.template, "tune", fold, 0),
        )

    def final_unit(self, trial: int | None, epoch: int | None, params: Params, repetition: int) -> Unit:
        """One final model: the selected trial's parameters, trained up to the selected epoch."""
        return dataclasses.replace(
            self.template,
            trial=trial,
            stop_epoch=epoch,
            repetition=repetition,
            params=dict(sorted(params.items())),
            seeds=_seeds(self.template, "final", None, repetition),
        )


def _seeds(template: Unit, kind: str, fold: int | None, repetition: int) -> dict[str, int]:
    # The method is not among the names: methods meet the same weights and, in one batch layout, the same order.
    names = (template.track.removesuffix("+edited"), template.data["fingerprint"], kind, fold, repetition)
    return {stream: seed_of(*names, stream) for stream in STREAMS}


def methods_of(rules: Iterable[MethodRules]) -> list[Method]:
    """Every combination that a comparison names, in its order, each once."""
    found: dict[Method, None] = {}
    for rule in rules:
        losses = [rule.loss] if isinstance(rule.loss, str) else rule.loss
        miners = [rule.miner] if isinstance(rule.miner, str) else rule.miner
        for loss in losses:
            for miner in miners:
                found[Method(loss, miner, rule.feed, rule.backbone)] = None
    return list(found)


def refusal(method: Method, loss: LossEntry) -> str | None:
    """Why a method makes no sense, or None."""
    if method.miner != "none" and loss.takes == "none":
        return f"{method.loss} forms no tuples that a miner could choose, so {method.miner} would have no effect"
    if method.feed not in loss.feeds:
        return f"{method.loss} cannot be fed {method.feed}: it takes {' or '.join(loss.feeds)}"
    if method.feed == "pairs" and method.miner != "none":
        return f"fed pairs, {method.loss} gets its tuples from the feed, so {method.miner} would have no effect"
    return None


def study_plan(
    method: Method,
    parts: Parts,
    track: Track,
    *,
    fingerprint: str,
    dataset_options: Params,
    augment: Mapping[str, Any],
    trials: int | None,
    seeds: int | None,
    fixed: Mapping[str, Value],
    maximise: bool,
    evaluation: Mapping[str, Any] | None = None,
) -> StudyPlan:
    """Resolve one method on one track.

    Args:
        method: what is compared.
        parts: its entries.
        track: the rules.
        fingerprint: of the split.
        dataset_options: resolved options of the loader.
        augment: resolved augmentation.
        trials: budget that replaces the track's, or None.
        seeds: final models that replace the track's number, or None.
        fixed: parameters fixed by the user, those of other methods included.
        maximise: whether a higher primary metric is better.
        evaluation: resolved rules of scoring; None: the track's.

    Raises:
        ConfigError: if a fixed value lies outside its space.
    """
    space, defaults = _space(parts, track)
    edited = tuple(sorted(name for name in fixed if name in defaults))
    for name in edited:
        if name in space and not space[name].contains(fixed[name]):
            raise ConfigError(f"--set {name}={fixed[name]} lies outside its space {space[name]}")
        space.pop(name, None)
        defaults[name] = fixed[name]
    scoring = track.evaluation.model_dump(mode="json") if evaluation is None else dict(evaluation)
    template = _template(method, parts, track, space, edited, defaults, fingerprint, dataset_options, augment, scoring, maximise)
    return StudyPlan(
        method=method,
        space=space,
        defaults=defaults,
        edited=edited,
        template=template,
        # With nothing left to search every trial would be the same.
        trials=(trials or track.budget.trials) if space else 1,
        seeds=seeds or track.budget.seeds,
        folds=track.split.folds,
        maximise=maximise,
        scratch=parts.backbone.scratch,
    )


def _space(parts: Parts, track: Track) -> tuple[dict[str, Dimension], dict[str, Value]]:
    space: dict[str, Dimension] = {"optimiser.lr": track.space.lr.dimension, "optimiser.weight_decay": track.space.weight_decay.dimension}
    defaults: dict[str, Value] = {"optimiser.lr": track.space.lr.default, "optimiser.weight_decay": track.space.weight_decay.default}
    for prefix, entry in (("loss", parts.loss), ("miner", parts.miner)):
        space |= {f"{prefix}.{name}": dimension for name, dimension in entry.space.items()}
        defaults |= {f"{prefix}.{name}": value for name, value in entry.defaults.items()}
    if parts.loss.own_parameters and "lr" not in parts.loss.defaults:
        space["loss.lr"], defaults["loss.lr"] = track.space.loss_lr.dimension, track.space.loss_lr.default
    if parts.miner.warmup is not None:
        space["miner.warmup"], defaults["miner.warmup"] = WARMUP, parts.miner.warmup
    return space, defaults


def _template(
    method: Method,
    parts: Parts,
    track: Track,
    space: Mapping[str, Dimension],
    edited: tuple[str, ...],
    defaults: Params,
    fingerprint: str,
    dataset_options: Params,
    augment: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    maximise: bool,  # noqa: FBT001  private, and called once
) -> Unit:
    pairs = method.feed == "pairs"
    layout = {
        "sampler": "balanced-pairs" if pairs else parts.loss.sampler,
        "images_per_class": parts.loss.images_per_class,
        "normalise": parts.loss.normalise,
    }
    backbone = method.backbone or track.model.backbone
    unit = Unit(
        kind="final",
        track=track.name,
        track_version=track.version,
        method=method,
        study="",
        trial=None,
        fold=None,
        repetition=0,
        stop_epoch=None,
        data={
            "dataset": track.dataset.name,
            "options": dict(sorted(dataset_options.items())),
            "split": track.split.model_dump(mode="json"),
            "fingerprint": fingerprint,
        },
        model={
            "backbone": backbone,
            "options": {**parts.backbone.defaults, **(track.model.options if backbone == track.model.backbone else {})},
            "embedding_size": track.model.embedding_size,
        },
        training={**track.training.model_dump(mode="json"), **layout, "maximise": maximise},
        augment=dict(augment),
        params={},
        space={name: dimension_to_json(dimension) for name, dimension in sorted(space.items())},
        space_versions=_space_versions(method, parts),
        edited=edited,
        components=dict(sorted(parts.components.items())),
        evaluation=evaluation,
        metrics=track.metrics.report,
        primary=track.metrics.primary,
        seeds={},
    )
    fixed = {name: value for name, value in defaults.items() if name not in space}
    return dataclasses.replace(unit, study=digest([unit.to_json(), dict(sorted(fixed.items())), dict(sorted(defaults.items()))])[:32])


def _space_versions(method: Method, parts: Parts) -> dict[str, int]:
    versions = {"loss": parts.loss.space_version}
    return versions if method.miner == "none" else versions | {"miner": parts.miner.space_version}


def check_fixed(fixed: Mapping[str, Value], plans: Sequence[StudyPlan]) -> None:
    """Every parameter that the user fixes must belong to some method.

    Raises:
        ConfigError: naming the nearest parameter.
    """
    known = sorted({name for plan in plans for name in plan.defaults})
    for name in fixed:
        if name not in known:
            raise ConfigError(f"--set: no method here has a parameter {name!r}{suggestion(name, known)}; parameters: {', '.join(known)}")


def anchor_units(plan: StudyPlan, component: str) -> list[Unit]:
    """The units of the rows that nothing is trained for: ``untrained`` for every seed, the others once.

    ``pretrained`` is there where training starts from pretrained weights: the features of those, without a head.

    Args:
        plan: any study of the track.
        component: provenance of the harness itself.
    """
    options = plan.template.model["options"]
    starts_pretrained = any(options[name] != value for name, value in plan.scratch.items())
    units = []
    for anchor in ANCHORS:
        if anchor == "pretrained" and not starts_pretrained:
            continue
        # The anchor is a property of the track: nothing of the method it was made beside may reach its identity.
        own = {
            name: where
            for name, where in plan.template.components.items()
            if name in ("dataset", "metrics", *(() if anchor == "raw" else ("backbone",)))
        }
        model = {**plan.template.model, "options": {**options, **(plan.scratch if anchor == "untrained" else {})}}
        template = dataclasses.replace(
            plan.template,
            method=Method(anchor, backbone=None if anchor == "raw" else plan.method.backbone),
            study=f"anchor-{anchor}",
            training={},
            augment={},
            space={},
            space_versions={},
            edited=(),
            model={} if anchor == "raw" else model,
            components={**own, "harness": component},
            evaluation={**plan.template.evaluation, "protocol": "retrain"},
        )
        units += [
            dataclasses.replace(template, repetition=repetition, seeds=_seeds(template, "final", None, repetition))
            for repetition in range(1 if anchor in FIXED_ANCHORS else plan.seeds)
        ]
    return units

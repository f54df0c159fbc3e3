"""A request, as the command line or Python says it, resolved against what is installed: nothing has run yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from siambench import plan as planning
from siambench.adhoc import adhoc_track
from siambench.catalogue import Catalogue, Component, check_options
from siambench.config import Comparison, MethodRules, Track, edit_track, load_comparison, load_track
from siambench.errors import CombinationError, ConfigError, EmptyPlanError, UsageError
from siambench.spec import Feed, Method, Unit, Value
from siambench.split import cut


@dataclass(frozen=True)
class Request:
    """What is asked for, as the command line says it; every field may be left out."""

    comparison: str | None = None
    track: str | None = None
    losses: tuple[str, ...] = ()
    miners: tuple[str, ...] = ()
    backbone: str | None = None
    dataset: str | None = None
    feed: Feed = "classes"
    trials: int | None = None
    seeds: int | None = None
    changes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A request resolved: nothing has run, and all that can be wrong with a request has been found."""

    track: Track
    studies: tuple[planning.StudyPlan, ...]
    anchors: tuple[Unit, ...]
    refused: tuple[planning.Refused, ...]
    local: Mapping[str, str]
    direction: str

    @property
    def planned(self) -> int:
        """Number of units, if every study comes to its final models."""
        return len(self.anchors) + sum(s.trials * s.folds + s.seeds for s in self.studies)


def prepare(request: Request, catalogue: Catalogue) -> Prepared:
    """Resolve a request against what is installed.

    Raises:
        UsageError: with the first thing that does not hold.
        EmptyPlanError: if every combination was refused.
    """
    comparison, track = _comparison(request, catalogue)
    changes = {**comparison.set, **request.changes}
    track, fixed = edit_track(track, changes)
    # Names first: a typo should not have to wait for data.
    dataset_component = catalogue.get("datasets", track.dataset.name)
    metrics = {name: catalogue.get("metrics", name) for name in track.metrics.report}
    shared = {"dataset": str(dataset_component.provenance), "metrics": "; ".join(sorted({str(c.provenance) for c in metrics.values()}))}
    dataset_name, local = _dataset_name(track.dataset.name)
    methods, refused = [], []
    named = planning.methods_of(comparison.methods)
    _check_model_options(changes, named, track)
    for asked in named:
        parts, method, paths = _parts(asked, track, catalogue, shared)
        for name, path in paths.items():
            if local.get(name, path) != path:
                raise UsageError(f"two files give the name {name!r}: rename one of {local[name]} and {path}")
        local |= paths
        reason = planning.refusal(method, parts.loss)
        if reason is None:
            methods.append((method, parts))
        elif len(named) == 1:
            raise CombinationError(reason)
        else:
            refused.append(planning.Refused(method, reason))
    if not methods:
        raise EmptyPlanError("nothing to run: " + "; ".join(f"{r.method.name}: {r.reason}" for r in refused))

    dataset = catalogue.dataset(track.dataset.name, track.dataset.options)
    split = cut(dataset, track.split.model_dump())
    track = track.model_copy(update={"dataset": track.dataset.model_copy(update={"name": dataset_name})})
    for name, component in metrics.items():
        if component.entry.needs is not None and component.entry.needs not in dataset.episodes:
            raise ConfigError(f"the metric {name} needs {component.entry.needs!r}, which data set {track.dataset.name} does not bring")
    augment = dataset_component.entry.augment if track.augment is None else track.augment.model_dump(mode="json")
    studies = [
        planning.study_plan(
            method,
            parts,
            track,
            fingerprint=split.fingerprint,
            dataset_options={**dataset_component.entry.defaults, **track.dataset.options},
            augment=augment,
            trials=request.trials or comparison.trials,
            seeds=request.seeds or comparison.seeds,
            fixed=fixed,
            maximise=metrics[track.metrics.primary].entry.direction == "max",
        )
        for method, parts in methods
    ]
    planning.check_fixed(fixed, studies)
    return Prepared(
        track, tuple(studies), _anchors(studies, catalogue), tuple(refused), local, metrics[track.metrics.primary].entry.direction
    )


def _comparison(request: Request, catalogue: Catalogue) -> tuple[Comparison, Track]:
    flags = request.losses or request.miners or request.feed != "classes"
    if request.comparison is not None:
        if flags or request.track or request.dataset or request.backbone:
            raise UsageError("a comparison file says which track and methods to run: give either the file or --track, --loss, --miner, …")
        comparison = load_comparison(request.comparison)
        return comparison, load_track(comparison.track)
    if not request.losses:
        raise UsageError(f"name a loss with --loss, or a comparison file; losses: {', '.join(catalogue.names('losses'))}")
    if request.track and request.dataset:
        raise UsageError("--track fixes the data set: give one of --track and --dataset")
    backbone = None
    if request.track is not None:
        track = load_track(request.track)
        backbone = request.backbone if request.backbone != track.model.backbone else None
    elif request.dataset is not None or request.backbone is not None:
        track = adhoc_track(catalogue, request.dataset, request.backbone)
    else:
        track = load_track("glyphs")
    rules = MethodRules(loss=list(request.losses), miner=list(request.miners) or "none", feed=request.feed, backbone=backbone)
    return Comparison(track=track.name, methods=[rules]), track


def _check_model_options(changes: Mapping[str, Value], methods: Sequence[Method], track: Track) -> None:
    if any(method.backbone in (None, track.model.backbone) for method in methods):
        return
    for key in changes:
        if key.startswith("model.options."):
            raise ConfigError(f"--set {key} is for the track's backbone {track.model.backbone!r}, which no method here uses")


def _dataset_name(name: str) -> tuple[str, dict[str, str]]:
    # A path is a fact of this machine: units carry the folder's name, the context of a run says where it is.
    kind, found, path = name.partition(":")
    if not found:
        return name, {}
    short = f"{kind}:{Path(path).expanduser().resolve().name}"
    return short, {short: f"{kind}:{Path(path).expanduser().resolve()}"}


def _parts(method: Method, track: Track, catalogue: Catalogue, shared: Mapping[str, str]) -> tuple[planning.Parts, Method, dict[str, str]]:
    loss = catalogue.get("losses", method.loss)
    miner = catalogue.get("miners", method.miner)
    backbone = catalogue.get("backbones", method.backbone or track.model.backbone)
    sampler = catalogue.get("samplers", "balanced-pairs" if method.feed == "pairs" else loss.entry.sampler)
    if backbone.name == track.model.backbone:
        check_options(backbone, backbone.name, track.model.options)
    components: dict[str, Component] = {"loss": loss, "backbone": backbone, "sampler": sampler}
    if method.miner != "none":
        components["miner"] = miner
    provenance = {**shared, **{kind: str(c.provenance) for kind, c in components.items()}}
    paths = {loss.name: f"{loss.path}:{loss.name.rpartition(':')[2]}"} if loss.path else {}
    return planning.Parts(loss.entry, miner.entry, backbone.entry, provenance), dataclasses.replace(method, loss=loss.name), paths


def _anchors(studies: Sequence[planning.StudyPlan], catalogue: Catalogue) -> tuple[Unit, ...]:
    harness = str(next(c.provenance for c in catalogue.components("losses") if c.provenance.plugin == "siambench"))
    units: dict[str, Unit] = {}
    for study in studies:
        units |= {unit.id: unit for unit in planning.anchor_units(study, harness)}
    return tuple(units.values())

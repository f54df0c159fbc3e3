"""A request, as the command line or Python says it, resolved against what is installed: nothing has run yet."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from siambench.components.catalogue import Catalogue, check_options
from siambench.components.component import Component
from siambench.components.composed import Composed, check_unwrapped
from siambench.components.expression import OF_LOSS
from siambench.components.two_sided import TwoSided
from siambench.data.names import dataset_name
from siambench.data.summary import Summary, summary
from siambench.errors import CombinationError, ConfigError, EmptyPlanError, UsageError
from siambench.machine import libraries
from siambench.plugin import BackboneEntry, LossEntry, MinerEntry, SamplerEntry
from siambench.spaces import Params, Value
from siambench.spec import FEEDS, INIT, NO_MINER, Exam, Method, Source, Unit, feed_asked
from siambench.studies import plan as planning
from siambench.studies.baselines import absent_of, baselines_of
from siambench.studies.checks import (
    check_form,
    check_model_options,
    check_observers,
    check_over,
    check_primary,
    check_sampler,
    check_sides,
    sampler_asked,
)
from siambench.studies.chunks import check_chunks
from siambench.studies.contents import exam_track, files_among
from siambench.studies.lists import ListKept, kept_of, lists_of
from siambench.studies.methods import Refused, methods_of, not_admitted, refusal, sampler_of
from siambench.studies.narrowed import SpaceAsked, check_ranges, space_of
from siambench.studies.networks import check_networks
from siambench.studies.official_pairs import pairs_of_track
from siambench.studies.parts_of_rules import exam_rules, rule_parts
from siambench.studies.started import Start, check_start, starting, starts_of
from siambench.tracks.adhoc import adhoc_track
from siambench.tracks.exam import exam_of, groups_digest, with_content
from siambench.tracks.files import comparison_folder, edit_track, load_comparison, load_track
from siambench.tracks.parts import check_turned
from siambench.tracks.rules import BudgetRules, Comparison, MethodRules, Track
from siambench.tracks.split import cut
from siambench.training.cadence import measured_every

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

log = logging.getLogger("siambench")

_MODEL_OPTIONS = "model.options."


@dataclass(frozen=True)
class Request:
    """What is asked for, as the command line says it; every field may be left out.

    ``feed`` may be ``triplets=FILE`` or ``pairs=FILE``; None: the first that the track admits, of one that admits all ``classes``.
    ``space`` is what ``--space`` takes, once or several times: see `siambench.studies.narrowed.space_asked`.
    """

    comparison: str | None = None
    track: str | None = None
    losses: tuple[str, ...] = ()
    miners: tuple[str, ...] = ()
    backbone: str | None = None
    dataset: str | None = None
    feed: str | None = None
    studies: int | Literal["all"] | None = None
    trials: int | None = None
    repetitions: int | None = None
    space: str | Sequence[str] | None = None
    changes: Mapping[str, Value] = field(default_factory=dict)
    observers: tuple[str, ...] = ()
    keep_models: bool = False
    init: str | None = None


def repetitions_of(repetitions: int | None, seeds: int | None, *, said: str) -> int | None:
    """What is asked for, where ``seeds``, the older word, is still understood.

    Args:
        repetitions: final models of each study, or None.
        seeds: the same by its older name, or None.
        said: how that was given.

    Raises:
        UsageError: if both are.
    """
    if seeds is None:
        return repetitions
    if repetitions is not None:
        raise UsageError(f"{said} is the older word for repetitions: give one of the two")
    log.warning("%s is read as repetitions; the next version will not know it", said)
    return seeds


@dataclass(frozen=True)
class Prepared:
    """A request resolved: nothing has run, and all that can be wrong with a request has been found.

    Args:
        track: the rules.
        exam: what they are with the data.
        studies: of all methods, those of one number beside each other, so that a table stands after the first round.
        baselines: what nothing is trained for.
        refused: combinations that make no sense.
        local: paths behind what stands for files and folders, but for models that training starts from.
        direction: of the primary metric.
        observers: that are told of what happens.
        data: what the data set holds.
        distributions: that the observers come from.
        lists: that methods are fed from, and what each part of the split keeps of them.
        keep_models: whether final units keep their models.
        starts: paths of models that training starts from, by their SHA-256; each method has one at most.
    """

    track: Track
    exam: Exam
    studies: tuple[planning.StudyPlan, ...]
    baselines: tuple[Unit, ...]
    refused: tuple[Refused, ...]
    local: Mapping[str, str]
    direction: str
    observers: tuple[str, ...] = ()
    data: Summary | None = None
    distributions: tuple[str, ...] = ()
    lists: tuple[ListKept, ...] = ()
    keep_models: bool = False
    starts: Mapping[str, str] = field(default_factory=dict)

    def local_of(self, unit: Unit) -> Mapping[str, str]:
        """Paths behind what stands for files and folders, as a unit knows them."""
        return self.local if unit.method.init is None else {**self.local, INIT: self.starts[unit.method.init]}

    @property
    def planned(self) -> int:
        """Number of units at the most: if every study comes to its final models, and races spare what they must."""
        return len(self.baselines) + sum(plan.tune_units + plan.repetitions for plan in self.studies)


@dataclass(frozen=True)
class _Given:
    # What a user says otherwise of all methods: another space and another sampler than their own, and parameters.
    space: SpaceAsked
    sampler: str | None
    fixed: Params


@dataclass(frozen=True)
class _Chosen:
    # A method and the components that it is made of.
    method: Method
    loss: LossEntry
    miner: MinerEntry
    backbone: BackboneEntry
    sources: Mapping[str, Source]
    options: Params
    paths: Mapping[str, str]
    # Where another is asked for than its own.
    sampler: SamplerEntry | None


def prepare(request: Request, catalogue: Catalogue) -> Prepared:
    """Resolve a request against what is installed.

    Raises:
        UsageError: with the first thing that does not hold.
        EmptyPlanError: if every combination was refused.
    """
    measured_every()
    comparison, track = _comparison(request, catalogue)
    changes = {**comparison.set, **request.changes}
    # The budget that rows are judged by stays the track's: another one is a request, and marks the row.
    other_budget = {key: changes.pop(key) for key in [key for key in changes if key.startswith("budget.")]}
    budget = _budget(request, comparison, edit_track(track, other_budget)[0].budget, is_asked="budget.studies" in other_budget)
    sampler = sampler_asked(changes)
    track, fixed = edit_track(track, changes)
    space = space_of(request.space, comparison.space, fixed)
    # Names first: a typo should not have to wait for data.
    dataset_component = catalogue.get("datasets", track.dataset.name)
    catalogue.metrics(track.metrics.report, dimensions=track.model.embedding_size)
    metrics = {name: catalogue.get("metrics", name) for name in track.metrics.report}
    observers = check_observers(request.observers, catalogue)
    shared = {"dataset": dataset_component.source, "primary": metrics[track.metrics.primary].source}
    parts = rule_parts(track, dataset_component, catalogue)
    shared |= {**{f"{planning.REPORTED}{name}": component.source for name, component in metrics.items()}, **parts.sources}
    short, local = dataset_name(track.dataset.name)
    lists = lists_of(comparison.methods, beside=comparison_folder(request.comparison))
    starts = starts_of(comparison.methods, beside=comparison_folder(request.comparison), flag=request.init is not None)
    named = methods_of(
        comparison.methods, {asked: feed for asked, (feed, _) in lists.items()}, {asked: start.digest for asked, start in starts.items()}
    )
    check_model_options(changes, named, track)
    given = _Given(space=space, sampler=sampler, fixed=fixed)
    chosen, refused = _methods(named, track, catalogue, local, given)
    if not chosen:
        raise EmptyPlanError("nothing to run: " + "; ".join(f"{r.method.name}: {r.reason}" for r in refused))

    dataset = catalogue.dataset(track.dataset.name, track.dataset.options)
    _check_items(chosen, track, dataset, fixed, starts.values())
    split = cut(dataset, track.split.spec, catalogue.split_rule(track.split.rule))
    kept = kept_of(lists, dataset, split)
    pairs, pairs_path = pairs_of_track(track, dataset, split, named=request.track or comparison.track, is_own=request.dataset is not None)
    local |= pairs_path | {feed.place: str(path) for feed, path in lists.values()}
    augment = parts.augmenting(track, dataset_component, dataset)
    track = track.model_copy(update={"dataset": track.dataset.model_copy(update={"name": short})})
    for name, component in metrics.items():
        if component.entry.needs is not None and component.entry.needs not in dataset.episodes:
            raise ConfigError(f"the metric {name} needs {component.entry.needs!r}, which data set {track.dataset.name} does not bring")
    primary = metrics[track.metrics.primary].entry
    check_primary(track, primary, dataset, split)
    data = split.fingerprint, groups_digest(dataset, split, track.split.group)
    used = next((one.options for one in chosen if one.method.backbone in (None, track.model.backbone)), None)
    exam = exam_of(
        exam_rules(exam_track(track, catalogue, used), parts), data=data, augment=augment, direction=primary.direction, pairs=pairs
    )
    images = len(split.trainval), tuple(len(training) for training, _ in split.folds)
    check_over(track, dataset)
    studies = [
        planning.study_plans(
            planning.Resolved(
                method=one.method,
                loss=one.loss,
                miner=one.miner,
                backbone=one.backbone,
                components={**shared, **one.sources},
                libraries=libraries(),
                track=track,
                exam=exam,
                model_options=one.options,
                dataset_options={**dataset_component.entry.defaults, **track.dataset.options},
                augment=augment,
                maximise=primary.direction == "max",
                budget=budget,
                images=images,
                pairs=pairs,
                space_name=space.name,
                ranges=space.ranges,
                fixed=fixed,
                sampler=None if one.sampler is None else sampler,
                training=parts.training,
            )
        )
        for one in chosen
    ]
    rounds = [plan for round_ in zip(*studies, strict=True) for plan in round_]
    planning.check_fixed(fixed, rounds)
    check_ranges(space.ranges, rounds)
    for one, (plan, *_) in zip(chosen, studies, strict=True):
        if one.sampler is not None:
            check_sampler(one.sampler, plan.template, dataset, split, lists)
    baselines = baselines_of(rounds, absent_of(dataset))
    watching = tuple(sorted({where.distribution for where in observers if where.plugin != "siambench"}))
    return Prepared(
        track=track,
        exam=exam,
        studies=tuple(rounds),
        baselines=baselines,
        refused=tuple(refused),
        local=local,
        direction=primary.direction,
        observers=request.observers,
        keep_models=request.keep_models,
        data=summary(dataset),
        distributions=watching,
        lists=kept,
        starts={start.digest: str(start.path) for start in starts.values()},
    )


def _check_items(chosen: Sequence[_Chosen], track: Track, dataset: Dataset, fixed: Params, starts: Iterable[Start]) -> None:
    """See that the items of a data set suit a track's rules and each method, and what training starts from."""
    for start in starts:
        check_start(start, [(one.method, one.backbone, one.options) for one in chosen if one.method.init == start.digest], track, dataset)
    if track.training.rotate_classes:
        check_turned(dataset)
    for one in chosen:
        check_form(one.method, one.backbone, track, dataset)
        check_sides(one.method, one.loss, dataset, track.dataset.name)
        check_chunks(one.loss, one.backbone, one.options, dataset, fixed, recipe=track.training.recipe)
    check_networks({str(one.method.backbone): (one.backbone, one.options, one.paths) for one in chosen}, dataset)


def _budget(request: Request, comparison: Comparison, track: BudgetRules, *, is_asked: bool) -> BudgetRules:
    """What is run: of the studies one, unless more are asked for, else what is asked, else the track's."""
    asked: int | Literal["all"] = request.studies or comparison.studies or ("all" if is_asked else 1)
    return BudgetRules(
        studies=track.studies if asked == "all" else asked,
        trials=request.trials or comparison.trials or track.trials,
        repetitions=request.repetitions or comparison.repetitions or track.repetitions,
    )


def _methods(
    named: Sequence[Method], track: Track, catalogue: Catalogue, local: dict[str, str], given: _Given
) -> tuple[list[_Chosen], list[Refused]]:
    """The methods that make sense, and those that do not; paths of files are added to ``local``."""
    chosen, refused = [], []
    for asked in named:
        one = _looked_up(asked, track, catalogue, given)
        for name, path in one.paths.items():
            if local.get(name, path) != path:
                raise UsageError(f"two files give the name {name!r}: rename one of {local[name]} and {path}")
        local |= one.paths
        reason = not_admitted(one.method, track) or refusal(one.method, one.loss, one.miner, given.sampler)
        if reason is None and given.space.name:
            one, reason = _in_space(one, given.space.name)
        if reason is None:
            chosen.append(one)
        elif len(named) == 1:
            raise CombinationError(reason)
        else:
            refused.append(Refused(one.method, reason))
    return chosen, refused


def _in_space(one: _Chosen, space: str) -> tuple[_Chosen, str | None]:
    """A method whose components are tuned in another of their spaces; and why not, where they have none of that name."""
    if space not in one.loss.spaces:
        return one, f"the loss {one.method.loss} has no space {space!r}; it has {', '.join(one.loss.spaces) or 'none beside its own'}"
    # A miner that has no such space has its own, as it has none to tune where there is nothing to choose.
    miner = one.miner.in_space(space) if space in one.miner.spaces else one.miner
    return dataclasses.replace(one, loss=one.loss.in_space(space), miner=miner), None


def _comparison(request: Request, catalogue: Catalogue) -> tuple[Comparison, Track]:
    flags = request.losses or request.miners or request.feed
    if request.comparison is not None:
        if flags or request.track or request.dataset or request.backbone:
            raise UsageError("a comparison file says which track and methods to run: give either the file or --track, --loss, --miner, …")
        comparison = load_comparison(request.comparison)
        return starting(comparison, request.init), load_track(comparison.track)
    if not request.losses:
        raise UsageError("name a loss with --loss, or a comparison file; `siambench list losses` lists all that there are")
    if request.track and request.dataset:
        raise UsageError("--track fixes the data set: give one of --track and --dataset")
    backbone = None
    if request.track is not None:
        track = load_track(request.track)
        backbone = request.backbone if request.backbone != track.model.backbone else None
    elif request.dataset is not None or request.backbone is not None:
        prefix = "dataset.options."
        options = {key.removeprefix(prefix): value for key, value in request.changes.items() if key.startswith(prefix)}
        track = adhoc_track(catalogue, request.dataset, request.backbone, options)
    else:
        track = load_track("glyphs")
    feed = request.feed or (track.training.feeds or FEEDS)[0]
    try:
        feed_asked(feed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    rules = MethodRules(loss=list(request.losses), miner=list(request.miners) or "none", feed=feed, backbone=backbone, init=request.init)
    return Comparison(track=track.name, methods=[rules]), track


def _looked_up(method: Method, track: Track, catalogue: Catalogue, given: _Given) -> _Chosen:
    loss = catalogue.get("losses", method.loss)
    check_unwrapped(loss.name, loss.entry)
    loss = loss.with_options(planning.of_loss(given.fixed))
    losses = loss.parts if isinstance(loss, Composed) else {loss.name: loss}
    miner = catalogue.get("miners", method.miner)
    backbone = catalogue.get("backbones", method.backbone or track.model.backbone)
    sampler = catalogue.get("samplers", given.sampler or sampler_of(method, loss.entry))
    is_other = sampler.name != sampler_of(method, loss.entry)
    if backbone.name == track.model.backbone:
        check_options(backbone, backbone.name, track.model.options)
    components: dict[str, Component] = {"loss": loss, "backbone": backbone, "sampler": sampler}
    components |= {f"{OF_LOSS}{name}": part for name, part in losses.items() if part is not loss}
    if method.miner != NO_MINER:
        components["miner"] = miner
    components |= backbone.roles if isinstance(backbone, TwoSided) else {}
    sources = {role: component.source for role, component in components.items()}
    own = track.model.options if backbone.name == track.model.backbone else {}
    files = files_among(own, backbone)
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    options = {**backbone.entry.defaults, **with_content(own, digests)}
    paths = {f"{_MODEL_OPTIONS}{name}": str(path) for name, path in files.items()}
    paths |= {name: f"{part.path}:{name.rpartition(':')[2]}" for name, part in losses.items() if part.path}
    method, other = dataclasses.replace(method, loss=loss.name), sampler.entry if is_other else None
    return _Chosen(method, loss.entry, miner.entry, backbone.entry, sources, options, paths, other)

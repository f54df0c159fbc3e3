"""One unit, anywhere: its specification in, its record out. Nothing here assumes that the coordinator's memory is shared."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from siambench.clock import Clock
from siambench.components.catalogue import Catalogue
from siambench.errors import DataMissingError, LostError, SiambenchError, named, text_of
from siambench.evaluation.embedding import Concatenated, raw_model
from siambench.evaluation.scoring import Scores, evaluate_items, pairs_of, separated
from siambench.evaluation.similar import Similarity
from siambench.execution.drawing import Drawing, written
from siambench.execution.ended import done_of
from siambench.execution.failures import failure, is_ours, trace_of
from siambench.execution.judging import diagnosis_of
from siambench.execution.keeping import Final, kept, opened_by
from siambench.execution.listeners import Listeners
from siambench.execution.places import EVERY, foreign, is_read_ahead
from siambench.execution.roles import entries_of, roles_of
from siambench.execution.telemetry import measures_told, told
from siambench.execution.unit_files import files_of, list_of, listed, with_files
from siambench.identity import seed_of, to_json
from siambench.interfaces import Done, Epoch, Outcome
from siambench.machine import keep_freed_memory, libraries, no_bf16
from siambench.plugin import BackboneEntry, MetricEntry
from siambench.records.record import Record, write
from siambench.records.running import RunningNote
from siambench.spec import CONCATENATED, Context, DataSpec, Every, Exam, SplitSpec, Unit
from siambench.studies.checks import check_observers
from siambench.tracks.parts import Items, Parts
from siambench.tracks.split import Split, cut
from siambench.tracks.steps import scaled_steps
from siambench.training.cadence import measured_every
from siambench.training.components import Entries, own_similarity
from siambench.training.features import Features, trains_on_features
from siambench.training.loop import Trained, Validate, train
from siambench.training.model import EmbeddingModel, Model, build_model, pretrained_features, projector_of
from siambench.training.observers import Observers
from siambench.training.state import device, generators_kept, memory_told, settle
from siambench.training.watch import Kept, Watcher
from siambench.wording import without_paths

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from siambench.metrics import Pairs
    from siambench.tracks.lists import Rows


def execute(unit: Unit, context: Context) -> Record:
    """Run a unit and leave its record.

    A unit whose training or scoring raises has failed, and that is its result. Running out of memory, or anything wrong
    with the data or the installation, is the environment's doing.

    Raises:
        LostError: if the environment took the unit.
    """
    torch.set_num_threads(1)
    settle(device())
    keep_freed_memory()
    started, clock, trace = time.time(), Clock(), None
    with contextlib.redirect_stdout(sys.stderr):
        try:
            ready = _ready(unit, context, clock)
        except BaseException as error:
            # Nothing of the method has run yet: what is wrong is the data, the installation or a file that is gone.
            raise LostError(text_of(error) if isinstance(error, SiambenchError) else named(error)) from error
        listeners = Listeners(unit, ready.observers, clock, folds=ready.parts.folds, kept=ready.kept)
        try:
            with RunningNote(context.running, unit, epochs=listeners.epochs) as note:
                outcome: Outcome = _run(with_files(unit, ready.files), ready, clock, listeners.by(note))
        except (MemoryError, torch.OutOfMemoryError, DataMissingError) as error:
            raise LostError(_taken(error)) from error
        except BaseException as error:  # whatever a component raises is its method's result, and no process here is a user's to interrupt
            if isinstance(error, LostError) and is_ours(error):
                raise
            if "can't allocate memory" in text_of(error):
                raise LostError(f"out of memory: {text_of(error)}") from error
            outcome, trace = failure(error), trace_of(error)
        listeners.ended(outcome)
        left = kept(unit, context, _catalogue(foreign(unit, context)), (ready.final, outcome), clock)
        telemetry = _telemetry(ready, context, told(started, clock, trace)) | _judged(unit, ready, outcome) | left
    return _left(Record(unit, _exam(context), outcome, telemetry, figures=ready.drawing.ended(outcome)), context)


def _exam(context: Context) -> Exam:
    if context.exam is None:
        raise LostError("the unit came without the exam that it is run for")
    return context.exam


def _telemetry(ready: _Ready, context: Context, told_here: Mapping[str, Any]) -> dict[str, Any]:
    telemetry = {**told_here, "components": dict(ready.components), "search": dict(context.search)}
    if ready.files:
        telemetry["files"] = {name: path.name for name, path in ready.files.items()}
    if context.observers:
        telemetry["observers"] = ready.observers.to_json()
    return telemetry | measures_told(ready.kept) | ready.drawing.told()


def _judged(unit: Unit, ready: _Ready, outcome: Outcome) -> dict[str, Any]:
    """What is said of the models that were trained, for the record; the outcome is what it is by then."""
    if ready.entries is None:
        return {}

    def untrained() -> float | None:
        assert ready.backbone is not None
        with generators_kept():
            model = build_model(unit, ready.backbone, ready.dataset).to(device())
            return _validated(unit, ready, model, ready.parts.validation(), None).scores.get(unit.scoring.primary)

    try:
        classes = len(ready.parts.training().class_names)
        found = diagnosis_of(unit, ready.entries.loss, ready.kept.models, outcome, untrained=untrained, num_classes=classes)
    except BaseException as error:  # noqa: BLE001  nothing that is only said of a unit may cost it, whatever a component raises
        return {"undiagnosed": without_paths(named(error))}
    return {} if found is None else {"diagnosis": to_json(found)}


def _left(record: Record, context: Context) -> Record:
    """The record, written where the coordinator's folder is shared."""
    # The coordinator made the folder: where it is not to be found, it is not shared, and the record is handed back alone.
    if context.records is not None and Path(context.records).is_dir():
        with contextlib.suppress(OSError):
            write(Path(context.records), record)
    return dataclasses.replace(record, figures=None) if written(record.figures, context) else record


def _taken(error: BaseException) -> str:
    return named(error) if isinstance(error, DataMissingError) else memory_told(error, device())


@lru_cache(maxsize=2)
def _catalogue(distributions: tuple[str, ...]) -> Catalogue:
    """The built-in components, and those of some distributions: no other plugin is imported into this process."""
    return Catalogue.load(distributions=None if EVERY in distributions else distributions)


@lru_cache(maxsize=2)
def _data(name: str, options: tuple[tuple[str, Any], ...], rules: SplitSpec, distributions: tuple[str, ...]) -> tuple[Dataset, Split]:
    # A persistent worker meets the same data in every unit.
    catalogue = _catalogue(distributions)
    dataset = catalogue.dataset(name, dict(options))
    return dataset, cut(dataset, rules, catalogue.split_rule(rules.rule))


def read_ahead(data: DataSpec, name: str) -> None:
    """Have data that comes with siambench in memory, read and cut; what is wrong with it is told where it is needed."""
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(Exception, SystemExit):
        _data(name, tuple(data.options.items()), data.split, ())


@dataclass(frozen=True)
class _Ready:
    dataset: Dataset
    parts: Parts
    metrics: Mapping[str, MetricEntry]
    backbone: BackboneEntry | None
    entries: Entries | None
    files: Mapping[str, Path]
    rows: Rows | None
    components: Mapping[str, str]
    observers: Observers
    clock: Clock
    kept: Kept
    every: int | None
    features: Features | None
    drawing: Drawing
    final: Final


def _ready(unit: Unit, context: Context, clock: Clock) -> _Ready:
    """Data and components, checked to be those that the unit was planned with."""
    catalogue = _catalogue(foreign(unit, context))
    with clock.phase("data"):
        dataset, split = _read(unit, context)
    components, files = _components(unit, context, catalogue), files_of(unit, context)
    backbone = None if unit.model is None else catalogue.get("backbones", unit.model.backbone).entry
    entries = None
    if unit.training is not None:
        assert backbone is not None
        entries = entries_of(unit, context, catalogue, backbone)
    return _Ready(
        dataset=dataset,
        parts=Parts(dataset, split, kind=unit.kind, fold=unit.fold, opened=opened_by(unit, context), group=unit.data.split.group),
        metrics=catalogue.metrics(unit.scoring.metrics),
        backbone=backbone,
        entries=entries,
        files=files,
        rows=list_of(unit, files, dataset),
        components=components,
        observers=Observers(
            [(name, catalogue.get("observers", name.partition(":")[0]).entry) for name in context.observers],
            folder=None if context.observed is None else Path(context.observed),
        ),
        clock=clock,
        kept=Kept(),
        every=measured_every(),
        features=Features(unit, split) if trains_on_features(unit, dataset) else None,
        drawing=Drawing(unit, clock),
        final=Final(),
    )


def _read(unit: Unit, context: Context) -> tuple[Dataset, Split]:
    data = unit.data
    name = context.local.get(data.dataset, data.dataset)
    # What was read ahead was read by siambench's own reader: it is found whatever else the unit is made of.
    is_own = is_read_ahead(unit)
    dataset, split = _data(name, tuple(data.options.items()), data.split, () if is_own else foreign(unit, context))
    if split.fingerprint != data.fingerprint:
        raise LostError(f"the data has fingerprint {split.fingerprint[:16]}…, the unit was planned for {data.fingerprint[:16]}…")
    return dataset, split


def _run(unit: Unit, ready: _Ready, clock: Clock, ended: Callable[[Epoch], None]) -> Done:
    parts, metrics, scoring = ready.parts, ready.metrics, unit.scoring
    every: Literal["every"] | None = "every" if isinstance(scoring.pairs, Every) else None
    if unit.kind == "tune":
        validation = parts.validation()

        def validate(model: Model) -> Mapping[str, float | None]:
            with clock.phase("evaluate"):
                found = _validated(unit, ready, model, validation, clock)
                found.score_of(scoring.primary)
                return found.scores

        with clock.phase("train"):
            tuned = _train(unit, ready, parts.training(), ended, validate)
        return done_of(metrics, [tuned], None, {})

    with contextlib.nullcontext() if unit.training is None else clock.phase("train"):
        models, trained = _final_models(unit, ready, ended)
    with clock.phase("evaluate"):
        test = parts.test()
        pairs: Pairs | Literal["every"] | None = pairs_of(ready.files["pairs"], test) if "pairs" in ready.files else every

        # Of several fold-models it is their embeddings side by side that are shown.
        is_single = scoring.protocol == "retrain"

        def evaluate(model: torch.nn.Module, similarity: tuple[str, Similarity] | None = None) -> Scores:
            seed = seed_of(unit.data.fingerprint, "pairs", "test")
            primary = scoring.primary
            return evaluate_items(
                *(model, test, metrics),
                seed=seed,
                device=device(),
                distance=scoring.distance,
                pairs=pairs,
                clock=clock,
                jackknifed=primary,
                similarity=similarity,
                features=_features_of(ready, model, test),
                look=ready.drawing.of(test, len(models)) if isinstance(model, Concatenated) or is_single else None,
            )

        own = [_own_similarity(unit, ready, one) for one in trained] or [None] * len(models)
        found = separated([evaluate(model, similarity) for model, similarity in zip(models, own, strict=True)])
        if scoring.protocol == "reality-check":
            together = evaluate(Concatenated(models))
            joined = {f"{CONCATENATED}{name}": value for name, value in together.scores.items()}
            faults = {f"{CONCATENATED}{name}": fault for name, fault in together.faults.items()}
            found = dataclasses.replace(found, scores={**found.scores, **joined}, notes={**found.notes, **faults})
        # Without the score that it is ranked by, a unit has failed; one without another score has not.
        found.score_of(scoring.primary)
        ready.final.models, ready.final.test = models, test
    return done_of(metrics, trained, found, test.class_attributes)


def _validated(unit: Unit, ready: _Ready, model: Model, validation: Items, clock: Clock | None) -> Scores:
    scoring, seed = unit.scoring, seed_of(unit.data.fingerprint, "pairs", unit.fold)
    # A listed file names items of the test part; every pair there is in validation too.
    every: Literal["every"] | None = "every" if isinstance(scoring.pairs, Every) else None
    asked: dict[str, Any] = {
        "distance": scoring.distance,
        "pairs": every,
        "clock": clock,
        "features": _features_of(ready, model, validation),
    }
    return evaluate_items(model, validation, ready.metrics, seed=seed, device=device(), **asked)


def _features_of(ready: _Ready, model: torch.nn.Module, items: Items) -> Items | None:
    """What the trunk of a model makes of the items that it is scored on, where that was computed before or will be asked again."""
    if ready.features is None or not isinstance(model, EmbeddingModel):
        return None
    with ready.clock.phase("features"):
        return ready.features.of(model, items)


def _final_models(unit: Unit, ready: _Ready, ended: Callable[[Epoch], None]) -> tuple[list[torch.nn.Module], list[Trained]]:
    """The models that the test part is opened for: one, or under the Reality Check's protocol one per fold."""
    parts = ready.parts
    if ready.backbone is None:
        return [raw_model(parts.training()).to(device())], []
    if ready.entries is None:
        build = pretrained_features if unit.method.baseline == "pretrained" else build_model
        models = [unit] if unit.scoring.protocol == "retrain" else [_of_fold(unit, fold) for fold in range(parts.folds)]
        return [build(one, ready.backbone, ready.dataset).to(device()) for one in models], []
    if unit.scoring.protocol == "retrain":
        trained = [_train(unit, ready, parts.training(), ended, None)]
    else:
        folds = [parts.fold_training(fold) for fold in range(parts.folds)]
        of_folds = [len(items) for items in folds]
        trained = [
            _train(_with_steps(_of_fold(unit, fold), len(items), of_folds), ready, items, ended, None) for fold, items in enumerate(folds)
        ]
    return [one.model for one in trained], trained


def _own_similarity(unit: Unit, ready: _Ready, trained: Trained) -> tuple[str, Similarity] | None:
    """Name and own similarity of the loss, where it has one for what the model gives: behind a projector it has not."""
    assert ready.entries is not None
    compare = None if projector_of(unit) else own_similarity(trained.loss, normalise=ready.entries.loss.normalise)
    return None if compare is None else (unit.method.loss, compare)


def _of_fold(unit: Unit, fold: int) -> Unit:
    return dataclasses.replace(unit, seeds={stream: seed_of(seed, "fold", fold) for stream, seed in unit.seeds.items()})


def _with_steps(unit: Unit, images: int, of_folds: Sequence[int]) -> Unit:
    """A unit of the Reality Check, which holds the steps of a trial, with those of a fold-model."""
    assert unit.training is not None
    steps = scaled_steps(unit.training.steps_per_epoch, images=images, of_folds=of_folds)
    return dataclasses.replace(unit, training=dataclasses.replace(unit.training, steps_per_epoch=steps))


def unfit(units: Sequence[Unit], context: Context) -> str | None:
    """Why this process cannot run those units, or None: a component is missing here, or is another one."""
    try:
        for unit in units:
            _components(unit, context, _catalogue(foreign(unit, context)))
        check_observers(context.observers, _catalogue(context.distributions))
    except SiambenchError as error:
        return str(error)
    return None


def _components(unit: Unit, context: Context, catalogue: Catalogue) -> dict[str, str]:
    found = {}
    for role, (kind, name) in roles_of(unit, context).items():
        component, planned = catalogue.get(kind, name), unit.components[role]
        # Options may be set of the loss, which is then made by other code; those of its parts stand in its own digest.
        component = component.with_options(unit.own("loss")) if role == "loss" else component
        here = component.source
        # A file edited since the plan, or a worker with other code, would give a record that is not what it says.
        if context.exact and here != planned:
            told = f"{planned.distribution}+{str(planned.digest)[:16]}"
            raise LostError(f"the {role} {name} is {component.told} here, the unit was planned for {told}")
        found[role] = component.told
    if unit.training is not None and unit.training.precision == "bf16":
        reason = no_bf16()
        if reason is not None:
            raise LostError(f"the unit trains in bf16: {reason}")
    if context.exact and unit.libraries != libraries():
        raise LostError(f"the unit was planned for {_versions(unit.libraries)}, here is {_versions(libraries())}")
    return found


def _versions(named: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(named.items())) or "nothing"


def _train(unit: Unit, ready: _Ready, items: Items, ended: Callable[[Epoch], None], validate: Validate | None) -> Trained:
    assert ready.entries is not None
    watcher = Watcher(ended, kept=ready.kept, every=ready.every)
    return train(*(unit, ready.entries, listed(items, ready.rows), validate), watcher=watcher, clock=ready.clock, features=ready.features)

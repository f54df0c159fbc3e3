"""One unit, anywhere: its specification in, its record out. Nothing here assumes that the coordinator's memory is shared."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from siambench.clock import Clock
from siambench.components.catalogue import Catalogue
from siambench.errors import DataMissingError, DivergedError, LostError, MetricError, SiambenchError, UsageError
from siambench.evaluation.scoring import Concatenated, RawPixels, Scores, evaluate_items, pairs_of, separated
from siambench.machine import keep_freed_memory, peak_memory_mb, processor
from siambench.plugin import BackboneEntry, MetricEntry
from siambench.records import record as records
from siambench.records.running import Pulse
from siambench.spec import EVERY_PAIR, Context, Unit, seed_of
from siambench.tracks.parts import Custody, Items
from siambench.tracks.split import Split, cut
from siambench.training.loop import EmbeddingModel, Entries, Trained, build_model, device, pretrained_features, train

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from siambench.metrics import Pairs

CONCATENATED = "concatenated:"
"""Before the name of a metric: its score for the concatenated embeddings of the fold-models."""

_NO_SCORES: Mapping[str, Any] = {"scores": {}, "per_class": {}, "class_queries": None, "notes": {}}

LIBRARIES = ("siambench", "torch", "torchvision", "pytorch-metric-learning", "numpy", "scipy")


def execute(document: Mapping[str, Any], context: Context) -> records.Record:
    """Run a unit and leave its record.

    A unit whose training or scoring raises has failed, and that is its result. Running out of memory, or anything wrong
    with the data or the installation, is the environment's doing.

    Raises:
        LostError: if the environment took the unit.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    unit = Unit.from_json(document)
    started, clock, trace = time.time(), Clock(), None
    with contextlib.redirect_stdout(sys.stderr):
        try:
            ready = _ready(unit, context, clock)
        except (Exception, SystemExit) as error:
            # Nothing of the method has run yet: what is wrong is the data, the installation or a file that is gone.
            raise LostError(str(error) if isinstance(error, SiambenchError) else f"{type(error).__name__}: {error}") from error
        try:
            folds = ready.custody.folds if unit.evaluation["protocol"] == "reality-check" and unit.kind == "final" else 1
            with Pulse(context.running, unit, folds=folds) as pulse:
                state, outcome = "done", _run(unit, ready, clock, pulse)
        except LostError:
            raise
        except (MemoryError, torch.OutOfMemoryError, DataMissingError) as error:
            raise LostError(f"{type(error).__name__}: {error}") from error
        except (Exception, SystemExit) as error:  # whatever a component raises is its method's result
            if "can't allocate memory" in str(error):
                raise LostError(f"out of memory: {error}") from error
            state, outcome, trace = "failed", _failure(error), traceback.format_exc()
    telemetry = {**_telemetry(started, clock, trace), "components": dict(ready.components), "search": context.search}
    record = records.make(unit, state=state, outcome=outcome, telemetry=telemetry)
    # The coordinator made the folder: where it is not to be found, it is not shared, and the record is handed back alone.
    if context.records is not None and Path(context.records).is_dir():
        with contextlib.suppress(OSError):
            records.write(Path(context.records), record)
    return record


def _failure(error: BaseException) -> dict[str, Any]:
    verdict = "diverged" if isinstance(error, DivergedError) else "raised"
    text = str(error) if isinstance(error, DivergedError | UsageError | MetricError) else f"{type(error).__name__}: {error}"
    return {**_NO_SCORES, "error": " ".join(text.split())[:2000], "verdict": verdict, "curve": []}


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    return Catalogue.load()


@lru_cache(maxsize=2)
def _data(name: str, options: tuple[tuple[str, Any], ...], rules: tuple[tuple[str, Any], ...]) -> tuple[Dataset, Split]:
    # A persistent worker meets the same data in every unit.
    dataset = _catalogue().dataset(name, dict(options))
    return dataset, cut(dataset, dict(rules))


@dataclass(frozen=True)
class _Ready:
    custody: Custody
    shape: tuple[int, int, int]
    metrics: Mapping[str, MetricEntry]
    backbone: BackboneEntry | None
    entries: Entries | None
    pairs: Path | None
    components: Mapping[str, str]


def _ready(unit: Unit, context: Context, clock: Clock) -> _Ready:
    """Data and components, checked to be those that the unit was planned with."""
    catalogue = _catalogue()
    with clock.phase("data"):
        name = context.local.get(unit.data["dataset"], unit.data["dataset"])
        dataset, split = _data(name, tuple(unit.data["options"].items()), tuple(unit.data["split"].items()))
        if split.fingerprint != unit.data["fingerprint"]:
            raise LostError(
                f"the data has fingerprint {split.fingerprint[:16]}…, the unit was planned for {unit.data['fingerprint'][:16]}…"
            )
    components = _components(unit, context, catalogue)
    backbone = None if unit.method.loss == "raw" else catalogue.get("backbones", unit.model["backbone"]).entry
    entries = None
    if not unit.method.is_anchor:
        assert backbone is not None
        entries = Entries(
            backbone=backbone,
            loss=catalogue.get("losses", context.local.get(unit.method.loss, unit.method.loss)).entry,
            miner=None if unit.method.miner == "none" else catalogue.get("miners", unit.method.miner).entry,
            sampler=catalogue.get("samplers", unit.training["sampler"]).entry,
        )
    custody = Custody(dataset, split, kind=unit.kind, fold=unit.fold, opened=_opening(unit, context), group=unit.data["split"].get("group"))
    return _Ready(custody, dataset.shape, catalogue.metrics(unit.metrics), backbone, entries, _pairs_file(unit, context), components)


def _pairs_file(unit: Unit, context: Context) -> Path | None:
    name = unit.evaluation["pairs"]
    if name in ("", EVERY_PAIR) or unit.kind != "final":
        return None
    path = Path(context.local.get(f"pairs:{name}", name))
    if hashlib.sha256(path.read_bytes()).hexdigest() != unit.evaluation["pairs_digest"]:
        raise LostError(f"{path} is not the list of pairs that the unit was planned with")
    return path


def _run(unit: Unit, ready: _Ready, clock: Clock, pulse: Pulse) -> dict[str, Any]:
    custody, metrics = ready.custody, ready.metrics
    if unit.kind == "tune":
        validation = custody.validation()
        seed = seed_of(unit.data["fingerprint"], "pairs", unit.fold)

        def validate(model: EmbeddingModel) -> dict[str, float | None]:
            with clock.phase("evaluate"):
                distance = unit.evaluation["distance"]
                return evaluate_items(model, validation, metrics, seed=seed, device=device(), distance=distance, clock=clock).scores

        with clock.phase("train"):
            tuned = _train(unit, ready, custody.training(), pulse, validate)
        return {**_outcome([tuned]), **_NO_SCORES, "directions": _directions(metrics)}

    with contextlib.nullcontext() if unit.method.is_anchor else clock.phase("train"):
        models, trained = _final_models(unit, ready, pulse)
    with clock.phase("evaluate"):
        test = custody.test()
        pairs: Pairs | Literal["all"] | None = None if ready.pairs is None else pairs_of(ready.pairs, test)
        if unit.evaluation["pairs"] == EVERY_PAIR:
            pairs = "all"

        def evaluate(model: torch.nn.Module) -> Scores:
            seed = seed_of(unit.data["fingerprint"], "pairs", "test")
            distance = unit.evaluation["distance"]
            return evaluate_items(model, test, metrics, seed=seed, device=device(), distance=distance, pairs=pairs, clock=clock)

        found = separated([evaluate(model) for model in models])
        if unit.evaluation["protocol"] == "reality-check":
            together = evaluate(Concatenated(models))
            found = dataclasses.replace(
                found, scores=found.scores | {f"{CONCATENATED}{name}": value for name, value in together.scores.items()}
            )
    return {**_outcome(trained), **_scores(found), "directions": _directions(metrics)}


def _final_models(unit: Unit, ready: _Ready, pulse: Pulse) -> tuple[list[torch.nn.Module], list[Trained]]:
    """The models that the test part is opened for: one, or under the Reality Check's protocol one per fold."""
    if unit.method.loss == "raw":
        return [RawPixels().to(device())], []
    if ready.entries is None:
        assert ready.backbone is not None
        build = pretrained_features if unit.method.loss == "pretrained" else build_model
        return [build(unit, ready.backbone, ready.shape).to(device())], []
    if unit.evaluation["protocol"] == "retrain":
        trained = [_train(unit, ready, ready.custody.training(), pulse, None)]
    else:
        trained = [
            _train(_of_fold(unit, fold), ready, ready.custody.fold_training(fold), pulse, None) for fold in range(ready.custody.folds)
        ]
    return [one.model for one in trained], trained


def _of_fold(unit: Unit, fold: int) -> Unit:
    return dataclasses.replace(unit, seeds={stream: seed_of(seed, "fold", fold) for stream, seed in unit.seeds.items()})


def _roles(unit: Unit, context: Context) -> dict[str, tuple[str, str]]:
    """Kind and name of each component that a unit was planned with, by its role."""
    names = {
        "dataset": ("datasets", context.local.get(unit.data["dataset"], unit.data["dataset"])),
        "loss": ("losses", context.local.get(unit.method.loss, unit.method.loss)),
        "miner": ("miners", unit.method.miner),
        "backbone": ("backbones", unit.model.get("backbone")),
        "sampler": ("samplers", unit.training.get("sampler")),
    }
    return {role: (kind, name) for role, (kind, name) in names.items() if role in unit.components and name is not None}


def unfit(documents: Sequence[Mapping[str, Any]], context: Context) -> str | None:
    """Why this process cannot run those units, or None: a component is missing here, or is another one."""
    for document in documents:
        try:
            _components(Unit.from_json(document), context, _catalogue())
        except SiambenchError as error:
            return str(error)
    return None


def _components(unit: Unit, context: Context, catalogue: Catalogue) -> dict[str, str]:
    found = {}
    for role, (kind, name) in _roles(unit, context).items():
        found[role] = str(catalogue.get(kind, name).provenance)
        # A file edited since the plan, or a worker with another version, would give a record that is not what it says.
        if context.exact and found[role] != unit.components[role]:
            raise LostError(f"the {role} {name} is {found[role]} here, the unit was planned for {unit.components[role]}")
    return found


def _train(
    unit: Unit, ready: _Ready, items: Items, pulse: Pulse, validate: Callable[[EmbeddingModel], dict[str, float | None]] | None
) -> Trained:
    assert ready.entries is not None
    return train(unit, ready.entries, items, validate, ended=pulse.epoch)


def _outcome(trained: Sequence[Trained]) -> dict[str, Any]:
    rates = [one.repeat_rate for one in trained if one.repeat_rate is not None]
    return {
        "error": None,
        "verdict": "ok",
        # Of several fold-models one after the other: their epochs begin anew at 1.
        "curve": [line for one in trained for line in one.curve],
        "repeat_rate": sum(rates) / len(rates) if rates else None,
    }


def _directions(metrics: Mapping[str, MetricEntry]) -> dict[str, str]:
    return {name: entry.direction for name, entry in metrics.items()}


def _scores(found: Scores) -> dict[str, Any]:
    return {"scores": found.scores, "per_class": found.per_class, "class_queries": found.class_queries, "notes": found.notes}


def _opening(unit: Unit, context: Context) -> Callable[[], None]:
    def opened() -> None:
        # Where its folder is not shared, the coordinator logs the opening when the record is handed back.
        if context.openings is not None and Path(context.openings).parent.is_dir():
            try:
                records.append_opening(Path(context.openings), records.opening(unit, time.time()))
            except OSError as error:
                raise LostError(f"the log of test openings cannot be written: {error}") from error

    return opened


def _telemetry(started: float, clock: Clock, trace: str | None) -> dict[str, Any]:
    versions = {}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[library] = importlib.metadata.version(library)
    return {
        "started": round(started, 3),
        "seconds": {name: round(seconds, 4) for name, seconds in clock.seconds.items()},
        "total_seconds": round(clock.total, 4),
        "peak_memory_mb": peak_memory_mb(),
        "device": str(device()),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": _cpu(),
        "traceback": trace,
        "versions": {"python": platform.python_version(), **versions},
    }


@lru_cache(maxsize=1)
def _cpu() -> str:
    """What decides in which order a processor adds: its model, and the instructions that torch uses of it."""
    return f"{processor()}, {torch.backends.cpu.get_cpu_capability()}"

"""One unit, anywhere: its specification in, its record out. Nothing here assumes that the coordinator's memory is shared."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from siambench import record as records
from siambench.catalogue import Catalogue
from siambench.errors import DataMissingError, DivergedError, LostError, MetricError, SiambenchError, UsageError
from siambench.evaluation import RawPixels, Scores, evaluate_items
from siambench.plugin import BackboneEntry, MetricEntry
from siambench.spec import Context, Unit, seed_of
from siambench.split import Custody, Split, cut
from siambench.train import EmbeddingModel, Entries, Trained, build_model, device, train

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

LIBRARIES = ("siambench", "torch", "torchvision", "pytorch-metric-learning", "numpy", "scipy")


def execute(document: Mapping[str, Any], context: Context) -> records.Record:
    """Run a unit and leave its record.

    A unit whose training or scoring raises has failed, and that is its result. Running out of memory, or anything wrong
    with the data or the installation, is the environment's doing.

    Raises:
        LostError: if the environment took the unit.
    """
    torch.set_num_threads(1)
    unit = Unit.from_json(document)
    started, clock, trace = time.time(), Clock(), None
    with contextlib.redirect_stdout(sys.stderr):
        try:
            ready = _ready(unit, context, clock)
        except (Exception, SystemExit) as error:
            # Nothing of the method has run yet: what is wrong is the data, the installation or a file that is gone.
            raise LostError(str(error) if isinstance(error, SiambenchError) else f"{type(error).__name__}: {error}") from error
        try:
            state, outcome = "done", _run(unit, ready, clock)
        except LostError:
            raise
        except (MemoryError, torch.OutOfMemoryError, DataMissingError) as error:
            raise LostError(f"{type(error).__name__}: {error}") from error
        except (Exception, SystemExit) as error:  # whatever a component raises is its method's result
            if "can't allocate memory" in str(error):
                raise LostError(f"out of memory: {error}") from error
            state, outcome, trace = "failed", _failure(error), traceback.format_exc()
    record = records.make(unit, state=state, outcome=outcome, telemetry={**_telemetry(started, clock, trace), "search": context.search})
    if context.records is not None:
        records.write(Path(context.records), record)
    return record


def _failure(error: BaseException) -> dict[str, Any]:
    verdict = "diverged" if isinstance(error, DivergedError) else "raised"
    text = str(error) if isinstance(error, DivergedError | UsageError | MetricError) else f"{type(error).__name__}: {error}"
    return {"error": " ".join(text.split())[:2000], "verdict": verdict, "scores": {}, "per_class": {}, "curve": [], "notes": {}}


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time inside to a phase."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    return Catalogue.load()


@lru_cache(maxsize=2)
def _data(name: str, options: tuple[tuple[str, Any], ...], rules: tuple[tuple[str, Any], ...]) -> tuple[Dataset, Split]:
    # A persistent worker meets the same data in every unit.
    dataset = _catalogue().dataset(name, dict(options))
    return dataset, cut(dataset, dict(rules))


def metric_entries(catalogue: Catalogue, names: tuple[str, ...]) -> dict[str, MetricEntry]:
    """Entries by the full names of metrics, ``recall@4`` included."""
    return {name: catalogue.get("metrics", name).entry for name in names}


@dataclass(frozen=True)
class _Ready:
    custody: Custody
    shape: tuple[int, int, int]
    metrics: Mapping[str, MetricEntry]
    backbone: BackboneEntry | None
    entries: Entries | None


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
    _check_components(unit, context, catalogue)
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
    custody = Custody(dataset, split, kind=unit.kind, fold=unit.fold, opened=_opening(unit, context))
    return _Ready(custody, dataset.shape, metric_entries(catalogue, unit.metrics), backbone, entries)


def _run(unit: Unit, ready: _Ready, clock: Clock) -> dict[str, Any]:
    custody, metrics = ready.custody, ready.metrics
    if unit.kind == "tune":
        validation = custody.validation()
        seed = seed_of(unit.data["fingerprint"], "pairs", unit.fold)

        def validate(model: EmbeddingModel) -> dict[str, float | None]:
            with clock.phase("evaluate"):
                return evaluate_items(model, validation, metrics, seed=seed, device=device()).scores

        tuned = _train(unit, ready, clock, validate)
        return {**_outcome(tuned), "scores": {}, "per_class": {}, "notes": {}, "directions": _directions(metrics)}

    trained: Trained | None = None
    model: torch.nn.Module
    if unit.method.loss == "raw":
        model = RawPixels().to(device())
    elif ready.entries is None:
        assert ready.backbone is not None
        model = build_model(unit, ready.backbone, ready.shape).to(device())
    else:
        trained = _train(unit, ready, clock, None)
        model = trained.model
    with clock.phase("evaluate"):
        seed = seed_of(unit.data["fingerprint"], "pairs", "test")
        found = evaluate_items(model, custody.test(), metrics, seed=seed, device=device())
    return {**_outcome(trained), **_scores(found), "directions": _directions(metrics)}


def _check_components(unit: Unit, context: Context, catalogue: Catalogue) -> None:
    # A file edited since the plan, or a worker with another version, would give a record that is not what it says.
    names = {
        "dataset": ("datasets", context.local.get(unit.data["dataset"], unit.data["dataset"])),
        "loss": ("losses", context.local.get(unit.method.loss, unit.method.loss)),
        "miner": ("miners", unit.method.miner),
        "backbone": ("backbones", unit.model.get("backbone")),
        "sampler": ("samplers", unit.training.get("sampler")),
    }
    for role, planned in unit.components.items():
        if role in names and names[role][1] is not None:
            kind, name = names[role]
            found = str(catalogue.get(kind, name).provenance)
            if found != planned:
                raise LostError(f"the {role} {name} is {found} here, the unit was planned for {planned}")


def _train(unit: Unit, ready: _Ready, clock: Clock, validate: Callable[[EmbeddingModel], dict[str, float | None]] | None) -> Trained:
    assert ready.entries is not None
    before = clock.seconds.get("evaluate", 0.0)
    with clock.phase("train"):
        trained = train(unit, ready.entries, ready.custody.training(), validate)
    clock.seconds["train"] -= clock.seconds.get("evaluate", 0.0) - before
    return trained


def _outcome(trained: Trained | None) -> dict[str, Any]:
    return {
        "error": None,
        "verdict": "ok",
        "curve": [] if trained is None else trained.curve,
        "repeat_rate": None if trained is None else trained.repeat_rate,
    }


def _directions(metrics: Mapping[str, MetricEntry]) -> dict[str, str]:
    return {name: entry.direction for name, entry in metrics.items()}


def _scores(found: Scores) -> dict[str, Any]:
    return {"scores": found.scores, "per_class": found.per_class, "notes": found.notes}


def _opening(unit: Unit, context: Context) -> Callable[[], None]:
    def opened() -> None:
        if context.openings is not None:
            line = {"time": round(time.time(), 3), "unit": unit.id, "track": unit.track, "method": unit.method.name, "study": unit.study}
            records.append_opening(Path(context.openings), line)

    return opened


def _telemetry(started: float, clock: Clock, trace: str | None) -> dict[str, Any]:
    versions = {}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[library] = importlib.metadata.version(library)
    return {
        "started": round(started, 3),
        "seconds": {name: round(seconds, 4) for name, seconds in clock.seconds.items()},
        "total_seconds": round(time.time() - started, 4),
        "peak_memory_mb": _peak_memory(),
        "device": str(device()),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "machine": platform.machine(),
        "system": platform.system(),
        "traceback": trace,
        "versions": {"python": platform.python_version(), **versions},
    }


def _peak_memory() -> float | None:
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Linux counts kilobytes, macOS bytes.
        return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
    return None

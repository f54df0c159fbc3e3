"""Units of the laboratory: a setting in, the record of its tune unit out, planned and executed as those of a run are."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faults

from siambench.clock import Clock
from siambench.execution import worker
from siambench.identity import from_json
from siambench.interfaces import Diagnosis, Measures
from siambench.records.record import Record
from siambench.spec import Context, Unit
from siambench.studies.request import Prepared, Request, prepare

TRACKS = Path(__file__).parent / "tracks"
DATA = ("glyphs", "omniglot")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a unit is trained with; all that is not said is the laboratory's track's.

    Args:
        loss: its name; of `faults` too.
        miner: its name.
        feed: how it is fed.
        backbone: its name; None: the track's.
        rules: changes to the track and to what a method has beside its parameters, by the keys of ``--set``.
        params: hyperparameters by their flat names. They may lie outside their spaces: a search would not ask for them, people do.
    """

    loss: str = "contrastive"
    miner: str = "none"
    feed: str = "classes"
    backbone: str | None = None
    rules: Mapping[str, object] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Equal for equal settings."""
        return json.dumps([self.loss, self.miner, self.feed, self.backbone, dict(self.rules), dict(self.params)], sort_keys=True)


@functools.cache
def _catalogue():
    return faults.catalogue()


def check_data(data: str) -> None:
    """Stop with one sentence where the data is not here."""
    if data == "omniglot" and not list(Path(os.environ.get("SIAMBENCH_DATA", "/nowhere")).glob("**/images_background_small1.zip")):
        raise SystemExit("Omniglot is not here: set SIAMBENCH_DATA to a folder that holds images_background_small1.zip and its neighbours")


@functools.lru_cache(maxsize=256)
def _prepared(data: str, key: str, studies: int) -> Prepared:
    loss, miner, feed, backbone, rules, _ = json.loads(key)
    request = Request(
        track=str(TRACKS / f"{data}.toml"),
        losses=(loss,),
        miners=() if miner == "none" else (miner,),
        feed=feed,
        backbone=backbone,
        studies=studies,
        changes={name: tuple(value) if isinstance(value, list) else value for name, value in rules.items()},
    )
    return prepare(request, _catalogue())


def unit_of(setting: Setting, *, data: str, repetition: int) -> tuple[Unit, Prepared]:
    """The tune unit of fold 0 with the setting's parameters; repetitions are studies, whose seeds are their own."""
    prepared = _prepared(data, setting.key, repetition + 1)
    plan = next(plan for plan in prepared.studies if plan.study == repetition)
    strange = set(setting.params) - set(plan.defaults)
    if strange:
        raise ValueError(f"{setting.loss} has no parameter {', '.join(sorted(strange))}; it has {', '.join(sorted(plan.defaults))}")
    return plan.tune_unit(0, 0, {**plan.defaults, **setting.params}), prepared


def run(setting: Setting, *, data: str = "glyphs", repetition: int = 0) -> Record:
    """Train the unit in this process, on one thread."""
    check_data(data)
    unit, prepared = unit_of(setting, data=data, repetition=repetition)
    with _own_catalogue():
        return worker.execute(unit, Context(exam=prepared.exam, exact=True))


@contextlib.contextmanager
def _own_catalogue() -> Iterator[None]:
    """The worker finds what is of the laboratory beside what ships."""
    before, catalogue = worker._catalogue, _catalogue()
    worker._catalogue = lambda _: catalogue
    try:
        yield
    finally:
        worker._catalogue = before


def judged_again(
    setting: Setting,
    measures: Sequence[Mapping[str, Any]],
    validation: Sequence[float | None],
    *,
    ended: tuple[str, str | None],
    data: str,
    repetition: int,
) -> Diagnosis | None:
    """What today's rules say of a unit that was trained before: of its rows, its validations and how it ended.

    Args:
        setting: of the unit.
        measures: its rows, as documents.
        validation: the primary metric after each validation.
        ended: ``"ok"``, ``"raised"`` or ``"diverged"``, and why, if it did not end well.
        data: that it was trained on.
        repetition: its number.
    """
    unit, prepared = unit_of(setting, data=data, repetition=repetition)
    with _own_catalogue():
        ready = worker._ready(unit, Context(exam=prepared.exam, exact=True), Clock())
        ready.kept.rows.extend(from_json(Measures, json.dumps(row), where="measures") for row in measures)
        curve = tuple(SimpleNamespace(validation={unit.scoring.primary: value}) for value in validation)
        told = worker._judged(unit, ready, SimpleNamespace(ended=ended[0], error=ended[1], curve=curve))
    return None if "diagnosis" not in told else from_json(Diagnosis, json.dumps(told["diagnosis"]), where="diagnosis")


def validation_of(record: Record) -> list[float | None]:
    """The primary metric after each validation."""
    return [epoch.validation[record.unit.scoring.primary] for epoch in record.outcome.curve if epoch.validation is not None]


def score_of(record: Record) -> float:
    """The last validation's MAP@R, 0 where there is none: a unit that failed is worth no more than chance."""
    known = validation_of(record)
    return 0.0 if not known or known[-1] is None else float(known[-1])

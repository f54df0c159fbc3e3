"""The whole benchmark on one page: a request is resolved, planned, tuned, trained, evaluated, and put on a board."""

from __future__ import annotations

import dataclasses
import logging
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from siambench.board import files
from siambench.board.rows import Row, rows_of
from siambench.board.table import Setting, Table, build
from siambench.board.unit_figures import FiguresIn
from siambench.errors import PluginError, left_by
from siambench.interfaces import Lost
from siambench.records.exams import other_exams
from siambench.records.folder import Budget, Folder, folders_of
from siambench.records.openings import read_openings
from siambench.records.record import Record
from siambench.records.running import forget
from siambench.spec import Context, Unit
from siambench.tracks.files import home_of
from siambench.tracks.rules import Track

if TYPE_CHECKING:
    from siambench.interfaces import Engine
    from siambench.studies.request import Prepared
    from siambench.studies.search import Study

log = logging.getLogger("siambench")

_State = Literal["done", "cached", "failed", "lost"]


@dataclass(frozen=True)
class Event:
    """One thing that happened: ``unit`` ended as ``state`` (done, cached, failed, lost), ``reason`` where it did not go well."""

    unit: Unit
    state: _State
    reason: str | None
    record: Record | None


@dataclass
class Run:
    """What a run left.

    Args:
        prepared: what was asked.
        records: of its units.
        units: how many were ``planned``, ``done``, ``cached``, ``failed`` and ``lost``.
        unfinished: names of the methods whose study could not end.
        dropped_observers: why, by the name of each observer that raised; it is told of once.
        observer_seconds: what each observer took over all units.
        damaged: files that held no intact record of a unit, which was run again, and why.
        interrupted: whether the user stopped it.
        jobs: how many units ran at once, as far as is known.
        table: what came of it.
    """

    prepared: Prepared
    records: list[Record] = field(default_factory=list)
    units: dict[str, int] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    dropped_observers: dict[str, str] = field(default_factory=dict)
    observer_seconds: dict[str, float] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    interrupted: bool = False
    jobs: int = 1
    table: Table | None = None


def run(
    prepared: Prepared,
    *,
    out: Path,
    engine: Callable[[], Engine],
    notify: Callable[[Event], None] = lambda _: None,
) -> Run:
    """Run what is not cached, round by round of studies, and build the table.

    Args:
        prepared: what to run.
        out: the output folder.
        engine: makes the engine, when the first unit needs one.
        notify: told of every unit that ends.
    """
    from siambench.studies.search import Study

    folder = Folder.of(out, prepared.track, prepared.exam)
    outcome = Run(prepared, units={"planned": prepared.planned, "done": 0, "cached": 0, "failed": 0, "lost": 0})
    studies = {plan.key: Study(plan) for plan in prepared.studies}
    asked = _asked(prepared)
    with folder.held(prepared.track, asked), _Drain() as drain:
        try:
            _Coordinator(folder, prepared, studies, outcome, engine, notify, drain).run()
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            # A script that calls `siambench.run` would end with it, and as if all were well.
            raise PluginError(f"the run was ended by code that is not siambench's: {left_by(error)}") from error
    outcome.units["planned"] = len(prepared.baselines) + sum(study.planned for study in studies.values())
    outcome.unfinished = list(dict.fromkeys(s.plan.method.name for s in studies.values() if s.state not in ("done", "failed")))
    beside = [place for place in folders_of(out, prepared.track) if place.resolve() != folder.path.resolve()]
    others = other_exams(((one.exam, one.unit.method) for place in beside for one in Folder(place).read().records), prepared.exam)
    places = (*filter(None, [files.shipped_folder(prepared.track)]), folder)
    setting = Setting(prepared.exam, others, reference_of(folder, prepared.track), FiguresIn(places))
    outcome.table = build(prepared.track, _rows(outcome, folder), units=outcome.units, direction=prepared.direction, setting=setting)
    return outcome


def _asked(prepared: Prepared) -> dict[str, Budget]:
    """Row → what is asked of it."""
    studies = Counter(plan.row for plan in prepared.studies)
    asked = {plan.row: Budget(studies[plan.row], plan.trials, plan.repetitions) for plan in prepared.studies}
    baselines = {(unit.row, unit.study, unit.repetition) for unit in prepared.baselines}
    for row in {row for row, _, _ in baselines}:
        own = [(study, repetition) for name, study, repetition in baselines if name == row]
        asked[row] = Budget(1 + max(study for study, _ in own), 0, 1 + max(repetition for _, repetition in own))
    return asked


def reference_of(folder: Folder, track: Track) -> str:
    """By what commands know the table of a run: the name of a track of siambench's or a plugin's, else the folder of its records."""
    return track.name if home_of(track.name) is not None else str(folder.path)


def _rows(outcome: Run, folder: Folder) -> list[Row]:
    budgets = {study.row: study.trials for study in outcome.prepared.studies}
    fresh = rows_of(outcome.prepared.track, outcome.records, openings=read_openings(folder.openings), selected=budgets)
    return fresh + files.shipped_rows(outcome.prepared.track, outcome.prepared.exam)


class _Drain:
    """First Ctrl-C (or SIGTERM): no new units. Second: stop at once. Only the main thread can take signals."""

    def __init__(self) -> None:
        self.asked = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, *_: object) -> None:
        self.asked += 1


class _Coordinator:
    """Keeps the engine fed: cached units are answered at once, a study's next units follow from its records."""

    def __init__(
        self,
        folder: Folder,
        prepared: Prepared,
        studies: Mapping[tuple[str, int], Study],
        outcome: Run,
        make_engine: Callable[[], Engine],
        notify: Callable[[Event], None],
        drain: _Drain,
    ) -> None:
        self._folder = folder
        self._prepared = prepared
        self._studies = studies
        self._outcome = outcome
        self._make_engine = make_engine
        self._notify = notify
        self._drain = drain
        self._engine: Engine | None = None
        self._open: dict[str, Unit] = {}
        # Of one round after the other; a run that stops leaves those behind untouched.
        self._waiting = deque(studies.values())
        self._shipped = files.shipped_folder(prepared.track)

    def run(self) -> None:
        stopped = False
        try:
            self._enqueue(self._prepared.baselines)
            self._begin_more()
            while self._open and not stopped:
                stopped = self._step()
                self._begin_more()
        finally:
            if self._engine is not None:
                self._engine.close(now=stopped or bool(self._open))
        self._outcome.interrupted = bool(self._drain.asked)

    def _begin_more(self) -> None:
        """Begin studies: all of the first round, and later ones as soon as workers would be idle."""
        while self._waiting and not self._drain.asked and (not self._waiting[0].plan.study or len(self._open) < self._capacity()):
            self._enqueue(self._waiting.popleft().start())

    def _capacity(self) -> int:
        """How many units run at once, as far as the engine says."""
        return max(1, getattr(self._engine, "jobs", None) or 1)

    def _step(self) -> bool:
        assert self._engine is not None
        if self._drain.asked:
            for key in self._engine.cancel():
                self._open.pop(key, None)
            if self._drain.asked > 1:
                return True
        for finished in self._engine.wait(0.2):
            unit = self._open.pop(finished.key, None)
            if unit is None:
                continue  # dropped while it ended
            reason = finished.reason if isinstance(finished, Lost) else self._keep(unit, finished.value)
            if isinstance(finished, Lost) or reason is not None:
                forget(self._folder.running, unit.id)
                self._end(unit, None, "lost", reason)
            else:
                # What pictures are drawn from has its file by now: a run keeps its records in memory to the end.
                record = dataclasses.replace(finished.value, figures=None)
                self._end(unit, record, record.outcome.state, None)
        return False

    def _keep(self, unit: Unit, record: Record) -> str | None:
        try:
            self._folder.keep(unit, record)
        except OSError as error:
            return f"its record cannot be written: {error}"
        return None

    def _enqueue(self, units: Sequence[Unit]) -> None:
        waiting = deque(units)
        while waiting:
            unit = waiting.popleft()
            record = self._folder.cached(unit)
            damage = self._folder.damage(unit) if record is None else None
            if record is None and damage is None and unit.method.baseline is not None:
                record = self._from_shipped(unit)
            if damage is not None:
                self._outcome.damaged.append(damage)
                log.warning("made anew, for it holds no intact record: %s", damage)
            if record is not None:
                waiting.extend(self._take(unit, record, "cached", None))
            elif not self._drain.asked:
                self._open[unit.id] = unit
                self._submit(unit)

    def _from_shipped(self, unit: Unit) -> Record | None:
        """The record of a baseline that came with siambench: nothing of it depends on a method, so it need not be made again."""
        shipped = self._shipped
        record = None if shipped is None else shipped.cached(unit)
        if shipped is None or record is None:
            return None
        if self._keep(unit, dataclasses.replace(record, exam=self._prepared.exam, figures=shipped.figures_of(unit.id))) is not None:
            return None
        return self._folder.cached(unit)

    def _submit(self, unit: Unit) -> None:
        if self._engine is None:
            self._engine = self._make_engine()
            self._outcome.jobs = self._capacity()
            log.info("engine: %s", self._engine.describe())
        from siambench.studies.search import settings

        rules = self._prepared.track
        context = Context(
            records=str(self._folder.records.resolve()),
            openings=str(self._folder.openings.resolve()),
            running=str(self._folder.running.resolve()),
            local=self._prepared.local_of(unit),
            exam=self._prepared.exam,
            search=settings(rules.training.search, races=rules.training.racing and rules.split.folds > 1),
            observers=self._prepared.observers,
            distributions=self._prepared.distributions,
            observed=str(self._folder.observed.resolve()),
            figures=str(self._folder.figures.resolve()),
            models=str(self._folder.models.resolve()) if self._prepared.keep_models else None,
        )
        self._engine.submit(unit.id, unit, context)

    def _end(self, unit: Unit, record: Record | None, state: _State, reason: str | None) -> None:
        self._enqueue(self._take(unit, record, state, reason))

    def _take(self, unit: Unit, record: Record | None, state: _State, reason: str | None) -> list[Unit]:
        self._outcome.units[state] += 1
        if record is not None:
            self._outcome.records.append(record)
            reason = record.outcome.error
            if state != "cached":
                self._hear(unit, record)
        else:
            log.error("%s lost: %s", unit.label, reason)
        self._notify(Event(unit, state, reason, record))
        study = self._studies.get((unit.row, unit.study))
        return [] if study is None else study.finish(unit, record)

    def _hear(self, unit: Unit, record: Record) -> None:
        if record.traceback is not None:
            log.warning("%s failed\n%s", unit.label, record.traceback)
        for name, told in record.observers.items():
            seconds = self._outcome.observer_seconds
            seconds[name] = seconds.get(name, 0.0) + float(told["seconds"])
            if told["error"] is not None and name not in self._outcome.dropped_observers:
                self._outcome.dropped_observers[name] = f"{told['error']} (first in {unit.label})"
                log.warning("observer %s was dropped: %s", name, told["error"])


def cached_units(prepared: Prepared, out: Path, *, with_shipped: bool = False) -> int:
    """How many of the units that are known before anything runs have a record; what follows from results is not known yet.

    Args:
        prepared: what would run.
        out: the output folder.
        with_shipped: whether records of baselines that came with siambench, which a run takes over, count too.
    """
    from siambench.studies.search import Study

    folder, found = Folder.of(out, prepared.track, prepared.exam), 0
    shipped = files.shipped_folder(prepared.track) if with_shipped else None
    studies = {plan.key: Study(plan) for plan in prepared.studies}
    waiting = deque([*prepared.baselines, *(unit for study in studies.values() for unit in study.start())])
    while waiting:
        unit = waiting.popleft()
        record = folder.cached(unit)
        if record is None and shipped is not None and unit.method.baseline is not None:
            record = shipped.cached(unit)
        if record is not None:
            found += 1
            if (unit.row, unit.study) in studies:
                waiting.extend(studies[unit.row, unit.study].finish(unit, record))
    return found

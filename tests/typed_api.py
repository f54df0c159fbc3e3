"""A stranger's code on siambench's typed values; `test_typed_api` has mypy read it under --strict, and runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import siambench
from siambench.board.rows import Row, rows_of
from siambench.board.scores import Score
from siambench.board.table import Line, Table, build
from siambench.board.tuning import Trial, Tuning, tuning_of
from siambench.board.view import view
from siambench.interfaces import (
    Cell,
    ColumnView,
    Done,
    Epoch,
    EpochEnded,
    Failed,
    Measures,
    Observer,
    Outcome,
    TableView,
    UnitEnded,
    UnitStarted,
)
from siambench.plugin import DatasetEntry, Dimension, FormatEntry, LossEntry, ObserverEntry, hookimpl
from siambench.records.folder import Contents, Folder
from siambench.records.record import Record
from siambench.records.selection import best_epoch
from siambench.spaces import Float, Params, Space, Value
from siambench.spec import (
    Context,
    DataSpec,
    Drawn,
    Every,
    Exam,
    Listed,
    Method,
    ModelSpec,
    ScoringSpec,
    Source,
    SplitSpec,
    TrainingSpec,
    Unit,
)
from siambench.studies.plan import Resolved, StudyPlan, study_plans
from siambench.tracks.rules import Track


def planned(resolved: Resolved) -> tuple[Unit, Unit]:
    """The first unit of a study, and a final one."""
    study: StudyPlan = study_plans(resolved)[0]
    assert_type(study.space, Mapping[str, Dimension])
    assert_type(study.maximise, bool)
    parameters: Params = study.defaults
    return study.tune_unit(0, 0, parameters), study.final_unit(0, 3, parameters, 1)


def described(unit: Unit) -> str:
    """What was run, in words."""
    method, data, scoring = unit.method, unit.data, unit.scoring
    assert_type(method, Method)
    assert_type(data, DataSpec)
    assert_type(data.split, SplitSpec)
    assert_type(scoring, ScoringSpec)
    assert_type(unit.model, ModelSpec | None)
    assert_type(unit.training, TrainingSpec | None)
    assert_type(unit.components["loss"], Source)
    assert_type(unit.dimensions, Space)
    assert_type(unit.own("loss"), dict[str, Value])
    if isinstance(scoring.pairs, Listed):
        pairs = scoring.pairs.digest
    else:
        assert_type(scoring.pairs, Drawn | Every)
        pairs = scoring.pairs.kind
    steps = 0 if unit.training is None else unit.training.steps
    size = "none" if unit.model is None else str(unit.model.embedding_size)
    return f"{method.name} on {data.dataset} in {data.split.folds} folds, {steps} steps, size {size}, {pairs} pairs: {unit.id[:8]}"


def told(outcome: Outcome) -> str:
    """What a unit gave, in words."""
    if isinstance(outcome, Failed):
        return outcome.error
    assert_type(outcome, Done)
    assert_type(outcome.scores, Mapping[str, float | None])
    curve: tuple[Epoch, ...] = outcome.curve
    last = curve[-1].loss if curve else 0.0
    known = [value for value in outcome.scores.values() if value is not None]
    return f"{max(known, default=0.0):.3f} after {len(curve)} epochs, loss {last:.3f}"


def read(folder: Path, track: Track) -> Table:
    """The table of a folder."""
    contents: Contents = Folder(folder).read()
    records: list[Record] = contents.records
    rows: list[Row] = rows_of(track, records, openings=contents.openings)
    return build(track, rows, units={"planned": len(records)})


def roundtrip(record: Record) -> Record:
    """A record, written as text and read back."""
    from siambench.identity import canonical

    document: dict[str, Any] = record.to_json()
    again = Record.from_json(canonical(document))
    assert_type(again.unit, Unit)
    assert_type(again.exam, Exam)
    assert_type(again.outcome, Outcome)
    assert_type(again.seconds, float | None)
    return again


def tuned(records: list[Record], budget: int) -> tuple[float | None, dict[str, Value]]:
    """The best validation score of a row, and the parameters that gave it."""
    tuning: Tuning = tuning_of(records, budget=budget)
    chosen: Trial | None = tuning.selected
    if chosen is None:
        return None, {}
    assert_type(chosen.epoch, int | None)
    outcomes = [record.outcome for record in records if record.unit.trial == chosen.number]
    found = best_epoch(outcomes, tuning.primary, maximise=tuning.maximise, annealed=True)
    assert_type(found, tuple[int, float] | None)
    return chosen.value, dict(chosen.params)


def best(table: Table) -> tuple[str, float] | None:
    """The first row of a table, and its score."""
    line: Line | None = next(iter(table.lines), None)
    if line is None:
        return None
    score: Score = line.row.scores[table.track.metrics.primary]
    assert_type(line.rank, tuple[int, int] | None)
    return line.row.name, score.mean


def wiki(table: TableView) -> str:
    """A table for a wiki."""
    columns: tuple[ColumnView, ...] = table.shown_to("people")
    head = "^ " + " ^ ".join(column.title for column in columns) + " ^"
    lines = ["| " + " | ".join(column.texts[place] for column in columns) + " |" for place in range(len(table.rows))]
    cell: Cell = columns[0].values[0] if table.rows else None
    return "\n".join([head, *lines, f"first cell: {cell}"])


def shown(table: Table) -> str:
    """A leaderboard for a wiki."""
    return wiki(view(table))


class Counting:
    """Counts what it is told of."""

    def __init__(self, argument: str | None) -> None:
        self.name = argument or "all"
        self.epochs = 0

    def unit_started(self, event: UnitStarted) -> None:
        """The unit begins."""
        self.name = f"{self.name} {event.label}"

    def epoch_ended(self, event: EpochEnded) -> None:
        """An epoch has ended."""
        assert_type(event.figures.validation, Mapping[str, float | None] | None)
        assert_type(event.measures, Measures | None)
        self.epochs += 1

    def unit_ended(self, event: UnitEnded) -> Mapping[str, Any] | None:
        """The unit has ended."""
        return {"name": self.name, "epochs": self.epochs, "state": event.outcome.state}


def observed(context: Context) -> Observer:
    """The observer that a run is told of."""
    return Counting(context.observers[0].partition(":")[2])


@hookimpl
def siambench_observers() -> Mapping[str, ObserverEntry]:
    """Observers."""
    return {"counting": ObserverEntry(Counting, source="a stranger's")}


@hookimpl
def siambench_formats() -> Mapping[str, FormatEntry]:
    """Formats."""
    return {"wiki": FormatEntry(wiki, source="the tables of a wiki")}


@hookimpl
def siambench_losses() -> Mapping[str, LossEntry]:
    """Losses."""
    space: Space = {"margin": Float(0.0, 1.0)}
    return {
        "zero": LossEntry(lambda margin: margin, source="a stranger's", space=space, defaults={"margin": 0.1}, feeds=("classes", "views"))
    }


@hookimpl
def siambench_datasets() -> Mapping[str, DatasetEntry]:
    """Data sets."""
    return {"none": DatasetEntry(lambda: None, source="a stranger's", augment={"jitter": 0.1})}


def methods(track: str) -> list[str]:
    """The names of a leaderboard's rows."""
    return [str(name) for name in siambench.leaderboard(track)["method"]]

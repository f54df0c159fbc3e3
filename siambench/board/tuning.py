"""Records of a row → its tuning: what each trial tried, what it scored, and which one was selected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from siambench.records.record import Record
from siambench.records.selection import best_epoch, best_trial
from siambench.spaces import Params, Space, dimension_to_json
from siambench.spec import RANDOM_TRIALS, SCHEMA, Method

Kind = Literal["default", "random", "tpe"]


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters in a study, with a result on every fold.

    Args:
        number: from 0.
        kind: the declared default, drawn at random, or proposed by TPE.
        params: all parameters, searched or not.
        folds: fold → epoch → validation score of the primary metric; a fold that failed has no epochs.
        error: why it failed; None where it has a value.
        epoch: of its best mean over folds, from 1; None where it failed.
        value: that mean; None where it failed.
        best: the best value of this trial and all before it; None where all failed.
    """

    number: int
    kind: Kind
    params: Params
    folds: tuple[tuple[float | None, ...], ...]
    error: str | None
    epoch: int | None
    value: float | None
    best: float | None

    @property
    def state(self) -> str:
        """``"done"`` or ``"failed"``."""
        return "failed" if self.value is None else "done"


@dataclass(frozen=True)
class Tuning:
    """The tuning of one method on one track.

    Args:
        method: what was tuned.
        row: its key.
        track: name of the track.
        version: of the track.
        primary: the metric that tuning watches.
        maximise: whether more of it is better.
        space: what was searched, by flat names.
        edited: parameters that were fixed by hand.
        budget: how many trials a full study has.
        trials: those with a record of every fold, from 0 on without a gap.
        counted: how many of them the row counts; fewer than all where a budget was being extended.
        selected: the best of those counted; None where each of them failed.
        pending: trials after these, which lack a fold or come after a gap.
    """

    method: Method
    row: str
    track: str
    version: str
    primary: str
    maximise: bool
    space: Space
    edited: tuple[str, ...]
    budget: int
    trials: tuple[Trial, ...]
    counted: int
    selected: Trial | None
    pending: int

    @property
    def default(self) -> float | None:
        """The value of trial 0, the declared default; None where it failed or was not run."""
        return self.trials[0].value if self.trials else None

    @property
    def failed(self) -> int:
        """How many of the counted trials raised or diverged."""
        return sum(trial.value is None for trial in self.trials[: self.counted])

    @property
    def flags(self) -> tuple[str, ...]:
        """What marks the study, sorted."""
        flags = ["edited-space"] if self.edited else []
        if self.counted < self.budget:
            flags.append("short-budget")
        if self.counted > self.budget:
            flags.append("long-budget")
        if self.failed:
            flags.append(f"failed-trials:{self.failed}")
        if self.selected is not None:
            params = self.selected.params
            flags += [f"on-bound:{name}" for name, dimension in self.space.items() if name in params and dimension.on_bound(params[name])]
        return tuple(sorted(flags))

    def best_after(self, trials: int) -> float | None:
        """The best value of so many trials; None where that many are not counted, or each of them failed."""
        return self.trials[trials - 1].best if 1 <= trials <= self.counted else None


def tuning_of(records: Sequence[Record], *, budget: int, limit: int | None = None) -> Tuning:
    """The tuning of one row.

    Args:
        records: at least one, all of the same row, in any order; its final models among them say which trials count
            where an interrupted extension of the budget has left more than these were selected from.
        budget: trials of a full study on the track.
        limit: how many trials to count at most, where a run had a smaller budget than the records hold.
    """
    unit = records[0].unit
    maximise = unit.scoring.maximise
    complete, pending = _complete(records)
    trials: list[Trial] = []
    for number, folds in enumerate(complete):
        trials.append(_trial(number, folds, [trial.value for trial in trials]))
    finals = {(r.unit.trial, r.unit.stop_epoch) for r in records if r.unit.kind == "final"}
    counted, selected = _select(trials, limit or len(trials), finals, maximise=maximise)
    return Tuning(
        method=unit.method,
        row=unit.row,
        track=unit.track,
        version=unit.track_version,
        primary=unit.scoring.primary,
        maximise=maximise,
        space=unit.dimensions,
        edited=unit.edited,
        # With nothing to search every trial would be the same, so one is all there is to run.
        budget=budget if unit.space else 1,
        trials=tuple(trials),
        counted=counted,
        selected=selected,
        pending=pending,
    )


def _complete(records: Sequence[Record]) -> tuple[list[list[Record]], int]:
    """The trials from 0 on that have every fold, each with its records by fold; and how many more there are."""
    trials: dict[int, dict[int, Record]] = {}
    for record in records:
        unit = record.unit
        if unit.kind == "tune" and unit.trial is not None and unit.fold is not None:
            trials.setdefault(unit.trial, {})[unit.fold] = record
    complete: list[list[Record]] = []
    while folds := trials.get(len(complete)):
        if len(folds) < next(iter(folds.values())).unit.data.split.folds:
            break
        complete.append([folds[fold] for fold in sorted(folds)])
    return complete, len(trials) - len(complete)


def _trial(number: int, folds: Sequence[Record], before: Sequence[float | None]) -> Trial:
    scoring = folds[0].unit.scoring
    training = folds[0].unit.training
    annealed = training is not None and training.is_annealed
    found = best_epoch([record.outcome for record in folds], scoring.primary, maximise=scoring.maximise, annealed=annealed)
    epoch, value = found if found is not None else (None, None)
    values = [*before, value]
    leader = best_trial(values, maximise=scoring.maximise)
    random_trials = folds[0].search.get("random_trials", RANDOM_TRIALS)
    errors = [record.outcome.error for record in folds if record.outcome.error is not None]
    return Trial(
        number=number,
        kind="default" if number == 0 else ("random" if number <= random_trials else "tpe"),
        params=folds[0].unit.params,
        folds=tuple(tuple((epoch.validation or {}).get(scoring.primary) for epoch in record.outcome.curve) for record in folds),
        error=None if found is not None else (errors[0] if errors else f"a fold has no score of {scoring.primary}"),
        epoch=epoch,
        value=value,
        best=None if leader is None else values[leader],
    )


def _select(
    trials: Sequence[Trial], limit: int, finals: Collection[tuple[int | None, int | None]], *, maximise: bool
) -> tuple[int, Trial | None]:
    """How many trials count, and the one they select: the largest number whose selection has final models, else all."""
    most = min(limit, len(trials))
    fallback: tuple[int, Trial | None] = (most, None)
    for count in range(most, 0, -1):
        place = best_trial([trial.value for trial in trials[:count]], maximise=maximise)
        if place is None:
            continue
        leader = trials[place]
        if (leader.number, leader.epoch) in finals:
            return count, leader
        if fallback[1] is None:
            fallback = (count, leader)
    return fallback


def to_json(tuning: Tuning, *, rows: int = 1) -> dict[str, Any]:
    """The document of ``show study --json``; documented in leaderboards/README.md.

    Args:
        tuning: what to show.
        rows: how many rows bear its name in the records.
    """
    chosen = tuning.selected
    return {
        "schema": SCHEMA,
        "track": {"name": tuning.track, "version": tuning.version},
        "method": tuning.method.name,
        "row": tuning.row,
        "rows": rows,
        "primary": tuning.primary,
        "direction": "max" if tuning.maximise else "min",
        "budget": tuning.budget,
        "space": {name: dimension_to_json(dimension) for name, dimension in tuning.space.items()},
        "trials": [
            {
                "trial": trial.number,
                "kind": trial.kind,
                "counted": trial.number < tuning.counted,
                "state": trial.state,
                "error": trial.error,
                "params": dict(trial.params),
                "folds": [list(fold) for fold in trial.folds],
                "epoch": trial.epoch,
                "value": trial.value,
                "best": trial.best,
            }
            for trial in tuning.trials
        ],
        "pending": tuning.pending,
        "failed": tuning.failed,
        "default": tuning.default,
        "selected": None if chosen is None else {"trial": chosen.number, "epoch": chosen.epoch, "value": chosen.value},
        "flags": list(tuning.flags),
    }

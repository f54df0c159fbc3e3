"""Records of a study → its ledger: what each trial tried, what it scored, and which one was selected. The ledger *is* the records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from siambench.records.record import Record, best_epoch
from siambench.spec import SCHEMA, Method, Params, dimension_from_json

Kind = Literal["default", "random", "tpe"]

_RANDOM_TRIALS = 4
"""Random trials after the default one, where a record does not say with what its study was searched."""


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
class Ledger:
    """The tuning of one method on one track.

    Args:
        method: what was tuned.
        study: its key.
        track: name of the track.
        version: of the track.
        primary: the metric that tuning watches.
        maximise: whether more of it is better.
        space: what was searched, by flat names, in the form that records hold.
        edited: parameters that were fixed by hand.
        budget: how many trials a full study has.
        trials: those with a record of every fold, from 0 on without a gap.
        counted: how many of them the row counts; fewer than all where a budget was being extended.
        selected: the best of those counted; None where each of them failed.
        pending: trials after these, which lack a fold or come after a gap.
    """

    method: Method
    study: str
    track: str
    version: str
    primary: str
    maximise: bool
    space: Mapping[str, Mapping[str, Any]]
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
            flags += [
                f"on-bound:{name}"
                for name, dimension in self.space.items()
                if name in params and dimension_from_json(dimension).on_bound(params[name])
            ]
        return tuple(sorted(flags))

    def best_after(self, trials: int) -> float | None:
        """The best value of so many trials; None where that many are not counted, or each of them failed."""
        return self.trials[trials - 1].best if 1 <= trials <= self.counted else None


def ledger_of(records: Sequence[Record], *, budget: int, limit: int | None = None) -> Ledger:
    """The ledger of one study.

    Args:
        records: at least one, all of the same study, in any order; its final models among them say which trials count
            where an interrupted extension of the budget has left more than these were selected from.
        budget: trials of a full study on the track.
        limit: how many trials to count at most, where a run had a smaller budget than the records hold.
    """
    unit = records[0]["result"]["unit"]
    primary, maximise = unit["primary"], bool(unit["training"]["maximise"])
    complete, pending = _complete(records)
    trials: list[Trial] = []
    leaders: list[Trial | None] = []
    for number, folds in enumerate(complete):
        leader = leaders[-1] if leaders else None
        trial = _trial(number, folds, primary, None if leader is None else leader.value, maximise=maximise)
        better = trial.value is not None and (leader is None or trial.best != leader.value)
        trials.append(trial)
        leaders.append(trial if better else leader)
    finals = {_chosen(r) for r in records if r["result"]["unit"]["kind"] == "final"}
    counted, selected = _select(leaders, limit or len(trials), finals)
    return Ledger(
        method=Method(**unit["method"]),
        study=unit["study"],
        track=unit["track"],
        version=unit["track_version"],
        primary=primary,
        maximise=maximise,
        space=unit["space"],
        edited=tuple(unit["edited"]),
        # With nothing to search every trial would be the same, so one is all there is to run.
        budget=budget if unit["space"] else 1,
        trials=tuple(trials),
        counted=counted,
        selected=selected,
        pending=pending,
    )


def _chosen(record: Record) -> tuple[int | None, int | None]:
    unit = record["result"]["unit"]
    return unit["trial"], unit["stop_epoch"]


def _complete(records: Sequence[Record]) -> tuple[list[list[Record]], int]:
    """The trials from 0 on that have every fold, each with its records by fold; and how many more there are."""
    trials: dict[int, dict[int, Record]] = {}
    for record in records:
        unit = record["result"]["unit"]
        if unit["kind"] == "tune":
            trials.setdefault(unit["trial"], {})[unit["fold"]] = record
    complete: list[list[Record]] = []
    while folds := trials.get(len(complete)):
        if len(folds) < next(iter(folds.values()))["result"]["unit"]["data"]["split"]["folds"]:
            break
        complete.append([folds[fold] for fold in sorted(folds)])
    return complete, len(trials) - len(complete)


def _trial(number: int, folds: Sequence[Record], primary: str, before: float | None, *, maximise: bool) -> Trial:
    found = best_epoch(folds, primary, maximise=maximise)
    epoch, value = found if found is not None else (None, None)
    known = [v for v in (before, value) if v is not None]
    searched = folds[0].get("telemetry", {}).get("search") or {}
    random_trials = searched.get("random_trials", _RANDOM_TRIALS)
    errors = [r["result"]["error"] for r in folds if r["result"]["state"] == "failed"]
    return Trial(
        number=number,
        kind="default" if number == 0 else ("random" if number <= random_trials else "tpe"),
        params=folds[0]["result"]["unit"]["params"],
        folds=tuple(tuple(epoch["validation"][primary] for epoch in _curve(r)) for r in folds),
        error=None if found is not None else (errors[0] if errors else f"a fold has no score of {primary}"),
        epoch=epoch,
        value=value,
        best=(max(known) if maximise else min(known)) if known else None,
    )


def _curve(record: Record) -> Sequence[Mapping[str, Any]]:
    curve: Sequence[Mapping[str, Any]] = record["result"]["curve"] if record["result"]["state"] == "done" else []
    return curve


def _select(leaders: Sequence[Trial | None], limit: int, finals: Collection[tuple[int | None, int | None]]) -> tuple[int, Trial | None]:
    """How many trials count, and the one they select: the largest number whose selection has final models, else all."""
    most = min(limit, len(leaders))
    fallback: tuple[int, Trial | None] = (most, None)
    for count in range(most, 0, -1):
        leader = leaders[count - 1]
        if leader is None:
            continue
        if (leader.number, leader.epoch) in finals:
            return count, leader
        if fallback[1] is None:
            fallback = (count, leader)
    return fallback


def to_json(ledger: Ledger, *, studies: int = 1) -> dict[str, Any]:
    """The document of ``show study --json``; documented in leaderboards/README.md.

    Args:
        ledger: what to show.
        studies: how many studies the row's name has in the records.
    """
    chosen = ledger.selected
    return {
        "schema": SCHEMA,
        "track": {"name": ledger.track, "version": ledger.version},
        "method": ledger.method.name,
        "study": ledger.study,
        "studies": studies,
        "primary": ledger.primary,
        "direction": "max" if ledger.maximise else "min",
        "budget": ledger.budget,
        "space": {name: dict(dimension) for name, dimension in ledger.space.items()},
        "trials": [
            {
                "trial": trial.number,
                "kind": trial.kind,
                "counted": trial.number < ledger.counted,
                "state": trial.state,
                "error": trial.error,
                "params": dict(trial.params),
                "folds": [list(fold) for fold in trial.folds],
                "epoch": trial.epoch,
                "value": trial.value,
                "best": trial.best,
            }
            for trial in ledger.trials
        ],
        "pending": ledger.pending,
        "failed": ledger.failed,
        "default": ledger.default,
        "selected": None if chosen is None else {"trial": chosen.number, "epoch": chosen.epoch, "value": chosen.value},
        "flags": list(ledger.flags),
    }

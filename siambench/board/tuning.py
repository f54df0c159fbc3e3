"""Records of a row → its tuning, study by study: what each trial tried, what it scored, and which one was selected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from siambench.board import importances
from siambench.board.verdicts import Counts, counts_of
from siambench.identity import to_json as to_document
from siambench.interfaces import Diagnosis, Finding, Outcome
from siambench.records.record import Record
from siambench.records.selection import BATCH, RANDOM_TRIALS, best_epoch, best_trial, is_annealed, survivors
from siambench.spaces import Params, Space, dimension_text, dimension_to_json, told
from siambench.spec import SCHEMA, Method, Unit
from siambench.verdicts import StudyFacts, judged_study, named_first

Kind = Literal["default", "quasi-random", "random", "tpe"]


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters in a study, with a result on every fold, or on the first one alone where it lost its race.

    Args:
        number: from 0.
        kind: the declared default, drawn at random, or proposed by TPE.
        params: all parameters, searched or not.
        folds: fold → epoch → validation score of the primary metric; a fold that failed has no epochs.
        error: why it failed; None where it has a value, or lost its race.
        epoch: that its value is of, from 1; None where it has none.
        value: mean over folds; None where it failed or lost its race.
        best: the best value of this trial and all before it; None where none has one.
        first: its score on fold 0; None where that failed.
        state: ``"pruned"``: it lost its race, so that its other folds were not run, or do not count.
        diagnosis: what is said of it: of its folds the verdict that comes first, and all findings; None where nothing is.
        units: ids of its units, fold by fold.
        started: when its first unit began, in seconds since the epoch; 0 where no record tells.
        seconds: that its units took in all; None where none tells.
    """

    number: int
    kind: Kind
    params: Params
    folds: tuple[tuple[float | None, ...], ...]
    error: str | None
    epoch: int | None
    value: float | None
    best: float | None
    first: float | None
    state: Literal["done", "failed", "pruned"]
    diagnosis: Diagnosis | None = None
    units: tuple[str, ...] = ()
    started: float = field(default=0.0, compare=False)
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Tuning:
    """One study of a row: an independent tuning of one method on one track.

    Args:
        method: what was tuned.
        row: its key.
        study: its number.
        track: name of the track.
        version: of the track.
        primary: the metric that tuning watches.
        maximise: whether more of it is better.
        space: what was searched, by flat names.
        space_name: what it is called; ``""``: the space of the components themselves.
        edited: parameters that were fixed by hand, or searched in a part of their space.
        budget: how many trials a full study has.
        trials: those that have ended, from 0 on without a gap.
        counted: how many of them the row counts; fewer than all where a budget was being extended.
        selected: the best of those counted; None where each of them failed.
        pending: trials after these, which lack a fold, stand in a race that is not over, or come after a gap.
        finals: ids of the final units of the selected trial.
    """

    method: Method
    row: str
    study: int
    track: str
    version: str
    primary: str
    maximise: bool
    space: Space
    space_name: str
    edited: tuple[str, ...]
    budget: int
    trials: tuple[Trial, ...]
    counted: int
    selected: Trial | None
    pending: int
    finals: tuple[str, ...] = ()

    @property
    def edits(self) -> tuple[str, ...]:
        """What was edited, in words: what it was fixed at, or the part of its space that was searched."""
        params = self.trials[0].params if self.trials else {}
        searched = {name: f"{name} searched in {dimension_text(self.space[name])}" for name in self.edited if name in self.space}
        fixed = {name: f"{name} fixed at {told(params[name])}" for name in self.edited if name in params}
        return tuple(searched.get(name) or fixed.get(name) or name for name in self.edited)

    @property
    def default(self) -> float | None:
        """The value of trial 0, the declared default; None where it failed or was not run."""
        return self.trials[0].value if self.trials else None

    @property
    def failed(self) -> int:
        """How many of the counted trials raised or diverged."""
        return self._in_state("failed")

    @property
    def pruned(self) -> int:
        """How many of the counted trials lost their race."""
        return self._in_state("pruned")

    @property
    def flags(self) -> tuple[str, ...]:
        """What marks the study, sorted."""
        flags = ["edited-space"] if self.edited else []
        if self.space_name:
            flags.append(f"space:{self.space_name}")
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

    @property
    def verdicts(self) -> Counts:
        """How many of the counted trials have which verdict."""
        return counts_of(trial.diagnosis for trial in self.trials[: self.counted])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is said of the study itself."""
        if self.selected is None:
            return ()
        return judged_study(StudyFacts(space=self.space, params=self.selected.params, searched=self.selected.kind != "default"))

    def best_after(self, trials: int) -> float | None:
        """The best value of so many trials; None where that many are not counted, or none of them has one."""
        return self.trials[trials - 1].best if 1 <= trials <= self.counted else None

    def _in_state(self, state: str) -> int:
        return sum(trial.state == state for trial in self.trials[: self.counted])


def tunings_of(records: Sequence[Record], *, budget: int, limit: int | None = None) -> tuple[Tuning, ...]:
    """The studies of one row that have any record, by their numbers; see `tuning_of`."""
    studies: dict[int, list[Record]] = {}
    for record in records:
        studies.setdefault(record.unit.study, []).append(record)
    return tuple(tuning_of(members, budget=budget, limit=limit) for _, members in sorted(studies.items()))


def tuning_of(records: Sequence[Record], *, budget: int, limit: int | None = None) -> Tuning:
    """The tuning of one study.

    Args:
        records: at least one, all of the same row and study, in any order; its final models among them say which trials count
            where an interrupted extension of the budget has left more than these were selected from.
        budget: trials of a full study on the track.
        limit: how many trials to count at most, where a run had a smaller budget than the records hold.
    """
    unit = records[0].unit
    study = _Study(records)
    finals = sorted((r for r in records if r.unit.kind == "final"), key=lambda r: (r.unit.repetition, r.id))
    made_of = {(r.unit.trial, r.unit.stop_epoch) for r in finals}
    counted, selected = _select(study, min(limit or study.ended, study.ended), made_of)
    chosen = None if selected is None else (selected.number, selected.epoch)
    return Tuning(
        method=unit.method,
        row=unit.row,
        study=unit.study,
        track=unit.track,
        version=unit.track_version,
        primary=unit.scoring.primary,
        maximise=unit.scoring.maximise,
        space=unit.dimensions,
        space_name=unit.space_name,
        edited=unit.edited,
        # With nothing to search every trial would be the same, so one is all there is to run.
        budget=budget if unit.space else 1,
        trials=study.trials(counted),
        counted=counted,
        selected=selected,
        pending=study.begun - study.ended,
        finals=tuple(r.id for r in finals if (r.unit.trial, r.unit.stop_epoch) == chosen),
    )


class _Study:
    """The tune units of one study by trial and fold, and what its trials come to if only so many of them count.

    Where folds race, how many count says which trials the last batch consisted of, and so which of them lost.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._folds: dict[int, dict[int, Record]] = {}
        for record in records:
            unit = record.unit
            if unit.kind == "tune" and unit.trial is not None and unit.fold is not None:
                self._folds.setdefault(unit.trial, {})[unit.fold] = record
        self._unit: Unit = records[0].unit
        self._is_racing = bool(records[0].exam.training.get("racing", False))
        self.maximise = self._unit.scoring.maximise
        self._means: dict[int, tuple[int, float] | None] = {}
        self.begun = len(self._folds)
        self.ended = self._settled()
        self._pruned = self._losers(0, self.ended)

    def _settled(self) -> int:
        """How many trials from 0 on have ended, without a gap: with every fold, or in a race that they lost."""
        number = 0
        while number in self._folds:
            batch = [number]
            while self._is_racing and batch[-1] + 1 in self._folds and (batch[-1] + 1) % BATCH:
                batch.append(batch[-1] + 1)
            if not all(0 in self._folds[trial] for trial in batch):
                break
            losers = self._losers(number, batch[-1] + 1)
            if not all(trial in losers or self._has_ended(trial) for trial in batch):
                break
            number = batch[-1] + 1
        return number

    def _has_ended(self, trial: int) -> bool:
        folds = self._folds[trial]
        # Where folds race, what failed on the first one runs no other.
        return self._has_every_fold(trial) or (self._is_racing and self._score([folds[0].outcome]) is None)

    def _has_every_fold(self, trial: int) -> bool:
        return len(self._folds[trial]) == self._unit.data.split.folds

    def _losers(self, start: int, end: int) -> set[int]:
        """Of the trials from the beginning of a batch up to an end, those that lost their race; what failed on fold 0 has failed."""
        lost: set[int] = set()
        if not self._is_racing:
            return lost
        for first in range(start, end, BATCH):
            batch = range(first, min(first + BATCH, end))
            values = [self._score([self._folds[trial][0].outcome]) for trial in batch]
            known = [None if value is None else value[1] for value in values]
            kept = {first + place for place in survivors(known, first=first, maximise=self.maximise)}
            lost |= {trial for trial, value in zip(batch, known, strict=True) if value is not None and trial not in kept}
        return lost

    def _score(self, folds: Sequence[Outcome]) -> tuple[int, float] | None:
        training = self._unit.training
        annealed = training is not None and is_annealed(training.schedule, self._unit.params)
        return best_epoch(folds, self._unit.scoring.primary, maximise=self.maximise, annealed=annealed)

    def values(self, count: int) -> list[tuple[int, float] | None]:
        """Epoch and value of the first so many trials, as if these were all."""
        whole = count - count % BATCH
        lost = {trial for trial in self._pruned if trial < whole} | self._losers(whole, count)
        return [None if trial in lost else self._mean(trial) for trial in range(count)]

    def _mean(self, trial: int) -> tuple[int, float] | None:
        if trial not in self._means:
            self._means[trial] = self._score(self._outcomes(trial)) if self._has_every_fold(trial) else None
        return self._means[trial]

    def trials(self, counted: int) -> tuple[Trial, ...]:
        """All that have ended: the counted ones as these were selected from, those behind them as they would be."""
        found = [*self.values(counted), *self.values(self.ended)[counted:]]
        lost = {trial for trial in self._pruned if trial < counted - counted % BATCH or trial >= counted}
        lost |= self._losers(counted - counted % BATCH, counted)
        trials: list[Trial] = []
        for number, one in enumerate(found):
            values = [*(trial.value for trial in trials), None if one is None else one[1]]
            trials.append(self._trial(number, one, values, pruned=number in lost))
        return tuple(trials)

    def _outcomes(self, trial: int) -> list[Outcome]:
        return [record.outcome for _, record in sorted(self._folds[trial].items())]

    def _trial(self, number: int, found: tuple[int, float] | None, values: Sequence[float | None], *, pruned: bool) -> Trial:
        folds, primary = self._folds[number], self._unit.scoring.primary
        outcomes = self._outcomes(number)
        records = [record for _, record in sorted(folds.items())]
        took = [record.seconds for record in records if record.seconds is not None]
        leader, first = best_trial(values, maximise=self.maximise), self._score([folds[0].outcome])
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        error = errors[0] if errors else f"a fold has no score of {primary}"
        return Trial(
            number=number,
            kind=_kind(number, folds[0].search),
            params=folds[0].unit.params,
            folds=tuple(tuple((epoch.validation or {}).get(primary) for epoch in outcome.curve) for outcome in outcomes),
            error=error if found is None and not pruned else None,
            epoch=None if found is None else found[0],
            value=None if found is None else found[1],
            best=None if leader is None else values[leader],
            first=None if first is None else first[1],
            state="pruned" if pruned else ("failed" if found is None else "done"),
            diagnosis=named_first([one for record in records if (one := record.diagnosis) is not None]),
            units=tuple(record.id for record in records),
            started=min(record.started for record in records),
            seconds=sum(took) if took else None,
        )


def _select(study: _Study, most: int, finals: Collection[tuple[int | None, int | None]]) -> tuple[int, Trial | None]:
    """How many trials count, and the one they select: the largest number whose selection has final models, else all."""
    chosen: tuple[int, int] | None = None
    for count in range(most, 0, -1):
        found = study.values(count)
        place = best_trial([None if one is None else one[1] for one in found], maximise=study.maximise)
        one = None if place is None else found[place]
        if place is None or one is None:
            continue
        if (place, one[0]) in finals:
            chosen = count, place
            break
        chosen = chosen or (count, place)
        if not finals:
            break
    return (most, None) if chosen is None else (chosen[0], study.trials(chosen[0])[chosen[1]])


def _kind(number: int, search: Mapping[str, Any]) -> Kind:
    """How a trial was proposed, as its record tells it; older ones, which name no sampler, by TPE after some random ones."""
    if number == 0:
        return "default"
    if search.get("sampler") == "quasi-random":
        return "quasi-random"
    return "random" if number <= search.get("random_trials", RANDOM_TRIALS) else "tpe"


def to_json(tunings: Sequence[Tuning], *, rows: int = 1) -> dict[str, Any]:
    """The document of ``show study --json``; documented in leaderboards/README.md.

    Args:
        tunings: studies of one row, at least one.
        rows: how many rows bear its name in the records.
    """
    one = tunings[0]
    return {
        "schema": SCHEMA,
        "track": {"name": one.track, "version": one.version},
        "method": one.method.name,
        "row": one.row,
        "rows": rows,
        "primary": one.primary,
        "direction": "max" if one.maximise else "min",
        "budget": one.budget,
        "space": {name: dimension_to_json(dimension) for name, dimension in one.space.items()},
        "space_name": one.space_name,
        "edited": list(one.edited),
        "importances": importances.to_json(importances.importances_of(tunings)),
        "studies": [_study_json(tuning) for tuning in tunings],
    }


def _study_json(tuning: Tuning) -> Mapping[str, Any]:
    chosen = tuning.selected
    return {
        "study": tuning.study,
        "trials": [
            {
                "trial": trial.number,
                "kind": trial.kind,
                "counted": trial.number < tuning.counted,
                "state": trial.state,
                "error": trial.error,
                "params": dict(trial.params),
                "units": list(trial.units),
                "folds": [list(fold) for fold in trial.folds],
                "epoch": trial.epoch,
                "value": trial.value,
                "first_fold": trial.first,
                "best": trial.best,
                "diagnosis": None if trial.diagnosis is None else to_document(trial.diagnosis),
            }
            for trial in tuning.trials
        ],
        "pending": tuning.pending,
        "failed": tuning.failed,
        "pruned": tuning.pruned,
        "default": tuning.default,
        "selected": None if chosen is None else {"trial": chosen.number, "epoch": chosen.epoch, "value": chosen.value},
        "flags": list(tuning.flags),
        "verdicts": dict(tuning.verdicts),
        "findings": [to_document(finding) for finding in tuning.findings],
    }

"""Tuning of one study. The only module that knows Optuna.

Trials are asked for in batches of a fixed size, run anywhere in any order, and told in trial order; what proposes them is seeded by the
names of track, method, study and trial before each ask. So a study gives the same trials on any number of workers, and the records on
disk replay it after a crash. Where trials race, all of a batch run fold 0, and the best of them the other folds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from siambench.errors import UsageError, said
from siambench.identity import seed_of
from siambench.records.record import Record
from siambench.records.selection import BATCH, RANDOM_TRIALS, best_epoch, best_trial, most_survivors, survivors
from siambench.spaces import Choice, Dimension, Float, Params
from siambench.spec import Unit
from siambench.studies.quasi_random import quasi_random
from siambench.tracks.training_rules import Search

if TYPE_CHECKING:
    from siambench.board.tuning import Trial, Tuning
    from siambench.studies.plan import StudyPlan

TPE_ARGUMENTS: Mapping[str, Any] = {
    "n_startup_trials": 1,
    "n_ei_candidates": 24,
    "multivariate": True,
    "group": False,
    "constant_liar": True,
}
"""Every argument of Optuna's sampler that a release might change its default of, but for those it has deprecated."""

GP_ARGUMENTS: Mapping[str, Any] = {"n_startup_trials": 1, "deterministic_objective": False}
"""The same of that with a Gaussian process, whose acquisition is the logarithm of the expected improvement."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Selection:
    """The trial that tuning chose.

    Args:
        trial: its number.
        epoch: the epoch of its best fold-mean, from 1.
        value: that fold-mean of the primary metric.
        params: its parameters.
    """

    trial: int
    epoch: int
    value: float
    params: Params


@dataclass
class _Trial:
    number: int
    params: Params
    handle: optuna.trial.Trial
    records: dict[int, Record] = field(default_factory=dict)


def settings(sampler: Search = "quasi-random", *, races: bool = True) -> dict[str, Any]:
    """What the search was done with, for the record.

    Args:
        sampler: what proposes trials.
        races: whether they race.
    """
    found: dict[str, Any] = {"optuna": optuna.__version__, "batch": batch_of(sampler, races=races), "sampler": sampler}
    if sampler == "quasi-random":
        return found
    arguments = TPE_ARGUMENTS if sampler == "tpe" else GP_ARGUMENTS
    return {**found, "random_trials": RANDOM_TRIALS, sampler: dict(arguments)}


def batch_of(sampler: Search, *, races: bool) -> int:
    """How many trials are asked for together: with a Gaussian process one after the other, each knowing all before it, unless they race."""
    return 1 if sampler == "gp" and not races else BATCH


class Study:
    """The coordinator's view of one study: which units may run now, and what their records lead to.

    Args:
        plan: the study.
        sampler: what proposes its trials; None: what the track says.
    """

    def __init__(self, plan: StudyPlan, *, sampler: Search | None = None) -> None:
        self.plan = plan
        self.state = "waiting"
        self.selection: Selection | None = None
        self._study = optuna.create_study(direction="maximize" if plan.maximise else "minimize")
        self._sampler = sampler or plan.search
        self._together = batch_of(self._sampler, races=plan.races)
        self._batch: list[_Trial] = []
        self._open: set[str] = set()
        self._is_any_lost = False
        self._racing = False
        self._told = 0
        self._values: list[tuple[float, int, int, Params]] = []
        self._final: dict[str, bool] = {}
        self._spared = 0

    @property
    def planned(self) -> int:
        """How many units it comes to, at the most: those that a race has spared so far are left out."""
        finals = 0 if self.state == "failed" else self.plan.repetitions
        return self.plan.tune_units - self._spared + finals

    def start(self) -> list[Unit]:
        """The first units."""
        self.state = "tuning"
        return self._ask()

    def finish(self, unit: Unit, record: Record | None) -> list[Unit]:
        """Take a unit's record, or None for a lost unit.

        Returns:
            The units that may run now and could not before.
        """
        if unit.kind == "final":
            self._final[unit.id] = record is not None
            if len(self._final) == self.plan.repetitions:
                self.state = "done" if all(self._final.values()) else "paused"
            return []
        self._open.discard(unit.id)
        if record is None:
            self._is_any_lost = True
        else:
            next(t for t in self._batch if t.number == unit.trial).records[unit.fold or 0] = record
        if self._open:
            return []
        if self._is_any_lost:
            # What the environment took is neither a result nor a failure: nothing is told, the next run goes on from here.
            self.state = "paused"
            return []
        if self._racing:
            self._racing = False
            remaining = self._remaining()
            if remaining:
                return self._waited_for(remaining)
        for trial in self._batch:
            self._tell(trial)
        return self._ask() if self._told < self.plan.trials else self._choose()

    def _waited_for(self, units: list[Unit]) -> list[Unit]:
        self._open = {unit.id for unit in units}
        return units

    def _ask(self) -> list[Unit]:
        numbers = range(self._told, min(self._told + self._together, self.plan.trials))
        self._batch = [self._ask_one(number) for number in numbers]
        self._racing = self.plan.races
        folds = 1 if self._racing else self.plan.folds
        return self._waited_for([self.plan.tune_unit(t.number, fold, t.params) for t in self._batch for fold in range(folds)])

    def _remaining(self) -> list[Unit]:
        """The other folds of the trials that won the race of fold 0."""
        plan = self.plan
        winners = survivors([self._first_value(trial) for trial in self._batch], first=self._told, maximise=plan.maximise)
        self._spared += (most_survivors(len(self._batch), first=self._told) - len(winners)) * (plan.folds - 1)
        running = [self._batch[place] for place in winners]
        return [plan.tune_unit(trial.number, fold, trial.params) for trial in running for fold in range(1, plan.folds)]

    def _first_value(self, trial: _Trial) -> float | None:
        found = self._best([trial.records[0]])
        return None if found is None else found[1]

    def _best(self, folds: Sequence[Record]) -> tuple[int, float] | None:
        outcomes = [record.outcome for record in folds]
        return best_epoch(outcomes, self.plan.template.scoring.primary, maximise=self.plan.maximise, annealed=self.plan.is_annealed)

    def _ask_one(self, number: int) -> _Trial:
        space = {name: _distribution(dimension) for name, dimension in sorted(self.plan.space.items())}
        if number == 0 and space:
            self._study.enqueue_trial({name: self.plan.defaults[name] for name in space})
        elif self._sampler == "quasi-random" and space:
            self._study.enqueue_trial(quasi_random(self.plan.space, number, seed=self._seed("quasi-random")))
        with warnings.catch_warnings():
            # Multivariate TPE is marked experimental, and naming some arguments deprecated; every one of them is passed and recorded.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            seed = self._seed(number) % 2**32
            if self._sampler == "quasi-random" or number <= RANDOM_TRIALS:
                self._study.sampler = optuna.samplers.RandomSampler(seed=seed)
            elif self._sampler == "tpe":
                self._study.sampler = optuna.samplers.TPESampler(seed=seed, **TPE_ARGUMENTS)
            else:
                self._study.sampler = optuna.samplers.GPSampler(seed=seed, **GP_ARGUMENTS)
            handle = self._study.ask(space)
        return _Trial(number, {**self.plan.defaults, **handle.params}, handle)

    def _seed(self, what: str | int) -> int:
        # Names alone, not versions: whoever repeats a study, from a wheel or a checkout, is given the same trials.
        unit = self.plan.template
        return seed_of("search", unit.track, unit.data.fingerprint, self.plan.method.name, self.plan.study, what)

    def _tell(self, trial: _Trial) -> None:
        self._told += 1
        found = self._best([trial.records[fold] for fold in sorted(trial.records)])
        if found is None:
            self._study.tell(trial.handle, state=TrialState.FAIL)
            return
        epoch, value = found
        if len(trial.records) < self.plan.folds:
            # It lost the race: Optuna is told what it came to, and that it went no further.
            trial.handle.report(value, step=0)
            self._study.tell(trial.handle, state=TrialState.PRUNED)
            return
        self._study.tell(trial.handle, value)
        self._values.append((value, trial.number, epoch, trial.params))

    def _choose(self) -> list[Unit]:
        if not self._values:
            self.state = "failed"
            return []
        place = best_trial([value for value, *_ in self._values], maximise=self.plan.maximise)
        assert place is not None
        value, number, epoch, params = self._values[place]
        self.selection = Selection(number, epoch, value, params)
        self.state = "final"
        return [self.plan.final_unit(number, epoch, params, repetition) for repetition in range(self.plan.repetitions)]


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(list(dimension.options))
    if isinstance(dimension, Float):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log)


# ---- studies for Optuna's own tools

SQLITE = "sqlite:///"
"""How the storage that `export` writes to begins; behind it stands the path of a file."""

_HEAD = b"SQLite format 3\0"
_STATES = {"done": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}


def exported_name(tuning: Tuning) -> str:
    """What a study is called in a storage: ``glyphs-2.0/triplet/1a2b3c4d/study-0``."""
    return f"{tuning.track}-{tuning.version}/{tuning.method.name}/{tuning.row[:8]}/study-{tuning.study}"


def export(tunings: Sequence[Tuning], storage: str) -> list[str]:
    """Write studies into an Optuna storage, each under a name of its own, all or none.

    A trial has its state (one that lost its race is pruned), its parameters with the distributions that were searched, and as intermediate
    values the mean over its folds after each epoch that was validated; its value is that which tuning compared, of a pruned one that on
    fold 0. What else is known of it (kind, epoch, fold scores, ids of its units, seconds, error, verdict) stands in its user attributes.

    Args:
        tunings: studies of one row.
        storage: ``sqlite:///FILE``; studies of other names that are in the file stay.

    Returns:
        The names of the studies.

    Raises:
        UsageError: if that is no such storage, it cannot be written, or has a study of one of the names.
    """
    file = _file_of(storage)
    is_new, named = not file.exists(), {exported_name(tuning): tuning for tuning in tunings}
    try:
        opened = optuna.storages.RDBStorage(storage)
        try:
            _write(opened, named, file)
        finally:
            opened.remove_session()
            opened.engine.dispose()
    except Exception as error:
        if is_new:
            file.unlink(missing_ok=True)
        if isinstance(error, UsageError):
            raise
        # Optuna lets through what its database raises, of whatever library.
        raise UsageError(f"{file} cannot be written as an Optuna storage: {said(error)}") from error
    return list(named)


def _write(storage: optuna.storages.RDBStorage, named: Mapping[str, Tuning], file: Path) -> None:
    taken = next((study.study_name for study in storage.get_all_studies() if study.study_name in named), None)
    if taken is not None:
        raise UsageError(f"{file} has a study {taken} already: give another file, or delete that study (optuna delete-study)")
    made = []
    try:
        for name, tuning in named.items():
            study = optuna.create_study(storage=storage, study_name=name, direction="maximize" if tuning.maximise else "minimize")
            made.append(name)
            _fill(study, tuning)
    except BaseException:
        for name in made:
            optuna.delete_study(study_name=name, storage=storage)
        raise


def _file_of(storage: str) -> Path:
    """The file of a storage, where it is one that can be.

    Raises:
        UsageError: if it is not.
    """
    path = storage.removeprefix(SQLITE)
    if path == storage or not path or path.startswith(":") or "?" in path:
        raise UsageError(f"a storage of studies is {SQLITE}FILE, such as {SQLITE}studies.db, got {storage[:100]!r}")
    file = Path(path)
    if (file.exists() and not file.is_file()) or not file.parent.is_dir():
        reason = f"there is no folder {file.parent}" if not file.parent.is_dir() else "it is no file"
        raise UsageError(f"{file} cannot be written: {reason}")
    if file.exists() and file.stat().st_size:
        with file.open("rb") as there:
            if there.read(len(_HEAD)) != _HEAD:
                raise UsageError(f"{file} is there and no SQLite file: give another name")
    return file


def _fill(study: optuna.Study, tuning: Tuning) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([tuning.primary])
    chosen = tuning.selected
    told = {
        "track": tuning.track,
        "track_version": tuning.version,
        "method": tuning.method.name,
        "row": tuning.row,
        "study": tuning.study,
        "space_name": tuning.space_name,
        "edited": list(tuning.edited),
        "budget": tuning.budget,
        "counted": tuning.counted,
        "selected": None if chosen is None else {"trial": chosen.number, "epoch": chosen.epoch, "value": chosen.value},
        "final_units": list(tuning.finals),
    }
    for name, value in told.items():
        study.set_user_attr(name, value)
    distributions = {name: _distribution(dimension) for name, dimension in sorted(tuning.space.items())}
    for trial in tuning.trials:
        study.add_trial(_exported(trial, distributions, counted=trial.number < tuning.counted))


def _exported(trial: Trial, distributions: Mapping[str, BaseDistribution], *, counted: bool) -> optuna.trial.FrozenTrial:
    began = datetime.fromtimestamp(trial.started)  # noqa: DTZ006  Optuna's times are local and say no zone
    searched = {name: trial.params[name] for name in distributions if name in trial.params}
    judged = trial.diagnosis
    told = {
        "kind": trial.kind,
        "counted": counted,
        "epoch": trial.epoch,
        "folds": [list(fold) for fold in trial.folds],
        "units": list(trial.units),
        "seconds": trial.seconds,
        "fixed": {name: value for name, value in trial.params.items() if name not in searched},
        "error": trial.error,
        "verdict": None if judged is None else judged.verdict,
        "findings": [] if judged is None else [finding.name for finding in judged.findings],
    }
    return optuna.trial.FrozenTrial(
        number=trial.number,
        trial_id=-1,
        state=_STATES[trial.state],
        value=trial.first if trial.state == "pruned" else trial.value,
        datetime_start=began,
        datetime_complete=began + timedelta(seconds=trial.seconds or 0.0),
        params=searched,
        distributions={name: distributions[name] for name in searched},
        user_attrs=told,
        system_attrs={},
        intermediate_values=_curve(trial),
    )


def _curve(trial: Trial) -> dict[int, float]:
    """Epoch → mean over the folds that ran, where each of them has a score; of a trial that lost its race of fold 0 alone."""
    folds = trial.folds[:1] if trial.state == "pruned" else trial.folds
    by_epoch = enumerate(zip(*folds, strict=False), start=1)
    return {
        epoch: math.fsum(known) / len(known)
        for epoch, values in by_epoch
        if len(known := [v for v in values if v is not None]) == len(folds)
    }

"""Tuning of one study. The only module that knows Optuna.

Trials are asked for in batches of a fixed size, run anywhere in any order, and told in trial order; the sampler is made
anew, seeded by the names of track, method and trial, before each ask. So a study gives the same trials on any number of
workers, and the records on disk replay it after a crash.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from siambench.identity import seed_of
from siambench.records.record import Record
from siambench.records.selection import best_epoch, best_trial
from siambench.spaces import Choice, Dimension, Float, Params
from siambench.spec import RANDOM_TRIALS, Unit

if TYPE_CHECKING:
    from siambench.studies.plan import StudyPlan

BATCH = 4
"""Trials asked for at once, whatever the number of workers."""

TPE_ARGUMENTS: Mapping[str, Any] = {
    "n_startup_trials": 1,
    "n_ei_candidates": 24,
    "multivariate": True,
    "group": False,
    "constant_liar": True,
}
"""Every argument of the sampler that a release of Optuna might change its default of, but for those it has deprecated."""

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
    ended: int = 0
    lost: bool = False


def settings() -> dict[str, Any]:
    """What the search was done with, for the record."""
    return {
        "optuna": optuna.__version__,
        "batch": BATCH,
        "random_trials": RANDOM_TRIALS,
        "tpe": dict(TPE_ARGUMENTS),
    }


class Study:
    """The coordinator's view of one study: which units may run now, and what their records lead to.

    Args:
        plan: the study.
    """

    def __init__(self, plan: StudyPlan) -> None:
        self.plan = plan
        self.state = "tuning"
        self.selection: Selection | None = None
        self._study = optuna.create_study(direction="maximize" if plan.maximise else "minimize")
        self._batch: list[_Trial] = []
        self._told = 0
        self._values: list[tuple[float, int, int, Params]] = []
        self._final: dict[str, bool] = {}

    def start(self) -> list[Unit]:
        """The first units."""
        return self._ask()

    def finish(self, unit: Unit, record: Record | None) -> list[Unit]:
        """Take a unit's record, or None for a lost unit.

        Returns:
            The units that may run now and could not before.
        """
        if unit.kind == "final":
            self._final[unit.id] = record is not None
            if len(self._final) == self.plan.seeds:
                self.state = "done" if all(self._final.values()) else "paused"
            return []
        trial = next(t for t in self._batch if t.number == unit.trial)
        trial.ended += 1
        if record is None:
            trial.lost = True
        else:
            trial.records[unit.fold or 0] = record
        if any(t.ended < self.plan.folds for t in self._batch):
            return []
        if any(t.lost for t in self._batch):
            # What the environment took is neither a result nor a failure: nothing is told, the next run goes on from here.
            self.state = "paused"
            return []
        for done in self._batch:
            self._tell(done)
        if self._told < self.plan.trials:
            return self._ask()
        return self._choose()

    def _ask(self) -> list[Unit]:
        numbers = range(self._told, min(self._told + BATCH, self.plan.trials))
        self._batch = [self._ask_one(number) for number in numbers]
        return [self.plan.tune_unit(t.number, fold, t.params) for t in self._batch for fold in range(self.plan.folds)]

    def _ask_one(self, number: int) -> _Trial:
        space = {name: _distribution(dimension) for name, dimension in sorted(self.plan.space.items())}
        if number == 0 and space:
            self._study.enqueue_trial({name: self.plan.defaults[name] for name in space})
        # Names alone, not versions: whoever repeats a study, from a wheel or a checkout, is given the same trials.
        unit = self.plan.template
        seed = seed_of("search", unit.track, unit.data.fingerprint, self.plan.method.name, number) % 2**32
        with warnings.catch_warnings():
            # Multivariate TPE is marked experimental, and naming some arguments deprecated; every one of them is passed and recorded.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            if number <= RANDOM_TRIALS:
                self._study.sampler = optuna.samplers.RandomSampler(seed=seed)
            else:
                self._study.sampler = optuna.samplers.TPESampler(seed=seed, **TPE_ARGUMENTS)
            handle = self._study.ask(space)
        return _Trial(number, {**self.plan.defaults, **handle.params}, handle)

    def _tell(self, trial: _Trial) -> None:
        self._told += 1
        folds = [trial.records[fold].outcome for fold in range(self.plan.folds)]
        unit = self.plan.template
        annealed = unit.training is not None and unit.training.is_annealed
        found = best_epoch(folds, unit.scoring.primary, maximise=self.plan.maximise, annealed=annealed)
        if found is None:
            self._study.tell(trial.handle, state=TrialState.FAIL)
            return
        epoch, value = found
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
        return [self.plan.final_unit(number, epoch, params, repetition) for repetition in range(self.plan.seeds)]


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(list(dimension.options))
    if isinstance(dimension, Float):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log)

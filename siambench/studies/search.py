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
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from scipy.stats import qmc

from siambench.identity import seed_of
from siambench.records.record import Record
from siambench.records.selection import BATCH, RANDOM_TRIALS, best_epoch, best_trial, most_survivors, survivors
from siambench.spaces import Choice, Dimension, Float, Int, Params, Value
from siambench.spec import Unit
from siambench.tracks.training_rules import Search

if TYPE_CHECKING:
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


def quasi_random(space: Mapping[str, Dimension], number: int, *, seed: int) -> dict[str, Value]:
    """The point of a trial in a scrambled Sobol sequence: it fills the space evenly, and does not depend on other trials' results.

    A `Choice` has no order that a sequence could fill evenly: its option is drawn by a hash.

    Args:
        space: what is searched, at least one dimension.
        number: of the trial, from 1: trial 0 is the default.
        seed: of the sequence, the same for all trials of a study.

    Source:
        Sobol, On the distribution of points in a cube and the approximate evaluation of integrals, USSR Computational Mathematics and
        Mathematical Physics 1967; scrambled after Owen, Journal of Complexity 1998.
    """
    ordered = [(name, dimension) for name, dimension in sorted(space.items()) if not isinstance(dimension, Choice)]
    found: dict[str, Value] = {}
    if ordered:
        # A power of two of points, as the sequence is made for.
        points = qmc.Sobol(len(ordered), scramble=True, rng=np.random.default_rng(seed)).random_base2(max(1, number.bit_length()))
        found |= {name: _at(dimension, float(share)) for (name, dimension), share in zip(ordered, points[number - 1], strict=True)}
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            found[name] = dimension.options[seed_of(seed, name, number) % len(dimension.options)]
    return found


def _at(dimension: Float | Int, share: float) -> Value:
    """The value of a dimension at a share of its range, in [0, 1)."""
    low, high = float(dimension.low), float(dimension.high)
    if isinstance(dimension, Int):
        # Every whole number has the same share of the range, or of its logarithm.
        low, high = low - 0.5, high + 0.5
    value = math.exp(math.log(low) + share * (math.log(high) - math.log(low))) if dimension.log else low + share * (high - low)
    if isinstance(dimension, Int):
        return min(dimension.high, max(dimension.low, round(value)))
    return min(dimension.high, max(dimension.low, value))


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(list(dimension.options))
    if isinstance(dimension, Float):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log)

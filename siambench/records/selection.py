"""Which trials run every fold, which one is selected, and at which epoch: one place for the search, the tables and the progress."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from siambench.interfaces import Epoch, Outcome
from siambench.spec import ANNEALING

BATCH: Final = 4
"""How many trials of a study are asked for, run and judged together: trials 0 to 3, 4 to 7, …"""

RANDOM_TRIALS: Final = 4
"""Where TPE proposes trials: random ones after the default, before it begins."""

_KEPT = 2
"""Of a batch, how many run every fold, the default beside them."""


def survivors(values: Sequence[float | None], *, first: int, maximise: bool) -> list[int]:
    """The trials of one batch that run the other folds, where folds race: the best two by fold 0, and always the default.

    Args:
        values: of fold 0, in order of the trials' numbers; None where it failed.
        first: number of the first trial of the batch; where it is 0, that trial is the default, which stays unless it failed.
        maximise: whether a larger value is better.

    Returns:
        Places in the batch, from 0, rising; of equal values the earlier ones. A batch of one or two loses none but those that failed.
    """
    known = [(-value if maximise else value, place) for place, value in enumerate(values) if value is not None]
    best = {place for _, place in sorted(known)[:_KEPT]}
    default = {0} if first == 0 and values and values[0] is not None else set()
    return sorted(best | default)


def most_tune_units(trials: int, folds: int, *, racing: bool) -> int:
    """How many tune units so many trials come to, at the most.

    Args:
        trials: of one study.
        folds: of the split.
        racing: whether trials race on fold 0.
    """
    if not racing or folds == 1:
        return trials * folds
    sizes = {first: min(BATCH, trials - first) for first in range(0, trials, BATCH)}
    return sum(size + most_survivors(size, first=first) * (folds - 1) for first, size in sizes.items())


def most_survivors(size: int, *, first: int) -> int:
    """How many trials of a batch run every fold at the most: the default is of the first batch, and runs them beside the best.

    Args:
        size: of the batch.
        first: number of its first trial.
    """
    return min(size, _KEPT + (first == 0))


ANNEALS = "schedule.anneals"
"""The parameter by which units say that a schedule which is a plugin's runs out with the last epoch."""


def is_annealed(schedule: str, params: Mapping[str, object]) -> bool:
    """Whether the learning rate runs out with the last epoch, which is then the one that counts.

    Args:
        schedule: its name.
        params: of the unit.
    """
    return schedule in ANNEALING or params.get(ANNEALS) is True


def best_epoch(folds: Sequence[Outcome], primary: str, *, maximise: bool, annealed: bool) -> tuple[int, float] | None:
    """The epoch (from 1) that counts, and its mean over folds; None if a fold has no score.

    Under an annealing schedule that is the last epoch, whatever the curve; under others the validated epoch of the best mean, the
    earliest of equals. Folds that stopped early count up to the shortest of them.

    Args:
        folds: outcomes of a trial's tune units, one per fold.
        primary: the metric that tuning watches.
        maximise: whether more of it is better.
        annealed: whether the learning rate runs out with the last epoch (`is_annealed`).
    """
    # What failed has no score, however far it came.
    curves = [fold.curve if fold.state == "done" else () for fold in folds]
    last = min((len(curve) for curve in curves), default=0)
    scores = [_scores(curve[last - 1 : last] if annealed else curve, primary) for curve in curves]
    common = sorted(set.intersection(*map(set, scores))) if scores else []
    if not common:
        return None
    means = [math.fsum(known[epoch] for known in scores) / len(scores) for epoch in common]
    best = max(means) if maximise else min(means)
    return common[means.index(best)], best


def _scores(curve: Sequence[Epoch], primary: str) -> dict[int, float]:
    """Validated epochs and their scores; none where one was validated without a score."""
    told = {epoch.epoch: epoch.validation.get(primary) for epoch in curve if epoch.validation is not None}
    known = {epoch: value for epoch, value in told.items() if value is not None}
    return known if len(known) == len(told) else {}


def best_trial(values: Sequence[float | None], *, maximise: bool) -> int | None:
    """The place of the best value, the earliest of equals; None where there is none.

    Args:
        values: of the trials in order of their numbers; None where a trial failed or lost its race.
        maximise: whether a larger one is better.
    """
    known = [(value if maximise else -value, -place) for place, value in enumerate(values) if value is not None]
    return -max(known)[1] if known else None

"""Studies of a row → which of its parameters moved the validation score, as far as so few trials can tell.

A study has six to twelve trials, which is too few for a functional analysis of variance or a forest: these find importances in noise. So
the question is a smaller one, and asked of all studies of a row together: does the order of a study's trials follow this parameter alone,
by a curve that may rise, fall or turn once, more closely than chance would have it? See `siambench.stats.moved`.

Only trials that were drawn without a look at others' results count, which the default and what TPE or a Gaussian process proposes are not:
they stand where earlier trials were good, for whatever reason that was. A trial that failed counts as the worst of its study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from siambench.spaces import Choice, Dimension, Float, Int, Value, told
from siambench.stats import ALPHA, moved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.board.tuning import Trial, Tuning

DRAWN = ("quasi-random", "random")
"""The kinds of trials that count."""

_THIRDS = ("low", "middle", "high")
_GRID = 97


@dataclass(frozen=True)
class Importance:
    """What one parameter comes to.

    Args:
        parameter: its flat name.
        share: of the variance of the trials' ranks within their studies that it explains alone, less what it would by chance; at most 1,
            and around 0 where it does not matter.
        p: of the permutation test that it does not matter, Holm-corrected over the parameters of the row.
        best: where its fitted curve is best: in the ``low``, ``middle`` or ``high`` third of its searched scale, or an option of a choice;
            None where the test cannot tell.
    """

    parameter: str
    share: float
    p: float
    best: str | None

    @property
    def is_told(self) -> bool:
        """Whether the parameter is proven to have moved the score, at a family-wise error of 5 %."""
        return self.best is not None


@dataclass(frozen=True)
class Importances:
    """Which parameters moved the validation score of a row.

    Args:
        trials: how many were drawn, of all studies.
        studies: how many have at least two of them.
        folds: whether trials are compared by the mean over all folds, or by the first, where folds raced.
        parameters: those that are told first, by their share; then the others, by name.
    """

    trials: int
    studies: int
    folds: Literal["all", "first"]
    parameters: tuple[Importance, ...]


def importances_of(tunings: Sequence[Tuning]) -> Importances | None:
    """Which parameters moved the validation score of a row.

    Args:
        tunings: studies of one row.

    Returns:
        None where nothing was searched, or no study has two drawn trials.
    """
    drawn = ([trial for trial in tuning.trials[: tuning.counted] if trial.kind in DRAWN] for tuning in tunings)
    # Trials are compared within their study: one alone tells nothing.
    groups = [trials for trials in drawn if len(trials) > 1]
    if not groups or not tunings[0].space:
        return None
    space, sign = tunings[0].space, 1.0 if tunings[0].maximise else -1.0
    raced = any(trial.state == "pruned" for trials in groups for trial in trials)
    values = [_ranked([_value(trial, raced=raced) for trial in trials], sign) for trials in groups]
    names = sorted(space)
    columns = [[_columns(space[name], [trial.params[name] for trial in trials]) for trials in groups] for name in names]
    found = [
        Importance(name, one.share, one.p, _best(space[name], one.fit) if one.p <= ALPHA else None)
        for name, one in zip(names, moved(values, columns), strict=True)
    ]
    order = sorted(found, key=lambda one: (not one.is_told, -one.share if one.is_told else 0.0, one.parameter))
    return Importances(sum(map(len, groups)), len(groups), "first" if raced else "all", tuple(order))


def _value(trial: Trial, *, raced: bool) -> float | None:
    if trial.state == "failed":
        return None
    return trial.first if raced else trial.value


def _ranked(values: Sequence[float | None], sign: float) -> NDArray[np.float64]:
    """Values of which more is better, what failed below all others."""
    known = [sign * value for value in values if value is not None]
    worst = min(known, default=0.0) - 1.0
    return np.asarray([worst if value is None else sign * value for value in values])


def _columns(dimension: Dimension, values: Sequence[Value]) -> NDArray[np.float64]:
    """What a curve over a dimension is fitted by: its place and the square of that; of a choice whether it is which option."""
    if isinstance(dimension, Choice):
        return np.asarray([[float(_is(value, option)) for option in dimension.options] for value in values])
    places = np.asarray([_place(dimension, value) for value in values])
    return np.stack([places, places**2], axis=1)


def _is(value: Value, option: Value) -> bool:
    return type(value) is type(option) and value == option


def _place(dimension: Float | Int, value: Value) -> float:
    """Where a value lies on the searched scale, in [-1, 1]."""
    low, high, at = (log(float(one)) if dimension.log else float(one) for one in (dimension.low, dimension.high, value))
    return 2 * (at - low) / (high - low) - 1


def _best(dimension: Dimension, fit: Sequence[float]) -> str:
    if isinstance(dimension, Choice):
        return told(max(zip(fit, dimension.options, strict=True), key=lambda pair: pair[0])[1])
    grid = np.linspace(-1, 1, _GRID)
    # The first of equal heights, but for what rounding does to them.
    heights = np.round(fit[0] * grid + fit[1] * grid**2, 12)
    return _THIRDS[min(2, int(3 * int(np.argmax(heights)) / _GRID))]


def importances_text(found: Importances) -> tuple[str, str]:
    """What is told and what is not, in words: ``optimiser.lr .61 (p = .0005, best in its high third)``, and names."""
    told_ones = [
        f"{one.parameter} {one.share:.2f} (p {_probability(one.p)}, best {_where(one)})" for one in found.parameters if one.is_told
    ]
    return ", ".join(told_ones), ", ".join(one.parameter for one in found.parameters if not one.is_told)


def _where(one: Importance) -> str:
    return f"in its {one.best} third" if one.best in _THIRDS else f"at {one.best}"


def _probability(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"


def to_json(found: Importances | None) -> Mapping[str, Any] | None:
    """The key ``importances`` of ``show study --json``; documented in docs/tuning.md."""
    if found is None:
        return None
    each = [{"parameter": one.parameter, "share": one.share, "p": one.p, "told": one.is_told, "best": one.best} for one in found.parameters]
    return {"trials": found.trials, "studies": found.studies, "folds": found.folds, "parameters": each}

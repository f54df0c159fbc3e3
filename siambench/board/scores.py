"""Final models of a row → its scores: over studies or repetitions, over test classes, over groups of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from siambench.identity import seed_of
from siambench.interfaces import Done, Failed
from siambench.spec import APPROXIMATE, Method, metric_of
from siambench.stats import class_bootstrap, group_interval, jackknife, t_interval
from siambench.tracks.rules import Track

DRAWS = 2_000
"""Resamples of the bootstrap over test classes: enough for its third decimal, and cheap with a thousand classes and twenty rows."""

Over = Literal["studies", "repetitions"]
"""What an interval is over: independent tunings, or the final models of one."""


@dataclass(frozen=True)
class Model:
    """A final model, or what stands for one that failed.

    Args:
        study: its number.
        repetition: its number in the study.
        outcome: what it gave; of one that failed what the untrained network gave, or where there is none its failure.
        error: why it failed; None where it did not.
    """

    study: int
    repetition: int
    outcome: Done | Failed
    error: str | None


@dataclass(frozen=True)
class Grouped:
    """A score over groups of test classes, each counting once however many classes it has.

    Args:
        mean: over the groups: not the mean over queries, which the row is ordered by.
        half_width: of the t-interval over groups.
        n: how many groups, at least 3.
        over: what the groups are: an attribute of the classes, such as ``script``.
    """

    mean: float
    half_width: float
    n: int
    over: str


@dataclass(frozen=True)
class LeftOut:
    """The primary metric over all test classes, and with each of them left out: means over a row's final models.

    Args:
        score: over all classes.
        scores: with each class left out, in their order; two at least.
    """

    score: float
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """A metric of a row.

    Args:
        mean: over its studies, each the mean of its final models; of one study over these.
        ci95: half-width of the t-interval over studies, of one study over its repetitions; None at n = 1.
        n: number of studies, of one study of its repetitions.
        classes95: ends of the interval over test classes: of the bootstrap, or of a metric without a score per query of the
            jackknife; only of the primary metric, and None where the records do not allow it.
        over: what ``ci95`` and ``n`` are over.
        groups95: over groups of test classes; only of the primary metric, and None where classes come in fewer than three.
        left_out: with each test class left out; only of the primary metric, where the records hold that.
        by_jackknife: whether ``classes95`` is the jackknife's.
        approximate: whether it is an estimate, as its records say.
    """

    mean: float
    ci95: float | None
    n: int
    classes95: tuple[float, float] | None = None
    over: Over = "repetitions"
    groups95: Grouped | None = None
    left_out: LeftOut | None = None
    by_jackknife: bool = False
    approximate: bool = False


def by_study(models: Sequence[Model]) -> dict[str, dict[int, dict[int, float]]]:
    """Metric → study → repetition → score; what has no value is missing."""
    found: dict[str, dict[int, dict[int, float]]] = {}
    for model in models:
        for metric, value in model.outcome.scores.items():
            if value is not None:
                found.setdefault(metric, {}).setdefault(model.study, {})[model.repetition] = value
    return found


def mean_of(values: Mapping[int, float]) -> float:
    """The mean of values by number, as exactly as t-intervals give it."""
    return t_interval(list(values.values())).mean


def scores_of(track: Track, method: Method, models: Sequence[Model]) -> dict[str, Score]:
    """The scores of a row by metric."""
    primary = track.metrics.primary
    classes95, groups95 = _bootstrap(track, method, models), groups_of(track, models)
    without = _left_out(track, models)
    by_jackknife = classes95 is None and (classes95 := _jackknife(without)) is not None
    estimates = {name for model in models for name in str(model.outcome.notes.get(APPROXIMATE, "")).split(", ")}
    found = {}
    for metric, studies in by_study(models).items():
        several = len(studies) > 1
        values = [mean_of(values) for values in studies.values()] if several else list(next(iter(studies.values())).values())
        mean, half_width = t_interval(values)
        over: Over = "studies" if several else "repetitions"
        found[metric] = Score(mean, half_width, len(values), over=over, approximate=metric_of(metric) in estimates)
        if metric == primary:
            found[metric] = replace(found[metric], classes95=classes95, groups95=groups95, left_out=without, by_jackknife=by_jackknife)
    return found


@dataclass(frozen=True)
class _Classes:
    """Test classes with a score: their places, their scores (means over the final models), and how many queries they have."""

    places: tuple[int, ...]
    means: tuple[float, ...]
    queries: tuple[int, ...]


def _classes(track: Track, models: Sequence[Model]) -> _Classes | None:
    metric = track.metrics.primary
    outcomes = [model.outcome for model in models if model.outcome.scores.get(metric) is not None]
    per_class = [outcome.per_class.get(metric, ()) for outcome in outcomes]
    queries = next((outcome.class_queries for outcome in outcomes), None) or ()
    if any(outcome.class_queries != queries for outcome in outcomes) or any(len(scores) != len(queries) for scores in per_class):
        return None
    # A class in which no query has a positive has no score, and nothing to weigh.
    known = []
    for place, (*values, count) in enumerate(zip(*per_class, queries, strict=True)):
        scores = [value for value in values if value is not None]
        if count and len(scores) == len(values):
            known.append((place, math.fsum(scores) / len(scores), count))
    if not known:
        return None
    places, means, counts = zip(*known, strict=True)
    return _Classes(places, means, counts)


def _bootstrap(track: Track, method: Method, models: Sequence[Model]) -> tuple[float, float] | None:
    """Ends of the interval over test classes of a metric with a score per query: each with its mean over the final models."""
    known = _classes(track, models)
    if known is None or len(known.means) < 2:
        return None
    seed = seed_of("classes", track.name, track.version, method.name)
    found = class_bootstrap(known.means, known.queries, seed=seed, draws=DRAWS)
    return found.low, found.high


def _left_out(track: Track, models: Sequence[Model]) -> LeftOut | None:
    """From what the records of a metric without a score per query hold; None where one of them does not hold it."""
    metric = track.metrics.primary
    values, found = [], []
    for model in models:
        value = model.outcome.scores.get(metric)
        if value is not None and isinstance(model.outcome, Done):
            values.append(value)
            found.append(model.outcome.jackknife.get(metric, ()))
    if not found or len({len(scores) for scores in found}) > 1 or len(found[0]) < 2:
        return None
    columns = [[one for one in column if one is not None] for column in zip(*found, strict=True)]
    if any(len(column) < len(found) for column in columns):
        return None
    return LeftOut(math.fsum(values) / len(values), tuple(math.fsum(column) / len(column) for column in columns))


def _jackknife(found: LeftOut | None) -> tuple[float, float] | None:
    """Ends of the interval over test classes of a metric without a score per query."""
    if found is None:
        return None
    mean, half_width = jackknife(found.score, found.scores)
    return None if half_width is None else (mean - half_width, mean + half_width)


def groups_of(track: Track, models: Sequence[Model]) -> Grouped | None:
    """The primary metric over groups of test classes: each group's mean over its queries, and the t-interval over groups.

    Which attribute of the classes makes them is the track's ``[metrics] over``, else what its folds follow.
    """
    over = grouping(track)
    known = _classes(track, models)
    named = next((model.outcome.class_attributes for model in models if isinstance(model.outcome, Done)), {}).get(over or "", ())
    if over is None or known is None or not named or max(known.places) >= len(named):
        return None
    groups: dict[str, list[tuple[float, int]]] = {}
    for place, mean, count in zip(known.places, known.means, known.queries, strict=True):
        groups.setdefault(named[place], []).append((mean, count))
    means = [math.fsum(mean * count for mean, count in one) / sum(count for _, count in one) for _, one in sorted(groups.items())]
    found = group_interval(means)
    return None if found is None or found.half_width is None else Grouped(found.mean, found.half_width, len(means), over)


def grouping(track: Track) -> str | None:
    """The attribute of classes that intervals over groups follow."""
    over: str | None = getattr(track.metrics, "over", None)
    return over or track.split.group

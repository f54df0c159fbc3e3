"""What of a row's records its pictures are drawn from, beside what its table holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from siambench.board.scores import grouping
from siambench.interfaces import Done
from siambench.records.record import Record
from siambench.tracks.rules import Track

Curve = tuple[tuple[int, float], ...]
"""Epochs, from 1, or from 0 before the first step, and a value of each."""


@dataclass(frozen=True)
class ByGroup:
    """A metric over groups of test classes.

    Args:
        metric: which.
        over: what the groups are: an attribute of the classes, such as ``script``.
        scores: of each group, the mean over the queries of its classes, of each final model.
    """

    metric: str
    over: str
    scores: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Material:
    """What pictures of a row need of its records.

    Args:
        losses: of each final model, of several fold-models each of these, the mean training loss of its epochs.
        separations: of each of these, as far as it was measured, the probability that two of the probe's training items of one class are
            nearer to each other than two of different ones.
        seconds: study → trial → wall time of those of its units that ran.
        groups: a metric over groups of test classes; None where records hold none.
    """

    losses: tuple[Curve, ...] = ()
    separations: tuple[Curve, ...] = ()
    seconds: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    groups: ByGroup | None = None


def material_of(track: Track, tuned: Iterable[Record], finals: Sequence[Record]) -> Material:
    """What pictures need of a row's records.

    Args:
        track: the rules.
        tuned: tune units of the trials that count.
        finals: its final units.
    """
    told: dict[tuple[int, int], list[float | None]] = {}
    for record in tuned:
        told.setdefault((record.unit.study, record.unit.trial or 0), []).append(record.seconds)
    seconds: dict[int, dict[int, float]] = {}
    for (study, trial), several in sorted(told.items()):
        known = [one for one in several if one is not None]
        # Half of its folds would make a trial look quick.
        if len(known) == len(several):
            seconds.setdefault(study, {})[trial] = math.fsum(known)
    losses = [curve for one in finals for curve in _runs([(epoch.epoch, epoch.loss) for epoch in one.outcome.curve])]
    measured = [[(row.epoch, row.auc) for row in one.measures] for one in finals]
    separations = [curve for one in measured for curve in _runs([(epoch, auc) for epoch, auc in one if auc is not None])]
    return Material(tuple(losses), tuple(separations), seconds, _groups(track, finals))


def _runs(points: Sequence[tuple[int, float]]) -> list[Curve]:
    """The curves of several fold-models one after the other, of which each begins anew; what is not finite ends one."""
    found: list[list[tuple[int, float]]] = []
    for epoch, value in points:
        if not found or (found[-1] and epoch <= found[-1][-1][0]):
            found.append([])
        if math.isfinite(value):
            found[-1].append((epoch, value))
    return [tuple(curve) for curve in found if len(curve) > 1]


def _groups(track: Track, finals: Sequence[Record]) -> ByGroup | None:
    """Of the primary metric, or where it has no score per query of the first reported one that has, by the groups that folds follow."""
    outcomes = [record.outcome for record in finals if isinstance(record.outcome, Done)]
    over = grouping(track)
    if not outcomes or over is None:
        return None
    metric = next((m for m in (track.metrics.primary, *track.metrics.report) if all(m in one.per_class for one in outcomes)), None)
    if metric is None:
        return None
    scores: dict[str, list[float]] = {}
    for outcome in outcomes:
        values, queries, names = outcome.per_class[metric], outcome.class_queries or (), outcome.class_attributes.get(over, ())
        if not len(values) == len(queries) == len(names):
            return None
        sums: dict[str, tuple[float, int]] = {}
        for value, count, name in zip(values, queries, names, strict=True):
            if value is not None and count:
                total, number = sums.get(name, (0.0, 0))
                sums[name] = total + value * count, number + count
        for name, (total, number) in sums.items():
            scores.setdefault(name, []).append(total / number)
    return ByGroup(metric, over, {name: tuple(values) for name, values in sorted(scores.items())}) if len(scores) > 1 else None

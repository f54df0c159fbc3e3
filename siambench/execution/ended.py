"""The result of a unit that ran to its end, put together from what was trained and what was found of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from siambench.interfaces import Done

if TYPE_CHECKING:
    from siambench.evaluation.scoring import Scores
    from siambench.plugin import MetricEntry
    from siambench.training.loop import Trained


def done_of(
    metrics: Mapping[str, MetricEntry], trained: Sequence[Trained], found: Scores | None, attributes: Mapping[str, tuple[str, ...]]
) -> Done:
    """The result.

    Args:
        metrics: that were asked for, by name.
        trained: the models, of the Reality Check's protocol one after the other.
        found: of a final unit its scores; None of one that tunes, whose scores stand in the curve.
        attributes: what groups its test classes, by attribute the value of each.
    """
    rates = [one.repeat_rate for one in trained if one.repeat_rate is not None]
    return Done(
        scores={} if found is None else dict(found.scores),
        per_class={} if found is None else dict(found.per_class),
        class_queries=None if found is None else found.class_queries,
        notes={} if found is None else dict(found.notes),
        # Of several fold-models one after the other: their epochs begin anew at 1.
        curve=tuple(figures for one in trained for figures in one.curve),
        repeat_rate=sum(rates) / len(rates) if rates else None,
        directions={name: entry.direction for name, entry in metrics.items()},
        ranges={name: (entry.low, entry.high) for name, entry in metrics.items()},
        over_pairs=tuple(name for name, entry in metrics.items() if entry.over_pairs),
        class_attributes=attributes,
        jackknife={} if found is None else dict(found.jackknife),
    )

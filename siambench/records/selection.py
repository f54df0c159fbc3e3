"""Which trial of a study is selected, and at which epoch: said once, for the search, the tables and the progress of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from siambench.interfaces import Outcome


def best_epoch(folds: Sequence[Outcome], primary: str, *, maximise: bool) -> tuple[int, float] | None:
    """The epoch (from 1) of the best mean over folds, and that mean; the earliest of equals; None if a fold has no score.

    Folds that stopped early count up to the shortest of them.

    Args:
        folds: outcomes of a trial's tune units, one per fold.
        primary: the metric that tuning watches.
        maximise: whether more of it is better.
    """
    curves = []
    for fold in folds:
        # What failed has no score, however far it came.
        curve = fold.curve if fold.state == "done" else ()
        values = [None if epoch.validation is None else epoch.validation.get(primary) for epoch in curve]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return None
        curves.append(known)
    means = [math.fsum(values) / len(values) for values in zip(*curves, strict=False)]
    best = max(means) if maximise else min(means)
    return means.index(best) + 1, best


def best_trial(values: Sequence[float | None], *, maximise: bool) -> int | None:
    """The place of the best value, the earliest of equals; None where there is none.

    Args:
        values: of the trials in order of their numbers; None where a trial failed.
        maximise: whether a larger one is better.
    """
    known = [(value if maximise else -value, -place) for place, value in enumerate(values) if value is not None]
    return -max(known)[1] if known else None

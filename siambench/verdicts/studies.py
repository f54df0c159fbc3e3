"""What is said of a study: of a selected value at the edge of what was searched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from siambench.interfaces import Finding
from siambench.spaces import Choice, Dimension, Int, Params, Space
from siambench.verdicts.rules import STUDY_RULES
from siambench.verdicts.thresholds import NEAR_BOUND


@dataclass(frozen=True, kw_only=True)
class StudyFacts:
    """What is known of a study.

    Args:
        space: what was searched, by flat names.
        params: of the selected trial; none where none is selected.
        searched: whether that was proposed by the search; the declared default was not.
    """

    space: Space
    params: Params
    searched: bool


def judged_study(facts: StudyFacts) -> tuple[Finding, ...]:
    """The findings of a study: for each parameter whose selected value lies at a bound that is not its natural end, one."""
    if not facts.searched:
        return ()
    (rule,) = STUDY_RULES
    return tuple(rule.finding({"parameter": name, **told}) for name, told in sorted(_on_bounds(facts)))


def _on_bounds(facts: StudyFacts) -> Iterator[tuple[str, dict[str, object]]]:
    for name, dimension in facts.space.items():
        value = facts.params.get(name)
        if isinstance(dimension, Choice) or value is None or isinstance(value, bool | str):
            continue
        end = _end(dimension, float(value))
        if end is not None and not _is_natural(name, dimension, end):
            yield name, {"value": float(value), "end": float(end), "low": float(dimension.low), "high": float(dimension.high)}


def _end(dimension: Dimension, value: float) -> float | None:
    """The bound that a value lies at, on the scale of its dimension."""
    assert not isinstance(dimension, Choice)
    low, high, at = (math.log(x) if dimension.log else float(x) for x in (dimension.low, dimension.high, value))
    if min(at - low, high - at) > NEAR_BOUND.value * (high - low):
        return None
    return dimension.low if at - low <= high - at else dimension.high


def _is_natural(name: str, dimension: Dimension, end: float) -> bool:
    """Whether a quantity ends there by its nature: none of it, one of what is counted, the whole of a share that the harness bounds."""
    assert not isinstance(dimension, Choice)
    if end == dimension.low:
        return end == 0 or (isinstance(dimension, Int) and end == 1)
    return name == "miner.warmup"

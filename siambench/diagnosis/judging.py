"""What the rows of a training say, by the rules that units are judged by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from siambench.diagnosis.course import Course
from siambench.interfaces import Diagnosis, Finding, Measures
from siambench.verdicts import Facts, judged


def of_course(course: Course, facts: Facts) -> list[Finding]:
    """What a training of copies comes to: the finding of its verdict, if there is one, and those beside it.

    Args:
        course: the training.
        facts: what else is known of it; its rows and its end are taken from the course.
    """
    known = dataclasses.replace(facts, rows=_told(course), steps=course.steps)
    if course.ended == "diverged":
        known = dataclasses.replace(known, ended="diverged", error=_left(course))
    return list(_judged(known).findings)


def _judged(facts: Facts) -> Diagnosis:
    """The one place where rules are asked."""
    return judged(facts)


def _told(course: Course) -> tuple[Measures, ...]:
    """The rows as rules read them: without parts that stand in no optimiser or that nothing reaches, which are told of apart."""
    return tuple(_row(row) for row in course.rows)


def _row(row: Measures) -> Measures:
    parts = {name: part for name, part in row.parts.items() if part.unlisted < part.parameters and part.unreached < part.parameters}
    return dataclasses.replace(row, parts=parts)


def _left(course: Course) -> str:
    """How a training left the finite numbers."""
    step, losses = course.steps, course.losses
    if course.odd is not None:
        loss = f"{losses[course.odd]:.3g}"
        return f"the gradient of step {course.odd + 1} is not finite though its loss is {loss}, and so are the weights after it"
    before = f", after {_shown(losses[:-1])}" if step > 1 else ""
    value = losses[-1] if losses else math.nan
    what = f"the loss is {value}" if not math.isfinite(value) else "embeddings are not finite"
    return f"{what} at step {step}{before}"


def _shown(losses: Sequence[float]) -> str:
    return ", ".join(f"{each:.3g}" for each in losses[-3:])

"""Enrolment: whether an item is of a class that k references stand for, as signatures, voices and faces are verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.errors import MetricError
from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from siambench.interfaces import Evaluation
    from siambench.metrics import Template

_ISO = "ISO/IEC 19795-1, Biometric performance testing and reporting"
_GE2E = "Wan, Wang, Papir, Lopez Moreno, Generalized End-to-End Loss for Speaker Verification, ICASSP 2018"


def _error(evaluation: Evaluation, name: str, k: int, template: Template) -> float | None:
    try:
        found = evaluation.enrolled(k, template)
    except MetricError as error:
        evaluation.note(name, str(error))
        return None
    evaluation.note(f"{name}_deviation", found.deviation)
    evaluation.note(f"{name}_classes", found.classes)
    return found.equal_error_rate


def by_mean(evaluation: Evaluation, k: int) -> float | None:
    """Equal error rate of every other item against each class, told by the mean of k references; mean of five drawn enrolments."""
    return _error(evaluation, f"eer@enrol-{k}", k, "mean")


def by_nearest(evaluation: Evaluation, k: int) -> float | None:
    """Equal error rate of every other item against each class, told by the nearest of k references; mean of five drawn enrolments."""
    return _error(evaluation, f"eer@enrol-nearest-{k}", k, "nearest")


ENTRIES = {
    "eer@enrol-k": MetricEntry(by_mean, direction="min", over_pairs=True, source=_GE2E),
    "eer@enrol-nearest-k": MetricEntry(by_nearest, direction="min", over_pairs=True, source=_ISO),
}
"""By name."""

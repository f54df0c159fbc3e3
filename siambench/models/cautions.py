"""What a model cannot be trusted with, in words: for its card, and for whoever is handed it or asks it."""

from __future__ import annotations

from siambench.models.document import ModelDocument, OperatingPoint
from siambench.models.operating import EER
from siambench.wording import exact

CHANCE = 0.5
"""The equal error of a coin: whatever the threshold, false accepts and false rejects add up to one."""

_NEAR_CHANCE = 0.4
"""From here on two of five decisions are wrong, so that it decides little, however sure that is."""

_CLASSES_TRIED = 12
"""The fewest test classes at which the intervals of thresholds were tried on made-up data; docs/models.md says with what result."""


def cautions(document: ModelDocument) -> tuple[str, ...]:
    """Sentences to read before a threshold of the model is used; none where nothing speaks against it."""
    points = document.operating_points
    if not points:
        return ()
    first = next((one for one in points if one.at == EER and one.references == 1), points[0])
    return tuple(one for one in (_no_verification(document, first), _few_classes(first)) if one)


def _no_verification(document: ModelDocument, point: OperatingPoint) -> str:
    """Whether it verifies at all: by the interval of its equal error, and where there is none by the errors to expect."""
    rate, ends = document.scores.get(EER), document.intervals.get(EER)
    if rate is not None and ends is not None and ends.high >= CHANCE:
        told = (
            f"its equal error on the test part is {exact(rate)}, and the interval over test classes, {exact(ends.low)} … {exact(ends.high)}"
            f", reaches {CHANCE}, the error of a coin"
        )
    elif (wrong := _expected(point) if rate is None else rate) is not None and wrong >= _NEAR_CHANCE:
        told = f"its error where false accepts and false rejects are equal is {exact(wrong)}, near {CHANCE}, the error of a coin"
    else:
        return ""
    return f"This is no verification: {told}. No threshold makes its decisions good; more classes to train on, or pretrained weights, may"


def _expected(point: OperatingPoint) -> float | None:
    """Of an exam without that metric: the mean of both errors of unseen classes."""
    if point.at != EER or point.false_accepts is None or point.false_rejects is None:
        return None
    return (point.false_accepts + point.false_rejects) / 2


def _few_classes(point: OperatingPoint) -> str:
    if point.classes >= _CLASSES_TRIED:
        return ""
    return (
        f"Thresholds and errors are from {point.classes} test classes alone: another {point.classes} may give quite others, and how often "
        f"the intervals hold the truth was tried from {_CLASSES_TRIED} classes on"
    )

"""What a record cannot say if it is what was written: rules that contradict each other, scores that cannot be."""

from __future__ import annotations

import operator
from typing import Any, cast

from siambench.errors import RecordError
from siambench.identity import to_json
from siambench.interfaces import Done, Outcome
from siambench.spec import Exam, Unit, metric_of

CLASSES_AGREE = 2e-6
"""How far a score may lie from the mean of its classes, whose own means have six decimals."""

ROUNDING = 1e-9
"""How far a score may lie outside its metric's range: a mean of ones need not be 1 to the last bit."""


def check_exam(unit: Unit, exam: Exam, where: str) -> None:
    """See that an exam says nothing else of a unit than the unit does.

    Raises:
        RecordError: naming the first rule of which they say two things.
    """
    facts = {
        "version": (exam.version, unit.track_version),
        "data": (exam.data, unit.data.fingerprint),
        "groups": (exam.groups, unit.data.groups),
        "metrics.primary": (exam.metrics.get("primary"), unit.scoring.primary),
        "evaluation.distance": (exam.evaluation.get("distance"), unit.scoring.distance),
        "evaluation.pairs": (exam.evaluation.get("pairs"), to_json(unit.scoring.pairs)),
        "metrics.direction": (exam.metrics.get("direction"), "max" if unit.scoring.maximise else "min"),
        **_of_training(unit, exam),
    }
    for key, (told, meant) in facts.items():
        if told != meant:
            raise RecordError(f"{where}: its exam says {key} {told!r}, its unit {meant!r}")


def _of_training(unit: Unit, exam: Exam) -> dict[str, tuple[Any, Any]]:
    """What an exam and a unit that was trained both say of its rules; a baseline is the same unit in many exams."""
    if unit.training is None:
        return {}
    rules = to_json(unit.training)
    found: dict[str, tuple[Any, Any]] = {"evaluation.protocol": (exam.evaluation.get("protocol"), unit.scoring.protocol)}
    # A final model is trained on more images than a trial, for as many more steps.
    resolved = {"steps_per_epoch"} if unit.kind == "final" else set()
    resolved |= set() if exam.training.get("validate_every") else {"validate_every"}
    found |= {f"training.{key}": (value, rules[key]) for key, value in exam.training.items() if key in rules and key not in resolved}
    found |= {"augment": (dict(exam.augment), rules["augment"])}
    if unit.model is not None and unit.method.backbone is None:
        found |= {"model.backbone": (exam.model.get("backbone", unit.model.backbone), unit.model.backbone)}
        options = exam.model.get("options", {})
        found |= {f"model.options.{key}": (value, unit.model.options[key]) for key, value in options.items() if key in unit.model.options}
    if unit.model is not None:
        size = unit.model.embedding_size
        found |= {"model.embedding_size": (exam.model.get("embedding_size", size), size)}
    for key in ("lr", "weight_decay"):
        searched, ruled = unit.space.get(f"optimiser.{key}"), exam.space.get(key)
        # What the user narrowed is of the row alone.
        if searched is not None and ruled is not None and f"optimiser.{key}" not in unit.edited:
            found |= {f"space.{key}.{end}": (ruled.get(end), searched.get(end)) for end in ("low", "high", "log")}
    return found


def check_scores(outcome: Outcome, where: str) -> None:
    """See that a score lies in its metric's range, and is the mean of its classes, each with its queries.

    Raises:
        RecordError: naming the first that does not.
    """
    if not isinstance(outcome, Done):
        return
    curves = ((f"epoch {epoch.epoch}", epoch.validation or {}) for epoch in outcome.curve)
    for place, scores in (("", outcome.scores), *curves):
        for metric, score in scores.items():
            low, high = outcome.ranges.get(metric_of(metric), (None, None))
            beyond = score is not None and ((low is not None and score < low - ROUNDING) or (high is not None and score > high + ROUNDING))
            if beyond:
                at = f" of {place}" if place else ""
                raise RecordError(f"{where}: its {metric}{at} is {score}, outside [{_end(low)}, {_end(high)}]")
    counts = outcome.class_queries or ()
    total = sum(counts)
    for metric, means in outcome.per_class.items():
        score = outcome.scores.get(metric)
        if score is None or not counts:
            continue
        if len(counts) != len(means):
            raise RecordError(f"{where}: its {metric} is of {len(means)} classes, its queries of {len(counts)}")
        # A class without a score has no query that counts. This is done ten thousand times for a table: no loop of Python's own.
        known = means if None not in means else tuple(mean or 0.0 for mean in means)
        among = total if known is means else sum(count for mean, count in zip(means, counts, strict=True) if mean is not None)
        mean = sum(map(operator.mul, cast("tuple[float, ...]", known), counts)) / among if among else None
        if mean is None or abs(mean - score) > CLASSES_AGREE:
            raise RecordError(f"{where}: its {metric} is {score}, the mean of its classes {mean}")


def _end(bound: float | None) -> str:
    return "…" if bound is None else f"{bound:g}"

"""Margins and temperatures against the distances that there are, and embeddings against the length that the loss is made for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from siambench.diagnosis.case import Case, stacked
from siambench.diagnosis.copies import held_by
from siambench.diagnosis.report import Report
from siambench.errors import UsageError
from siambench.interfaces import Finding

MARGINS = ("margin", "m", "neg_margin", "negative_margin", "margin_neg", "MARGIN")
"""Names by which losses keep the distance beyond which negatives, or triplets, cost nothing."""

SHARPNESS = ("temperature", "temp", "tau", "t", "T", "TEMPERATURE")
"""Names by which they keep what similarities are divided by."""

_SMALL = 0.05
"""A margin below so much of the mean distance of negatives asks for next to nothing; .1 is usual at unit length, where that is 1.4."""

_LENGTH = 10.0
"""Mean lengths of embeddings above it, or below its inverse, are not what margins of about 1 are made for."""

_COLD, _WARM = 1e-3, 10.0
"""Temperatures beyond them turn a softmax into a maximum, or into a mean; the Reality Check searched from 1e-4 to 100."""


@dataclass(frozen=True)
class Settings:
    """The numbers of a loss that can be read.

    Args:
        margin: its name and value; None where it has none that can be read.
        temperature: likewise.
    """

    margin: tuple[str, float] | None
    temperature: tuple[str, float] | None


def settings_of(loss: object) -> Settings:
    """Read margin and temperature from the attributes of a loss, or from what a function holds."""
    held = dict(held_by(loss))
    return Settings(_first(held, MARGINS), _first(held, SHARPNESS))


def _first(held: Mapping[str, object], names: tuple[str, ...]) -> tuple[str, float] | None:
    for name in names:
        for called, value in held.items():
            number = _number(value)
            if called.rpartition(".")[2] == name and number is not None:
                return called, number
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def lengthless(case: Case) -> bool:
    """Whether the loss is the same of embeddings twice as long."""
    given = case.first
    with torch.no_grad():
        copy = case.subject.fresh()
        embeddings = copy.embedded(given)
        one = case.subject.fresh().number(embeddings, given.target)
        try:
            other = case.subject.fresh().number([2 * each for each in embeddings], given.target)
        except UsageError:
            return False
    return math.isfinite(one) and abs(one - other) <= 1e-5 * max(abs(one), 1e-6)


def margins(case: Case, report: Report) -> None:
    """Margin and temperature beside the distances and lengths of the model's embeddings."""
    subject, given = case.subject.fresh(), stacked(case.batches)
    with subject.judged():
        embeddings = subject.embedded(given)
    points = torch.cat([each.float().flatten(1) for each in embeddings])
    if not bool(torch.isfinite(points).all()):
        return
    lengths = points.norm(dim=1)
    is_unit = bool((lengths - 1).abs().max() < 1e-3)
    seen = case.seen(embeddings)
    _, far = case.tuples(given).distances(seen)
    distance = float(far.mean()) if len(far) else float((seen - seen.roll(1, 0)).norm(dim=1).mean())
    found = settings_of(subject.loss)
    unit = is_unit or case.lengthless
    of_unit = "of unit length" if unit else f"of length {float(lengths.mean()):.3g}"
    if case.known is not None:
        # What its margins are, and of which distance, the entry of a method's loss says; the rules of its training judge them.
        report.measured(f"embeddings are {of_unit}, negatives {distance:.3g} apart")
        return
    report.measured(f"embeddings are {of_unit}, negatives {distance:.3g} apart; {_told(found)}")
    if points.shape[1] == 1:
        report.add(_one_dimension(points.shape[1]))
    report.add(_scale(lengths, found, unit=unit))
    if found.margin is not None:
        report.add(_margin(found.margin, distance, unit=unit))
    if found.temperature is not None:
        report.add(_temperature(found.temperature))


def _told(found: Settings) -> str:
    known = [f"{name} {value:g}" for name, value in filter(None, (found.margin, found.temperature))]
    return f"the loss has {' and '.join(known)}" if known else "margin and temperature of the loss are unknown"


def _one_dimension(size: int) -> Finding:
    return Finding(
        name="low-dimension",
        severity="likely",
        evidence=f"Embeddings have {size} dimension: classes can only lie on a line.",
        remedy="Give the embedding more dimensions, such as 64.",
        attempt="self.head = torch.nn.Linear(features, 64)",
    )


def _scale(lengths: Tensor, found: Settings, *, unit: bool) -> Finding | None:
    mean = float(lengths.mean())
    if unit or 1 / _LENGTH <= mean <= _LENGTH or (found.margin is not None and 0.1 <= found.margin[1] / max(mean, 1e-30) <= _LENGTH):
        return None
    return Finding(
        name="scale-mismatch",
        severity="possible",
        evidence=f"Embeddings have a mean length of {mean:.3g}, and the loss sees them so: distances are of that order"
        + ("." if found.margin is None else f", its {found.margin[0]} is {found.margin[1]:g}."),
        remedy="Bring embeddings to unit length before the loss, or choose a margin of the order of the distances.",
        attempt="embeddings = torch.nn.functional.normalize(embeddings)",
    )


def _margin(margin: tuple[str, float], distance: float, *, unit: bool) -> Finding | None:
    name, value = margin
    if value <= _SMALL * distance:
        return Finding(
            name="margin-too-small",
            severity="likely",
            evidence=f"The loss's {name} is {value:g}, negatives lie {distance:.3g} apart on average: the loss is content with embeddings "
            "that are nearly equal.",
            remedy="Choose a margin of the order of the distances: at unit length 0.1 to 0.5 for triplets, about 1 for pairs.",
            attempt=f"criterion.{name} = {0.3 * distance:.1g}",
        )
    # Two points of the sphere are at most 2 apart, squared 4.
    bound = 2.0
    if unit and value > bound:
        return Finding(
            name="margin-unreachable",
            severity="note",
            evidence=f"The loss's {name} is {value:g}, and embeddings of unit length are at most 2 apart (squared 4): it cannot be "
            "reached, which keeps every pair active and does not by itself keep a model from training.",
            remedy="Choose one below the bound, if negatives are to stop counting once they are far.",
            attempt=f"criterion.{name} = 1.0",
        )
    return None


def _temperature(found: tuple[str, float]) -> Finding | None:
    name, value = found
    if _COLD <= value <= _WARM:
        return None
    what = "one pair gets all the gradient" if value < _COLD else "all pairs get the same gradient"
    return Finding(
        name="scale-mismatch",
        severity="likely",
        evidence=f"The loss's {name} is {value:g}: similarities between -1 and 1 become {1 / value if value else math.inf:.3g} times that, "
        f"and {what}.",
        remedy="Choose a temperature between 0.01 and 1.",
        attempt=f"criterion.{name} = 0.1",
    )

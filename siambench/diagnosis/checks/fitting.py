"""Copies are trained: on one batch, at several learning rates, and on all that was read."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch

from siambench.diagnosis.case import Case, stacked
from siambench.diagnosis.course import Course, Run, train
from siambench.diagnosis.given import Given
from siambench.diagnosis.guard import Time
from siambench.diagnosis.measured import Auc
from siambench.diagnosis.report import Report
from siambench.interfaces import Finding

FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""What the learning rate is multiplied by in the sweep."""

SWEEP_STEPS, FIT_STEPS, TRAIN_STEPS, ROWS = 20, 100, 120, 4

_FALLS = 0.1
"""Relative fall of the loss on one batch that counts as fitting it."""

_FITTED = 0.5
"""Relative fall of the loss on one batch by which a rate has proved itself."""

_BETTER = 8.0
"""How many times as far the loss must fall at another rate before that is called better."""

_FEW = 0.17
"""Half the width of an interval above which too few pairs are there to call them without signal."""


def one_batch(case: Case, report: Report, time: Time) -> float | None:
    """Over-fit the first batch: what cannot be fitted there is not fitted anywhere.

    Returns:
        By what share its loss falls; None where it was not trained long enough to say.
    """
    course = train(case, itertools.repeat(case.first), Run(steps=FIT_STEPS, probe=case.first), time)
    if course.ended in ("diverged", "stopped") or course.steps < FIT_STEPS // 4:
        return None
    first, last = course.losses[0], sum(course.losses[-5:]) / len(course.losses[-5:])
    before, after = course.rows[0].auc, course.rows[-1].auc
    told = "" if before is None or after is None else f", the AUC of its distances from {before:.2f} to {after:.2f}"
    report.measured(f"{course.steps} steps on one batch bring its loss from {first:.3g} to {last:.3g}{told}")
    rose = before is not None and after is not None and after > min(before + 0.02, 0.99)
    # A loss that is 0 already, as of triplets that are all apart, cannot fall.
    if first > 0 and last > (1 - _FALLS) * first and not rose:
        report.add(
            Finding(
                name="no-fit",
                severity="likely",
                evidence=f"{course.steps} steps on one batch alone bring its loss from {first:.4g} to {last:.4g}{told}: it is not fitted.",
                remedy="Make one batch fit before training on more: look at the other findings, the learning rate and the margin.",
                attempt="for _ in range(200): step(first_batch)",
            )
        )
    return (first - last) / abs(first) if first else None


def rates(case: Case, report: Report, time: Time, *, fitted: float | None) -> None:
    """A few steps on one batch at rates around the user's.

    Args:
        case: what is diagnosed.
        report: what is found is added to it.
        time: in which to end.
        fitted: by what share the loss of one batch falls at the user's rate, where that is known.
    """
    falls: dict[float, float] = {}
    rate = case.subject.trained_by().param_groups[0]["lr"]
    for factor in FACTORS:
        if time.left <= 0:
            report.skipped("further learning rates (time)")
            break
        part = Time(min(time.left, 3.0))
        course = train(case, itertools.repeat(case.first), Run(steps=SWEEP_STEPS, probe=case.first, factor=factor), part)
        if course.ended == "ok":
            falls[factor] = course.losses[0] - sum(course.losses[-3:]) / 3
    if 1.0 not in falls:
        return
    first = max(abs(_first_loss(case)), 1e-12)
    told = ", ".join(f"{_number(rate * factor)}: {-fall / first:+.0%}" for factor, fall in falls.items())
    report.measured(f"{SWEEP_STEPS} steps change the loss of a batch at the rates {told}")
    best = max(falls, key=lambda factor: falls[factor])
    # A rate at which one batch is fitted is no wrong one, if another does it sooner.
    if (
        best == 1.0
        or (fitted is not None and fitted >= _FITTED)
        or falls[best] < _FALLS * first
        or falls[best] < _BETTER * max(falls[1.0], 0.0)
    ):
        return
    way = "low" if best > 1 else "high"
    report.add(
        Finding(
            name="learning-rate",
            severity="likely",
            evidence=f"In {SWEEP_STEPS} steps on one batch the loss changes by {-falls[1.0] / first:+.1%} at the rate {_number(rate)} "
            f"and by {-falls[best] / first:+.1%} at {_number(rate * best)}: the rate is too {way}.",
            remedy="Try the rate at which the loss falls most, and its neighbours.",
            attempt=f"optimiser.param_groups[0]['lr'] = {_number(rate * best)}",
        )
    )


def _first_loss(case: Case) -> float:
    copy = case.subject.fresh()
    with torch.no_grad():
        return copy.number(copy.embedded(case.first), case.first.target)


def _number(value: float) -> str:
    return f"{value:.1g}"


@dataclass(frozen=True)
class Trained:
    """A training on what was read.

    Args:
        course: how it went.
        held_out: the AUC of distances in batches that it was not trained on; None where there are none.
    """

    course: Course
    held_out: Auc | None


def trained(case: Case, time: Time, *, same: int | None = None) -> Trained:
    """Train as the user would: on the batches that were read, a third of them held out where there are three; a method on its own.

    Args:
        case: what is diagnosed.
        time: in which to end.
        same: which label of pairs is that of positives; see `Case.tuples`.
    """
    if case.known is not None:
        feed, steps = case.known.feed()
        run = Run(steps=steps, probe=stacked(case.batches), rows=case.known.rows, same=same, score=case.known.score)
        return Trained(train(case, feed, run, time), None)
    number = len(case.batches)
    kept = case.batches if number < 3 else case.batches[: number - number // 3]
    course = train(case, itertools.cycle(kept), Run(steps=TRAIN_STEPS, probe=stacked(kept), rows=ROWS, same=same), time)
    out = case.batches[len(kept) :]
    return Trained(course, _auc_after(case, course, stacked(out, 2000)) if out and course.ended in ("ok", "late") else None)


def _auc_after(case: Case, course: Course, given: Given) -> Auc | None:
    with course.after.judged():
        points = case.seen(course.after.embedded(given))
    return case.tuples(given).auc(points) if bool(torch.isfinite(points).all()) else None


def crossed(case: Case, time: Time) -> Auc | None:
    """The AUC of distances in halves of one batch, each by a model that was trained on the other."""
    size = len(case.first)
    if size < 16:
        return None
    generator = case.generator()
    halves = torch.randperm(size, generator=generator).chunk(2)
    found: list[Auc] = []
    for one, other in itertools.permutations(halves, 2):
        part = case.first.rows(one)
        course = train(case, itertools.repeat(part), Run(steps=FIT_STEPS, probe=part), Time(min(4.0, time.left)))
        auc = _auc_after(case, course, case.first.rows(other)) if course.ended in ("ok", "late") else None
        if auc is not None:
            found.append(auc)
    if len(found) < 2:
        return None
    value, error = sum(each.value for each in found) / 2, math.hypot(*(each.error for each in found)) / 2
    return Auc(value, value - 1.96 * error, value + 1.96 * error, sum(e.positives for e in found), sum(e.negatives for e in found))


TRAINED = "a trained model on held-out pairs"


def signal(aucs: dict[str, Auc | None]) -> Finding | None:
    """Whether labels have nothing to do with items: by none of the distances are those of one label nearer.

    Args:
        aucs: by what the distances are of: raw items, the untrained model, and a trained one on what it was not trained on.
    """
    known = {what: auc for what, auc in aucs.items() if auc is not None}
    if len(known) < 3 or any(auc.high - auc.low > 2 * _FEW for auc in known.values()):
        return None
    # A model that has learnt by heart may be worse than chance elsewhere: there only what is above it is a signal.
    if any(auc.tells and (auc.value > 0.5 or what != TRAINED) for what, auc in known.items()):
        return None
    above = sum((auc.value - 0.5) / max(auc.error, 1e-9) for auc in known.values()) / len(known)
    if above > 1.0:
        return None
    told = ", ".join(f"{what} {auc}" for what, auc in known.items())
    return Finding(
        name="no-signal",
        severity="likely",
        evidence=f"Labels say nothing of the items: by none of the distances are items that belong together nearer (AUC by {told}).",
        remedy="Look at some pairs with their labels: are they shuffled apart from the items, or drawn by chance?",
        attempt="for item, label in dataset: show(item, label)",
    )

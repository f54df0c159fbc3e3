"""What numbers do to a loss: equal items under a square root, and half precision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from siambench.diagnosis.case import Case
from siambench.diagnosis.given import Given
from siambench.diagnosis.report import Report
from siambench.errors import SiambenchError, text_of
from siambench.interfaces import Finding

_MOST = 32
"""Items that are embedded in half precision: a processor without hardware for it is slow."""

_DEVIATES = 0.05
"""Deviation of a loss in half precision from that in single precision, relative, from which on it is told as a finding."""


def equal_items(case: Case, report: Report) -> None:
    """The gradient where a pair's items have one embedding, as of an item and itself: NaN under a square root by hand."""
    subject, given = case.subject.fresh(), case.first
    embeddings = [each.detach().clone() for each in subject.embedded(given)]
    points = _with_equal(embeddings, given)
    points = [each.requires_grad_() for each in points]
    value = subject.value(points, given.target)
    if not value.requires_grad:
        return
    found = [each for each in torch.autograd.grad(value, points, allow_unused=True) if each is not None]
    bad = sum(int((~torch.isfinite(each.flatten(1)).all(dim=1)).sum()) for each in found)
    if bool(torch.isfinite(value)) and not bad:
        return
    total = sum(len(each) for each in found)
    report.add(
        Finding(
            name="self-pair",
            severity="likely",
            evidence=f"Where one item stands on both sides of a pair the loss is {float(value.detach()):.3g} and the gradient of {bad} of "
            f"{total} embeddings is not finite: a square root has no derivative at 0.",
            remedy="Add a small number below the square root, or leave equal items out.",
            attempt="distance = ((e1 - e2).pow(2).sum(dim=1) + 1e-12).sqrt()",
        )
    )


def _with_equal(embeddings: Sequence[Tensor], given: Given) -> list[Tensor]:
    """The embeddings, with one positive pair of which both members are the same."""
    points = list(embeddings)
    if given.form == "labels":
        numbers = given.numbers
        for place in range(1, len(numbers)):
            partners = (numbers[:place] == numbers[place]).nonzero()
            if len(partners):
                points[0][place] = points[0][partners[0, 0]]
                break
        return points
    place = 0
    if given.form == "pairs":
        same = given.numbers.nonzero()
        place = int(same[0, 0]) if len(same) else 0
    points[1][place] = points[0][place]
    return points


def half_precision(case: Case, report: Report) -> None:
    """Embeddings and loss in bf16 and fp16 beside those in fp32."""
    given = case.first if len(case.first) <= _MOST else case.first.rows(torch.arange(_MOST))
    subject = case.subject.fresh()
    with torch.no_grad():
        embeddings = subject.embedded(given)
        value = subject.number(embeddings, given.target)
    told, off = [], []
    for dtype in (torch.bfloat16, torch.float16):
        short = {torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
        try:
            deviation, other = _in(case, given, dtype, embeddings)
        except (SiambenchError, RuntimeError) as error:
            report.skipped(f"{short} ({text_of(error, 80)})")
            continue
        told.append(f"{short} by at most {deviation:.2g} of their length")
        if not math.isfinite(other) or abs(other - value) > _DEVIATES * max(abs(value), 1e-3):
            off.append(f"{other:.4g} in {short}")
    if told:
        report.measured(f"embeddings deviate from fp32 in {' and in '.join(told)}")
    if off:
        report.add(
            Finding(
                name="half-precision",
                severity="possible",
                evidence=f"The loss is {value:.4g} in fp32 and {' and '.join(off)}.",
                remedy="Compute distances and the loss in fp32: leave autocast before the loss.",
                attempt="loss = criterion(embeddings.float(), labels)",
            )
        )


def _in(case: Case, given: Given, dtype: torch.dtype, exact: Sequence[Tensor]) -> tuple[float, float]:
    """The largest deviation of an embedding over the mean length, and the loss."""
    subject = case.subject.fresh()
    with torch.no_grad(), torch.autocast("cpu", dtype):
        embeddings = subject.embedded(given)
        value = subject.number([each.to(dtype) for each in embeddings], given.target)
    left, right = (torch.cat([each.double().flatten(1) for each in some]) for some in (embeddings, exact))
    length = float(right.norm(dim=1).mean()) or 1.0
    return float((left - right).norm(dim=1).max()) / length, value

"""What a batch holds: positives and negatives, copies, items that say nothing; and whether labels fit the items and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from siambench.diagnosis.case import Case, auc_between, stacked
from siambench.diagnosis.given import Given
from siambench.diagnosis.measured import Auc
from siambench.diagnosis.report import Report
from siambench.diagnosis.subject import leaves_of, parameters_of
from siambench.errors import UsageError
from siambench.interfaces import Finding
from siambench.wording import several

UNFIT = 0.9
"""Share of the batches in which there is nothing to learn from, from which on that is a verdict: as many as for `starved`."""

_COPIES = 0.5
"""Share of positive pairs that are copies, from which on there is little else to learn."""

_PER_ITEM = 400
"""Items that are compared with all others at the most."""


def held(case: Case, report: Report) -> None:
    """Positives and negatives of each batch, copies among the positives, and whether items differ at all."""
    constant = _constant(case.batches)
    if constant is not None:
        report.add(constant)
        return
    counted = [_Counts.of(each, case) for each in case.batches]
    report.add(_without(counted, case))
    copies, positives = sum(each.copies for each in counted), sum(each.positives for each in counted)
    share = copies / positives if positives else 0.0
    # Two views of one item that are its copies: what is wrong is how they were drawn, which is looked at apart.
    views = all(each.views for each in counted)
    if share >= _COPIES and not views:
        report.add(
            Finding(
                name="batch-unfit",
                severity="fatal",
                evidence=f"Of {positives} positive pairs {copies} are an item and its exact copy, at distance 0.",
                remedy="Draw positives from different items of a class, or augment the two members apart.",
                attempt="assert not torch.equal(x1[0], x2[0])",
            )
        )
    elif copies and not views:
        report.add(
            Finding(
                name="self-pair",
                severity="possible",
                evidence=f"Of {positives} positive pairs {copies} ({share:.1%}) are an item and its exact copy, which teach nothing.",
                remedy="Draw another item of the class while the partner is the item itself.",
                attempt="while j == i: j = random.choice(same_class)",
            )
        )


@dataclass(frozen=True)
class _Counts:
    positives: int
    negatives: int
    copies: int
    classes: int
    size: int
    # Pairs that all bear one label, as two views of each item do.
    views: bool

    @classmethod
    def of(cls, given: Given, case: Case) -> _Counts:
        tuples = case.tuples(given)
        points = torch.cat([each.flatten(1).double() for each in given.items])
        left, right = points[tuples.positive[0]], points[tuples.positive[1]]
        copies = int((left == right).all(dim=1).sum()) if len(left) else 0
        classes = len(torch.unique(given.numbers)) if given.form == "labels" else 0
        views = given.form == "pairs" and len(torch.unique(given.numbers)) == 1
        return cls(tuples.positive.shape[1], tuples.negative.shape[1], copies, classes, len(given), views)


def _constant(batches: Sequence[Given]) -> Finding | None:
    items = torch.cat([each.items[branch].double().flatten(1) for each in batches for branch in range(len(each.items))])
    apart = float((items - items[0]).abs().max())
    scale = float(items.abs().max())
    if apart > 1e-6 * max(scale, 1e-12):
        return None
    return Finding(
        name="no-signal",
        severity="fatal",
        evidence=f"All {len(items)} items are the same: the largest difference between two of their values is {apart:.2g}.",
        remedy="Look at what the data set reads, and at what its transforms leave of it.",
        attempt="print(x.min(), x.max(), x.std(dim=0).max())",
    )


def _without(counted: Sequence[_Counts], case: Case) -> Finding | None:
    one_class = sum(not each.negatives for each in counted)
    no_positive = sum(not each.positives for each in counted)
    number = len(counted)
    of = f"of {several(number, 'batch', 'batches')}" if number > 1 else "of the one batch"
    has_own = bool(parameters_of(case.subject.loss) or leaves_of(case.subject.loss))
    if one_class >= UNFIT * number and not has_own and case.first.form == "labels":
        held = f"{one_class} {of} hold{'s' if one_class == 1 else ''} items of one class alone"
        return _unfit(f"{held}: there is no negative to push away.", "Mix classes")
    views = sum(each.views for each in counted)
    if views >= UNFIT * number and _wants_equal(case):
        held = f"{views} {of} hold{'s' if views == 1 else ''} pairs of one label alone"
        return _unfit(f"{held}, and equal embeddings satisfy the loss: nothing keeps them apart.", "Mix positive and negative pairs")
    if no_positive < UNFIT * number:
        return None
    if case.first.form == "labels":
        # Losses with a proxy or a weight per class need no positive pair: they get a gradient all the same.
        if has_own or _gets_gradient(case):
            return None
        size = counted[0].size
        return _unfit(
            f"{no_positive} {of} hold{'s' if no_positive == 1 else ''} {size} items of {size} classes: there is no positive pair.",
            "Draw several items of each class",
        )
    return _unfit(f"{no_positive} {of} hold{'s' if no_positive == 1 else ''} negative pairs alone.", "Mix positive and negative pairs")


def _unfit(evidence: str, remedy: str) -> Finding:
    return Finding(
        name="batch-unfit",
        severity="fatal",
        evidence=evidence,
        remedy=f"{remedy} in each batch, so that it holds positive and negative pairs.",
        attempt="sampler = pytorch_metric_learning.samplers.MPerClassSampler(labels, m=4)",
    )


def _wants_equal(case: Case) -> bool:
    """Whether the loss of pairs that all bear one label is at its least where all embeddings are one."""
    subject, given, generator = case.subject.fresh(), case.first, case.generator()
    with subject.judged():
        size = subject.embedded(given)[0].flatten(1).shape[1]
    apart, noise = (torch.randn(len(given), size, generator=generator) for _ in range(2))
    one = apart[:1].expand(len(given), size).clone()
    equal = case.subject.fresh().number((one, one), given.target)
    paired = case.subject.fresh().number((apart, apart + 0.01 * noise), given.target)
    return equal <= paired + 1e-6


def _gets_gradient(case: Case) -> bool:
    subject = case.subject.fresh()
    embeddings = [each.detach().requires_grad_() for each in subject.embedded(case.first)]
    value = subject.value(embeddings, case.first.target)
    if not value.requires_grad:
        return False
    found = torch.autograd.grad(value, embeddings, allow_unused=True)
    return any(each is not None and bool(each.any()) for each in found)


@dataclass(frozen=True)
class Convention:
    """What a loss takes for the same.

    Args:
        near: the label of pairs that it pulls together, 1 or 0; of triplets and labels 1: as it should be, 0: the other way round;
            None where it cannot be told.
        told: the losses that say so.
    """

    near: int | None
    told: str


def convention(case: Case) -> Convention:
    """Find what a loss takes for the same, by calling it on near and far embeddings with both labels.

    Lengths are those of the model's own embeddings; several are tried, since a margin may lie anywhere.
    """
    subject, given = case.subject.fresh(), case.first
    if given.form == "labels" and (parameters_of(subject.loss) or leaves_of(subject.loss)):
        return Convention(None, "the loss compares items with what it learns")
    with subject.judged():
        real = [each.float().flatten(1) for each in subject.embedded(given)]
    if any(each.ndim != 2 for each in real) or not all(bool(torch.isfinite(each).all()) for each in real):
        return Convention(None, "the embeddings are not finite")
    length = float(torch.cat(real).norm(dim=1).mean()) or 1.0
    votes, told = [], ""
    for factor in (1.0, 0.3, 3.0):
        found = _asked(case, given, length * factor, real[0].shape[1])
        if found is None:
            continue
        score, text = found
        if score:
            votes.append(score > 0)
            told = told or text
    if not votes or any(vote != votes[0] for vote in votes):
        return Convention(None, told)
    return Convention(int(votes[0]), told)


def _asked(case: Case, given: Given, length: float, size: int) -> tuple[float, str] | None:
    """How much rather the loss has things as they should be, above 0, or the other way round; and its values in words."""
    generator, number = case.generator(), len(given)

    def drawn() -> Tensor:
        points = torch.randn(number, size, generator=generator)
        found: Tensor = length * points / points.norm(dim=1, keepdim=True)
        return found

    # Not equal: a square root by hand has no gradient there, and some losses no value.
    anchor, other, noise = drawn(), drawn(), drawn()
    close = anchor + 0.05 * noise

    def value(points: Sequence[Tensor], target: Tensor | None) -> float:
        return case.subject.fresh().number(points, target)

    try:
        if given.form == "triplets":
            right, wrong = value((anchor, close, other), None), value((anchor, other, close), None)
            return wrong - right, f"{right:.3g} with near positives and far negatives, {wrong:.3g} the other way round"
        if given.form == "labels":
            target = given.target
            assert target is not None
            _, classes = torch.unique(given.numbers, return_inverse=True)
            centres = drawn()
            grouped = centres[classes] + 0.05 * noise
            mixed = centres[classes[torch.randperm(number, generator=generator)]] + 0.05 * noise
            right, wrong = value((grouped,), target), value((mixed,), target)
            return wrong - right, f"{right:.3g} where classes are apart, {wrong:.3g} where they are mixed"
        return _of_pairs(value, given, (anchor, close, other))
    except (UsageError, RuntimeError):
        return None


def _of_pairs(value: Any, given: Given, points: tuple[Tensor, Tensor, Tensor]) -> tuple[float, str]:
    anchor, close, other = points
    target = given.target
    assert target is not None
    low, high = (target.min(), target.max()) if target.min() != target.max() else (torch.zeros(()), torch.ones(()))
    of = {(place, label): value((anchor, each), torch.full_like(target, bool(label) if target.dtype == torch.bool else label))
          for place, each in (("near", close), ("far", other)) for label in (low.item(), high.item())}  # fmt: skip
    one, zero = high.item(), low.item()
    pulls_one, pulls_zero = of["far", one] - of["near", one], of["far", zero] - of["near", zero]
    told = (
        f"labelled {one:g} near pairs cost {of['near', one]:.3g} and far ones {of['far', one]:.3g}, "
        f"labelled {zero:g} they cost {of['near', zero]:.3g} and {of['far', zero]:.3g}"
    )
    return pulls_one - pulls_zero, told


def untrained(case: Case, given: Given) -> Auc | None:
    """The AUC of distances between a batch's items by the model with its weights drawn anew; None where nothing can be drawn."""
    subject = case.subject.fresh()
    if not isinstance(subject.model, nn.Module):
        return None
    drawn = [each for each in subject.model.modules() if callable(getattr(each, "reset_parameters", None))]
    if not drawn:
        return None
    for each in drawn:
        each.reset_parameters()  # type: ignore[operator]
    with subject.judged():
        points = case.seen(subject.embedded(given))
    return auc_between(case, given, points, same=1) if bool(torch.isfinite(points).all()) else None


def raw(case: Case, given: Given) -> Auc | None:
    """The AUC of distances between a batch's items as they are; label 1 is taken for the same."""
    return auc_between(case, given, torch.cat([each.double().flatten(1) for each in given.items]), same=1)


def conventions(case: Case, found: Convention, report: Report) -> bool | None:
    """Whether what the data calls the same is what the loss takes for it.

    Returns:
        Whether pairs labelled 1 are the near ones in the data; None where that cannot be told.
    """
    given = stacked(case.batches, _PER_ITEM if case.first.form == "labels" else 4 * _PER_ITEM)
    known = {"raw items": raw(case, given), "the untrained model": untrained(case, given)}
    told = {what: auc for what, auc in known.items() if auc is not None}
    sides = {auc.value > 0.5 for auc in told.values() if auc.tells}
    of_aucs = ", ".join(f"by {what} {auc}" for what, auc in told.items())
    is_same = sides.pop() if len(sides) == 1 else None
    if of_aucs:
        what = {True: "", False: ": the other way round", None: ": cannot be told"}[is_same]
        report.measured(f"AUC of {_NAMED[given.form]}, {of_aucs}{what}")
    if found.near is None:
        report.measured("which label the loss pulls together cannot be told")
    if given.form == "labels" and found.near == 0:
        report.add(_mixed(f"The loss is higher where classes lie apart than where they are mixed: {found.told}"))
    if is_same is None or found.near is None or given.form == "labels" or is_same == bool(found.near):
        return is_same
    if given.form == "triplets":
        data = "nearer to the positive" if is_same else "nearer to the negative"
        report.add(_mixed(f"The anchor is {data} in the data (AUC {of_aucs}), and the loss wants it the other way round: {found.told}"))
        return is_same
    same, other = (1, 0) if is_same else (0, 1)
    report.add(
        _mixed(
            f"The loss pulls pairs labelled {found.near} together ({found.told}), and in the data those labelled {same} are the near ones, "
            f"not {other} (AUC of label 1 being nearer: {of_aucs})"
        )
    )
    return is_same


_NAMED = {
    "pairs": "pairs labelled 1 being nearer than others",
    "triplets": "the positive being nearer than the negative",
    "labels": "items of one class being nearer than others",
}


def _mixed(evidence: str) -> Finding:
    return Finding(
        name="label-mixup",
        severity="fatal",
        evidence=f"{evidence}.",
        remedy="Turn the labels round, or use a loss of their convention.",
        attempt="loss = criterion(e1, e2, 1 - same)",
    )

"""Whether embeddings depend on the mode of the model, and whether the members of a pair get one draw of augmentation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.diagnosis.case import Case
from siambench.diagnosis.given import Given
from siambench.diagnosis.report import Report
from siambench.interfaces import Finding
from siambench.verdicts.thresholds import SAME_DRAW

_APART = 0.5
"""How far apart embeddings in the two modes are, over the spread of the items, from which on judging in the wrong one is worth a word."""

_DEPEND = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
"""Layers that are others in training mode."""

_CORRELATED, _ERRORS, _FEWEST = 0.1, 5.0, 8
"""From which correlation on, at how many standard errors above that of unrelated items, and over how many pairs, draws are called one."""


def modes(case: Case, report: Report) -> None:
    """Embeddings in training mode beside those in evaluation mode."""
    given, subject = case.first, case.subject.fresh()
    if not isinstance(subject.model, nn.Module):
        return
    with torch.no_grad():
        trained = case.seen(subject.embedded(given))
    other = case.subject.fresh()
    with other.judged():
        judged = case.seen(other.embedded(given))
    if not bool(torch.isfinite(trained).all() and torch.isfinite(judged).all()):
        return
    scale = float((judged - judged.mean(0)).norm(dim=1).mean())
    apart = float((trained - judged).norm(dim=1).mean())
    share = apart / scale if scale > 0 else 0.0 if apart == 0 else float("inf")
    report.measured(f"train and eval mode are {share:.2g} of the items' spread apart")
    kinds = sorted({type(each).__name__ for each in other.model.modules() if isinstance(each, _DEPEND)})
    if share >= _APART and kinds:
        report.add(
            Finding(
                name="train-mode",
                severity="note",
                evidence=f"In training mode embeddings lie {share:.2g} times the items' spread from those in evaluation mode "
                f"({', '.join(kinds)}): judged in the wrong mode they depend on the rest of the batch, or on chance.",
                remedy="Call eval() before embeddings are judged or stored, and train() before the next step.",
                attempt="model.eval()",
            )
        )


def draws(case: Case, report: Report, *, is_same: bool | None) -> None:
    """The correlation between what is the same in two members of a pair of different classes, and in two items of other pairs.

    Args:
        case: what is diagnosed.
        report: what is found is added to it.
        is_same: whether pairs labelled 1 are those of one class in the data; where that cannot be told, no pair is known to be of two.
    """
    if case.first.form != "pairs" or any(each.items[0].shape != each.items[1].shape for each in case.batches):
        return
    left, right = (torch.cat([_changing(each, branch) for each in case.batches]) for branch in (0, 1))
    if len(torch.unique(torch.cat([each.numbers for each in case.batches]))) == 1:
        _views_of_one(left, right, report)
        return
    if is_same is None:
        return
    different = torch.cat([each.numbers for each in case.batches]) != int(is_same)
    left, right = left[different], right[different]
    if len(left) < _FEWEST:
        return
    together = _correlations(left, right)
    apart = torch.cat([_correlations(left, right.roll(shift, 0)) for shift in range(1, min(5, len(left)))])
    value, error = float(together.mean()), float(together.std()) / len(together) ** 0.5
    above = value - float(apart.mean())
    report.measured(f"members of {len(left)} negative pairs correlate at {value:.2f}, other items at {float(apart.mean()):.2f}")
    if above >= _CORRELATED and above >= _ERRORS * max(error, 1e-6):
        report.add(
            Finding(
                name="same-draw",
                severity="likely",
                evidence=f"The two members of a pair of different classes correlate at {value:.2f}, items of different pairs at "
                f"{float(apart.mean()):.2f}: both members get one draw of augmentation.",
                remedy="Draw for each member of a pair apart, so that the draw does not tell who belongs together.",
                attempt="x1, x2 = augment(x1), augment(x2)",
            )
        )


def _views_of_one(left: Tensor, right: Tensor, report: Report) -> None:
    """Pairs that all bear one label, as two views of each item do: draws of their own would tell them apart."""
    value = float(_correlations(left, right).mean())
    report.measured(f"both members of a pair correlate at {value:.2f}")
    if value >= SAME_DRAW.value:
        report.add(
            Finding(
                name="same-draw",
                severity="likely",
                evidence=f"Both members of a pair correlate at {value:.2f} over {len(left)} pairs: they are one item under one draw of "
                "augmentation.",
                remedy="Draw for each view apart.",
                attempt="x1, x2 = augment(x), augment(x)",
            )
        )


def _changing(given: Given, branch: int) -> Tensor:
    """The items without what all of them share."""
    items = given.items[branch].double().flatten(1)
    both = torch.cat([each.double().flatten(1) for each in given.items])
    return items - both.mean(0)


def _correlations(left: Tensor, right: Tensor) -> Tensor:
    # Each item without its own mean: brightness is not to count as a pattern.
    left, right = (each - each.mean(dim=1, keepdim=True) for each in (left, right))
    lengths = left.norm(dim=1) * right.norm(dim=1)
    found: Tensor = (left * right).sum(dim=1) / lengths.clamp(min=1e-30)
    return found

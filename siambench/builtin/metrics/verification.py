"""Verification: whether two items are of one class, told by how similar they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from siambench.interfaces import Evaluation
    from siambench.metrics import Bounded

_ISO = "ISO/IEC 19795-1, Biometric performance testing and reporting"


def _verification(evaluation: Evaluation, compute: Callable[[Tensor, Tensor], float | None]) -> float | None:
    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    return compute(evaluation.similarities, evaluation.pairs.same)


def _bounded(evaluation: Evaluation, name: str, found: Bounded) -> float:
    evaluation.note(f"{name}_error", found.error)
    return found.value


def verification_accuracy(evaluation: Evaluation) -> float | None:
    """Mean accuracy over folds, each with the threshold of the others; standard error and best threshold go to the notes.

    It is of drawn pairs even where every pair counts: of those nearly all are impostors, and to reject all is nearly always right.
    """
    import torch

    from siambench import metrics

    if evaluation.every_pair is not None:
        evaluation.note("verification_accuracy_pairs", "drawn, half of them genuine, in folds that share no class")
    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    same, fold = evaluation.pairs.same, evaluation.pairs.fold
    if len(torch.unique(fold)) < 2:
        evaluation.note("verification_accuracy", "the pairs form one fold, and a threshold needs others to be chosen on")
        return None
    found = metrics.k_fold_accuracy(evaluation.similarities, same, fold)
    evaluation.note("verification_accuracy_se", found.standard_error)
    evaluation.note("verification_threshold", metrics.best_threshold(evaluation.similarities, same))
    return found.mean


def roc_auc(evaluation: Evaluation) -> float | None:
    """Probability that a genuine pair is more similar than an impostor."""
    from siambench import metrics

    if evaluation.every_pair is not None:
        return _bounded(evaluation, "roc_auc", evaluation.every_pair.roc_auc)
    return _verification(evaluation, metrics.roc_auc)


def eer(evaluation: Evaluation) -> float | None:
    """The error where false accepts and false rejects are equally frequent."""
    from siambench import metrics

    if evaluation.every_pair is not None:
        return _bounded(evaluation, "eer", evaluation.every_pair.equal_error_rate)
    return _verification(evaluation, metrics.equal_error_rate)


def true_accept_rate(evaluation: Evaluation, far: float) -> float | None:
    """Share of genuine pairs accepted at a false accept rate, ``tar@1e-3``; none where fewer than 3 impostors may pass.

    The notes give the number of impostors, the interval of the share, and whether few impostors decide: then it is coarse.
    """
    from siambench import metrics

    every = evaluation.every_pair
    if every is not None:
        bounded = every.true_accept_rate(far)
        value = None if bounded is None else _bounded(evaluation, f"tar@{far:g}", bounded)
        genuine, impostors = every.genuine, every.impostors
    elif evaluation.pairs is None or evaluation.similarities is None:
        return None
    else:
        same = evaluation.pairs.same
        value = metrics.true_accept_rate_at(evaluation.similarities, same, far=far)
        genuine, impostors = int(same.sum()), int((~same).sum())
    if value is None:
        needed = metrics.impostors_needed(far)
        evaluation.note(f"tar@{far:g}", f"a false accept rate of {far:g} needs {needed} impostor pairs, there are {impostors}")
    else:
        _note_how_sure(evaluation, value, far=far, genuine=genuine, impostors=impostors)
    return value


def _note_how_sure(evaluation: Evaluation, value: float, *, far: float, genuine: int, impostors: int) -> None:
    from siambench import metrics, stats

    name, passing = f"tar@{far:g}", metrics.impostors_that_may_pass(far, impostors)
    interval = stats.clopper_pearson(round(value * genuine), genuine)
    evaluation.note(f"{name}_impostors", impostors)
    evaluation.note(f"{name}_low", interval.low)
    evaluation.note(f"{name}_high", interval.high)
    if passing < metrics.COARSE_BELOW:
        evaluation.note(f"{name}_coarse", f"coarse: only {passing} of the {impostors} impostor pairs may pass")


ENTRIES = {
    "verification_accuracy": MetricEntry(
        verification_accuracy, over_pairs=True, source="Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, 2007"
    ),
    "roc_auc": MetricEntry(
        roc_auc,
        over_pairs=True,
        source="Hanley, McNeil, The meaning and use of the area under a ROC curve, Radiology 1982",
    ),
    "eer": MetricEntry(eer, direction="min", over_pairs=True, source=_ISO),
    "tar@far": MetricEntry(true_accept_rate, over_pairs=True, source=_ISO),
}
"""By name."""

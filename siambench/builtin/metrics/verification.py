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
    """Mean accuracy over folds, each with the threshold of the others; standard error and best threshold go to the notes."""
    import torch

    from siambench import metrics

    if evaluation.every_pair is not None:
        evaluation.note("verification_accuracy", "over all pairs there are no folds to choose a threshold on")
        return None
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
    """Share of genuine pairs accepted at a false accept rate, ``tar@1e-3``; none where there are fewer than 10 / rate impostors."""
    from siambench import metrics

    def too_few(there: int) -> None:
        needed = metrics.impostors_needed(far)
        evaluation.note(f"tar@{far:g}", f"a false accept rate of {far:g} needs {needed} impostor pairs, there are {there}")

    def compute(similarities: Tensor, same: Tensor) -> float | None:
        found = metrics.true_accept_rate_at(similarities, same, far=far)
        if found is None:
            too_few(int((~same).sum()))
        return found

    if evaluation.every_pair is not None:
        bounded = evaluation.every_pair.true_accept_rate(far)
        if bounded is None:
            too_few(evaluation.every_pair.impostors)
            return None
        return _bounded(evaluation, f"tar@{far:g}", bounded)
    return _verification(evaluation, compute)


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

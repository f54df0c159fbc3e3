"""Verification: are two items of one class? Scores of labelled pairs, with the convention same = 1.

A threshold t accepts a pair if its similarity is >= t. A false accept is an accepted impostor (same = 0), a false reject
a rejected genuine pair (same = 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_FALSE_ACCEPTS = 3
"""Impostors that must be able to pass: at the customary rate of 1e-3, the 3,000 impostors of Labeled Faces in the Wild."""

COARSE_BELOW = 10
"""With fewer impostors that may pass, the threshold rests on a handful of pairs."""


@dataclass(frozen=True)
class KFoldAccuracy:
    """Accuracy of each fold at the threshold of the others.

    Args:
        per_fold: accuracy in [0, 1], one per fold in order of the fold's number.
        thresholds: what was accepted from, one per fold.
        mean: of the folds, each counting the same.
        standard_error: standard deviation of the folds (n - 1) over the square root of their number.
    """

    per_fold: tuple[float, ...]
    thresholds: tuple[float, ...]
    mean: float
    standard_error: float


def best_threshold(similarity: Tensor, same: Tensor) -> float:
    """The threshold with the highest accuracy.

    Candidates lie halfway between neighbouring similarities; below all of them (accept every pair: the lowest
    similarity itself) and above all of them (reject every pair: infinity). Of equally good ones the lowest is taken.

    Args:
        similarity: larger is more similar, [P].
        same: 1 for a genuine pair, 0 for an impostor, bool or integer [P].

    Returns:
        A threshold in the units of ``similarity``.

    Raises:
        MetricError: if there are no pairs, the shapes differ or a similarity is not finite.
    """
    values, genuine, impostors = _levels(similarity, same)
    return _most_accurate(values, genuine, impostors)


def k_fold_accuracy(similarity: Tensor, same: Tensor, fold: Tensor) -> KFoldAccuracy:
    """Accuracy of each fold at the `best_threshold` of all the other folds together.

    Args:
        similarity: larger is more similar, [P].
        same: 1 for a genuine pair, 0 for an impostor, bool or integer [P].
        fold: int64 [P], as `draw_pairs` gives it.

    Returns:
        Accuracies in [0, 1], higher is better, with mean and standard error.

    Raises:
        MetricError: if there are fewer than two folds, the shapes differ or a similarity is not finite.

    Source:
        Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, 2007 (View 2: mean and standard error of ten
        folds, the threshold from the other nine).
    """
    similarity, truth = _checked(similarity, same)
    if fold.shape != similarity.shape:
        raise MetricError(f"fold must give one number per pair, got {tuple(fold.shape)} for {len(similarity)} pairs")
    numbers = torch.unique(fold).tolist()
    if len(numbers) < 2:
        raise MetricError(f"a threshold from other folds needs at least 2 folds, got {len(numbers)}")
    accuracies, thresholds = [], []
    for number in numbers:
        here = fold == number
        threshold = _most_accurate(*_levels(similarity[~here], truth[~here]))
        accuracies.append(float(((similarity[here] >= threshold) == truth[here]).to(torch.float64).mean()))
        thresholds.append(threshold)
    scores = torch.tensor(accuracies, dtype=torch.float64)
    return KFoldAccuracy(
        per_fold=tuple(accuracies),
        thresholds=tuple(thresholds),
        mean=float(scores.mean()),
        standard_error=float(scores.std(correction=1)) / math.sqrt(len(scores)),
    )


def roc_auc(similarity: Tensor, same: Tensor) -> float:
    """The probability that a genuine pair is more similar than an impostor, equals counting half.

    Exact: U / (genuine · impostors) of Mann and Whitney, U counted in integers.

    Args:
        similarity: larger is more similar, [P].
        same: 1 for a genuine pair, 0 for an impostor, bool or integer [P].

    Returns:
        In [0, 1], higher is better, 0.5 is chance.

    Raises:
        MetricError: if genuine pairs or impostors are missing, the shapes differ or a similarity is not finite.

    Source:
        Hanley, McNeil, The meaning and use of the area under a receiver operating characteristic curve, Radiology 1982.
    """
    _, genuine, impostors = _both_kinds(similarity, same)
    below = impostors.cumsum(dim=0) - impostors
    doubled = int((genuine * (2 * below + impostors)).sum())
    return doubled / (2 * int(genuine.sum()) * int(impostors.sum()))


def equal_error_rate(similarity: Tensor, same: Tensor) -> float:
    """The error where as large a share of impostors is accepted as of genuine pairs is rejected.

    Both rates are known at every similarity that occurs and beyond all of them; between neighbouring ones they are
    joined by a straight line, and the error is read where the lines cross.

    Args:
        similarity: larger is more similar, [P].
        same: 1 for a genuine pair, 0 for an impostor, bool or integer [P].

    Returns:
        In [0, 1], lower is better, 0.5 is chance.

    Raises:
        MetricError: if genuine pairs or impostors are missing, the shapes differ or a similarity is not finite.

    Source:
        ISO/IEC 19795-1, Biometric performance testing and reporting.
    """
    _, genuine, impostors = _both_kinds(similarity, same)
    accepted, rejected = _error_rates(genuine, impostors)
    # From the first threshold (everything accepted: 1, 0) to beyond the last (0, 1), so a crossing is always met.
    after = int((rejected >= accepted).to(torch.uint8).argmax())
    gap_before = float(accepted[after - 1] - rejected[after - 1])
    gap_after = float(rejected[after] - accepted[after])
    weight = gap_before / (gap_before + gap_after)
    return float(accepted[after - 1]) + weight * float(accepted[after] - accepted[after - 1])


def impostors_needed(far: float) -> int:
    """How many impostors `true_accept_rate_at` asks for: so many that three of them may pass, 3 / far.

    Raises:
        MetricError: if not 0 < far < 1.
    """
    if not 0 < far < 1:
        raise MetricError(f"a false accept rate lies between 0 and 1, got {far}")
    # The quotient of two decimal numbers may land a hair above the integer that is meant.
    return math.ceil(round(_LEAST_FALSE_ACCEPTS / far, 6))


def impostors_that_may_pass(far: float, impostors: int) -> int:
    """How many of so many impostors a false accept rate lets through at most."""
    return math.floor(round(far * impostors, 6))


def true_accept_rate_at(similarity: Tensor, same: Tensor, *, far: float) -> float | None:
    """The share of genuine pairs accepted where at most a share ``far`` of the impostors is.

    The threshold is the lowest of the occurring similarities that keeps the promise, or beyond all of them; nothing is
    interpolated.

    Args:
        similarity: larger is more similar, [P].
        same: 1 for a genuine pair, 0 for an impostor, bool or integer [P].
        far: the false accept rate allowed, in (0, 1).

    Returns:
        In [0, 1], higher is better; None where there are fewer impostors than `impostors_needed`.

    Raises:
        MetricError: if genuine pairs or impostors are missing, the shapes differ or a similarity is not finite.

    Source:
        ISO/IEC 19795-1, Biometric performance testing and reporting.
    """
    needed = impostors_needed(far)
    _, genuine, impostors = _both_kinds(similarity, same)
    if int(impostors.sum()) < needed:
        return None
    accepted, rejected = _error_rates(genuine, impostors)
    return 1.0 - float(rejected[int((accepted <= far).to(torch.uint8).argmax())])


def _checked(similarity: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
    if similarity.ndim != 1 or len(similarity) == 0 or similarity.shape != same.shape:
        raise MetricError(f"similarity and same must be [P] with P >= 1, got {tuple(similarity.shape)} and {tuple(same.shape)}")
    if same.is_floating_point() or bool(((same != 0) & (same != 1)).any()):
        raise MetricError(f"same must be bool or hold the integers 0 and 1, got {same.dtype} with {torch.unique(same).tolist()[:5]}")
    exact = similarity.detach().to(torch.float64)
    if not bool(exact.isfinite().all()):
        raise MetricError(f"similarity must be finite, got {int((~exact.isfinite()).sum())} values that are not")
    return exact, same.to(torch.bool)


def _levels(similarity: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct similarities in ascending order, and how many genuine pairs and impostors have each."""
    similarity, truth = _checked(similarity, same)
    values, level = torch.unique(similarity, return_inverse=True)
    genuine = torch.bincount(level[truth], minlength=len(values))
    impostors = torch.bincount(level[~truth], minlength=len(values))
    return values, genuine, impostors


def _both_kinds(similarity: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    values, genuine, impostors = _levels(similarity, same)
    if int(genuine.sum()) == 0 or int(impostors.sum()) == 0:
        raise MetricError(f"both kinds of pairs are needed, got {int(genuine.sum())} genuine and {int(impostors.sum())} impostors")
    return values, genuine, impostors


def _error_rates(genuine: Tensor, impostors: Tensor) -> tuple[Tensor, Tensor]:
    """False accepts and false rejects at each level as threshold, and beyond the last: float64 [levels + 1]."""
    nothing = genuine.new_zeros(1)
    rejected = torch.cat([nothing, genuine.cumsum(dim=0)])
    accepted = impostors.sum() - torch.cat([nothing, impostors.cumsum(dim=0)])
    return accepted.to(torch.float64) / impostors.sum(), rejected.to(torch.float64) / genuine.sum()


def _most_accurate(values: Tensor, genuine: Tensor, impostors: Tensor) -> float:
    """The lowest threshold with the largest number of right decisions."""
    nothing = genuine.new_zeros(1)
    right = genuine.sum() - torch.cat([nothing, genuine.cumsum(dim=0)]) + torch.cat([nothing, impostors.cumsum(dim=0)])
    best = int((right == right.max()).to(torch.uint8).argmax())
    if best == 0:
        return float(values[0])
    if best == len(values):
        return math.inf
    low, high = float(values[best - 1]), float(values[best])
    middle = low + (high - low) / 2
    # Halfway between neighbouring numbers may round down to the lower one, which it must not accept.
    return middle if middle > low else high

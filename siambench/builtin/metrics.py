"""The metrics. Each computes from an `Evaluation`; neighbours and pairs are computed once, when one asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.interfaces import Evaluation


def _with_positive(scores: Tensor, evaluation: Evaluation) -> Tensor:
    # A query without a positive has no retrieval score; the harness reports their number.
    import torch

    return torch.where(evaluation.relevant > 0, scores, torch.nan)


def recall(evaluation: Evaluation, k: int) -> Tensor:
    """Whether one of the k nearest shares the label."""
    from siambench.metrics import recall_at_k

    return _with_positive(recall_at_k(evaluation.matches(k), k=k), evaluation)


def precision(evaluation: Evaluation, k: int) -> Tensor:
    """Share of the k nearest that have the label."""
    from siambench.metrics import precision_at_k

    return _with_positive(precision_at_k(evaluation.matches(k), k=k), evaluation)


def _most(evaluation: Evaluation) -> int:
    return max(1, int(evaluation.relevant.max()))


def r_precision(evaluation: Evaluation) -> Tensor:
    """Share of the R nearest that have the label."""
    from siambench.metrics import r_precision as compute

    return _with_positive(compute(evaluation.matches(_most(evaluation)), evaluation.relevant), evaluation)


def map_at_r(evaluation: Evaluation) -> Tensor:
    """Average precision over the R nearest."""
    from siambench.metrics import mean_average_precision_at_r

    return _with_positive(mean_average_precision_at_r(evaluation.matches(_most(evaluation)), evaluation.relevant), evaluation)


def verification_accuracy(evaluation: Evaluation) -> float | None:
    """Mean accuracy over folds, each with the threshold of the others."""
    from siambench.metrics import k_fold_accuracy

    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    return k_fold_accuracy(evaluation.similarities, evaluation.pairs.same, evaluation.pairs.fold).mean


def roc_auc(evaluation: Evaluation) -> float | None:
    """Probability that a genuine pair is more similar than an impostor."""
    from siambench.metrics import roc_auc as compute

    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    return compute(evaluation.similarities, evaluation.pairs.same)


def eer(evaluation: Evaluation) -> float | None:
    """The error where false accepts and false rejects are equally frequent."""
    from siambench.metrics import equal_error_rate

    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    return equal_error_rate(evaluation.similarities, evaluation.pairs.same)


def one_shot_error(evaluation: Evaluation) -> float | None:
    """Share of the queries of the official episodes whose most similar support image is of another class."""
    import torch

    from siambench.metrics import episode_accuracy

    episodes = evaluation.episodes("one-shot")
    if episodes is None:
        return None
    support, query, answer = episodes
    ways = torch.arange(support.shape[1], device=support.device).expand(support.shape[:2])
    return float(1 - episode_accuracy(support, ways, query, answer).mean())


@hookimpl
def siambench_metrics() -> dict[str, MetricEntry]:
    """Retrieval, verification and one-shot classification."""
    reality_check = "Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020"
    return {
        "recall@k": MetricEntry(recall, source="Jégou, Douze, Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 2011"),
        "precision@k": MetricEntry(precision, source="Manning, Raghavan, Schütze, Introduction to Information Retrieval, ch. 8"),
        "r_precision": MetricEntry(r_precision, source=reality_check),
        "map@r": MetricEntry(map_at_r, source=reality_check),
        "verification_accuracy": MetricEntry(
            verification_accuracy, source="Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, 2007"
        ),
        "roc_auc": MetricEntry(roc_auc, source="Hanley, McNeil, The meaning and use of the area under a ROC curve, Radiology 1982"),
        "eer": MetricEntry(eer, direction="min", source="ISO/IEC 19795-1, Biometric performance testing"),
        "one_shot_error": MetricEntry(
            one_shot_error,
            direction="min",
            needs="one-shot",
            source="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning, Science 2015",
        ),
    }

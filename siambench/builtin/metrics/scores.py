"""What the metrics compute, each from an `Evaluation`; neighbours and pairs are made once, when one asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from siambench import metrics
from siambench.errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from siambench.interfaces import Evaluation
    from siambench.metrics import Bounded

EPISODES = 400
"""Drawn episodes: the standard error of an accuracy near 0.5 over 20 queries each is below half a point."""


def _with_positive(scores: Tensor, evaluation: Evaluation) -> Tensor:
    # A query without a positive has no retrieval score; the harness reports their number.
    return torch.where(evaluation.relevant > 0, scores, torch.nan)


def _to_last_positive(evaluation: Evaluation) -> Tensor:
    """Matches up to R of the query with the most positives."""
    return evaluation.matches(max(1, int(evaluation.relevant.max())))


def recall(evaluation: Evaluation, k: int) -> Tensor:
    """One per query: whether one of the k nearest shares the label; beyond the last item nothing matches."""
    reached = min(k, evaluation.depth)
    return _with_positive(metrics.recall_at_k(evaluation.matches(reached), k=reached), evaluation)


def precision(evaluation: Evaluation, k: int) -> Tensor:
    """One per query: the share of the k nearest that have the label; beyond the last item nothing matches."""
    reached = min(k, evaluation.depth)
    return _with_positive(metrics.precision_at_k(evaluation.matches(reached), k=reached) * (reached / k), evaluation)


def r_precision(evaluation: Evaluation) -> Tensor:
    """One per query: the share of the R nearest that have the label."""
    return _with_positive(metrics.r_precision(_to_last_positive(evaluation), evaluation.relevant), evaluation)


def map_at_r(evaluation: Evaluation) -> Tensor:
    """One per query: the average precision over the R nearest."""
    return _with_positive(metrics.mean_average_precision_at_r(_to_last_positive(evaluation), evaluation.relevant), evaluation)


def mean_average_precision(evaluation: Evaluation) -> Tensor:
    """One per query: the average precision over the whole ranking."""
    return metrics.mean_average_precision(evaluation.matches(evaluation.depth), evaluation.relevant)


def reciprocal_rank(evaluation: Evaluation) -> Tensor:
    """One per query: one over the rank of the nearest that has the label."""
    return metrics.reciprocal_rank(evaluation.matches(evaluation.depth), evaluation.relevant)


def ndcg(evaluation: Evaluation, k: int) -> Tensor:
    """One per query: the discounted gain of the k nearest, relative to the best possible."""
    return metrics.ndcg_at_k(evaluation.matches(k), evaluation.relevant, k=k)


def nmi(evaluation: Evaluation) -> float | None:
    """Agreement of k-means clusters with the classes, mean of ten starts."""
    found = metrics.cluster_agreement(evaluation.embeddings, evaluation.labels, seed=evaluation.seed("clusters"))
    if found.deviation is not None:
        evaluation.note("nmi_deviation", found.deviation)
    return found.mean


def _verification(evaluation: Evaluation, compute: Callable[[Tensor, Tensor], float | None]) -> float | None:
    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    return compute(evaluation.similarities, evaluation.pairs.same)


def _bounded(evaluation: Evaluation, name: str, found: Bounded) -> float:
    evaluation.note(f"{name}_error", found.error)
    return found.value


def verification_accuracy(evaluation: Evaluation) -> float | None:
    """Mean accuracy over folds, each with the threshold of the others; standard error and best threshold go to the notes."""
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
    """The probability that a genuine pair is more similar than an impostor."""
    if evaluation.every_pair is not None:
        return _bounded(evaluation, "roc_auc", evaluation.every_pair.roc_auc)
    return _verification(evaluation, metrics.roc_auc)


def eer(evaluation: Evaluation) -> float | None:
    """The error where false accepts and false rejects are equally frequent."""
    if evaluation.every_pair is not None:
        return _bounded(evaluation, "eer", evaluation.every_pair.equal_error_rate)
    return _verification(evaluation, metrics.equal_error_rate)


def true_accept_rate(evaluation: Evaluation, far: float) -> float | None:
    """The share of genuine pairs accepted where at most a share ``far`` of the impostors is; None where these are too few."""

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


def one_shot_error(evaluation: Evaluation) -> float | None:
    """The share of the queries of the official episodes whose most similar support image is of another class."""
    episodes = evaluation.episodes("one-shot")
    if episodes is None:
        return None
    support, query, answer = episodes
    ways = torch.arange(support.shape[1], device=support.device).expand(support.shape[:2])
    return float(1 - metrics.episode_accuracy(support, ways, query, answer, distance=evaluation.distance).mean())


def few_shot(evaluation: Evaluation, k: int, *, shots: int, name: str) -> float | None:
    """Accuracy of drawn k-way episodes, within a group where classes have groups; standard error in the notes.

    One example per class: the nearest of them answers; several: the class whose mean is nearest.
    """
    labels, embeddings = evaluation.labels, evaluation.embeddings
    try:
        drawn = metrics.draw_episodes(
            labels, seed=evaluation.seed(f"{k}-way {shots}-shot"), episodes=EPISODES, ways=k, shots=shots, groups=evaluation.groups
        )
    except MetricError as error:
        evaluation.note(name, str(error))
        return None
    found = metrics.episode_accuracy(
        embeddings[drawn.support],
        labels[drawn.support],
        embeddings[drawn.query],
        labels[drawn.query],
        rule="nearest" if shots == 1 else "prototype",
        distance=evaluation.distance,
    )
    evaluation.note(f"{name}_se", float(found.std(correction=1) / len(found) ** 0.5))
    return float(found.mean())


def _labelled_part(evaluation: Evaluation) -> tuple[Tensor, Tensor]:
    """Indices of the items with known labels and of those asked: the gallery and the queries, or half of each class."""
    labels = evaluation.labels
    if evaluation.has_gallery:
        every = torch.arange(len(labels), device=labels.device)
        return every[evaluation.queries :], every[: evaluation.queries]
    generator = torch.Generator().manual_seed(evaluation.seed("transfer"))
    shuffled = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = shuffled[labels[shuffled].argsort(stable=True)]
    _, counts = torch.unique_consecutive(labels[order], return_counts=True)
    place = torch.arange(len(order), device=labels.device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    known = place < (torch.repeat_interleave(counts, counts) + 1) // 2
    return order[known], order[~known]


def neighbour_vote(evaluation: Evaluation, k: int) -> float | None:
    """Share of the items that the k nearest labelled ones vote into their class."""
    known, asked = _labelled_part(evaluation)
    if len(asked) == 0 or k > len(known):
        evaluation.note(
            f"knn@{k}", f"{k} votes and an item to ask are needed, there are {len(known)} labelled items and {len(asked)} others"
        )
        return None
    embeddings, labels = evaluation.embeddings, evaluation.labels
    found = metrics.neighbour_vote(embeddings[known], labels[known], embeddings[asked], labels[asked], k=k, distance=evaluation.distance)
    return float(found.mean())


def linear_probe(evaluation: Evaluation) -> float | None:
    """Share of the items that a linear classifier on the labelled ones gives its label."""
    known, asked = _labelled_part(evaluation)
    embeddings, labels = evaluation.embeddings, evaluation.labels
    if len(asked) == 0 or len(torch.unique(labels[known])) < 2:
        evaluation.note("linear_probe", "two labelled classes and an item to ask are needed")
        return None
    return float(metrics.linear_probe(embeddings[known], labels[known], embeddings[asked], labels[asked]).mean())


def alignment(evaluation: Evaluation) -> float | None:
    """Mean squared distance of items of one class on the unit sphere."""
    if int(evaluation.labels.bincount().max()) < 2:
        return None
    return metrics.alignment(evaluation.embeddings, evaluation.labels)


def uniformity(evaluation: Evaluation) -> float:
    """Log of the mean Gaussian potential of all pairs on the unit sphere."""
    return metrics.uniformity(evaluation.embeddings)


def effective_rank(evaluation: Evaluation) -> float:
    """How many directions the embeddings use."""
    return metrics.effective_rank(evaluation.embeddings)


def positive_distance(evaluation: Evaluation) -> float | None:
    """Mean euclidean distance of two items of one class."""
    return metrics.mean_distances(evaluation.embeddings, evaluation.labels).positive


def negative_distance(evaluation: Evaluation) -> float | None:
    """Mean euclidean distance of two items of different classes."""
    return metrics.mean_distances(evaluation.embeddings, evaluation.labels).negative

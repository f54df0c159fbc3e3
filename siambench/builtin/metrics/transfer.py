"""Transfer: half of each class is labelled, and the other half asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.interfaces import Evaluation


def _labelled_part(evaluation: Evaluation) -> tuple[Tensor, Tensor]:
    """Indices of the items with known labels and of those asked: the gallery and the queries, or half of each class."""
    import torch

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
    """Share of one half of each class's items that the k nearest of the other half vote into their class."""
    from siambench import metrics

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
    """Share of one half of each class's items that a linear classifier on the other half gives its class."""
    import torch

    from siambench import metrics

    known, asked = _labelled_part(evaluation)
    embeddings, labels = evaluation.embeddings, evaluation.labels
    if len(asked) == 0 or len(torch.unique(labels[known])) < 2:
        evaluation.note("linear_probe", "two labelled classes and an item to ask are needed")
        return None
    return float(metrics.linear_probe(embeddings[known], labels[known], embeddings[asked], labels[asked]).mean())


ENTRIES = {
    "knn@k": MetricEntry(
        neighbour_vote, source="Cover, Hart, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory 1967"
    ),
    "linear_probe": MetricEntry(
        linear_probe, source="Alain, Bengio, Understanding Intermediate Layers using Linear Classifier Probes, 2016"
    ),
}
"""By name."""

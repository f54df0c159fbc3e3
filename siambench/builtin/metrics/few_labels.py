"""Few labels: k items of each class are labelled, and the others asked, with the network as it is or fine-tuned on the k."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.errors import MetricError
from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.interfaces import Evaluation


def _drawn(evaluation: Evaluation, k: int) -> tuple[Tensor, Tensor]:
    """Indices of k items of each class that has more, and of the other items of those classes, [R] and [A]."""
    import torch

    from siambench import metrics

    labels = evaluation.labels
    queries = evaluation.queries if evaluation.has_gallery else None
    drawn = metrics.draw_references(labels, k=k, seed=evaluation.seed(f"few labels {k}"), queries=queries)
    asked = drawn.others[torch.isin(labels[drawn.others], drawn.classes)]
    if len(drawn.classes) < 2 or len(asked) == 0:
        raise MetricError(f"two classes with {k} labelled items and an item to ask are needed")
    return drawn.items.flatten(), asked


def linear_probe(evaluation: Evaluation, k: int) -> float | None:
    """Share of the other items that a linear classifier on k items of each class gives their class; the network stays as it is."""
    from siambench import metrics

    embeddings, labels = evaluation.embeddings, evaluation.labels
    try:
        known, asked = _drawn(evaluation, k)
    except MetricError as error:
        evaluation.note(f"linear_probe@{k}", str(error))
        return None
    return float(metrics.linear_probe(embeddings[known], labels[known], embeddings[asked], labels[asked]).mean())


def fine_tune(evaluation: Evaluation, k: int) -> float | None:
    """Share of the other items that the network itself, fine-tuned with a linear classifier on k items of each class, gives their class."""
    labels = evaluation.labels
    try:
        known, asked = _drawn(evaluation, k)
        found = evaluation.fine_tuned(known, asked)
    except MetricError as error:
        evaluation.note(f"fine_tune@{k}", str(error))
        return None
    return float((found == labels[asked]).double().mean())


ENTRIES = {
    "linear_probe@k": MetricEntry(
        linear_probe, source="Alain, Bengio, Understanding Intermediate Layers using Linear Classifier Probes, 2016"
    ),
    "fine_tune@k": MetricEntry(
        fine_tune, source="Dhillon, Chaudhari, Ravichandran, Soatto, A Baseline for Few-Shot Image Classification, ICLR 2020"
    ),
}
"""By name."""

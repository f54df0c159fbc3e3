"""Episodes: the class of a query, told by one or a few labelled items of each of k classes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from siambench.errors import MetricError
from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from siambench.interfaces import Evaluation
    from siambench.metrics import EpisodeIndices
    from siambench.metrics.kept import Kept

EPISODES = 400
"""Drawn episodes: the standard error of an accuracy near 0.5 over 20 queries each is below half a point."""


@cache
def _drawn() -> Kept[EpisodeIndices]:
    """Drawn once a process for each part: they depend on its labels, its groups and the seed alone."""
    from siambench.metrics.kept import Kept

    return Kept(8)


def one_shot_error(evaluation: Evaluation) -> float | None:
    """Share of the queries of the official episodes whose most similar support item is of another class."""
    import torch

    from siambench import metrics

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
    from siambench import metrics

    labels, groups, embeddings = evaluation.labels, evaluation.groups, evaluation.embeddings
    seed = evaluation.seed(f"{k}-way {shots}-shot")
    try:
        drawn = _drawn().of(
            [labels, groups],
            (seed, k, shots),
            lambda: metrics.draw_episodes(labels, seed=seed, episodes=EPISODES, ways=k, shots=shots, groups=groups),
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


def one_shot(evaluation: Evaluation, k: int) -> float | None:
    """Accuracy of 400 drawn k-way 1-shot episodes, within a group (alphabet, script) where classes have groups."""
    return few_shot(evaluation, k, shots=1, name=f"one_shot@{k}")


def five_shot(evaluation: Evaluation, k: int) -> float | None:
    """Accuracy of 400 drawn k-way 5-shot episodes, within a group (alphabet, script) where classes have groups."""
    return few_shot(evaluation, k, shots=5, name=f"five_shot@{k}")


ENTRIES = {
    "one_shot_error": MetricEntry(
        one_shot_error,
        direction="min",
        needs="one-shot",
        source="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning, Science 2015",
    ),
    "one_shot@k": MetricEntry(one_shot, source="Vinyals et al., Matching Networks for One Shot Learning, NIPS 2016"),
    "five_shot@k": MetricEntry(five_shot, source="Snell, Swersky, Zemel, Prototypical Networks for Few-shot Learning, NIPS 2017"),
}
"""By name."""

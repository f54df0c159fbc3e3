"""Episodes, official and drawn."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch.nn import functional

from siambench import metrics
from siambench.builtin.metrics.episodes import EPISODES


def test_one_shot_error_is_that_of_a_loop(evaluated, compute):
    """The error is the share of queries whose most similar support image is another than the answer; ties go to the first."""
    generator = torch.Generator().manual_seed(0)
    support = functional.normalize(torch.randn(3, 4, 6, generator=generator), dim=2)
    query = functional.normalize(support[:, [0, 1, 2, 3, 0]] + 0.6 * torch.randn(3, 5, 6, generator=generator), dim=2)
    support[1, 2] = support[1, 0]  # a tie, which the first of the two wins
    query[1, 4] = support[1, 0]
    answer = torch.tensor([[0, 1, 2, 3, 0], [0, 1, 2, 3, 2], [0, 1, 2, 3, 0]])
    wrong = 0
    for run in range(3):
        for item in range(5):
            cosines = [float(query[run, item].double() @ support[run, way].double()) for way in range(4)]
            wrong += cosines.index(max(cosines)) != int(answer[run, item])

    found = compute("one_shot_error", evaluated([0, 0, 1, 1], episodes={"one-shot": (support, query, answer)}))

    assert 0 < wrong < 15
    assert wrong / 15 == pytest.approx(found)


def test_one_shot_error_does_not_apply_without_episodes(evaluated, compute):
    """A data set without official runs has no one-shot error."""
    assert compute("one_shot_error", evaluated([0, 0, 1, 1])) is None


def episode_accuracies(evaluation, drawn, shots):
    """Accuracy of each episode, item by item: the nearest support of one shot, else the nearest mean."""
    x, labels = evaluation.embeddings.numpy(), evaluation.labels.numpy()
    for support, query in zip(drawn.support.numpy(), drawn.query.numpy(), strict=True):
        classes = np.unique(labels[support])
        centres = np.stack([x[support[labels[support] == c]].mean(axis=0) for c in classes])
        if evaluation.distance == "cosine":
            near = x[query] @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
        else:
            near = -cdist(x[query], centres)
        assert shots * len(classes) == len(support)
        yield np.mean(classes[near.argmax(axis=1)] == labels[query])


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize(("name", "shots"), [("one_shot", 1), ("five_shot", 5)])
@pytest.mark.parametrize("grouped", [False, True])
def test_few_shot_accuracy_is_that_of_drawn_episodes(evaluated, compute, name, shots, grouped, distance):
    """It is the mean over the drawn episodes, within a group where classes have one, with its standard error in the notes."""
    labels = [c for c in range(9) for _ in range(6 + c % 3)]
    groups = torch.tensor([c // 4 for c in labels]) if grouped else None
    evaluation = evaluated(labels, near=0.8, distance=distance, groups=groups)
    drawn = metrics.draw_episodes(
        evaluation.labels, seed=evaluation.seed(f"3-way {shots}-shot"), episodes=EPISODES, ways=3, shots=shots, groups=groups
    )
    if grouped:
        # The third group has one class, too few for three ways.
        assert all(1 == len({labels[i] // 4 for i in episode}) for episode in drawn.support.tolist())
    expected = np.array(list(episode_accuracies(evaluation, drawn, shots)))

    assert expected.mean() == pytest.approx(compute(f"{name}@k", evaluation, 3), abs=1e-12)
    assert expected.std(ddof=1) / math.sqrt(EPISODES) == pytest.approx(evaluation.notes[f"{name}@3_se"], abs=1e-12)
    assert 1 / 3 < expected.mean() < 1


def test_few_shot_accuracy_needs_classes_of_one_group(evaluated, compute):
    """Where no group has enough classes it is None, though all groups together have, and a note says how many there are."""
    labels = [c for c in range(6) for _ in range(6)]
    grouped = evaluated(labels, groups=torch.tensor(labels) // 2)

    assert compute("five_shot@k", grouped, 4) is None
    assert "4 classes of 6 items within a group, got at most 2" in grouped.notes["five_shot@4"]
    assert compute("five_shot@k", evaluated(labels), 4) is not None

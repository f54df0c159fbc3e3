"""Verification: scores of pairs, drawn or given."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from siambench import metrics


def test_verification_scores_are_those_of_the_drawn_pairs(evaluated, compute):
    """Accuracy, ROC-AUC and EER are computed from the pairs that the seed draws and their cosines, same = 1."""
    evaluation = evaluated([c for c in range(8) for _ in range(6)])
    pairs = metrics.draw_pairs(evaluation.labels, seed=evaluation.seed("pairs"))
    cosine = functional.cosine_similarity(evaluation.embeddings[pairs.left].double(), evaluation.embeddings[pairs.right].double())

    assert torch.equal(pairs.left, evaluation.pairs.left)
    assert pytest.approx(roc_auc_score(pairs.same, cosine), abs=1e-12) == compute("roc_auc", evaluation)
    assert metrics.k_fold_accuracy(cosine, pairs.same, pairs.fold).mean == pytest.approx(compute("verification_accuracy", evaluation))
    assert metrics.equal_error_rate(cosine, pairs.same) == pytest.approx(compute("eer", evaluation))
    assert metrics.k_fold_accuracy(cosine, pairs.same, pairs.fold).standard_error == evaluation.notes["verification_accuracy_se"]
    assert metrics.best_threshold(cosine, pairs.same) == pytest.approx(evaluation.notes["verification_threshold"])


def test_pairs_may_be_given(evaluated, compute):
    """Named pairs take the place of drawn ones, and their cosines and folds give the scores."""
    left, right, same = [0, 6, 12, 0, 7, 13], [1, 7, 13, 6, 12, 18], [True] * 3 + [False] * 3
    pairs = metrics.Pairs(torch.tensor(left), torch.tensor(right), torch.tensor(same), torch.tensor([0, 0, 1, 0, 1, 1]))
    evaluation = evaluated([c for c in range(8) for _ in range(6)], pairs=pairs)
    cosines = [float(evaluation.embeddings[a] @ evaluation.embeddings[b]) for a, b in zip(left, right, strict=True)]

    assert roc_auc_score(same, cosines) == compute("roc_auc", evaluation)
    assert cosines == pytest.approx(evaluation.similarities.tolist(), abs=1e-12)


def test_true_accept_rate_is_counted(evaluated, compute):
    """tar@far is the share of genuine pairs more similar than all but the allowed share of impostors."""
    evaluation = evaluated([c for c in range(6) for _ in range(12)], near=0.7)
    found = compute("tar@far", evaluation, far=0.1)
    same, similarity = evaluation.pairs.same.numpy(), evaluation.similarities.numpy()
    impostors = np.sort(similarity[~same])[::-1]

    assert len(impostors) >= 100
    assert 0.1 < found < 1
    assert np.mean(similarity[same] > impostors[math.floor(len(impostors) * 0.1)]) == pytest.approx(found)


def test_too_few_impostors_are_no_score(evaluated, compute):
    """Where fewer than 10 / far impostors are there, tar@far is None and a note gives both numbers."""
    evaluation = evaluated([0, 0, 1, 1, 2, 2, 3, 3])

    assert compute("tar@far", evaluation, far=1e-3) is None
    assert f"10000 impostor pairs, there are {int((~evaluation.pairs.same).sum())}" in evaluation.notes["tar@0.001"]


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5, 5]])
def test_verification_does_not_apply_to_few_classes(evaluated, compute, labels):
    """With fewer than two possible folds verification is None, and a note says why."""
    evaluation = evaluated(labels)
    for name in ("verification_accuracy", "roc_auc", "eer", "tar@far"):
        assert compute(name, evaluation, far=0.1) is None
    assert "two folds" in evaluation.notes["verification"]

"""Verification: scores of pairs, drawn or given."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, spearmanr
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
    """Where fewer than 3 / far impostors are there, tar@far is None and a note gives both numbers."""
    evaluation = evaluated([0, 0, 1, 1, 2, 2, 3, 3])

    assert compute("tar@far", evaluation, far=1e-3) is None
    assert f"3000 impostor pairs, there are {int((~evaluation.pairs.same).sum())}" in evaluation.notes["tar@0.001"]


def given_pairs(genuine, impostors):
    """So many pairs of one item with others of its class, and with others of another."""
    pairs = genuine + impostors
    return metrics.Pairs(
        torch.zeros(pairs, dtype=torch.int64),
        torch.arange(1, pairs + 1),
        torch.arange(pairs) < genuine,
        torch.zeros(pairs, dtype=torch.int64),
    )


def test_the_customary_rate_of_faces_has_a_score(evaluated, compute):
    """At a rate of 1e-3 the 3,000 impostors of LFW let 3 pass: a score, its number of impostors, its interval, and that it is coarse."""
    labels = [0] * 3001 + [1] * 3000
    evaluation = evaluated(labels, near=0.9, pairs=given_pairs(3000, 3000))
    found = compute("tar@far", evaluation, far=1e-3)
    accepted = round(found * 3000)
    interval = binomtest(accepted, 3000).proportion_ci(method="exact")

    assert 0 < accepted < 3000
    assert evaluation.notes["tar@0.001_impostors"] == 3000
    assert interval.low == pytest.approx(evaluation.notes["tar@0.001_low"], abs=1e-12)
    assert interval.high == pytest.approx(evaluation.notes["tar@0.001_high"], abs=1e-12)
    assert evaluation.notes["tar@0.001_coarse"] == "coarse: only 3 of the 3000 impostor pairs may pass"
    assert "tar@0.001" not in evaluation.notes


@pytest.mark.parametrize(("impostors", "coarse"), [(29, None), (30, True), (99, True), (100, False)])
def test_what_few_impostors_decide_is_flagged(evaluated, compute, impostors, coarse):
    """At a rate of 0.1 thirty impostors are the fewest; below a hundred the score is coarse, and from there on it is not."""
    evaluation = evaluated([0] * 21 + [1] * impostors, pairs=given_pairs(20, impostors))
    found = compute("tar@far", evaluation, far=0.1)

    assert (coarse is None) == (found is None)
    assert bool(coarse) == ("tar@0.1_coarse" in evaluation.notes)
    assert (found is None) == ("needs 30 impostor pairs, there are 29" in str(evaluation.notes.get("tar@0.1")))


def test_over_every_pair_the_interval_is_of_all_genuine_pairs(evaluated, compute):
    """Over every pair the notes count all impostors, and the interval is that of all genuine pairs."""
    evaluation = evaluated([c for c in range(6) for _ in range(12)], near=0.7, pairs="every")
    found = compute("tar@far", evaluation, far=0.1)
    genuine, impostors = 6 * 66, 15 * 144
    interval = binomtest(round(found * genuine), genuine).proportion_ci(method="exact")

    assert evaluation.notes["tar@0.1_impostors"] == impostors
    assert (interval.low, interval.high) == pytest.approx((evaluation.notes["tar@0.1_low"], evaluation.notes["tar@0.1_high"]), abs=1e-12)
    assert "tar@0.1_coarse" not in evaluation.notes


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5, 5]])
def test_verification_does_not_apply_to_few_classes(evaluated, compute, labels):
    """With fewer than two possible folds verification is None, and a note says why."""
    evaluation = evaluated(labels)
    for name in ("verification_accuracy", "roc_auc", "eer", "tar@far"):
        assert compute(name, evaluation, far=0.1) is None
    assert "two folds" in evaluation.notes["verification"]


def test_spearman_is_of_the_scores_of_the_pairs(evaluated, compute):
    """With scores the correlation is scipy's of cosines and scores; of drawn pairs, which have none, there is none, and a note says so."""
    left, right = [0, 6, 12, 0, 7, 13], [1, 7, 13, 6, 12, 18]
    score = torch.tensor([5.0, 4.0, 4.0, 0.5, 2.0, 0.0], dtype=torch.float64)
    same = torch.tensor([True] * 3 + [False] * 3)
    pairs = metrics.Pairs(torch.tensor(left), torch.tensor(right), same, torch.zeros(6, dtype=torch.int64), score)
    labels = [c for c in range(8) for _ in range(6)]

    evaluation = evaluated(labels, pairs=pairs)
    assert compute("spearman", evaluation) == pytest.approx(spearmanr(evaluation.similarities, score).statistic, abs=1e-12)
    without = evaluation.without(0)
    kept = [place for place, (a, b) in enumerate(zip(left, right, strict=True)) if labels[a] and labels[b]]
    assert without.pairs.score.tolist() == score[kept].tolist()
    drawn = evaluated(labels)
    assert compute("spearman", drawn) is None
    assert drawn.notes["spearman"].startswith("the pairs have no scores: ")

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from siambench import metrics
from siambench.builtin.metrics import siambench_metrics
from siambench.evaluation import Evaluated
from siambench.plugin import call_factory

ENTRIES = siambench_metrics()


def evaluated(labels, *, seed=0, dimensions=5, episodes=None):
    """Random embeddings of these labels, as a metric meets them."""
    points = torch.randn(len(labels), dimensions, generator=torch.Generator().manual_seed(seed))
    return Evaluated(points, torch.tensor(labels), seed=3, episodes=(episodes or {}).get)


def compute(name, evaluation, k=None):
    """The metric as the harness asks for it."""
    return call_factory(ENTRIES[name].compute, {"evaluation": evaluation, "k": k})


def ranking(evaluation, query):
    """All other items, most similar first, lower index first among equals."""
    x = evaluation.embeddings.double()
    return sorted((i for i in range(len(x)) if i != query), key=lambda i: (-float(x[query] @ x[i]), i))


def by_hand(name, evaluation, query, k):
    """One query's score, counted along its ranking; None where it has no positive."""
    labels = evaluation.labels.tolist()
    hits = [labels[i] == labels[query] for i in ranking(evaluation, query)]
    relevant = sum(hits)
    if relevant == 0:
        return None
    if name == "recall@k":
        return float(any(hits[:k]))
    if name == "precision@k":
        return sum(hits[:k]) / k
    if name == "r_precision":
        return sum(hits[:relevant]) / relevant
    return math.fsum(sum(hits[: i + 1]) / (i + 1) for i in range(relevant) if hits[i]) / relevant


# Classes of one, two, three, five and nine.
LABELS = [4, 0, 3, 4, 2, 4, 3, 1, 4, 3, 2, 4, 4, 3, 1, 4, 2, 4, 3, 4]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("name", "k"), [("recall@k", 1), ("recall@k", 3), ("precision@k", 4), ("r_precision", None), ("map@r", None)])
def test_retrieval_scores_follow_the_ranking(name, k, seed):
    """Each query's score is that counted along its sorted ranking, float64, and NaN for the query without a positive."""
    evaluation = evaluated(LABELS, seed=seed)

    found = compute(name, evaluation, k).tolist()

    for query, score in enumerate(found):
        expected = by_hand(name, evaluation, query, k)
        assert math.isnan(score) if expected is None else expected == pytest.approx(score, abs=1e-12)


def test_a_list_longer_than_the_data_counts_what_there_is():
    """With k above the number of others, recall is 1 wherever there is a positive, and precision still divides by k."""
    evaluation = evaluated([0, 0, 1, 1, 2])

    assert compute("recall@k", evaluation, 50)[:4].tolist() == [1.0] * 4
    assert compute("precision@k", evaluation, 50)[:4].tolist() == [1 / 50] * 4
    assert bool(torch.isnan(compute("recall@k", evaluation, 50)[4]))


def test_no_positive_anywhere_is_no_score():
    """Where every class has one item, all queries are NaN for all retrieval metrics."""
    evaluation = evaluated([0, 1, 2, 3])
    for name, k in (("recall@k", 1), ("precision@k", 2), ("r_precision", None), ("map@r", None)):
        assert bool(torch.isnan(compute(name, evaluation, k)).all())


def test_verification_scores_are_those_of_the_drawn_pairs():
    """Accuracy, ROC-AUC and EER are computed from the pairs that the seed draws and their cosines, same = 1."""
    evaluation = evaluated([c for c in range(8) for _ in range(6)])
    pairs = metrics.draw_pairs(evaluation.labels, seed=3)
    cosine = functional.cosine_similarity(evaluation.embeddings[pairs.left].double(), evaluation.embeddings[pairs.right].double())

    assert torch.equal(pairs.left, evaluation.pairs.left)
    assert pytest.approx(roc_auc_score(pairs.same, cosine), abs=1e-12) == compute("roc_auc", evaluation)
    assert metrics.k_fold_accuracy(cosine, pairs.same, pairs.fold).mean == pytest.approx(compute("verification_accuracy", evaluation))
    assert metrics.equal_error_rate(cosine, pairs.same) == pytest.approx(compute("eer", evaluation))


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5, 5]])
def test_verification_does_not_apply_to_few_classes(labels):
    """With fewer than two possible folds verification is None, and a note says why."""
    evaluation = evaluated(labels)
    for name in ("verification_accuracy", "roc_auc", "eer"):
        assert compute(name, evaluation) is None
    assert "two folds" in evaluation.notes["verification"]


def test_one_shot_error_is_that_of_a_loop():
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


def test_one_shot_error_does_not_apply_without_episodes():
    """A data set without official runs has no one-shot error."""
    assert compute("one_shot_error", evaluated([0, 0, 1, 1])) is None


def test_directions_are_stated():
    """Errors are better when lower, everything else when higher, and all lie in [0, 1]."""
    assert {name for name, entry in ENTRIES.items() if entry.direction == "min"} == {"eer", "one_shot_error"}
    assert {(entry.low, entry.high) for entry in ENTRIES.values()} == {(0.0, 1.0)}
    assert {name: entry.needs for name, entry in ENTRIES.items() if entry.needs} == {"one_shot_error": "one-shot"}


def test_perfect_embeddings_have_perfect_scores():
    """Classes at right angles score the best possible value in every metric."""
    labels = torch.arange(6).repeat_interleave(4)
    evaluation = Evaluated(torch.eye(6)[labels], labels, seed=0, episodes=lambda name: None)

    for name, entry in ENTRIES.items():
        if entry.needs is None:
            value = compute(name, evaluation, 1)
            best = entry.high if entry.direction == "max" else entry.low
            assert best == (float(value.mean()) if isinstance(value, torch.Tensor) else value), name

"""Retrieval: scores of each query, counted along its ranking."""

import math

import pytest
import torch

# Classes of one, two, three, five and nine.
LABELS = [4, 0, 3, 4, 2, 4, 3, 1, 4, 3, 2, 4, 4, 3, 1, 4, 2, 4, 3, 4]


def ranking(evaluation, query):
    """All that the query is compared with, most similar first, lower index first among equals."""
    x = evaluation.embeddings.double()
    references = range(evaluation.queries, len(x)) if evaluation.has_gallery else (i for i in range(len(x)) if i != query)
    return sorted(references, key=lambda i: (-float(x[query] @ x[i]), i))


def by_hand(name, evaluation, query, k):
    """One query's score, counted along its ranking; None where it has no positive."""
    labels = evaluation.labels.tolist()
    hits = [labels[i] == labels[query] for i in ranking(evaluation, query)]
    relevant = sum(hits)
    if relevant == 0:
        return None
    precisions = [sum(hits[: i + 1]) / (i + 1) if hit else 0.0 for i, hit in enumerate(hits)]
    gains = [1 / math.log2(i + 2) for i in range(k or 1)]
    return {
        "recall@k": lambda: float(any(hits[:k])),
        "precision@k": lambda: sum(hits[:k]) / k,
        "r_precision": lambda: sum(hits[:relevant]) / relevant,
        "map@r": lambda: math.fsum(precisions[:relevant]) / relevant,
        "map": lambda: math.fsum(precisions) / relevant,
        "mrr": lambda: 1 / (hits.index(True) + 1),
        "ndcg@k": lambda: math.fsum(g for g, hit in zip(gains, hits, strict=False) if hit) / math.fsum(gains[: min(k, relevant)]),
    }[name]()


@pytest.mark.parametrize("queries", [None, 7], ids=["each other", "gallery"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("name", "k"),
    [
        *[("recall@k", 1), ("recall@k", 3), ("precision@k", 4), ("ndcg@k", 5), ("ndcg@k", 40)],
        *[(name, None) for name in ("r_precision", "map@r", "map", "mrr")],
    ],
)
def test_retrieval_scores_follow_the_ranking(evaluated, compute, name, k, seed, queries):
    """Each query's score is that counted along its sorted ranking, float64, and NaN for the query without a positive."""
    evaluation = evaluated(LABELS, seed=seed, queries=queries)

    found = compute(name, evaluation, k).tolist()

    assert (queries or len(LABELS)) == len(found)
    assert any(math.isnan(score) for score in found)
    for query, score in enumerate(found):
        expected = by_hand(name, evaluation, query, k)
        assert math.isnan(score) if expected is None else expected == pytest.approx(score, abs=1e-12)


def test_a_list_longer_than_the_data_counts_what_there_is(evaluated, compute):
    """With k above the number of others, recall is 1 wherever there is a positive, and precision still divides by k."""
    evaluation = evaluated([0, 0, 1, 1, 2])

    assert compute("recall@k", evaluation, 50)[:4].tolist() == [1.0] * 4
    assert compute("precision@k", evaluation, 50)[:4].tolist() == [1 / 50] * 4
    assert bool(torch.isnan(compute("recall@k", evaluation, 50)[4]))


def test_no_positive_anywhere_is_no_score(evaluated, compute):
    """Where every class has one item, all queries are NaN for all retrieval metrics."""
    evaluation = evaluated([0, 1, 2, 3])
    for name in ("recall@k", "precision@k", "r_precision", "map@r", "map", "mrr", "ndcg@k"):
        assert bool(torch.isnan(compute(name, evaluation, 2)).all()), name

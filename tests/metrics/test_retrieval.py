import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.metrics import average_precision_score, ndcg_score

from siambench.errors import MetricError
from siambench.metrics import (
    answerable,
    matches,
    mean_average_precision,
    mean_average_precision_at_r,
    ndcg_at_k,
    nearest,
    precision_at_k,
    r_precision,
    recall_at_k,
    reciprocal_rank,
    relevant_counts,
)

PLAIN_SEARCH = CustomKNN(LpDistance(normalize_embeddings=False))
EXACT = {"rtol": 0.0, "atol": 1e-12}


def close(expected, actual):
    assert torch.float64 == actual.dtype
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=torch.float64), equal_nan=True, **EXACT)


def loop(matches, relevant, score):
    """One query after another; NaN without a relevant reference."""
    return [score(row, r) if r else math.nan for row, r in zip(matches.tolist(), relevant.tolist(), strict=True)]


def slow_map_at_r(row, r):
    return sum(sum(row[: i + 1]) / (i + 1) for i in range(r) if row[i]) / r


def slow_average_precision(row, r):
    return sum(sum(row[: i + 1]) / (i + 1) for i in range(len(row)) if row[i]) / r


def slow_ndcg(row, r, k):
    gain = sum(hit / math.log2(i + 2) for i, hit in enumerate(row[:k]))
    return gain / sum(1 / math.log2(i + 2) for i in range(min(r, k)))


@st.composite
def rankings(draw):
    """Complete rankings of a gallery: all relevant references are among the K, and K differs from any R."""
    queries, depth = draw(st.integers(1, 12)), draw(st.integers(1, 30))
    rows = draw(st.lists(st.lists(st.booleans(), min_size=depth, max_size=depth), min_size=queries, max_size=queries))
    found = torch.tensor(rows)
    return found, found.sum(dim=1)


@given(rankings())
def test_map_at_r_is_its_formula(ranking):
    """MAP@R is the mean over R of the precision at relevant ranks up to R, query by query."""
    found, relevant = ranking
    close(loop(found, relevant, slow_map_at_r), mean_average_precision_at_r(found, relevant))


@given(rankings())
def test_average_precision_is_its_formula(ranking):
    """AP adds the precision at every relevant rank of the whole ranking and divides by R."""
    found, relevant = ranking
    close(loop(found, relevant, slow_average_precision), mean_average_precision(found, relevant))


@given(rankings(), st.data())
def test_scores_at_k_are_their_formulas(ranking, data):
    """Recall@k, precision@k and NDCG@k agree with ten lines of loops, also where k > R."""
    found, relevant = ranking
    k = data.draw(st.integers(1, found.shape[1]))

    close([float(any(row[:k])) for row in found.tolist()], recall_at_k(found, k=k))
    close([sum(row[:k]) / k for row in found.tolist()], precision_at_k(found, k=k))
    close(loop(found, relevant, lambda row, r: slow_ndcg(row, r, k)), ndcg_at_k(found, relevant, k=k))


@given(rankings())
def test_r_precision_and_reciprocal_rank_are_their_formulas(ranking):
    """R-precision is the share of hits in the first R, reciprocal rank one over the rank of the first hit."""
    found, relevant = ranking

    close(loop(found, relevant, lambda row, r: sum(row[:r]) / r), r_precision(found, relevant))
    close(loop(found, relevant, lambda row, _: 1 / (row.index(True) + 1)), reciprocal_rank(found, relevant))


@given(rankings())
def test_map_at_r_never_exceeds_r_precision(ranking):
    """Precision at each relevant rank is at most 1, so MAP@R is at most R-precision, and both are in [0, 1]."""
    found, relevant = ranking
    some = answerable(relevant)
    lower, upper = mean_average_precision_at_r(found, relevant)[some], r_precision(found, relevant)[some]

    assert bool(((lower >= 0) & (lower <= upper + 1e-15) & (upper <= 1)).all())


@given(rankings(), st.data())
def test_swapping_a_hit_forward_never_hurts(ranking, data):
    """Every ranking metric is monotone: a relevant reference that moves one rank forward lowers no score."""
    found, relevant = ranking
    assume(found.shape[1] >= 2)
    place = data.draw(st.integers(1, found.shape[1] - 1))
    better = found.clone()
    swap = found[:, place] & ~found[:, place - 1]
    better[swap, place], better[swap, place - 1] = False, True

    for score in (mean_average_precision_at_r, mean_average_precision, r_precision, reciprocal_rank):
        gain = score(better, relevant) - score(found, relevant)
        assert bool((gain[answerable(relevant)] >= -1e-15).all())


@given(rankings())
def test_average_precision_agrees_with_sklearn(ranking):
    """On complete rankings AP is scikit-learn's average_precision_score, with negative scores and all."""
    found, relevant = ranking
    scores = -np.arange(found.shape[1], dtype=np.float64)
    expected = [average_precision_score(row.numpy(), scores) if r else math.nan for row, r in zip(found, relevant, strict=True)]

    close(expected, mean_average_precision(found, relevant))


@settings(max_examples=50)
@given(rankings(), st.data())
def test_ndcg_agrees_with_sklearn(ranking, data):
    """On complete rankings NDCG@k is scikit-learn's ndcg_score."""
    found, relevant = ranking
    assume(found.shape[1] >= 2)
    k = data.draw(st.integers(1, found.shape[1]))
    scores = np.arange(found.shape[1], 0, -1, dtype=np.float64)[None]
    expected = [ndcg_score(row[None].numpy(), scores, k=k) if r else math.nan for row, r in zip(found, relevant, strict=True)]

    close(expected, ndcg_at_k(found, relevant, k=k))


def embedded(labels, *, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(labels), 6, generator=generator, dtype=torch.float64) + labels[:, None] % 7


def unequal_labels():
    """Classes of 1, 2, 3 ... 12 members, shuffled, and not numbered from zero."""
    labels = torch.cat([torch.full((size,), 100 + size * size) for size in range(1, 13)])
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_agrees_with_pytorch_metric_learning(dtype):
    """On small labels the means are those of its AccuracyCalculator, which drops queries without a positive."""
    labels = unequal_labels()
    points = torch.nn.functional.normalize(embedded(labels, seed=1)).to(dtype)
    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
    calculator = AccuracyCalculator(include=names, k="max_bin_count", knn_func=PLAIN_SEARCH)
    expected = calculator.get_accuracy(points.double(), labels)

    relevant = relevant_counts(labels, labels, exclude_self=True)
    found = matches(labels, labels, nearest(points, points, int(relevant.max()), exclude_self=True))
    some = answerable(relevant)

    assert 1 == int((~some).sum())
    assert expected["precision_at_1"] == pytest.approx(float(precision_at_k(found, k=1)[some].mean()), abs=1e-6)
    assert expected["r_precision"] == pytest.approx(float(r_precision(found, relevant)[some].mean()), abs=1e-6)
    assert expected["mean_average_precision_at_r"] == pytest.approx(
        float(mean_average_precision_at_r(found, relevant)[some].mean()), abs=1e-6
    )


def test_pytorch_metric_learning_merges_large_labels():
    """Its calculator rounds labels to float32 and scores another exam; ours gives the score of the small labels."""
    small = unequal_labels() % 16
    large = small + 2**24
    points = torch.nn.functional.normalize(embedded(small, seed=2))

    def ours(labels):
        relevant = relevant_counts(labels, labels, exclude_self=True)
        return precision_at_k(matches(labels, labels, nearest(points, points, 1, exclude_self=True)), k=1)[answerable(relevant)].mean()

    def theirs(labels):
        calculator = AccuracyCalculator(include=("precision_at_1",), k=1, knn_func=PLAIN_SEARCH)
        return calculator.get_accuracy(points, labels)["precision_at_1"]

    assert ours(small) == ours(large)
    assert theirs(small) == pytest.approx(float(ours(small)), abs=1e-6)
    assert theirs(large) > theirs(small) + 0.05


def test_scores_over_many_rows_are_those_of_few():
    """Working through rows in chunks changes no score."""
    found = torch.rand(5000, 1000, generator=torch.Generator().manual_seed(3)) < 0.05
    relevant = found.sum(dim=1)

    for score in (mean_average_precision_at_r, mean_average_precision, r_precision):
        close(score(found[4700:], relevant[4700:]), score(found, relevant)[4700:])
    close(ndcg_at_k(found[4700:], relevant[4700:], k=999), ndcg_at_k(found, relevant, k=999)[4700:])


def test_no_query_gives_no_score():
    """An empty set of queries has an empty list of scores."""
    found, relevant = torch.zeros(0, 4, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)

    for score in (mean_average_precision_at_r, mean_average_precision, r_precision, reciprocal_rank):
        assert (0,) == score(found, relevant).shape


HITS = torch.tensor([[True, False, True], [False, False, False]])


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (lambda: recall_at_k(HITS, k=4), "the 3 neighbours given, got 4"),
        (lambda: precision_at_k(HITS, k=0), "the 3 neighbours given, got 0"),
        (lambda: ndcg_at_k(HITS, torch.tensor([2, 0]), k=5), "the 3 neighbours given, got 5"),
        (lambda: r_precision(HITS, torch.tensor([4, 0])), "largest R = 4, got K = 3"),
        (lambda: mean_average_precision_at_r(HITS, torch.tensor([7, 0])), "largest R = 7, got K = 3"),
        (lambda: mean_average_precision(HITS, torch.tensor([3, 0])), "K = 3, which misses some of 1 queries"),
        (lambda: reciprocal_rank(HITS, torch.tensor([2, 1])), "K = 3, too small for 1 queries"),
        (lambda: r_precision(HITS, torch.tensor([1, 0])), "query 0 has 2 matches, more than its 1"),
        (lambda: r_precision(HITS.double(), torch.tensor([2, 0])), "must be bool"),
        (lambda: r_precision(HITS, torch.tensor([2.0, 0.0])), "must be int64"),
        (lambda: r_precision(HITS, torch.tensor([2])), r"int64 \[2\], got torch.int64 \(1,\)"),
        (lambda: recall_at_k(HITS[0], k=1), r"got torch.bool \(3,\)"),
    ],
)
def test_refuses_where_the_score_would_be_wrong(score, reason):
    """Too few neighbours, contradictions and wrong types are errors that give both values."""
    with pytest.raises(MetricError, match=reason):
        score()

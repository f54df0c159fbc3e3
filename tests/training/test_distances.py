"""Embeddings in a few numbers, beside slow loops."""

import math

import numpy as np
import pytest
import torch

from siambench.interfaces import Quantiles
from siambench.plugin import Margin
from siambench.training.distances import described, quantiles, told

LABELS = [2, 0, 0, 2, 1, 2, 0, 5]
"""Classes of three, three, one and one."""


def points(seed=0, labels=LABELS, width=3, *, normalised=False):
    """Embeddings, two of them equal, one thrice as long as most."""
    found = np.random.default_rng(seed).normal(size=(len(labels), width))
    found[3] = found[0]
    found[4] = found[1]
    found[6] *= 3
    if normalised:
        found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def apart(one, other, kind="euclidean"):
    """How far one embedding is from another; of cosines the similarity."""
    if kind == "cosine":
        return float(one @ other / (math.sqrt(one @ one) * math.sqrt(other @ other)))
    squared = sum(float(a - b) ** 2 for a, b in zip(one, other, strict=True))
    return squared if kind == "squared" else math.sqrt(squared)


def pairs_of(embeddings, labels, kind="euclidean"):
    """Distances of positive and of negative pairs, i < j."""
    found = {True: [], False: []}
    for i in range(len(labels)):
        for j in range(i + 1, len(labels)):
            found[labels[i] == labels[j]].append(apart(embeddings[i], embeddings[j], kind))
    return found[True], found[False]


def near(value, expected):
    """Whether a number is told of the first six digits."""
    return value == pytest.approx(expected, rel=6e-6, abs=1e-12)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_all_pairs(seed, normalised):
    """Mean and quantiles are those of slow loops over all pairs, and the AUC counts ties half."""
    embeddings = points(seed, normalised=normalised)
    found = described(torch.from_numpy(embeddings), torch.tensor(LABELS), {})
    positive, negative = pairs_of(embeddings, LABELS)
    wins = [1.0 if p < n else 0.5 if p == n else 0.0 for p in positive for n in negative]

    for told_here, values in ((found["positive"], positive), (found["negative"], negative)):
        assert near(told_here.mean, sum(values) / len(values))
        assert near(told_here.low, np.quantile(values, 0.05))
        assert near(told_here.high, np.quantile(values, 0.95))
    assert near(found["auc"], sum(wins) / len(wins))


@pytest.mark.parametrize("seed", range(3))
def test_spread_and_rank_are_those_of_centred_embeddings(seed):
    """Spread is the trace of the covariance over the mean squared length; the rank the exponential of the entropy of singular values."""
    embeddings = points(seed)
    found = described(torch.from_numpy(embeddings), torch.tensor(LABELS), {})
    centred = embeddings - embeddings.mean(axis=0)
    # Of the covariance, not of the matrix: another way to the same values.
    values = np.sqrt(np.clip(np.linalg.eigvalsh(centred.T @ centred), 0, None))
    shares = values / values.sum()

    assert near(found["spread"], np.trace(np.cov(embeddings.T, bias=True)) / (embeddings**2).sum(axis=1).mean())
    assert near(found["effective_rank"], math.exp(-sum(p * math.log(p) for p in shares if p > 0)))


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3])
def test_equal_embeddings_have_no_spread(value):
    """Of embeddings all alike every distance, the spread and the rank are exactly 0, and the AUC is a half."""
    found = described(torch.full((8, 5), value, dtype=torch.float64), torch.tensor(LABELS), {})

    assert Quantiles(mean=0.0, low=0.0, high=0.0) == found["positive"] == found["negative"]
    assert (0.0, 0.0, 0.5) == (found["spread"], found["effective_rank"], found["auc"])


def test_embeddings_nearly_alike_are_told_apart():
    """Distances of a ten-millionth beside lengths of one are right to six digits: products would leave rounding errors alone."""
    embeddings = np.ones((4, 3)) + 1e-7 * np.random.default_rng(0).normal(size=(4, 3))
    found = described(torch.from_numpy(embeddings), torch.tensor([0, 0, 1, 1]), {})

    assert near(found["positive"].mean, np.mean(pairs_of(embeddings, [0, 0, 1, 1])[0]))


@pytest.mark.parametrize(("labels", "known"), [([0] * 8, "positive"), (list(range(8)), "negative")])
def test_where_there_is_one_kind_of_pairs_the_other_is_not_told(labels, known):
    """Of one class there are no negative pairs, of singletons no positive ones; then there is no AUC."""
    found = described(torch.from_numpy(points()), torch.tensor(labels), {})

    assert [name for name in ("positive", "negative") if found[name] is not None] == [known]
    assert found["auc"] is None


def broken(embeddings, margin, value):
    """The share of tuples that violate a margin, tuple by tuple."""
    items, count, found = range(len(LABELS)), 0, 0
    far = (lambda i, j: -apart(embeddings[i], embeddings[j], "cosine")) if margin.distance == "cosine" else None
    far = far or (lambda i, j: apart(embeddings[i], embeddings[j], margin.distance))
    bound = -value if margin.distance == "cosine" else value
    for i in items:
        for j in items:
            if i == j:
                continue
            same = LABELS[i] == LABELS[j]
            if margin.kind == "positive" and same:
                count, found = count + 1, found + (far(i, j) > bound)
            elif margin.kind == "negative" and not same:
                count, found = count + 1, found + (far(i, j) < bound)
            elif margin.kind == "triplet" and same:
                others = [k for k in items if LABELS[k] != LABELS[i]]
                count += len(others)
                found += sum(far(i, j) + value > far(i, k) for k in others)
    return found / count


@pytest.mark.parametrize("distance", ["euclidean", "squared", "cosine"])
@pytest.mark.parametrize("kind", ["positive", "negative", "triplet"])
@pytest.mark.parametrize("value", [0.05, 0.5, 1.5])
def test_violated_margins_are_counted(kind, distance, value):
    """The share of the tuples that violate a margin is that of a loop over all of them, in each distance and of each kind."""
    margin, embeddings = Margin("m", kind, distance), points()
    found = described(torch.from_numpy(embeddings), torch.tensor(LABELS), {"m": (margin, value)})

    assert near(found["violated"]["m"], broken(embeddings, margin, value))


def test_margins_of_tuples_that_there_are_not_are_not_told():
    """Without positive pairs nothing is said of margins of positives and of triplets, and of negatives all the same."""
    margins = {kind: (Margin(kind, kind), 0.5) for kind in ("positive", "negative", "triplet")}
    found = described(torch.from_numpy(points()), torch.arange(8), margins)

    assert {"negative"} == set(found["violated"])


def test_numbers_are_told_with_six_digits():
    """Six significant digits, whatever the size; nothing of what is no number."""
    assert [0.123457, 1234570.0, -1.5e-30, 0.0] == [told(x) for x in (0.12345678, 1234567.8, -1.5e-30, 0.0)]
    assert [None] * 4 == [told(x) for x in (None, math.nan, math.inf, -math.inf)]


def test_of_no_numbers_there_are_no_quantiles():
    """An empty list has no mean; of one number all three are that number."""
    assert quantiles(torch.empty(0, dtype=torch.float64)) is None
    assert Quantiles(mean=2.5, low=2.5, high=2.5) == quantiles(torch.tensor([2.5], dtype=torch.float64))

"""Scores by a similarity that a loss brings, beside loops."""

from __future__ import annotations

import pytest
import torch

from siambench.components.catalogue import Catalogue
from siambench.errors import MetricError
from siambench.evaluation.scoring import score
from siambench.evaluation.similar import BySimilarity
from siambench.evaluation.view import Evaluated

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
NAMES = ("recall@1", "recall@2", "map@r", "r_precision", "roc_auc", "eer", "verification_accuracy", "nmi", "effective_rank", "knn@1")
SIZE = 40


def dominance(left, right):
    """A similarity that no distance is: not symmetric, and with ties."""
    return ((left[:, None] - right) > 0).sum(dim=2).float()


@pytest.fixture
def items():
    """Embeddings fp32 [40, 5] and labels of ten classes of unlike size."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (SIZE,), generator=generator)
    return torch.randn(SIZE, 5, generator=generator) + labels[:, None], labels


def seen(items, *, queries=None, similarity=dominance, **options):
    """The same items by the distance, and by the similarity."""
    embeddings, labels = items
    by_distance = Evaluated(embeddings, labels, seed=3, queries=queries, **options)
    return by_distance, BySimilarity(embeddings, labels, similarity=similarity, name="mine", seed=3, queries=queries, **options)


@pytest.mark.parametrize("queries", [None, 15])
def test_neighbours_are_the_most_similar(items, queries):
    """Of equally similar ones the lower index comes first; an item is no neighbour of itself, also where a gallery is apart."""
    embeddings, labels = items
    _, found = seen(items, queries=queries)
    near = dominance(embeddings, embeddings)
    first = 0 if queries is None else queries
    for query in range(SIZE if queries is None else queries):
        others = [i for i in range(first, SIZE) if i != query]
        order = sorted(others, key=lambda i, query=query: (-float(near[query, i]), i))
        for k in (1, 7, len(others)):
            assert [bool(labels[i] == labels[query]) for i in order[:k]] == found.matches(k)[query].tolist()
    assert found.matches(100).shape == (SIZE if queries is None else queries, 100)


def test_pairs_are_compared_by_it(items):
    """Each drawn pair has the similarity of its left item to its right one; the pairs are those of the distance."""
    embeddings, _ = items
    by_distance, found = seen(items)
    before = by_distance.similarities
    assert torch.equal(torch.stack([found.pairs.left, found.pairs.right]), torch.stack([by_distance.pairs.left, by_distance.pairs.right]))
    expected = [
        float(dominance(embeddings[i : i + 1], embeddings[j : j + 1])) for i, j in zip(found.pairs.left, found.pairs.right, strict=True)
    ]
    assert expected == found.similarities.tolist()
    assert torch.equal(before, by_distance.similarities)


def test_metrics_of_neighbours_and_pairs_have_a_score_by_it(items):
    """Those that ask for the embeddings have none; the negative squared distance gives the scores of the Euclidean distance."""
    entries = CATALOGUE.metrics(NAMES)
    by_distance, found = seen(items, similarity=lambda left, right: -torch.cdist(left.double(), right.double()), distance="euclidean")
    theirs, ours = (score(one, entries, classes=10) for one in (by_distance, found))
    for name in NAMES[:6]:
        assert theirs.scores[name] == pytest.approx(ours.scores[name], abs=1e-12), name
    assert {"nmi", "effective_rank", "knn@1"} <= set(ours.faults)
    assert score(seen(items)[1], entries, classes=10).scores["map@r"] != theirs.scores["map@r"]


@pytest.mark.parametrize(
    ("similarity", "said"),
    [
        (lambda left, right: left @ right.T * torch.nan, "is not finite"),
        (lambda left, right: left, "must be [40, 40], got shape [40, 5]"),
        (lambda left, right: None, "must be [40, 40], got NoneType"),
    ],
)
def test_what_is_no_similarity_is_told(items, similarity, said):
    """In one sentence that names the loss, and the metric has no score."""
    _, found = seen(items, similarity=similarity)
    with pytest.raises(MetricError) as caught:
        found.matches(1)
    assert said in str(caught.value)
    assert "loss mine" in str(caught.value)


def test_every_pair_is_by_the_distance_alone(items):
    """A similarity has no bounds to count pairs by: those metrics have no second score."""
    _, found = seen(items, pairs="every")
    with pytest.raises(MetricError):
        assert found.every_pair


def test_what_is_not_asked_of_a_similarity_has_no_place_among_its_scores(items):
    """Enrolment, few labels, dimensions and corrupted queries have no score by it, and so no column of its own."""
    names = ("recall@1", "eer@enrol-1", "eer@enrol-nearest-1", "fine_tune@1", "linear_probe@1", "recall@1-dim-2", "map@r-noise")
    found = score(seen(items)[1], CATALOGUE.metrics(names), classes=10)
    assert set(names[1:]) == set(found.faults)
    assert found.scores["recall@1"] is not None

import math

import numpy as np
import pytest
import torch
from evaluated import Watching, items_of
from sklearn.neighbors import NearestNeighbors
from torch import nn

from siambench.components.catalogue import Catalogue
from siambench.errors import DivergedError, MetricError
from siambench.evaluation.arrays import Arrays, evaluate_arrays, read_pairs
from siambench.evaluation.embedding import RawInput
from siambench.evaluation.scoring import evaluate_items, pairs_of
from siambench.plugin import MetricEntry
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items

CPU = torch.device("cpu")
ALL = ("recall@1", "recall@4", "precision@3", "r_precision", "map@r", "verification_accuracy", "roc_auc", "eer")


@pytest.fixture(scope="module")
def catalogue():
    """What is installed."""
    return Catalogue.load({"SIAMBENCH_PLUGINS": ""})


def entries(catalogue, names=ALL):
    """Metric entries by full name."""
    return {name: catalogue.get("metrics", name).entry for name in names}


def evaluate(model, dataset, named, seed=0):
    """Score a model on a whole data set."""
    return evaluate_items(model, items_of(dataset), named, seed=seed, device=CPU)


@pytest.fixture
def lonely():
    """Six classes, one of them with a single image."""
    return synthetic_dataset(classes=6, images_per_class=[5, 1, 4, 3, 2, 6], noise=90.0)


def test_scores_are_those_of_brute_force(catalogue, lonely):
    """Recall@1 and MAP@R equal those counted along scikit-learn's neighbours; the query without a positive is left out."""
    pixels = torch.from_numpy(lonely.read(np.arange(21))).flatten(1).double().numpy()
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    order = NearestNeighbors(n_neighbors=21).fit(pixels).kneighbors(pixels, return_distance=False)[:, 1:]
    hits = lonely.labels[order] == lonely.labels[:, None]
    first, average = {}, {}
    for query in range(21):
        relevant = int(hits[query].sum())
        if relevant:
            first[query] = float(hits[query, 0])
            average[query] = sum(hits[query, : i + 1].sum() / (i + 1) for i in range(relevant) if hits[query, i]) / relevant

    found = evaluate(RawInput(), lonely, entries(catalogue))

    assert len(first) == 20
    assert math.fsum(first.values()) / 20 == pytest.approx(found.scores["recall@1"], abs=1e-12)
    assert math.fsum(average.values()) / 20 == pytest.approx(found.scores["map@r"], abs=1e-12)
    for c in range(6):
        own = [value for query, value in average.items() if lonely.labels[query] == c]
        expected = round(sum(own) / len(own), 6) if own else None
        assert expected == pytest.approx(found.per_class["map@r"][c], abs=1e-6) if own else found.per_class["map@r"][c] is None


def test_queries_without_a_positive_are_counted(catalogue, lonely):
    """The notes say how many queries have no positive, and nothing of it where all have one."""
    assert evaluate(RawInput(), lonely, entries(catalogue)).notes["queries_without_positive"] == 1
    found = evaluate(RawInput(), synthetic_dataset(), entries(catalogue)).notes
    assert {"verification_accuracy_se", "verification_threshold"} == set(found)


def test_per_class_means_average_to_the_score(catalogue):
    """With classes of one size the mean over classes is the score, and only metrics with a score per query have such means."""
    found = evaluate(RawInput(), synthetic_dataset(classes=5, noise=120.0), entries(catalogue))

    assert set(found.per_class) == {"recall@1", "recall@4", "precision@3", "r_precision", "map@r"}
    for name, means in found.per_class.items():
        assert len(means) == 5
        assert found.scores[name] == pytest.approx(sum(means) / 5, abs=1e-6)


def test_verification_that_does_not_apply_has_a_reason(catalogue):
    """Three classes are too few for verification: no score, a reason in the notes, and the other scores are there."""
    found = evaluate(RawInput(), synthetic_dataset(classes=3), entries(catalogue))

    assert [found.scores[name] for name in ("verification_accuracy", "roc_auc", "eer")] == [None] * 3
    assert "two folds" in found.notes["verification"]
    assert found.scores["map@r"] is not None


def test_official_runs_are_scored(catalogue):
    """The one-shot error is that of nearest pixels by cosine, run after run, counted in a loop."""
    dataset = synthetic_dataset(classes=6, one_shot_runs=3, noise=140.0)
    given = dataset.episodes["one-shot"]()
    wrong = 0
    for support, queries, answers in zip(given.support, given.query, given.answer, strict=True):
        known = support.reshape(6, -1) / 255
        for query, answer in zip(queries.reshape(6, -1) / 255, answers, strict=True):
            cosine = known @ query / np.linalg.norm(known, axis=1)
            wrong += int(cosine.argmax() != answer)

    found = evaluate(RawInput(), dataset, entries(catalogue, ("one_shot_error",)))

    assert 0 < wrong < 18
    assert wrong / 18 == pytest.approx(found.scores["one_shot_error"])


def test_a_gallery_among_the_items(catalogue, tmp_path):
    """Where some items are a gallery, the others are the queries, in their order, and named pairs mean the same images."""
    dataset = synthetic_dataset(classes=6, images_per_class=6, noise=120.0)
    gallery = np.arange(36) % 3 == 1
    items = Items(dataset, np.arange(36), dataset.labels, dataset.class_names, is_gallery=gallery)
    (tmp_path / "pairs.csv").write_text("left,right,same,fold\n0,1,1,0\n7,15,0,0\n13,17,1,1\n30,4,0,1\n")
    pixels = dataset.read(np.arange(36)).reshape(36, -1) / np.float32(255)
    names = [str(index) for index in [*np.flatnonzero(~gallery), *np.flatnonzero(gallery)]]
    expected = evaluate_arrays(
        Arrays(
            embeddings=pixels[~gallery],
            labels=dataset.labels[~gallery],
            gallery=pixels[gallery],
            gallery_labels=dataset.labels[gallery],
            names=names,
        ),
        metrics=ALL,
        pairs=read_pairs(tmp_path / "pairs.csv"),
    )

    found = evaluate_items(RawInput(), items, entries(catalogue), seed=0, device=CPU, pairs=pairs_of(tmp_path / "pairs.csv", items))

    assert expected.scores == pytest.approx(found.scores, abs=1e-12)
    assert expected.per_class == found.per_class
    assert (4,) * 6 == found.class_queries


def test_embeddings_are_computed_in_evaluation_mode(catalogue):
    """In evaluation the model gets fp32 images without gradients or autocast, and BatchNorm's statistics stay as they are."""
    model = Watching().train()
    state = {name: value.clone() for name, value in model.state_dict().items()}

    evaluate(model, synthetic_dataset(), entries(catalogue))

    assert set(model.seen) == {(False, torch.float32, False, False, 48)}
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_a_part_reads_its_own_items(catalogue):
    """A part of a data set is scored on its items alone, with its own numbering of classes."""
    dataset = synthetic_dataset(classes=6)
    part = Items(dataset, np.flatnonzero(dataset.labels >= 3), dataset.labels[dataset.labels >= 3] - 3, dataset.class_names[3:])

    found = evaluate_items(RawInput(), part, entries(catalogue, ("map@r",)), seed=0, device=CPU)

    assert len(found.per_class["map@r"]) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_embeddings_that_are_no_numbers_have_diverged(catalogue, value):
    """A model whose embeddings are not finite has diverged; it gets no score."""

    class Broken(nn.Module):
        def forward(self, images):
            return torch.full((len(images), 3), value)

    with pytest.raises(DivergedError, match="embeddings are not finite"):
        evaluate(Broken(), synthetic_dataset(), entries(catalogue))


def test_collapsed_embeddings_have_scores(catalogue):
    """A model that maps everything to one point, or to zero, is scored like any other."""

    class Constant(nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def forward(self, images):
            return torch.full((len(images), 3), self.value)

    for value in (0.0, 1.0):
        found = evaluate(Constant(value), synthetic_dataset(), entries(catalogue))
        assert found.scores["roc_auc"] == 0.5
        assert all(score is None or 0 <= score <= 1 for score in found.scores.values())


def test_a_family_hands_its_k_over():
    """A metric named with a number gets that number; one that asks for no k is called without."""
    named = {
        "mine@7": MetricEntry(lambda evaluation, k: float(k), source="made up", high=10.0),
        "plain": MetricEntry(lambda evaluation: None, source="made up"),
        "per-query": MetricEntry(lambda evaluation: torch.full((48,), torch.nan, dtype=torch.float64), source="made up"),
    }

    found = evaluate(RawInput(), synthetic_dataset(), named)

    assert found.scores == {"mine@7": 7.0, "plain": None, "per-query": None}
    assert found.per_class == {"per-query": (None,) * 8}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_fails(value):
    """A single score that is not finite is an error that names the metric: it could be neither written nor compared."""
    named = {"odd": MetricEntry(lambda evaluation: value, source="made up")}

    with pytest.raises(MetricError, match="odd"):
        evaluate(RawInput(), synthetic_dataset(), named)

import dataclasses
import math
import sys

import numpy as np
import pytest
import torch
from evaluated import Watching, items_of
from sklearn.neighbors import NearestNeighbors
from torch import nn

from siambench import metrics
from siambench.components.catalogue import Catalogue
from siambench.errors import DivergedError, MetricError
from siambench.evaluation.arrays import Arrays, evaluate_arrays, read_pairs
from siambench.evaluation.embedding import RawInput
from siambench.evaluation.scoring import evaluate_items, pairs_of, separated
from siambench.identity import seed_of
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


PER_QUERY = torch.linspace(0, 1, 48, dtype=torch.float64)
MISBEHAVING = {
    "nan": (lambda evaluation: math.nan, "gave nan, which is no score"),
    "infinite": (lambda evaluation: math.inf, "gave inf, which is no score"),
    "above": (lambda evaluation: 1.2, "gave 1.2, its range is 0 … 1"),
    "below": (lambda evaluation: -0.1, "gave -0.1, its range is 0 … 1"),
    "one-query-above": (lambda evaluation: PER_QUERY * 1.5, "gave 1.5, its range is 0 … 1"),
    "one-query-nan": (lambda evaluation: PER_QUERY.where(PER_QUERY > 0, torch.nan), "gave NaN, which is no score, for 1 of 48 queries"),
    "one-query-infinite": (lambda evaluation: PER_QUERY / 0, "gave NaN"),
    "too-short": (lambda evaluation: PER_QUERY[1:], "one score per query, float64 [48], got float64 [47]"),
    "too-long": (lambda evaluation: torch.cat([PER_QUERY, PER_QUERY]), "float64 [48], got float64 [96]"),
    "of-two-dimensions": (lambda evaluation: PER_QUERY[:, None], "float64 [48], got float64 [48, 1]"),
    "of-none": (lambda evaluation: PER_QUERY.mean(), "must give one number as a float, got a tensor without dimensions"),
    "whole-numbers": (lambda evaluation: (PER_QUERY > 0.5).long(), "float64 [48], got int64 [48]"),
    "truths": (lambda evaluation: PER_QUERY > 0.5, "float64 [48], got bool [48]"),
    "text": (lambda evaluation: "0.5", "one number or None, got str"),
    "a-truth": (lambda evaluation: True, "one number or None, got bool"),
    "an-array": (lambda evaluation: PER_QUERY.numpy(), "one number or None, got ndarray"),
    "raises": (lambda evaluation: {}["anchor"], "raised KeyError: 'anchor'"),
    "exits": (lambda evaluation: sys.exit("no more"), "raised SystemExit: no more"),
    "asks-for-more": (lambda evaluation, margin: 0.5, "raised TypeError"),
}


@pytest.mark.parametrize("name", MISBEHAVING)
def test_a_metric_that_misbehaves_is_named_and_the_others_are_kept(catalogue, name):
    """What breaks, or gives what is no score, has None and a note that names it; the other scores are as without it."""
    compute, words = MISBEHAVING[name]
    alone = evaluate(RawInput(), synthetic_dataset(), entries(catalogue, ("map@r", "roc_auc")))
    others = entries(catalogue, ("map@r", "roc_auc"))

    found = evaluate(RawInput(), synthetic_dataset(), {"map@r": others["map@r"], "odd": MetricEntry(compute, source="made"), **others})

    assert found.scores == {**alone.scores, "odd": None}
    assert found.per_class == alone.per_class
    assert words in found.notes["odd"]
    assert f"metric odd {'raised' if 'raised' in words else ''}" in found.notes["odd"]
    with pytest.raises(MetricError, match="metric odd"):
        found.score_of("odd")
    assert alone.scores["map@r"] == found.score_of("map@r")


def test_rounding_beyond_a_bound_is_no_fault():
    """A score that the last digits of a sum carry beyond its bound is the bound."""
    named = {
        "high": MetricEntry(lambda evaluation: 1 + 2**-52, source="made"),
        "low": MetricEntry(lambda evaluation: -1e-12, source="made"),
    }

    assert {"high": 1.0, "low": 0.0} == evaluate(RawInput(), synthetic_dataset(), named).scores


def test_what_takes_the_memory_is_no_fault_of_a_metric():
    """A metric that runs out of memory is the environment's doing: it goes to whoever runs the unit."""

    def hungry(evaluation):
        raise MemoryError

    with pytest.raises(MemoryError):
        evaluate(RawInput(), synthetic_dataset(), {"odd": MetricEntry(hungry, source="made")})


def test_a_metric_that_writes_changes_no_label_of_the_data():
    """What a metric writes into the labels that it is given does not reach the data set."""
    dataset = synthetic_dataset()
    before = dataset.labels.copy()

    evaluate(RawInput(), dataset, {"odd": MetricEntry(lambda evaluation: float(evaluation.labels.zero_().sum()), source="made")})

    assert np.array_equal(before, dataset.labels)


def test_one_models_fault_is_all_models(catalogue):
    """Where a metric broke for one of several models, their mean has no such score, and the note says why."""
    values = iter([0.5, math.nan])
    named = {**entries(catalogue, ("map@r",)), "odd": MetricEntry(lambda evaluation: next(values), source="made")}
    parts = [evaluate(RawInput(), synthetic_dataset(), named) for _ in range(2)]

    found = separated(parts)

    assert found.scores == {"map@r": parts[0].scores["map@r"], "odd": None}
    assert found.notes["odd"] == found.faults["odd"] == "metric odd gave nan, which is no score"


# ---- what tables make intervals over classes of


@pytest.mark.parametrize("pairs", [None, "every"])
@pytest.mark.parametrize("name", ["eer", "roc_auc"])
def test_a_metric_over_pairs_is_scored_with_each_class_left_out(catalogue, name, pairs):
    """Its scores are scikit-learn's, or siambench's own for the error, over the pairs in which the class has no item."""
    from sklearn.metrics import roc_auc_score

    dataset = synthetic_dataset(classes=6, images_per_class=[5, 2, 4, 3, 2, 6], noise=90.0)
    found = evaluate_items(
        RawInput(), items_of(dataset), entries(catalogue, (name, "map@r")), seed=3, device=CPU, pairs=pairs, jackknifed=name
    )
    pixels = torch.from_numpy(dataset.read(np.arange(22))).flatten(1).double()
    unit, labels = pixels / pixels.norm(dim=1, keepdim=True), torch.from_numpy(dataset.labels)
    if pairs is None:
        drawn = metrics.draw_pairs(labels, seed=seed_of(3, "pairs"))
        left, right = drawn.left, drawn.right
    else:
        left, right = torch.triu_indices(22, 22, offset=1)
    assert {name} == set(found.jackknife)
    for label, score in enumerate(found.jackknife[name]):
        kept = (labels[left] != label) & (labels[right] != label)
        similarity = (unit[left] * unit[right]).sum(dim=1)[kept]
        same = (labels[left] == labels[right])[kept]
        expected = roc_auc_score(same, similarity) if name == "roc_auc" else metrics.equal_error_rate(similarity, same)
        assert score == pytest.approx(expected, abs=1e-3 if pairs else 1e-9)


def test_a_metric_with_a_score_per_query_is_not_left_out_of(catalogue, lonely):
    """Where queries have scores, and where nobody asks, nothing is scored again."""
    named = entries(catalogue, ("map@r", "eer"))
    assert {} == evaluate_items(RawInput(), items_of(lonely), named, seed=0, device=CPU, jackknifed="map@r").jackknife
    assert {} == evaluate_items(RawInput(), items_of(lonely), named, seed=0, device=CPU).jackknife


def test_the_mean_of_models_has_the_mean_without_each_class(catalogue, lonely):
    """Of several models the scores without each class are averaged class by class."""
    named = entries(catalogue, ("eer",))
    parts = [evaluate_items(RawInput(), items_of(lonely), named, seed=seed, device=CPU, jackknifed="eer") for seed in (0, 1)]
    found = separated(parts)
    columns = zip(parts[0].jackknife["eer"], parts[1].jackknife["eer"], strict=True)
    assert [None if None in pair else sum(pair) / 2 for pair in columns] == pytest.approx(list(found.jackknife["eer"]))


def test_estimates_are_named_in_a_note(catalogue):
    """Of metrics that are estimates the notes say which, in the order asked; where there are none they say nothing of it."""
    named = entries(catalogue, ("recall@1", "map@r"))
    guessed = {name: dataclasses.replace(entry, approximate=True) for name, entry in named.items()}

    assert "recall@1, map@r" == evaluate(RawInput(), synthetic_dataset(), guessed).notes["approximate"]
    assert "map@r" == evaluate(RawInput(), synthetic_dataset(), {**named, "map@r": guessed["map@r"]}).notes["approximate"]
    assert "approximate" not in evaluate(RawInput(), synthetic_dataset(), named).notes

"""Scores of somebody's own embeddings, against loops that know nothing of the code, against scikit-learn and against a peer."""

import math
import os

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score, roc_curve
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsClassifier

import siambench
from siambench.errors import ConfigError, DataError, DataMissingError, UnknownNameError, UsageError
from siambench.evaluation.arrays import Arrays, evaluate_arrays, read_arrays
from siambench.identity import seed_of
from siambench.metrics import NamedPairs, draw_pairs, parse_pairs

RETRIEVAL = ("recall@{k}", "precision@{k}", "r_precision", "map@r", "map", "mrr", "ndcg@{k}")
ON_PAIRS = ("verification_accuracy", "roc_auc", "eer")
EVERYTHING = (
    *(name.format(k=3) for name in RETRIEVAL),
    *ON_PAIRS,
    *("nmi", "tar@0.1", "one_shot@2", "five_shot@2", "knn@1", "linear_probe", "alignment", "uniformity", "effective_rank"),
    *("positive_distance", "negative_distance"),
)
BIG = 2**24


# Embeddings whose ties are exact: the same in any order of summation, so that a loop must meet them too.


def randoms(random, items):
    """No ties, similarities of both signs."""
    return random.normal(size=(items, 4)).astype(random.choice(["f4", "f8", "f2"]))


def duplicates(random, items):
    """Few distinct rows, one of them zero: those that are equal are tied."""
    few = np.concatenate([random.normal(size=(3, 5)), np.zeros((1, 5))])
    return few[random.integers(0, 4, size=items)].astype("f4")


def axes(random, items):
    """Powers of two along the axes: every cosine is -1, 0 or 1."""
    place, length = random.integers(0, 3, size=items), 2.0 ** random.integers(-2, 3, size=items)
    return np.eye(3)[place] * (length * random.choice([-1, 1], size=items))[:, None]


def integers(random, items):
    """Small whole numbers: squared distances are whole, and many are equal."""
    return random.integers(-3, 4, size=(items, 2)).astype(random.choice(["i1", "i8"]))


# Names of classes that a narrower or a floating type would merge.
NAMES = {
    "int64 from 0": lambda c: c.astype(np.int64),
    "int64 above 2^24": lambda c: c.astype(np.int64) + BIG,
    "int64 above 2^53, negative": lambda c: -(c.astype(np.int64) + 2**53),
    "uint64 to its end": lambda c: np.uint64(2**64 - 1) - c.astype(np.uint64),
    "int8": lambda c: (c - 3).astype(np.int8),
    "text": lambda c: np.array([f"class {chr(233 + number)}" for number in c]),
    "list of text": lambda c: [f"{number}" for number in c],
    "tensor": lambda c: torch.from_numpy(c.astype(np.int64)),
}


@st.composite
def exams(draw):
    """(embeddings, classes, gallery, its classes, distance); without a gallery of its own the last two arrays are None."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distance = draw(st.sampled_from(["cosine", "euclidean"]))
    kinds = [randoms, duplicates, axes] + ([integers] if distance == "euclidean" else [])
    items, classes = draw(st.integers(2, 16)), draw(st.integers(1, 6))
    size = draw(st.one_of(st.none(), st.integers(1, 12)))
    points = draw(st.sampled_from(kinds))(random, items + (size or 0))
    labels = random.integers(0, classes, size=len(points))
    if size is None:
        return points, labels, None, None, distance
    return points[:items], labels[:items], points[items:], labels[items:], distance


def rankings(points, labels, gallery, gallery_labels, distance):
    """For each query, whether its references share its label, nearest first, lower index first among equals."""
    references, theirs = (points, labels) if gallery is None else (gallery, gallery_labels)

    def unit(row):
        row = [float(value) for value in row]
        length = math.sqrt(math.fsum(value * value for value in row))
        return [value / length for value in row] if length else row

    def similarity(one, other):
        if distance == "cosine":
            return math.fsum(a * b for a, b in zip(unit(one), unit(other), strict=True))
        return -math.fsum((float(a) - float(b)) ** 2 for a, b in zip(one, other, strict=True))

    rows = []
    for query in range(len(points)):
        others = [i for i in range(len(references)) if gallery is not None or i != query]
        ranked = sorted(others, key=lambda i: (-similarity(points[query], references[i]), i))
        rows.append([bool(theirs[i] == labels[query]) for i in ranked])
    return rows


def score_of(name, row, k):
    """One query's score by the metric's definition; `row` has a hit."""
    relevant, depth = sum(row), len(row)
    precision = [sum(row[: i + 1]) / (i + 1) for i in range(depth)]
    discount = [1 / math.log2(i + 2) for i in range(max(depth, k))]
    return {
        "recall@{k}": lambda: float(any(row[:k])),
        "precision@{k}": lambda: sum(row[:k]) / k,
        "r_precision": lambda: sum(row[:relevant]) / relevant,
        "map@r": lambda: math.fsum(precision[i] for i in range(relevant) if row[i]) / relevant,
        "map": lambda: math.fsum(precision[i] for i in range(depth) if row[i]) / relevant,
        "mrr": lambda: 1 / (row.index(True) + 1),
        "ndcg@{k}": lambda: math.fsum(discount[i] for i in range(min(k, depth)) if row[i]) / math.fsum(discount[: min(k, relevant)]),
    }[name]()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(exams(), st.integers(1, 20), st.sampled_from(sorted(NAMES)))
def test_retrieval_scores_are_those_of_loops(exam, k, naming):
    """Every retrieval metric is the mean, over the queries that have a positive, of its formula along the sorted ranking."""
    points, labels, gallery, gallery_labels, distance = exam
    rows = rankings(*exam)
    answerable = [row for row in rows if any(row)]

    found = siambench.evaluate(
        points,
        NAMES[naming](labels),
        gallery=gallery,
        gallery_labels=None if gallery is None else NAMES[naming](gallery_labels),
        metrics=[name.format(k=k) for name in RETRIEVAL],
        distance=distance,
    )

    assert len(rows) - len(answerable) == found.get("queries_without_positive", 0)
    for name in RETRIEVAL:
        if answerable:
            expected = math.fsum(score_of(name, row, k) for row in answerable) / len(answerable)
            assert expected == pytest.approx(found[name.format(k=k)], abs=1e-12), name
        else:
            assert math.isnan(found[name.format(k=k)]), name


@settings(max_examples=25, deadline=None, derandomize=True)
@given(exams(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_items_changes_no_retrieval_score(exam, seed):
    """Without ties, shuffled queries and a shuffled gallery have the same scores."""
    random = np.random.default_rng(seed)
    _, labels, gallery, gallery_labels, distance = exam
    points, gallery = (None if part is None else random.normal(size=(len(part), 4)) for part in (labels, gallery_labels))
    one, other = random.permutation(len(points)), None if gallery is None else random.permutation(len(gallery))
    arguments = {"metrics": [name.format(k=3) for name in RETRIEVAL], "distance": distance}

    found = siambench.evaluate(points, labels, gallery=gallery, gallery_labels=gallery_labels, **arguments)
    shuffled = siambench.evaluate(
        points[one],
        labels[one],
        gallery=None if gallery is None else gallery[other],
        gallery_labels=None if gallery is None else gallery_labels[other],
        **arguments,
    )

    assert found == pytest.approx(shuffled, abs=1e-12, nan_ok=True)


def clouds(seed, sizes, *, spread=1.6, dimensions=6):
    """Overlapping clouds of these sizes, shuffled."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = random.normal(size=(len(sizes), dimensions))[labels] + spread * random.normal(size=(len(labels), dimensions))
    order = random.permutation(len(labels))
    return points[order].astype("f4"), labels[order]


def test_scores_are_those_of_sklearn():
    """Average precision and NDCG of each query by scikit-learn, over cosines, average to our map and ndcg@k."""
    points, labels = clouds(0, [9, 2, 5, 1, 7])
    exact = points.astype("f8")
    similar = cosine_similarity(exact)
    gains, precisions = [], []
    for query in range(len(labels)):
        others = np.delete(np.arange(len(labels)), query)
        truth, scores = labels[others] == labels[query], similar[query, others]
        if truth.any():
            precisions.append(average_precision_score(truth, scores))
            gains.append(ndcg_score(truth[None], scores[None], k=6))

    found = siambench.evaluate(points, labels, metrics=["map", "ndcg@6"])

    assert len(labels) - 1 == len(gains)
    assert np.mean(precisions) == pytest.approx(found["map"], abs=1e-12)
    assert np.mean(gains) == pytest.approx(found["ndcg@6"], abs=1e-12)


@pytest.mark.parametrize(("distance", "metric"), [("cosine", "cosine"), ("euclidean", "euclidean")])
@pytest.mark.parametrize("k", [1, 5])
def test_classification_is_that_of_sklearn(distance, metric, k):
    """With a gallery as the labelled part, knn@k is KNeighborsClassifier, and linear_probe a ridge regression on one-hot labels."""
    points, labels = clouds(1, [40, 30])  # of two classes an odd number of votes is never tied
    queries, gallery = points[:30].astype("f8"), points[30:].astype("f8")
    theirs = KNeighborsClassifier(k, metric=metric, algorithm="brute").fit(gallery, labels[30:])
    seen = gallery / np.linalg.norm(gallery, axis=1, keepdims=True) if distance == "cosine" else gallery
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True) if distance == "cosine" else queries
    ridge = Ridge(alpha=1.0).fit(seen, np.eye(2)[labels[30:]])

    found = siambench.evaluate(
        points[:30], labels[:30], gallery=points[30:], gallery_labels=labels[30:], metrics=[f"knn@{k}", "linear_probe"], distance=distance
    )

    assert theirs.score(queries, labels[:30]) == pytest.approx(found[f"knn@{k}"], abs=1e-12)
    assert np.mean(ridge.predict(asked).argmax(axis=1) == labels[:30]) == pytest.approx(found["linear_probe"], abs=1e-12)


PEER = {"recall@1": "precision_at_1", "r_precision": "r_precision", "map@r": "mean_average_precision_at_r", "map": "mean_average_precision"}


def peer(points, labels, gallery=None, gallery_labels=None):
    """What pytorch_metric_learning makes of it: it drops queries without a positive, too."""
    plain = CustomKNN(LpDistance(normalize_embeddings=True))
    others = len(labels) - 1 if gallery is None else len(gallery_labels)
    calculator = AccuracyCalculator(include=tuple(PEER.values()), k=others, knn_func=plain)
    reference = () if gallery is None else (torch.from_numpy(gallery).double(), torch.from_numpy(gallery_labels))
    return calculator.get_accuracy(torch.from_numpy(points).double(), torch.from_numpy(labels), *reference)


def test_scores_are_those_of_pytorch_metric_learning():
    """With small labels its calculator agrees, singletons included: recall@1 is its precision_at_1."""
    points, labels = clouds(2, [1, 2, 3, 4, 5, 6])
    calculator = peer(points, labels)

    found = siambench.evaluate(points, labels, metrics=list(PEER))

    assert 1 == found["queries_without_positive"]
    for ours, theirs in PEER.items():
        assert calculator[theirs] == pytest.approx(found[ours], abs=1e-6)


def test_scores_with_a_gallery_are_those_of_pytorch_metric_learning():
    """Queries against a gallery agree as well, where one class of queries is not in it."""
    points, labels = clouds(3, [8, 8, 8, 8])
    queries, gallery = np.arange(len(labels)) % 3 == 0, (np.arange(len(labels)) % 3 != 0) & (labels != 2)
    calculator = peer(points[queries], labels[queries], points[gallery], labels[gallery])

    found = siambench.evaluate(
        points[queries], labels[queries], gallery=points[gallery], gallery_labels=labels[gallery], metrics=list(PEER)
    )

    assert int((labels[queries] == 2).sum()) == found["queries_without_positive"] > 0
    for ours, theirs in PEER.items():
        assert calculator[theirs] == pytest.approx(found[ours], abs=1e-6)


def test_large_labels_are_no_other_exam():
    """Labels above 2^24 score as small ones do; the peer merges them (tests/metrics/test_retrieval.py shows how it then errs)."""
    points, labels = clouds(4, [3, 3, 4, 5, 2, 4])

    assert siambench.evaluate(points, labels) == siambench.evaluate(points, labels + BIG) == siambench.evaluate(points, labels + 2**60)
    assert peer(points, labels + BIG)["precision_at_1"] > siambench.evaluate(points, labels)["recall@1"] + 0.05


def test_signed_and_unsigned_labels_meet_exactly():
    """uint64 queries and int64 gallery labels are compared as whole numbers: 2^53 and 2^53 + 1 stay two classes."""
    points = np.array([[1.0, 0.0], [0.0, 1.0]])
    labels = np.array([2**53, 2**53 + 1])

    found = siambench.evaluate(points, labels.astype("u8"), gallery=points, gallery_labels=labels[::-1], metrics=["recall@1", "mrr"])

    assert {"recall@1": 0.0, "mrr": 0.5} == found


def drawn(points, labels, seed, distance):
    """The pairs that a seed draws, and their similarities by numpy."""
    pairs = draw_pairs(torch.from_numpy(labels), seed=seed_of(seed, "pairs"))
    one, other = (points[index.numpy()].astype("f8") for index in (pairs.left, pairs.right))
    if distance == "cosine":
        similarity = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    else:
        similarity = -np.linalg.norm(one - other, axis=1)
    return pairs.same.numpy(), pairs.fold.numpy(), similarity


def fold_accuracies(same, fold, similarity):
    """Each fold's accuracy at the lowest of the best thresholds of the others, every one tried."""
    accuracies = []
    for number in np.unique(fold):
        others, own = fold != number, fold == number
        levels = np.unique(similarity[others])
        tried = [levels[0], *((levels[1:] + levels[:-1]) / 2), np.inf]
        best = max(tried, key=lambda t: (((similarity[others] >= t) == same[others]).sum(), -t))
        accuracies.append(np.mean((similarity[own] >= best) == same[own]))
    return np.array(accuracies)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_verification_is_that_of_sklearn_on_the_drawn_pairs(distance):
    """ROC-AUC, the error where the curve's rates meet, and the accuracy over folds follow from the drawn pairs alone."""
    points, labels = clouds(5, [6, 3, 9, 5, 8, 4, 7, 2])
    same, fold, similarity = drawn(points, labels, 11, distance)
    accepted, caught, _ = roc_curve(same, similarity, drop_intermediate=False)
    accuracies = fold_accuracies(same, fold, similarity)

    found = siambench.evaluate(points, labels, metrics=ON_PAIRS, distance=distance, seed=11)

    assert roc_auc_score(same, similarity) == pytest.approx(found["roc_auc"], abs=1e-12)
    assert np.interp(0.0, accepted - (1 - caught), accepted) == pytest.approx(found["eer"], abs=1e-12)
    assert accuracies.mean() == pytest.approx(found["verification_accuracy"], abs=1e-12)
    assert accuracies.std(ddof=1) / math.sqrt(len(accuracies)) == pytest.approx(found["verification_accuracy_se"], abs=1e-12)
    at_threshold = np.mean((similarity >= found["verification_threshold"]) == same)
    assert max(np.mean((similarity >= t) == same) for t in [*similarity, np.inf]) == pytest.approx(at_threshold, abs=1e-12)


def test_true_accepts_need_enough_impostors():
    """tar@far is the share of genuine pairs above the allowed impostors; with fewer than 3 / far it is NaN, and a note says why."""
    points, labels = clouds(6, [40, 40, 40, 40])
    same, _, similarity = drawn(points, labels, 0, "cosine")
    impostors = np.sort(similarity[~same])[::-1]
    allowed = math.floor(0.1 * len(impostors))
    named = ["tar@0.1", "tar@1e-3"]

    found = siambench.evaluate(points, labels, metrics=named)
    whole = evaluate_arrays(Arrays(embeddings=points, labels=labels), metrics=named)

    assert np.mean(similarity[same] > impostors[allowed]) == pytest.approx(found["tar@0.1"], abs=1e-12)
    assert math.isnan(found["tar@1e-3"])
    assert whole.scores["tar@1e-3"] is None
    assert f"3000 impostor pairs, there are {len(impostors)}" in whole.notes["tar@0.001"]


def test_the_seed_chooses_pairs_and_nothing_else():
    """Another seed draws other pairs, the same seed the same; retrieval does not hear of it."""
    points, labels = clouds(7, [5, 6, 7, 8, 4, 5])
    first, again, other = (siambench.evaluate(points, labels, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first["roc_auc"] != other["roc_auc"]
    assert {name: first[name] for name in ("recall@1", "map@r")} == {name: other[name] for name in ("recall@1", "map@r")}


def test_named_pairs_take_the_place_of_drawn_ones():
    """Verification scores are those of the list, by index or by name; in one fold the accuracy alone does not apply."""
    points, labels = clouds(8, [3, 3, 3, 3])
    order = np.argsort(labels, kind="stable")
    rows = [(order[a], order[b]) for a, b in [(0, 1), (3, 4), (6, 7), (0, 3), (4, 8), (2, 9)]]
    same = np.array([labels[a] == labels[b] for a, b in rows])
    similarity = np.diag(cosine_similarity(points.astype("f8")[[a for a, _ in rows]], points.astype("f8")[[b for _, b in rows]]))
    numbers = parse_pairs("left,right,same\n" + "\n".join(f"{a},{b},{int(s)}" for (a, b), s in zip(rows, same, strict=True)))
    named = parse_pairs("left,right,same\n" + "\n".join(f"item {a},item {b}.png,{s}" for (a, b), s in zip(rows, same, strict=True)))

    by_number = evaluate_arrays(Arrays(embeddings=points, labels=labels), pairs=numbers)
    names = [f"item {index}.png" for index in range(len(labels))]
    by_name = evaluate_arrays(Arrays(embeddings=points, labels=labels, names=names), pairs=named)

    assert roc_auc_score(same, similarity) == pytest.approx(by_number.scores["roc_auc"], abs=1e-12)
    assert by_number == by_name
    assert by_number.scores["verification_accuracy"] is None
    assert "one fold" in by_number.notes["verification_accuracy"]


def test_a_threshold_that_rejects_every_pair_is_told_in_words():
    """Where rejecting all is most accurate the threshold is infinite: the notes say so as text, which JSON can hold."""
    points = np.array([[1, 0], [0, 1], [1, 0.01], [1, 0.02]])
    pairs = parse_pairs("left,right,same,fold\n0,1,1,0\n0,2,0,1\n0,3,0,1\n2,3,0,0")

    found = evaluate_arrays(Arrays(embeddings=points, labels=[0, 0, 1, 2]), metrics=["verification_accuracy"], pairs=pairs)

    assert "inf" == found.notes["verification_threshold"]


def test_scores_of_classes_follow_the_sorted_labels():
    """Per-class means stand in order of the sorted labels, with the number of queries that have a positive."""
    points, classes = clouds(12, [4, 1, 6, 3])
    labels = [f"class {'dbca'[number]}" for number in classes]
    rows = rankings(points, classes, None, None, "cosine")

    found = evaluate_arrays(Arrays(embeddings=points, labels=labels), metrics=["map@r"])

    for place, name in enumerate(sorted(set(labels))):
        own = [score_of("map@r", row, 1) for row, label in zip(rows, labels, strict=True) if label == name and any(row)]
        assert len(own) == found.class_queries[place]
        if own:
            assert sum(own) / len(own) == pytest.approx(found.per_class["map@r"][place], abs=1e-6)
        else:
            assert found.per_class["map@r"][place] is None


def test_many_items_are_searched_in_single_precision_and_it_is_said():
    """Up to 20,000 references the search is in float64; one more and a note says that it is not."""
    points = np.random.default_rng(0).normal(size=(20_002, 2))

    def notes(references):
        theirs = np.arange(references) % 2
        arrays = Arrays(embeddings=points[:1], labels=[0], gallery=points[1 : references + 1], gallery_labels=theirs)
        return evaluate_arrays(arrays, metrics=["recall@1"]).notes

    assert {} == notes(20_000)
    assert "fp32" in notes(20_001)["precision"]


def test_episodes_stay_within_a_group():
    """Where each group's classes coincide, one-shot by groups is chance among two, and without groups it is not."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 5)
    points = np.repeat(np.eye(4), 10, axis=0) + 1e-3 * random.normal(size=(40, 4))
    arrays = {"embeddings": points, "labels": labels}

    grouped = evaluate_arrays(Arrays(**arrays, groups=labels // 2), metrics=["one_shot@2"]).scores["one_shot@2"]
    named = evaluate_arrays(Arrays(**arrays, groups=[f"group {c // 2}" for c in labels]), metrics=["one_shot@2"]).scores["one_shot@2"]
    loose = evaluate_arrays(Arrays(**arrays), metrics=["one_shot@2"]).scores["one_shot@2"]

    assert grouped == named
    assert grouped < 0.6
    assert loose > 0.8


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("gallery", [False, True])
@pytest.mark.parametrize("labels", [[0] * 6, [0, 1, 2, 3, 4, 5], [0, 0, 1, 2, 3, 4]], ids=["one class", "no two alike", "one pair"])
def test_what_does_not_apply_is_not_a_number(labels, gallery, distance):
    """With one class, no class of two, or a single pair, each metric has a score in its range or is NaN; nothing breaks."""
    points = np.random.default_rng(1).normal(size=(6, 3))
    own = {"gallery": points[3:], "gallery_labels": labels[3:]} if gallery else {}
    queries = slice(3) if gallery else slice(None)

    found = siambench.evaluate(points[queries], labels[queries], metrics=EVERYTHING, distance=distance, **own)

    assert all(math.isnan(found[name]) for name in ("verification_accuracy", "roc_auc", "eer", "tar@0.1", "five_shot@2"))
    assert math.isnan(found["negative_distance"]) == (len(set(labels)) == 1)
    assert math.isnan(found["positive_distance"]) == (len(set(labels)) == 6)
    if len(set(labels)) == 1:
        assert [1.0] * 3 == [found[name] for name in ("recall@3", "map@r", "knn@1")]


def test_two_items_are_enough():
    """The smallest exam has two items, or one query and one in the gallery."""
    points = np.array([[1.0, 0.0], [0.0, 1.0]])

    assert {"recall@5": 1.0, "map@r": 1.0} == siambench.evaluate(points, [7, 7], metrics=["recall@5", "map@r"])
    alone = siambench.evaluate(points[:1], ["a"], gallery=points[1:], gallery_labels=["a"], metrics=["recall@5", "map@r"])
    assert {"recall@5": 1.0, "map@r": 1.0} == alone


def test_coinciding_embeddings_have_scores():
    """Zeros everywhere are one point: ties go by index, ROC-AUC is chance, and no metric breaks."""
    labels = np.repeat(np.arange(6), 3)
    found = siambench.evaluate(np.zeros((18, 3)), labels, metrics=[name for name in EVERYTHING if name != "nmi"])

    assert 0.5 == found["roc_auc"] == found["eer"]
    assert 0.0 == found["effective_rank"] == found["uniformity"] == found["alignment"]


def arrays_of(points, labels):
    """The same exam in every form that an array comes in."""
    read_only = points.copy()
    read_only.setflags(write=False)
    yield "list", points.tolist(), labels.tolist()
    yield "tensor with a gradient", torch.from_numpy(points).requires_grad_(), torch.from_numpy(labels)
    yield "read only", read_only, labels
    yield "the other order of bytes", points.astype(">f4"), labels.astype(">i2")
    yield "columns of another array", np.concatenate([points, points], axis=1)[:, : points.shape[1]], labels
    yield "backwards in memory", points[::-1].copy()[::-1], labels
    yield "data frame", pd.DataFrame(points), pd.Series(labels)
    yield "text of a data frame", points, pd.Series([f"class {label}" for label in labels])


def test_every_form_of_an_array_is_read():
    """Lists, tensors, data frames, read-only and strided arrays of one content have one score, without a warning."""
    points, labels = clouds(9, [4, 5, 6, 7])
    expected = siambench.evaluate(points, labels)

    for form, embeddings, classes in arrays_of(points, labels):
        assert expected == siambench.evaluate(embeddings, classes), form


def test_one_metric_may_be_given_by_its_name():
    """A single name is one metric, not a list of letters, and any iterable of names will do."""
    points, labels = clouds(10, [4, 4, 4])

    assert siambench.evaluate(points, labels, metrics=["map@r"]) == siambench.evaluate(points, labels, metrics="map@r")
    assert siambench.evaluate(points, labels, metrics=["map@r"]) == siambench.evaluate(points, labels, metrics=(m for m in ["map@r"]))


GOOD = {"embeddings": np.eye(4), "labels": [0, 0, 1, 1]}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"embeddings": np.where(np.eye(4) > 0, np.nan, 0)}, DataError, ["embeddings", "finite", "4 of 4"]),
        ({"embeddings": np.where(np.eye(4, 9) > 0, -np.inf, 0)}, DataError, ["finite"]),
        ({"embeddings": np.eye(4) * 1e200, "metrics": ["effective_rank"]}, DataError, ["overflows"]),
        ({"embeddings": np.eye(4)[0]}, DataError, ["[items, dimensions]", "(4,)"]),
        ({"embeddings": np.empty((4, 0))}, DataError, ["not empty", "(4, 0)"]),
        ({"embeddings": np.eye(4) > 0}, DataError, ["real numbers", "bool"]),
        ({"embeddings": np.eye(4) * 1j}, DataError, ["real numbers", "complex128"]),
        ({"embeddings": [["a"]] * 4}, DataError, ["array of numbers"]),
        ({"embeddings": [[1.0], [1.0, 2.0]] * 2}, DataError, ["array of numbers"]),
        ({"embeddings": None}, DataError, ["array of numbers"]),
        ({"labels": [0.0, 0.0, 1.0, 1.0]}, DataError, ["whole numbers or text", "float64"]),
        ({"labels": [True, True, False, False]}, DataError, ["whole numbers or text", "bool"]),
        ({"labels": [None, "a", "b", "c"]}, DataError, ["whole numbers or text", "object"]),
        ({"labels": [[0], [0], [1], [1]]}, DataError, ["one per item", "(4, 1)"]),
        ({"labels": [[0], [0, 1], [1], [1]]}, DataError, ["one per item"]),
        ({"labels": [0, 0, 1]}, DataError, ["labels", "3 for 4"]),
        ({"labels": 0}, DataError, ["labels", "()"]),
        ({"labels": torch.tensor([0.0, 0, 1, 1])}, DataError, ["float32"]),
        ({"gallery": np.eye(4)}, DataError, ["gallery_labels", "missing"]),
        ({"gallery_labels": [0, 1]}, DataError, ["gallery", "missing"]),
        ({"gallery": np.eye(3), "gallery_labels": [0, 1, 1]}, DataError, ["dimensions", "4 and 3"]),
        ({"gallery": np.eye(4), "gallery_labels": [0, 1, 1]}, DataError, ["gallery_labels", "3 for 4"]),
        ({"gallery": np.eye(4), "gallery_labels": [[0]] * 4}, DataError, ["gallery_labels", "(4, 1)"]),
        ({"gallery": np.eye(4), "gallery_labels": list("aabb")}, DataError, ["one kind", "int64", "<U1"]),
        ({"labels": [0.5, 1, 1, 2], "gallery": np.eye(4), "gallery_labels": list("aabb")}, DataError, ["whole numbers or text"]),
        ({"gallery": np.eye(4) * np.nan, "gallery_labels": [0, 1, 1, 0]}, DataError, ["gallery must be finite"]),
        ({"distance": "cosin"}, ConfigError, ["'cosin'", "did you mean 'cosine'?"]),
        ({"metrics": ["recal@1"]}, UnknownNameError, ["'recal@1'", "did you mean 'recall@k'?"]),
        ({"metrics": ["recall@0"]}, ConfigError, ["k must be a whole number of at least 1, got '0'"]),
        ({"metrics": ["recall@²"]}, ConfigError, ["k must be a whole number of at least 1, got '²'"]),
        ({"metrics": ["tar@2"]}, ConfigError, ["a false accept rate lies between 0 and 1, got '2'"]),
        ({"metrics": ["tar@1"]}, ConfigError, ["between 0 and 1, got '1'"]),
        ({"metrics": ["recall@k"]}, ConfigError, ["family", "recall@4"]),
        ({"metrics": ["tar@far"]}, ConfigError, ["family", "tar@1e-3"]),
        ({"metrics": ["one_shot_error"]}, ConfigError, ["one_shot_error", "'one-shot'"]),
        ({"embeddings": np.eye(1), "labels": [0]}, DataError, ["at least 2 items", "1"]),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(arguments, error, words):
    """Wrong arrays, labels, names and distances are usage errors that say what was given."""
    with pytest.raises(UsageError) as caught:
        siambench.evaluate(**{**GOOD, **arguments})

    assert error is type(caught.value)
    assert "\n" not in str(caught.value).removesuffix("\n")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"groups": [0, 1]}, ["groups", "2 for 4"]),
        ({"groups": [0.5] * 4}, ["groups", "float64"]),
        ({"names": ["a", "b"]}, ["names", "(2,)", "4 items"]),
        ({"names": np.array("a")}, ["names", "()"]),
        ({"names": list("aabc")}, ["'a'", "more than one"]),
        ({"names": list("wxyz")}, ["'a'", "none of the 4"]),
    ],
)
def test_groups_and_names_must_fit(arguments, words):
    """Groups and names are one per item, and a name in the list of pairs is one item's."""
    pairs = parse_pairs("left,right,same\na,b,0\nb,c,1")

    with pytest.raises(DataError) as caught:
        evaluate_arrays(Arrays(**GOOD, **arguments), metrics=["roc_auc"], pairs=pairs)

    for word in words:
        assert word in str(caught.value)


def test_what_is_no_file_is_missing(tmp_path):
    """A path that is not there is missing data; a folder and a pipe are no files, and a pipe holds nobody up."""
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(DataMissingError, match=r"nothing\.npz"):
        read_arrays(tmp_path / "nothing.npz")
    with pytest.raises(DataError, match=r"folder\.npz is a folder, expected a file"):
        read_arrays(tmp_path / "folder.npz")
    with pytest.raises(DataError, match=r"pipe\.npz is a pipe, expected a file"):
        read_arrays(tmp_path / "pipe.npz")


def test_a_damaged_file_is_data_that_does_not_hold(tmp_path):
    """Whichever byte of a file is wrong, it is read as it stands or refused as data: never an error of another kind."""
    random = np.random.default_rng(0)
    np.savez_compressed(tmp_path / "good.npz", embeddings=np.eye(4), labels=[0, 0, 1, 1])
    good = (tmp_path / "good.npz").read_bytes()
    refused = 0
    for _ in range(300):
        bad = bytearray(good[: random.integers(len(good))] if random.random() < 0.2 else good)
        for place in random.integers(0, max(len(bad), 1), size=random.choice([1, 4])):
            bad[place : place + 1] = random.bytes(1)
        (tmp_path / "bad.npz").write_bytes(bytes(bad))
        try:
            read_arrays(tmp_path / "bad.npz")
        except DataError:
            refused += 1

    assert refused > 150


# ---- every pair


def test_all_pairs_are_those_that_a_list_of_them_gives():
    """With `pairs="every"` area, equal error and accept rate lie within their bounds of a list of them; accuracy is of drawn ones."""
    generator = np.random.default_rng(7)
    labels = np.repeat(np.arange(8), 6)
    points = generator.normal(size=(8, 5))[labels] + 0.8 * generator.normal(size=(48, 5))
    named = ("roc_auc", "eer", "tar@1e-1", "tar@1e-4", "verification_accuracy")
    one, other = np.triu_indices(48, 1)
    every = NamedPairs(tuple(map(str, one)), tuple(map(str, other)), tuple((labels[one] == labels[other]).tolist()), tuple([0] * len(one)))
    listed = evaluate_arrays(Arrays(embeddings=points, labels=labels), metrics=named, pairs=every)
    counted = evaluate_arrays(Arrays(embeddings=points, labels=labels), metrics=named, pairs="every")

    for name in ("roc_auc", "eer"):
        assert listed.scores[name] == pytest.approx(counted.scores[name], abs=counted.notes[f"{name}_error"] + 1e-9)
    assert counted.scores["tar@1e-1"] <= listed.scores["tar@1e-1"] <= counted.scores["tar@1e-1"] + counted.notes["tar@0.1_error"]
    assert counted.scores["tar@1e-4"] is None
    drawn = evaluate_arrays(Arrays(embeddings=points, labels=labels), metrics=["verification_accuracy"])
    assert counted.scores["verification_accuracy"] == drawn.scores["verification_accuracy"] > 0.5
    assert "drawn" in counted.notes["verification_accuracy_pairs"]


def test_all_pairs_need_the_cosine():
    """Every pair is counted by its cosine: the euclidean distance is refused."""
    with pytest.raises(ConfigError, match="need the distance cosine"):
        evaluate_arrays(Arrays(embeddings=np.eye(4), labels=[0, 0, 1, 1]), pairs="every", distance="euclidean")


def test_all_pairs_of_one_kind_do_not_apply():
    """Where no two items share a label there is no genuine pair: the scores are None with the reason."""
    found = evaluate_arrays(Arrays(embeddings=np.eye(4), labels=[0, 1, 2, 3]), metrics=["roc_auc", "eer"], pairs="every")
    assert {"roc_auc": None, "eer": None} == found.scores
    assert "both kinds of pairs are needed" in found.notes["verification"]


# ---- what there is to say of what was brought


def test_one_class_is_noted():
    """Items of one class are scored, and it is said that the scores say nothing."""
    found = evaluate_arrays(Arrays(embeddings=np.eye(4), labels=[1, 1, 1, 1]), metrics=["recall@1"])

    assert found.scores == {"recall@1": 1.0}
    assert found.notes["one_class"].startswith("all items are of one class")
    assert "one_class" not in evaluate_arrays(Arrays(embeddings=np.eye(4), labels=[1, 1, 2, 2]), metrics=["recall@1"]).notes


def test_repeated_pairs_are_noted():
    """A pair that a list holds twice, in either order, is named."""
    points = np.random.default_rng(0).normal(size=(6, 3))
    pairs = parse_pairs("left,right,same\n0,1,1\n0,2,0\n1,0,1\n4,5,1\n2,0,0\n")

    found = evaluate_arrays(Arrays(embeddings=points, labels=[0, 0, 1, 1, 2, 2]), metrics=["roc_auc"], pairs=pairs)

    assert found.notes["repeated_pairs"] == "2 of 5 pairs repeat another, the first: pair 3 is pair 1, '0', '1'"


@pytest.mark.parametrize("k", ["1000001", "9" * 30, "9" * 5000])
def test_a_k_beyond_reason_is_refused(k):
    """More neighbours than anybody has are refused in one sentence, be the number one that Python reads or not."""
    with pytest.raises(ConfigError, match="k must be a whole number from 1 to 1,000,000, got '"):
        evaluate_arrays(Arrays(embeddings=np.eye(4), labels=[1, 1, 2, 2]), metrics=[f"recall@{k}"])


def test_names_that_are_not_one_per_item_are_refused_where_no_pair_needs_them():
    """Whoever brings names means them to be right, with a list of pairs or without."""
    with pytest.raises(DataError, match="names must be one per item, got shape \\(1,\\) for 4 items"):
        evaluate_arrays(Arrays(**GOOD, names=["a"]), metrics=["map@r"])

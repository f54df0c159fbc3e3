"""Thresholds keep what they promise on the pairs that they are from, and the errors to expect are those of classes beside these."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from siambench.errors import MetricError
from siambench.models.operating import Items, operating_points, point_for


def made(classes=12, each=6, *, spread=0.7, size=8, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes) * 3 + 5, each)
    centres = generator.standard_normal((classes, size))
    points = np.repeat(centres, each, axis=0) + spread * generator.standard_normal((len(labels), size))
    return Items(torch.from_numpy(points), labels)


def pair_distances(items, distance, asks=None):
    """Distance and whether genuine, of each pair, one by one."""
    points = items.embeddings.numpy()
    if distance == "cosine":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    pairs = itertools.combinations(range(len(points)), 2)
    if asks is not None:
        pairs = itertools.product(np.flatnonzero(asks), np.flatnonzero(~asks))
    found = []
    for i, j in pairs:
        apart = 1 - points[i] @ points[j] if distance == "cosine" else np.linalg.norm(points[i] - points[j])
        found.append((apart, items.labels[i] == items.labels[j]))
    distances, same = map(np.array, zip(*found, strict=True))
    return distances, same.astype(bool)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("gallery", [False, True])
def test_thresholds_are_those_of_all_pairs_counted_one_by_one(distance, gallery):
    """At equal error both rates are as near as any threshold brings them; at a rate no more impostors are accepted, and hardly fewer."""
    items = made()
    asks = np.arange(len(items.labels)) % 2 == 0 if gallery else None
    points = operating_points(Items(items.embeddings, items.labels, asks), distance=distance, seed=3)
    distances, same = pair_distances(items, distance, asks)
    single = {one.at: one for one in points if one.references == 1}
    for one in single.values():
        assert int(same.sum()) == one.genuine
        assert int((~same).sum()) == one.impostors
    at = single["eer"].threshold
    accepted, rejected = np.mean(distances[~same] <= at), np.mean(distances[same] > at)
    best = min(abs(np.mean(distances[~same] <= t) - np.mean(distances[same] > t)) for t in distances)
    assert abs(accepted - rejected) <= best + 0.01
    far = single["far=0.01"]
    passing = np.sum(distances[~same] <= far.threshold)
    assert passing <= 0.01 * far.impostors
    # A bin is a four-thousandth of the range: the next distance above lets one more pass than may.
    assert passing >= np.floor(0.01 * far.impostors) - 2


def test_three_impostors_must_be_able_to_pass():
    """A rate that fewer than three impostors would decide has no threshold, and one that few decide says so."""
    points = operating_points(made(classes=8, each=3), distance="cosine", seed=0)
    assert {"eer"} == {one.at for one in points if one.impostors < 300}
    coarse = [one for one in operating_points(made(), distance="cosine", seed=0) if one.at == "far=0.01" and one.references == 1]
    assert coarse[0].note.startswith("coarse: only 23 of the 2376")


def test_more_references_want_a_smaller_threshold():
    """The nearest of several references is nearer to impostors too: the threshold at one rate falls with their number."""
    points = operating_points(made(classes=40, each=12, spread=1.5), distance="cosine", seed=0)
    by_number = [one.threshold for one in points if one.at == "far=0.01"]
    assert [1, 2, 3, 5, 10] == [one.references for one in points if one.at == "far=0.01"]
    assert by_number == sorted(by_number, reverse=True)
    assert by_number[0] > by_number[-1] + 0.02


def test_expected_errors_are_those_of_unseen_classes():
    """Over many draws of test classes the errors to expect agree with those that fresh classes have at the threshold, and are not lower."""
    expected, fresh = [], []
    for seed in range(30):
        point = next(one for one in operating_points(made(spread=1.2, seed=seed), distance="cosine", seed=seed) if one.at == "eer")
        distances, same = pair_distances(made(classes=40, spread=1.2, seed=1000 + seed), "cosine")
        expected.append((point.false_accepts + point.false_rejects) / 2)
        fresh.append((np.mean(distances[~same] <= point.threshold) + np.mean(distances[same] > point.threshold)) / 2)
    assert np.mean(expected) == pytest.approx(np.mean(fresh), abs=0.02)


def test_each_class_is_tried_against_all_others():
    """Of few classes too the errors to expect at equal error are nearly equal, whatever the number of references: all impostors count.

    Within ten folds of two classes alone each would meet one other: false accepts lay by up to .17 beside false rejects in these draws.
    """
    apart = []
    for seed in range(12):
        points = operating_points(made(classes=20, each=10, spread=1.0, seed=seed), distance="cosine", seed=seed)
        apart += [abs(one.false_accepts - one.false_rejects) for one in points if one.at == "eer"]
    assert len(apart) == 12 * 4
    assert max(apart) < 0.03


def test_what_is_apart_has_its_threshold_in_the_middle():
    """Where every genuine pair is nearer than every impostor, the threshold at equal error lies midway, and no error is expected."""
    items = made(classes=10, each=5, spread=0.001)
    point = next(one for one in operating_points(items, distance="cosine", seed=0) if one.at == "eer")
    distances, same = pair_distances(items, "cosine")
    low, high = distances[same].max(), distances[~same].min()
    assert point.threshold == pytest.approx((low + high) / 2, rel=0.02)
    assert (0.0, 0.0) == (point.false_accepts, point.false_rejects)


def test_collapsed_embeddings_have_thresholds_of_their_own_scale():
    """Bins follow the distances that there are: embeddings that all lie within a thousandth are told apart as well as spread ones."""
    items = made(spread=0.5)
    squeezed = Items(torch.ones(1, 8, dtype=torch.float64) * 100 + items.embeddings * 1e-3, items.labels)
    wide = next(one for one in operating_points(items, distance="euclidean", seed=0) if one.at == "eer")
    narrow = next(one for one in operating_points(squeezed, distance="euclidean", seed=0) if one.at == "eer")
    assert narrow.threshold == pytest.approx(wide.threshold * 1e-3, rel=1e-3)


def test_too_few_classes_have_none():
    """With fewer than four classes, or no class of two items, there is nothing to try a threshold on."""
    with pytest.raises(MetricError, match="at least 4 test classes"):
        operating_points(made(classes=3), distance="cosine", seed=0)
    with pytest.raises(MetricError, match="no genuine pairs"):
        operating_points(made(classes=9, each=1), distance="cosine", seed=0)


def test_the_point_for_a_number_of_references_never_promises_too_much():
    """Of a number that was not tried the next larger decides, whose threshold is lower; beyond all the largest."""
    points = operating_points(made(classes=20, each=8), distance="cosine", seed=0)
    assert [1, 2, 3, 5, 5] == [point_for(points, "eer", number).references for number in (1, 2, 3, 4, 9)]
    assert point_for(points, "far=1e-9", 1) is None
    assert point_for((), "eer", 1) is None


def spread_out(classes, each, seed):
    """Classes that differ in how far their items lie apart."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    own = np.exp(0.3 * generator.standard_normal(classes))
    points = np.repeat(generator.standard_normal((classes, 8)), each, axis=0)
    return Items(torch.from_numpy(points + np.repeat(own, each)[:, None] * generator.standard_normal((len(labels), 8))), labels)


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "each"), [(12, 10), (40, 6)])
def test_intervals_of_thresholds_cover_those_of_all_classes(classes, each):
    """Over 80 made-up test parts the interval of a threshold holds that of 1,500 classes about as often as it says, or more."""
    whole = {one.at: one.threshold for one in operating_points(spread_out(1500, 4, 999), distance="cosine", seed=0) if one.references == 1}
    held = {at: [] for at in whole}
    for seed in range(80):
        for one in operating_points(spread_out(classes, each, seed), distance="cosine", seed=seed):
            if one.references == 1:
                held[one.at].append(one.low <= whole[one.at] <= one.high)
    for at, inside in held.items():
        assert len(inside) == 80
        assert np.mean(inside) >= 0.86, at

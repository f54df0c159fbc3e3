"""The numbers of a row, each beside a slow count."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from siambench.diagnosis import measured


def slow_auc(positive, negative):
    wins = [1.0 if near < far else 0.5 if near == far else 0.0 for near, far in itertools.product(positive, negative)]
    return sum(wins) / len(wins)


@pytest.mark.parametrize(("positive", "negative"), [([0.0, 1.0, 1.0, 2.5], [1.0, 3.0, 0.5]), ([1.0], [1.0]), ([5.0, 6.0], [1.0, 2.0, 3.0])])
def test_the_auc_is_the_share_of_pairs_in_order(positive, negative):
    """With ties, singletons and all in the wrong order it is the share of (positive, negative) in order, ties counted half."""
    found = measured.auc_of(torch.tensor(positive), torch.tensor(negative))
    assert slow_auc(positive, negative) == pytest.approx(found.value)
    assert found.low <= found.value <= found.high


def test_the_interval_of_an_auc_covers_it():
    """Of 300 samples from two shifted normals 90 to 99 % have an interval that holds the true AUC."""
    draw, held = np.random.default_rng(1), 0
    truth = 0.5 * (1 + math.erf(0.6 / 2))
    for _ in range(300):
        near, far = draw.normal(0, 1, 40), draw.normal(0.6, 1, 50)
        found = measured.auc_of(torch.from_numpy(near), torch.from_numpy(far))
        held += found.low <= truth <= found.high
    assert 0.90 * 300 <= held <= 0.99 * 300


def test_nothing_to_compare_is_no_auc():
    """Without positives, without negatives, and with distances that are not finite there is none."""
    some = torch.tensor([1.0, 2.0])
    assert measured.auc_of(some[:0], some) is None
    assert measured.auc_of(some, some[:0]) is None
    assert measured.auc_of(some, torch.tensor([math.nan])) is None


def test_pairs_among_labels_are_all_and_their_distances_are_right():
    """Of asymmetric labels with a singleton each ordered pair comes once, and distances are those of a slow loop."""
    labels, points = torch.tensor([3, 3, 7, 1, 1, 1]), torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    tuples = measured.pairs_among(labels)
    positive = {(i, j) for i, j in itertools.permutations(range(6), 2) if labels[i] == labels[j]}
    assert positive == set(map(tuple, tuples.positive.T.tolist()))
    assert 30 - len(positive) == tuples.negative.shape[1]
    near, far = tuples.distances(points)
    for found, pairs in ((near, tuples.positive), (far, tuples.negative)):
        assert [float((points[i] - points[j]).norm()) for i, j in pairs.T.tolist()] == pytest.approx(found.tolist(), abs=1e-6)


def test_a_gradients_length_is_that_of_all_its_parts():
    """It is the root of the sum of all squares; None where there is no part, or one is not finite."""
    parts = [torch.tensor([3.0]), None, torch.tensor([[4.0]])]
    assert 5.0 == pytest.approx(measured.gradient_norm(parts))
    assert measured.gradient_norm([None]) is None
    assert measured.gradient_norm([torch.tensor([math.nan])]) is None

"""Curves and histograms of verification: what they say is what the pure metrics say of the same pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve

from siambench import metrics
from siambench.evaluation.error_rates import Levels, distance_of, equal_error, histogram, rounded, thinned


def pairs(seed=0, genuine=700, impostors=2300, decimals=3):
    """Similarities with ties, more impostors than genuine pairs."""
    generator = np.random.default_rng(seed)
    values = np.concatenate([generator.normal(0.5, 0.2, genuine), generator.normal(0.1, 0.25, impostors)]).round(decimals).clip(-1, 1)
    return torch.tensor(values), torch.tensor([True] * genuine + [False] * impostors)


def test_each_point_is_what_happens_at_its_threshold():
    """At every threshold the shares of pairs that are accepted and rejected are counted anew and are the curve's, ties included."""
    similarity, same = pairs()
    found = thinned(Levels.of_pairs(similarity, same), "cosine")
    apart = 1 - similarity
    for threshold, accepted, rejected in zip(found.thresholds, found.false_accepts, found.false_rejects, strict=True):
        passing = apart <= threshold + 1e-9
        assert accepted == pytest.approx(float(passing[~same].double().mean()), abs=1e-6)
        assert rejected == pytest.approx(float((~passing[same]).double().mean()), abs=1e-6)


def test_a_curve_runs_from_nobody_to_everybody_and_lies_on_scikit_learns():
    """The first point accepts nobody, the last everybody, there are at most 160, and each is a point of scikit-learn's whole curve."""
    similarity, same = pairs(seed=3)
    found = thinned(Levels.of_pairs(similarity, same), "cosine")
    assert (found.false_accepts[0], found.false_rejects[0]) == (0.0, 1.0)
    assert (found.false_accepts[-1], found.false_rejects[-1]) == (1.0, 0.0)
    assert 40 < len(found.thresholds) <= 160
    assert list(found.thresholds) == sorted(found.thresholds)
    fpr, tpr, _ = roc_curve(same.numpy(), similarity.numpy(), drop_intermediate=False)
    whole = np.stack([fpr, 1 - tpr], axis=1)
    for point in zip(found.false_accepts, found.false_rejects, strict=True):
        assert abs(whole - np.array(point)).max(axis=1).min() < 1e-6


@pytest.mark.parametrize("far", [0.1, 0.01, 0.002])
def test_the_true_accept_rate_can_be_read_off_the_curve(far):
    """The best point of the curve with so few false accepts accepts as many genuine pairs as the metric says, but for a step."""
    similarity, same = pairs(seed=1)
    found = thinned(Levels.of_pairs(similarity, same), "cosine")
    best = max(1 - rejected for accepted, rejected in zip(found.false_accepts, found.false_rejects, strict=True) if accepted <= far)
    exact = metrics.true_accept_rate_at(similarity, same, far=far)
    assert exact - 0.03 <= best <= exact + 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_the_equal_error_is_that_of_the_metric(seed):
    """Rate as `equal_error_rate` reads it; at the threshold both errors are as near to it as one level of similarity allows."""
    similarity, same = pairs(seed=seed, decimals=2)
    value, at = equal_error(Levels.of_pairs(similarity, same))
    assert value == pytest.approx(metrics.equal_error_rate(similarity, same), abs=1e-12)
    accepted = float((similarity[~same] >= at).double().mean())
    rejected = float((similarity[same] < at).double().mean())
    assert accepted == pytest.approx(value, abs=0.05)
    assert rejected == pytest.approx(value, abs=0.05)


def test_perfect_and_reversed_pairs_have_an_equal_error_too():
    """Genuine pairs that are all nearer than impostors err in 0 of cases, the other way round in all; equal ones in half."""
    same = torch.tensor([True, True, False, False, False])
    assert equal_error(Levels.of_pairs(torch.tensor([0.9, 0.8, 0.2, 0.1, 0.1]), same))[0] == 0.0
    assert equal_error(Levels.of_pairs(torch.tensor([0.1, 0.2, 0.8, 0.9, 0.9]), same))[0] == 1.0
    assert equal_error(Levels.of_pairs(torch.full((5,), 0.3), same))[0] == 0.5


def test_every_pair_counted_into_bins_gives_the_same_curves():
    """From 2^17 bins of all pairs of items: as many pairs as there are, the metric's equal error, the histogram of exact cosines."""
    generator = torch.Generator().manual_seed(5)
    points = torch.randn(60, 5, generator=generator) + torch.arange(60)[:, None] % 6
    labels = torch.arange(60) % 6
    counted = metrics.all_pairs_verification(points, labels)
    levels = Levels.of_every_pair(counted)
    assert (levels.genuine.sum(), levels.impostors.sum()) == (counted.genuine, counted.impostors) == (270, 1500)
    value, _ = equal_error(levels)
    assert value == pytest.approx(counted.equal_error_rate.value, abs=counted.equal_error_rate.error + 1e-12)
    left, right = torch.triu_indices(60, 60, offset=1)
    unit = torch.nn.functional.normalize(points.double())
    exact = Levels.of_pairs((unit[left] * unit[right]).sum(dim=1), labels[left] == labels[right])
    one, other = histogram(levels, "cosine"), histogram(exact, "cosine")
    # A pair at the edge of a bin may fall on either side.
    assert abs(np.array(one.impostors) - np.array(other.impostors)).sum() <= 6
    assert sum(one.genuine) == sum(other.genuine) == 270


def test_a_histogram_holds_every_pair_once():
    """Both kinds add up to the pairs that there are, from the smallest distance to the largest, euclidean ones in their own unit."""
    similarity, same = pairs()
    found = histogram(Levels.of_pairs(-40 * (1 - similarity), same), "euclidean")
    assert (sum(found.genuine), sum(found.impostors)) == (700, 2300)
    assert found.low == pytest.approx(float(40 * (1 - similarity.max())))
    assert found.high == pytest.approx(float(40 * (1 - similarity.min())))


def test_pairs_that_are_all_equally_far_apart_have_a_histogram():
    """One distance is one bin of width that is not zero, not an error."""
    found = histogram(Levels.of_pairs(torch.full((4,), 0.25), torch.tensor([True, False, True, False])), "cosine")
    assert found.low < 0.75 < found.high
    assert (max(found.genuine), max(found.impostors)) == (2, 2)


def test_distances_are_never_negative_and_numbers_are_short():
    """A cosine that rounding carried beyond 1 is at distance 0; numbers are kept to so many digits, however large."""
    assert distance_of(np.array([1 + 1e-12, 0.25]), "cosine").tolist() == [0.0, 0.75]
    assert distance_of(np.array([-3.5]), "euclidean").tolist() == [3.5]
    assert (rounded(123456.789), rounded(0.000123456789), rounded(-2.0, 3)) == (123457.0, 0.000123457, -2.0)

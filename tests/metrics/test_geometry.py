import math
from itertools import combinations

import numpy as np
import pytest
import torch

from siambench.errors import MetricError
from siambench.metrics import alignment, effective_rank, geometry, mean_distances, uniformity


def points_and_labels(dtype=torch.float64):
    """Classes of 1 to 8 items far from the origin."""
    labels = torch.cat([torch.full((size,), size) for size in range(1, 9)])
    points = torch.randn(len(labels), 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 2
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
    return points[order].to(dtype), labels[order]


def all_pairs(points, labels, *, unit):
    """Distance and sameness of every pair, one after another."""
    rows = points.double().numpy()
    if unit:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return [(np.linalg.norm(rows[i] - rows[j]), bool(labels[i] == labels[j])) for i, j in combinations(range(len(rows)), 2)]


@pytest.fixture(params=[2**22, 50])
def chunked(request, monkeypatch):
    monkeypatch.setattr(geometry, "_ELEMENTS_AT_ONCE", request.param)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
def test_alignment_is_the_mean_over_positive_pairs(power, dtype, chunked):
    """Alignment is the mean of a power of the distance of unit vectors over all pairs of one class."""
    points, labels = points_and_labels(dtype)
    expected = np.mean([distance**power for distance, same in all_pairs(points, labels, unit=True) if same])

    assert expected == pytest.approx(alignment(points, labels, power=power), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_uniformity_is_the_log_mean_of_a_gaussian_kernel(temperature, chunked):
    """Uniformity is the formula of its paper over all pairs of unit vectors, as torch.pdist gives it."""
    points, _ = points_and_labels()
    squared = torch.pdist(torch.nn.functional.normalize(points)).square()

    assert float((-temperature * squared).exp().mean().log()) == pytest.approx(uniformity(points, temperature=temperature), abs=1e-12)


def test_mean_distances_are_those_of_all_pairs(chunked):
    """Positive and negative mean distances are those of a loop over pairs, without normalisation."""
    points, labels = points_and_labels()
    every = all_pairs(points, labels, unit=False)

    actual = mean_distances(points, labels)

    assert np.mean([distance for distance, same in every if same]) == pytest.approx(actual.positive, abs=1e-12)
    assert np.mean([distance for distance, same in every if not same]) == pytest.approx(actual.negative, abs=1e-12)


def test_mean_distances_without_pairs_are_missing():
    """Classes of one item have no positive distance, a single class no negative one."""
    points, _ = points_and_labels()

    assert mean_distances(points, torch.arange(36)).positive is None
    assert mean_distances(points, torch.zeros(36, dtype=torch.int64)).negative is None


def test_nearly_equal_points_keep_their_distances():
    """A millionth apart and far from the origin, mean distances are right to nine digits."""
    points, labels = points_and_labels()
    small = mean_distances(1000.0 + 1e-6 * points, labels)
    large = mean_distances(points, labels)

    assert 1e-6 * large.positive == pytest.approx(small.positive, rel=1e-6)
    assert 1e-6 * large.negative == pytest.approx(small.negative, rel=1e-6)


def test_collapse_is_perfectly_aligned_and_not_uniform():
    """All items at one point: alignment 0, uniformity 0, effective rank 1."""
    points = torch.full((20, 7), 0.4)

    assert 0 == pytest.approx(alignment(points, torch.arange(20) // 2), abs=1e-12)
    assert 0 == pytest.approx(uniformity(points), abs=1e-12)
    assert 1 == pytest.approx(effective_rank(points), abs=1e-6)


def test_effective_rank_is_its_formula():
    """The exponential of the entropy of the normalised singular values, by numpy."""
    points, _ = points_and_labels()
    values = np.linalg.svd(points.numpy(), compute_uv=False)
    shares = values / values.sum()

    assert math.exp(-(shares * np.log(shares)).sum()) == pytest.approx(effective_rank(points), abs=1e-12)


def test_effective_rank_counts_equal_directions():
    """Orthogonal directions of equal strength count one each, zeros count nothing."""
    points = torch.zeros(10, 6)
    points[:4, :4] = 3 * torch.eye(4)

    assert 4 == pytest.approx(effective_rank(points), abs=1e-12)
    assert 0.0 == effective_rank(torch.zeros(3, 2))


def test_refuses_what_has_no_geometry():
    """No positive pair, a single item and NaN are errors."""
    points, labels = points_and_labels()
    with pytest.raises(MetricError, match="got 36 items of as many classes"):
        alignment(points, torch.arange(36))
    with pytest.raises(MetricError, match="at least 2 items, got 1"):
        uniformity(points[:1])
    with pytest.raises(MetricError, match="36 of 36 rows"):
        mean_distances(points * torch.nan, labels)

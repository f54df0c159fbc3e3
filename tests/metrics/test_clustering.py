import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from siambench.errors import MetricError
from siambench.metrics import cluster_agreement, normalised_mutual_information


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_mutual_information_agrees_with_sklearn(items):
    """Any two partitions have the score that scikit-learn gives them."""
    labels, clusters = (torch.tensor(column) for column in zip(*items, strict=True))

    expected = normalized_mutual_info_score(labels.numpy(), clusters.numpy())
    assert expected == pytest.approx(normalised_mutual_information(labels, clusters), abs=1e-12)


def test_large_labels_do_not_merge():
    """Labels that are one number in float32 are two classes."""
    labels = torch.tensor([2**24, 2**24 + 1, 2**24, 2**24 + 1])

    assert 1.0 == pytest.approx(normalised_mutual_information(labels, torch.tensor([0, 1, 0, 1])))


def blobs():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 6
    return torch.randn(90, 4, generator=generator) + 1.5 * torch.nn.functional.one_hot(labels, 6)[:, :4], labels


def test_repeats_have_a_spread_and_a_seed():
    """Repeated k-means gives several scores, the same ones for the same seed, with their mean and deviation."""
    points, labels = blobs()

    first = cluster_agreement(points, labels, seed=0, repeats=5)

    assert first == cluster_agreement(points, labels, seed=0, repeats=5)
    assert first.scores != cluster_agreement(points, labels, seed=1, repeats=5).scores
    assert 1 < len(set(first.scores))
    assert np.mean(first.scores) == pytest.approx(first.mean, abs=1e-12)
    assert np.std(first.scores, ddof=1) == pytest.approx(first.deviation, abs=1e-12)


def test_separated_classes_agree_perfectly():
    """Classes far apart are found again by every start."""
    labels = torch.arange(40) % 2
    points = labels[:, None] * 100.0 + torch.randn(40, 3, generator=torch.Generator().manual_seed(0))

    result = cluster_agreement(points, labels, seed=0, repeats=1)

    assert 1.0 == pytest.approx(result.mean)
    assert result.deviation is None


def test_refuses_more_clusters_than_items():
    """Impossible numbers of clusters and empty partitions are errors."""
    points, labels = blobs()
    with pytest.raises(MetricError, match="got 91 clusters"):
        cluster_agreement(points, labels, seed=0, clusters=91)
    with pytest.raises(MetricError, match="at least 1 item"):
        normalised_mutual_information(labels[:0], labels[:0])
    with pytest.raises(MetricError, match="90 items"):
        normalised_mutual_information(labels, labels[:4])

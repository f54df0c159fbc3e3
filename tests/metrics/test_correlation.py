"""Spearman's correlation beside scipy's."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from siambench.errors import MetricError
from siambench.metrics import rank_correlation


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [3, 1000])
def test_it_is_that_of_scipy(seed, levels):
    """With few levels, hence many ties, and with none, on odd numbers of pairs."""
    generator = np.random.default_rng(seed)
    similarity = generator.integers(0, levels, 57) / 7
    score = similarity * 2 + generator.normal(scale=levels / 5, size=57).round(1)

    assert rank_correlation(torch.from_numpy(similarity), torch.from_numpy(score)) == pytest.approx(
        spearmanr(similarity, score).statistic, abs=1e-12
    )


def test_order_is_all_that_counts():
    """A rising function of the scores changes nothing, a falling one the sign."""
    similarity = torch.tensor([0.1, 0.9, 0.3, 0.3], dtype=torch.float64)

    assert rank_correlation(similarity, similarity.exp()) == pytest.approx(1)
    assert rank_correlation(similarity, -similarity) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("similarity", "score", "message"),
    [
        ([1.0], [1.0], "with P >= 2"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], r"got \(2,\) and \(3,\)"),
        ([1.0, float("nan")], [1.0, 2.0], "similarity must be finite, got 1"),
        ([1.0, 2.0], [3.0, 3.0], "score is 3 everywhere: it orders nothing"),
    ],
)
def test_what_has_no_correlation_is_refused(similarity, score, message):
    """One pair, other numbers, what is not finite, and scores that are all the same."""
    with pytest.raises(MetricError, match=message):
        rank_correlation(torch.tensor(similarity), torch.tensor(score))

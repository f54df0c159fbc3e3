import math

import numpy as np
import pytest
import torch

from siambench.errors import MetricError
from siambench.metrics import average, class_means


def test_average_leaves_out_and_counts_queries_without_a_score():
    """The mean is over the scored queries, and the number of the others comes with it."""
    assert (0.75, 2) == average(torch.tensor([1.0, torch.nan, 0.5, torch.nan]))
    mean, missing = average(torch.tensor([torch.nan]))
    assert math.isnan(mean)
    assert 1 == missing


def test_average_of_float16_is_computed_in_float64():
    """Two thousand and one half-precision ones have mean 1, which half-precision sums cannot say."""
    assert (1.0, 0) == average(torch.ones(70_001, dtype=torch.float16))


def test_class_means_are_those_of_each_class():
    """Means and counts agree with numpy class by class; a class without a scored query is not there."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2**24, 2**24 + 7, (50,), generator=generator)
    scores = torch.rand(50, generator=generator, dtype=torch.float64)
    scores[labels == 2**24 + 3] = torch.nan
    scores[:4] = torch.nan

    result = class_means(scores, labels)

    classes = [label for label in range(2**24, 2**24 + 7) if label != 2**24 + 3]
    known = [scores[(labels == label) & ~scores.isnan()].numpy() for label in classes]
    assert classes == result.classes.tolist()
    assert [len(values) for values in known] == result.counts.tolist()
    assert [np.mean(values) for values in known] == pytest.approx(result.means.tolist(), abs=1e-12)
    assert average(scores)[0] == pytest.approx(float((result.means * result.counts).sum() / result.counts.sum()), abs=1e-12)


def test_class_means_refuse_other_shapes():
    """Scores that are not one per query are an error."""
    with pytest.raises(MetricError, match=r"got shape \(1, 2\)"):
        class_means(torch.zeros(1, 2), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(MetricError, match="2 labels for 3 items"):
        class_means(torch.zeros(3), torch.zeros(2, dtype=torch.int64))

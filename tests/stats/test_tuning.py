"""The expected best of so many trials, beside all subsets of them."""

from __future__ import annotations

import itertools
import statistics

import pytest

from siambench.errors import MetricError
from siambench.stats import expected_best

VALUES = [0.31, 0.12, 0.31, 0.05, 0.44, -0.2]


@pytest.mark.parametrize("trials", range(1, 7))
@pytest.mark.parametrize("higher", [True, False])
def test_it_is_the_mean_over_all_subsets(trials, higher):
    """Also with ties and negative values, and in either direction."""
    best = max if higher else min
    every = [best(chosen) for chosen in itertools.combinations(VALUES, trials)]
    assert statistics.fmean(every) == pytest.approx(expected_best(VALUES, trials, higher_is_better=higher), abs=1e-12)


@pytest.mark.parametrize(("values", "trials"), [([], 1), ([0.1], 0), ([0.1], 2), ([0.1, float("nan")], 1), ([[0.1]], 1)])
def test_what_has_no_expected_best_is_refused(values, trials):
    """No values, no trials, more trials than values, what is not finite, and what is no list."""
    with pytest.raises(MetricError):
        expected_best(values, trials)

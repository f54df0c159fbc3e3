"""Which points lie off the line that most of them follow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from siambench.errors import MetricError
from siambench.stats import robust_residuals

X = np.array([0.31, 0.42, 0.42, 0.55, 0.61, 0.70, 0.88])
Y = np.array([0.20, 0.26, 0.30, 0.35, 0.41, 0.10, 0.57])


def test_residuals_are_those_of_theil_and_sen_in_units_of_the_median_deviation():
    """Slope and height are scipy's, and the scale is scipy's median absolute deviation, on points with ties and an outlier."""
    slope, intercept, *_ = stats.theilslopes(Y, X, method="joint")
    residuals = Y - slope * X - intercept
    expected = residuals / stats.median_abs_deviation(residuals, scale="normal")
    assert expected == pytest.approx(robust_residuals(X, Y), rel=1e-12)
    assert [5] == list(np.flatnonzero(robust_residuals(X, Y) < -3))


def test_a_minority_elsewhere_moves_nothing():
    """Two of nine points may lie anywhere: the residuals of the others stay small and their own grow without bound."""
    generator = np.random.default_rng(0)
    x = np.linspace(0, 1, 9)
    y = 2 * x + 1 + generator.normal(0, 0.01, 9)
    for height in (10.0, 1000.0):
        bent = y.copy()
        bent[[2, 7]] = -height
        found = robust_residuals(x, bent)
        assert np.abs(np.delete(found, [2, 7])).max() < 6
        assert found[[2, 7]].max() < -100


def test_the_order_of_points_does_not_matter():
    """Each point keeps its residual in any order."""
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    assert robust_residuals(X, Y)[order] == pytest.approx(robust_residuals(X[order], Y[order]), abs=1e-12)


def test_where_most_points_lie_on_the_line_there_is_no_scale():
    """Points of which more than half lie on one line give zeros, not infinities: rounding is no spread."""
    assert [0.0] * 7 == list(robust_residuals(X, 0.1 * X + 0.3))
    bent = 0.1 * X + 0.3
    bent[0] = 0.0
    assert [0.0] * 7 == list(robust_residuals(X, bent))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([0.1, 0.2], [0.1, 0.2], "n >= 3"),
        ([0.1, 0.2, 0.3], [0.1, 0.2], "one shape"),
        ([0.1, 0.2, np.nan], [0.1, 0.2, 0.3], "finite"),
        ([0.1, 0.1, 0.1], [0.1, 0.2, 0.3], "differ, got 0.1 3 times"),
    ],
)
def test_what_has_no_line_is_refused(x, y, words):
    """Too few points, shapes that do not fit, values that are not finite and equal x are refused in one sentence."""
    with pytest.raises(MetricError, match=words):
        robust_residuals(x, y)

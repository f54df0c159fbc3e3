"""`figures.scales`: values become places, and round numbers are marked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from siambench.figures import Axis
from siambench.figures.scales import Range, range_of, ticks_of


def test_places_of_the_three_scales():
    """The middle of a linear scale is the mean, of a logarithmic one the geometric mean, of a probit one that of normal quantiles."""
    assert Range(1, 3).share(2) == 0.5
    assert Range(1, 100, "log").share(10) == pytest.approx(0.5)
    middle = norm.cdf((norm.ppf(0.01) + norm.ppf(0.3)) / 2)
    assert Range(0.01, 0.3, "probit").share(middle) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("axis", "values", "texts"),
    [
        (Axis(low=0, high=1), [], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis(low=-1, high=1), [], ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (Axis(low=0.31, high=0.42), [], ["0.32", "0.34", "0.36", "0.38", "0.40", "0.42"]),
        (Axis(low=0, high=0.1, percent=True), [], ["0 %", "2 %", "4 %", "6 %", "8 %", "10 %"]),
        (Axis(low=1, high=4, whole=True), [], ["1", "2", "3", "4"]),
        (Axis(low=0, high=20_000), [], ["0", "5,000", "10,000", "15,000", "20,000"]),
        (Axis(low=1, high=1000, scale="log"), [], ["1", "3", "10", "30", "100", "300", "1,000"]),
        (Axis(low=30, high=90, scale="log"), [], ["30", "40", "50", "60", "70", "80", "90"]),
        (Axis(low=1e-9, high=1e-5, scale="log"), [], ["1e-9", "1e-8", "1e-7", "1e-6", "1e-5"]),
        (Axis(low=0.001, high=0.1, scale="probit", percent=True), [], ["0.1 %", "0.2 %", "0.5 %", "1 %", "2 %", "5 %", "10 %"]),
    ],
)
def test_what_is_written_along_an_axis(axis, values, texts):
    """Round numbers, each with the decimals that tell them apart, a minus only before what is not 0."""
    assert texts == [text for _, text in ticks_of(axis, range_of(axis, values), 7)]


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=6),
    st.sampled_from(["linear", "log", "probit"]),
    st.integers(2, 12),
)
def test_any_values_have_a_range_and_few_ticks(values, scale, most):
    """Whatever values there are, also one or none, each has a place within the range, and not many more ticks than asked for."""
    axis = Axis(scale=scale)
    found = range_of(axis, values)
    assert found.high > found.low
    inside = [v for v in values if scale == "linear" or (scale == "log" and v > 0)]
    assert all(-1e-9 <= found.share(value) <= 1 + 1e-9 for value in inside)
    ticks = ticks_of(axis, found, most)
    assert len(ticks) <= most + 4
    assert all(math.isfinite(value) and text for value, text in ticks)


def test_named_axes_reach_over_their_names():
    """Categories lie at whole numbers, each with half a place on both sides."""
    assert Range(-0.5, 2.5) == range_of(Axis(names=("a", "b", "c")), [100.0])

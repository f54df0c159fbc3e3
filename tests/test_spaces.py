from __future__ import annotations

import json
import math

import pytest

from siambench.spaces import Choice, Float, Int, dimension_from_json, dimension_to_json, fits

DIMENSIONS = [Float(-0.2, 2.0), Float(1e-4, 1e-1, log=True), Int(1, 9), Int(1, 512, log=True), Choice("a", "b"), Choice(1, 2.5, True)]  # noqa: FBT003


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_dimensions_survive_json(dimension):
    """A dimension is read back from JSON as the same value."""
    assert dimension == dimension_from_json(json.loads(json.dumps(dimension_to_json(dimension))))


def test_bounds_belong_to_a_dimension():
    """Both bounds are inside, what is beyond or of another kind is not; True is no number."""
    assert all(Float(0.0, 1.0).contains(value) for value in (0.0, 0.5, 1, 1.0))
    assert not any(Float(0.0, 1.0).contains(value) for value in (-1e-9, 1.1, math.nan, math.inf, "0.5", True, None))
    assert all(Int(1, 3).contains(value) for value in (1, 2, 3))
    assert not any(Int(1, 3).contains(value) for value in (0, 4, 2.0, "2", True))
    assert Choice("a", "b").contains("a")
    assert not Choice("a", "b").contains("c")


def test_values_near_a_bound_are_on_it():
    """Within 1 % of a bound on the scale of the space counts as on it: linear, logarithmic, whole numbers."""
    assert Float(0.0, 1.0).on_bound(0.009)
    assert not Float(0.0, 1.0).on_bound(0.02)
    assert Float(1e-4, 1.0, log=True).on_bound(1.05e-4)
    assert not Float(1e-4, 1.0, log=True).on_bound(2e-4)
    assert Int(1, 9).on_bound(9)
    assert not Int(1, 9).on_bound(8)
    assert not Choice("a", "b").on_bound("a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(1.0, 1.0), "low=1.0, high=1.0"),
        (lambda: Float(0.0, math.inf), "finite"),
        (lambda: Float(0.0, 1.0, log=True), "log scale needs low > 0, got low=0.0"),
        (lambda: Int(3, 2), "low=3, high=2"),
        (lambda: Int(0, 2, log=True), "log scale"),
        (lambda: Choice("a"), "at least two options"),
    ],
)
def test_a_dimension_without_room_is_refused(make, message):
    """Bounds that do not hold, or a single option, are a ValueError with the values."""
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("value", "default", "expected"),
    [
        (1, 2, True),
        (1, 2.0, True),
        (1.0, 2, False),
        (True, 1, False),
        (True, 1.0, False),
        (1, True, False),
        ("2", 2, False),
        ("a", "", True),
        (2, "2", False),
        (float("nan"), 1.0, False),
        ([1], 1.0, False),
        ([1], None, True),
    ],
)
def test_a_value_is_of_the_kind_of_its_default(value, default, expected):
    """A whole number is a number; true, text and lists are none; without a default of a plain kind anything goes."""
    assert fits(value, default) is expected


def test_true_is_no_option_of_numbers():
    """A choice among numbers holds numbers: true equals 1, and is none."""
    assert Choice(1, 2).contains(1)
    assert not Choice(1, 2).contains(True)  # noqa: FBT003  what is tested
    assert Choice(1.0, 2.0).contains(1)

"""Values of a table for people, for JSON and for flat files: one way each, by what the value is."""

from __future__ import annotations

import json

import pytest

from siambench.board.differences import Difference
from siambench.board.scores import Grouped, Score
from siambench.board.values import Ends, Names, Ranks, Unspoken, flat, json_of, number, parameter, text_of

SCORE = Score(0.41234, 0.00567, 3, over="studies")
GROUPED = Grouped(0.31, 0.05, 7, "script")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (SCORE, Score, "0.412 ± 0.006"),
        (Score(0.41234, None, 1), Score, "0.412"),
        (None, Score, "—"),
        (Ranks(2, 5), Ranks, "2–5"),
        (Ranks(2, 2), Ranks, "2"),
        (None, Ranks, ""),
        (Ends(0.2811, 0.3169), Ends, "[0.281, 0.317]"),
        (None, Ends, "—"),
        (GROUPED, Grouped, "0.310 ± 0.050"),
        (None, Grouped, "—"),
        (Difference("supcon", -0.0311, 0.0042, "studies"), Difference, "-0.031 ± 0.004"),
        (Difference("supcon", 0.0311, None, "studies"), Difference, "+0.031"),
        (None, Difference, ""),
        (Names(("closed-set", "local")), Names, "closed-set, local"),
        (Names(()), Names, ""),
        (Unspoken(3), None, ""),
        (3, None, "3"),
        (0, None, "0"),
        (0.5, None, "0.500"),
        ("triplet", None, "triplet"),
        (None, None, ""),
        ({"loss.margin": 0.123456, "a": "x", "b": 12}, None, "a = x, b = 12, loss.margin = 0.123"),
        ({}, None, ""),
    ],
)
def test_a_cell_as_people_read_it(value, kind, expected):
    """Scores have three decimals and their half-width; a missing score or interval is a dash, anything else missing is nothing."""
    assert expected == text_of(value, kind)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SCORE, {"mean": 0.41234, "ci95": 0.00567, "n": 3, "over": "studies", "classes95": None, "groups95": None}),
        (
            Score(0.4, None, 1, (0.3, 0.5), groups95=GROUPED),
            {
                "mean": 0.4,
                "ci95": None,
                "n": 1,
                "over": "repetitions",
                "classes95": [0.3, 0.5],
                "groups95": {"mean": 0.31, "half_width": 0.05, "n": 7, "over": "script"},
            },
        ),
        (Ranks(2, 5), [2, 5]),
        (Ends(0.1, 0.2), [0.1, 0.2]),
        (Difference("supcon", 0.1, None, "repetitions"), {"to": "supcon", "mean": 0.1, "half_width": None, "over": "repetitions"}),
        (GROUPED, {"mean": 0.31, "half_width": 0.05, "n": 7, "over": "script"}),
        (Names(("a", "b")), ["a", "b"]),
        (Unspoken(3), 3),
        ({"a": 1}, {"a": 1}),
        ("x", "x"),
        (True, True),
        (None, None),
    ],
)
def test_a_cell_as_json(value, expected):
    """Scores are objects, pairs and names are lists, a number that people are not shown is a number."""
    assert expected == json_of(value)
    assert expected == json.loads(json.dumps(json_of(value), allow_nan=False))


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (SCORE, Score, {"c": 0.41234, "c_ci95": 0.00567, "c_n": 3}),
        (None, Score, {"c": None, "c_ci95": None, "c_n": 0}),
        (Ranks(2, 5), Ranks, {"c_low": 2, "c_high": 5}),
        (None, Ranks, {"c_low": None, "c_high": None}),
        (Ends(0.1, 0.2), Ends, {"c_low": 0.1, "c_high": 0.2}),
        (None, Ends, {"c_low": None, "c_high": None}),
        (
            Difference("supcon", 0.1, 0.2, "studies"),
            Difference,
            {"c": 0.1, "c_half_width": 0.2, "c_to": "supcon", "c_over": "studies"},
        ),
        (None, Difference, {"c": None, "c_half_width": None, "c_to": None, "c_over": None}),
        (GROUPED, Grouped, {"c": 0.31, "c_half_width": 0.05, "c_n": 7, "c_over": "script"}),
        (None, Grouped, {"c": None, "c_half_width": None, "c_n": None, "c_over": None}),
        (Names(("a", "b")), Names, {"c": ["a", "b"]}),
        (Unspoken(3), None, {"c": 3}),
        ({"a": 1}, None, {"c": {"a": 1}}),
        (None, None, {"c": None}),
    ],
)
def test_a_cell_in_a_flat_file(value, kind, expected):
    """A cell takes as many columns as its kind says, whether it is there or not."""
    assert expected == flat("c", value, kind)


def test_the_kind_alone_says_which_columns_there_are():
    """A flat file has the same columns in a row where the cell is missing as in one where it is not."""
    for kind, value in (
        (Score, SCORE),
        (Ranks, Ranks(1, 2)),
        (Ends, Ends(0, 1)),
        (Difference, Difference("supcon", 0.0, 1.0, "studies")),
        (Grouped, GROUPED),
        (None, 3),
    ):
        assert list(flat("c", value, kind)) == list(flat("c", None, kind))


def test_numbers_have_fixed_decimals():
    """A score has three decimals or as many as asked for; a missing one is a dash."""
    assert ["0.500", "0.5", "—"] == [number(0.5), number(0.5, 1), number(None)]


def test_a_parameter_has_three_digits():
    """A real one is rounded, whatever its size; anything else stands as it is."""
    assert ["0.123", "1.23e-05", "128", "adam", "True"] == [parameter(value) for value in (0.12345, 0.0000123456, 128, "adam", True)]

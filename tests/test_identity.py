from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siambench.errors import RecordError
from siambench.identity import Document, canonical, digest, from_json, seed_of, to_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_canonical_text_is_read_back(value):
    """Canonical text is JSON of the same value, and equal values give equal text."""
    assert json.loads(canonical(value)) == value
    assert canonical(value) == canonical(json.loads(canonical(value)))
    assert digest(value) == digest(json.loads(canonical(value)))


@pytest.mark.parametrize("value", [math.nan, math.inf, {"x": [-math.inf]}])
def test_what_is_no_number_has_no_canonical_text(value):
    """NaN and infinity are refused: JSON has no word for them."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(value)


def test_seeds_are_hashes_of_names():
    """A seed lies in [0, 2^63), depends on each name and their order, and is the same for ever."""
    assert seed_of("track", "fold", 0) == 6988723362377561219
    assert seed_of("a", "b") != seed_of("b", "a")
    assert seed_of("ab", "c") != seed_of("a", "bc")
    assert all(0 <= seed_of(name) < 2**63 for name in range(1000))
    assert len({seed_of(name) for name in range(1000)}) == 1000


# ---- frozen values as JSON documents


@dataclass(frozen=True)
class Leaf(Document):
    """A value in a value."""

    height: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch(Document):
    """A value with values in it."""

    count: int
    leaves: Mapping[str, Leaf]
    note: str | None = None


BRANCH = Branch(2, {"left": Leaf(0.1, ("a", "b")), "right": Leaf(-0.0)})


def test_a_frozen_value_survives_json():
    """Written as JSON text and read back, a value is the same, its parts and its tuples included."""
    text = json.dumps(to_json(BRANCH))

    assert from_json(Branch, text, where="branch") == BRANCH
    assert from_json(Branch, text.encode(), where="branch") == BRANCH
    assert to_json(BRANCH)["leaves"]["left"] == {"height": 0.1, "names": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"count": 1, "leaves": {}, "cuont": 2}', "branch: unknown key 'cuont'"),
        ('{"cuont": 1, "leaves": {}}', "branch: unknown key 'cuont', did you mean 'count'?"),
        ('{"count": 1}', "branch: the key 'leaves' is missing"),
        ('{"count": 1, "leaves": {"left": {"heigth": 1.0}}}', "branch: unknown key 'leaves.left.heigth', did you mean 'height'?"),
        ('{"count": "1", "leaves": {}}', "branch: count: input should be a valid integer"),
        ('{"count": true, "leaves": {}}', "branch: count: input should be a valid integer"),
        ('{"count": 1.0, "leaves": {}}', "branch: count: input should be a valid integer"),
        ('{"count": 1, "leaves": {"left": {"height": NaN}}}', "branch: leaves.left.height: input should be a finite number"),
        ('{"count": 1, "leaves": {}', "branch: invalid JSON"),
        ("[]", "branch: "),
    ],
)
def test_what_is_not_the_document_is_refused_in_one_sentence(text, sentence):
    """An unknown, misspelt or missing key, a value of another type, NaN and broken text are told with their place; nothing is coerced."""
    with pytest.raises(RecordError) as caught:
        from_json(Branch, text, where="branch")

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)

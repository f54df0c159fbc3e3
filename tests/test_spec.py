import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siambench.spec import (
    TRAINING_REVISION,
    Choice,
    Context,
    Float,
    Int,
    Method,
    Unit,
    canonical,
    digest,
    dimension_from_json,
    dimension_to_json,
    seed_of,
)


def tiny_unit(**changes):
    """A unit with every field set by hand."""
    fields = {
        "kind": "tune",
        "track": "tiny",
        "track_version": "1.0",
        "method": Method("triplet", "hard"),
        "study": "study",
        "trial": 3,
        "fold": 1,
        "repetition": 0,
        "stop_epoch": None,
        "data": {"dataset": "synthetic", "options": {"size": 8}, "split": {"rule": "official"}, "fingerprint": "f" * 64},
        "model": {"backbone": "mlp", "options": {}, "embedding_size": 8},
        "training": {"epochs": 1, "precision": "fp32"},
        "augment": {"scale": [0.9, 1.1]},
        "params": {"loss.margin": 0.1, "optimiser.lr": 1e-3},
        "space": {"loss.margin": dimension_to_json(Float(-0.2, 2.0))},
        "space_versions": {"loss": 1, "miner": 1},
        "edited": ("optimiser.lr",),
        "components": {"loss": "siambench 1.0"},
        "evaluation": {"distance": "cosine", "protocol": "retrain", "pairs": ""},
        "metrics": ("map@r",),
        "primary": "map@r",
        "seeds": {"weights": 1, "order": 2},
        "api": 1,
        "revision": 1,
    }
    return Unit(**{**fields, **changes})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_identity_of_a_unit_is_stable():
    """The id of a fixed unit of schema 2, committed here: a change to the canonical form would orphan every record there is."""
    assert tiny_unit().id == "228d38d25f972c61406314c47b2cc1a3f5a64ad4e6b612c814e07b9832e504a6"


def test_the_identity_is_that_of_the_canonical_json():
    """The id is the SHA-256 of the document with sorted keys and no spaces, and does not follow the order of keys."""
    unit = tiny_unit()
    text = json.dumps(unit.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert hashlib.sha256(text.encode()).hexdigest() == unit.id
    backwards = tiny_unit(params=dict(reversed(unit.params.items())), data=dict(reversed(unit.data.items())))
    assert unit.id == backwards.id


def test_every_field_counts_for_the_identity():
    """A change to any one field gives another id."""
    changes = {
        "kind": "final",
        "track": "other",
        "track_version": "1.1",
        "method": Method("triplet", "hard", backbone="mlp"),
        "study": "other",
        "trial": 4,
        "fold": 0,
        "repetition": 1,
        "stop_epoch": 1,
        "data": {},
        "model": {},
        "training": {},
        "augment": {},
        "params": {"loss.margin": 0.1, "optimiser.lr": 1e-3 + 1e-18},
        "space": {},
        "space_versions": {"loss": 2, "miner": 1},
        "edited": (),
        "components": {},
        "evaluation": {},
        "metrics": (),
        "primary": "recall@1",
        "seeds": {},
        "api": 2,
        "revision": 2,
    }
    assert set(changes) == set(tiny_unit().to_json())
    assert len({tiny_unit().id, *(tiny_unit(**{name: value}).id for name, value in changes.items())}) == 25


def test_a_unit_survives_json():
    """Written as JSON text and read back, a unit is the same value with the same id."""
    unit = tiny_unit()
    again = Unit.from_json(json.loads(json.dumps(unit.to_json())))

    assert unit == again
    assert unit.id == again.id


def test_the_revision_is_that_of_the_code():
    """A unit carries the training revision of the code that plans it."""
    fields = {name: value for name, value in vars(tiny_unit()).items() if name not in ("revision", "api")}
    assert Unit(**fields).revision == TRAINING_REVISION


def test_labels_are_for_people():
    """A unit is called by its method and trial and fold, or its seed."""
    assert tiny_unit().label == "triplet+hard trial 3 fold 1"
    assert tiny_unit(kind="final", repetition=2).label == "triplet+hard seed 2"


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (Method("triplet"), "triplet"),
        (Method("triplet", "hard"), "triplet+hard"),
        (Method("contrastive", feed="pairs"), "contrastive:pairs"),
        (Method("triplet", "hard", "classes", "mlp"), "triplet+hard@mlp"),
    ],
)
def test_methods_are_named_by_their_parts(method, name):
    """A method's name leaves out what is none or fixed by the track."""
    assert name == method.name
    assert not method.is_anchor
    assert Method("raw").is_anchor


def test_a_context_is_empty_by_default():
    """Without a context a unit writes nothing and knows no local names."""
    assert Context() == Context(records=None, openings=None, local={})


# ---- canonical text and seeds


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


# ---- dimensions


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

"""Families of metrics: what the names of their members ask for."""

import pytest

from siambench.components.families import LARGEST_K, arguments_of, check_dimensions, check_members, family_of, is_family, member
from siambench.errors import ConfigError

KNOWN = ("eer", "map@r", "recall@k", "tar@far", "eer@enrol-k", "eer@enrol-nearest-k", "recall@k-dim-d", "map@r-dim-d", "recall@k-noise")


@pytest.mark.parametrize(
    ("name", "family", "arguments"),
    [
        ("recall@10", "recall@k", {"k": 10}),
        ("tar@1e-3", "tar@far", {"far": 1e-3}),
        ("tar@0.05", "tar@far", {"far": 0.05}),
        ("eer@enrol-5", "eer@enrol-k", {"k": 5}),
        ("eer@enrol-nearest-12", "eer@enrol-nearest-k", {"k": 12}),
        ("recall@1-dim-32", "recall@k-dim-d", {"k": 1, "d": 32}),
        ("map@r-dim-8", "map@r-dim-d", {"d": 8}),
        ("recall@4-noise", "recall@k-noise", {"k": 4}),
        ("map@r-noise", "map@r-noise", {}),
        ("map@r", "map@r", {}),
        ("eer", "eer", {}),
        ("recall@" + "9" * 5000, "recall@k", {"k": LARGEST_K + 1}),
    ],
)
def test_a_name_tells_its_family_and_its_numbers(name, family, arguments):
    """A whole number is k, behind the word dim it is d, a rate stands alone, and any other word is itself."""
    assert (family, arguments) == (family_of(name), arguments_of(name))
    assert not is_family(name)


def test_families_are_told_from_metrics_and_have_members():
    """A family's letters are replaced by numbers, given ones or examples; what has none is a metric already."""
    assert {name for name in KNOWN if is_family(name)} == set(KNOWN) - {"eer", "map@r"}
    assert member("recall@k-dim-d", {"k": "1", "d": "8"}) == "recall@1-dim-8"
    assert member("tar@far", {}) == "tar@1e-3"
    for name in KNOWN:
        assert family_of(member(name, {"k": "7"})) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("recall@k", "family of metrics: say which, such as recall@4"),
        ("eer@enrol-k", "say which, such as eer@enrol-4"),
        ("map@r-dim-d", "say which, such as map@r-dim-32"),
        ("recall@0", "k must be a whole number of at least 1, got '0'"),
        ("recall@-1", "k must be a whole number of at least 1, got '-1'"),
        ("recall@1e-3", "k must be a whole number of at least 1, got '1e-3'"),
        ("eer@enrol-0", "k must be a whole number of at least 1, got '0'"),
        ("eer@enrol-x", "k must be a whole number of at least 1, got 'x'"),
        ("eer@enrol-nearest-1.5", "k must be a whole number of at least 1, got '1.5'"),
        ("eer@enrol-5000000", "k must be a whole number from 1 to 1,000,000, got '5000000'"),
        ("recall@1-dim-0", "the number of dimensions must be a whole number of at least 1, got '0'"),
        ("recall@1-dim-all", "the number of dimensions must be a whole number of at least 1, got 'all'"),
        ("recall@0-noise", "k must be a whole number of at least 1, got '0'"),
        ("tar@1.5", "a false accept rate lies between 0 and 1, got '1.5'"),
        ("tar@-1e-3", "a false accept rate lies between 0 and 1, got '-1e-3'"),
    ],
)
def test_a_number_that_no_member_can_have_is_refused(name, said):
    """One sentence says which number it is, what was given and what is allowed; so does one for a family itself."""
    with pytest.raises(ConfigError) as raised:
        check_members([name], KNOWN)
    assert said in str(raised.value)


def test_what_is_a_member_or_nobodys_is_let_through():
    """Members, metrics that bear such a name themselves, and names of no family are somebody else's to look up."""
    check_members(["recall@4", "eer@enrol-5", "recall@1-dim-8", "map@r", "recall@1-nosie", "nobody@3", "map@q", "tar@1e-1"], KNOWN)
    check_members(["recall@0"], (*KNOWN, "recall@0"))


def test_more_dimensions_than_there_are_are_refused():
    """As many dimensions as an embedding has are allowed, one more is not."""
    check_dimensions(["recall@1-dim-64", "recall@100", "eer"], 64)
    with pytest.raises(ConfigError, match="map@r-dim-65: the first 65 dimensions are asked for, and an embedding has 64"):
        check_dimensions(["recall@1-dim-64", "map@r-dim-65"], 64)

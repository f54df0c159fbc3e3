"""Items are found by the names that a table has for them."""

import pytest

from siambench.errors import MetricError
from siambench.metrics.named_items import places_in

NAMES = ("a/1.png", "a/2.png", "b/1.png", "b/1.jpg", "7", "c")


@pytest.mark.parametrize(("name", "index"), [("a/1.png", 0), ("a/2", 1), ("b/1.jpg", 3), ("7", 4), ("c", 5), ("2", 2)])
def test_an_item_is_called_by_its_name_with_suffix_or_without_or_by_its_index(name, index):
    """A name goes before an index: the item called 7 is not the eighth."""
    assert [[index], [0]] == places_in(([name], ["a/1.png"]), NAMES, rows="triplets")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("b/1", r"^the triplets name 'b/1', which more than one of the 6 items is called$"),
        ("6", "the triplets name '6', which none of the 6 items is called"),
        ("a\\1.png", r"an item is called 'a/1\.png'; there folders are parted by /, not \\$"),
        ("-1", "'-1', which none of the 6 items"),
        ("", "''"),
    ],
)
def test_an_unknown_name_is_told_with_an_example(name, sentence):
    """A name of no item, or of two, is an error that quotes it, and a real name beside it."""
    with pytest.raises(MetricError, match=sentence):
        places_in((["c", "a/1.png"], ["c", name]), NAMES, rows="triplets")


def test_how_many_rows_are_concerned_is_told():
    """Rows with any unknown name are counted, each once; quoted is the first unknown name of the first of them."""
    columns = (["a/1.png", "x", "y", "c"], ["a/2.png", "z", "c", "c"], ["c", "c", "w", "c"])
    with pytest.raises(MetricError, match=r"^the triplets name 'x', .*: 2 of 4 triplets are concerned, an item is called 'a/1\.png'$"):
        places_in(columns, NAMES, rows="triplets")

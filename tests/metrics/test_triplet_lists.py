"""Lists of triplets are read as they stand, or refused with the line that does not hold."""

import pytest

from siambench.errors import MetricError
from siambench.metrics import NamedTriplets, parse_triplets


@pytest.mark.parametrize(
    "text",
    [
        "anchor,positive,negative\na/1.png,a/2.png,b/1.png\na/2.png,a/1.png,c d\n",
        "\ufeffnegative , anchor,positive\r\n\r\nb/1.png,a/1.png,a/2.png\r\nc d,  a/2.png ,a/1.png",
        'anchor,positive,negative\n"a/1.png","a/2.png",b/1.png\na/2.png,a/1.png,"c d"',
    ],
)
def test_a_table_is_read_whatever_its_order_ends_and_quotes(text):
    """Columns stand in any order, lines end in any way, cells may be quoted, and empty lines and marks of byte order are passed over."""
    found = parse_triplets(text)

    assert NamedTriplets(("a/1.png", "a/2.png"), ("a/2.png", "a/1.png"), ("b/1.png", "c d")) == found
    assert 2 == len(found)


def test_a_name_may_hold_a_comma():
    """What is quoted is one name."""
    assert ("x, y",) == parse_triplets('anchor,positive,negative\n"x, y",b,c\n').anchor


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a list of triplets must not be empty"),
        ("\n \n", "a list of triplets must not be empty"),
        ("anchor,positive\na,b\n", "begins with the columns anchor,positive,negative, each once and no others, got 'anchor,positive'"),
        ("anchor,positive,negative,weight\na,b,c,1\n", "each once and no others, got 'anchor,positive,negative,weight'"),
        ("anchor,anchor,negative\na,b,c\n", "each once and no others"),
        ("left,right,same\na,b,1\n", "each once and no others, got 'left,right,same'"),
        ("a,b,c\nd,e,f\n", "got 'a,b,c'"),
        ("anchor,positive,negative\n", "a list of triplets needs a line below its heading"),
        ("anchor,positive,negative\na,b,c\na,b\n", "line 3 has 2 cells, the heading has 3"),
        ("anchor,positive,negative\na,b,c,d\n", "line 2 has 4 cells, the heading has 3"),
        ("anchor,positive,negative\na,,c\n", "line 2 names no positive"),
        ('anchor,positive,negative\na,"b,c\n', "line 2 is no row of a table"),
    ],
)
def test_what_is_no_list_is_refused(text, sentence):
    """A heading of other columns, lines of another length, and missing names are refused in a sentence that names the line."""
    with pytest.raises(MetricError, match=sentence):
        parse_triplets(text)

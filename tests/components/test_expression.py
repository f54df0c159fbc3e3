"""Names of losses that are made of others."""

from __future__ import annotations

import pytest

from siambench.components.expression import Expression, is_composed, parsed, with_paths
from siambench.errors import UsageError

A, B = Expression("a"), Expression("b-2.x")


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("sum(a,b-2.x)", Expression("sum", (A, B), (1.0, 1.0)), "sum(a,b-2.x)"),
        (" sum( a , 0.1 * b-2.x ) ", Expression("sum", (A, B), (1.0, 0.1)), "sum(a,0.1*b-2.x)"),
        ("sum(2.0*a,1*b-2.x)", Expression("sum", (A, B), (2.0, 1.0)), "sum(2*a,b-2.x)"),
        ("sum(-1e-3*a,0.123456789*b-2.x)", Expression("sum", (A, B), (-0.001, 0.123456789)), "sum(-0.001*a,0.123456789*b-2.x)"),
        ("w(a)", Expression("w", (A,), (1.0,)), "w(a)"),
        ("sum(w(a),3*v(w(b-2.x)))", None, "sum(w(a),3*v(w(b-2.x)))"),
        ("sum(./mine.py:My,a)", Expression("sum", (Expression("./mine.py:My"), A), (1.0, 1.0)), "sum(./mine.py:My,a)"),
    ],
)
def test_a_name_is_read_and_written_in_one_way(text, expected, written):
    """Spaces and other spellings of a number make no other loss; what is written is read as the same."""
    found = parsed(text)
    assert expected is None or expected == found
    assert written == str(found)
    assert parsed(written) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sum(a", "a closing bracket is missing"),
        ("sum(", "it ends too early"),
        ("sum()", "a loss is missing before ')'"),
        ("sum(a,)", "a loss is missing before ')'"),
        ("sum(,a)", "a loss is missing before ','"),
        ("sum(a))", "nothing may follow its last bracket"),
        ("sum(a)b", "nothing may follow its last bracket"),
        ("sum(a*b)", "a weight is a finite number other than 0, got 'a'"),
        ("sum(0*a,b)", "a weight is a finite number other than 0"),
        ("sum(nan*a,b)", "a weight is a finite number other than 0"),
        ("sum(inf*a,b)", "a weight is a finite number other than 0"),
        ("sum(2*3*a,b)", "unexpected '*'"),
        ("sum(2*,b)", "a loss is missing before ','"),
        ("w(2*a)", "weights stand in sum(…) alone"),
        ("w(a,b)", "w wraps one loss, got 2"),
        ("w(" * 20 + "a" + ")" * 20, "brackets may stand 8 deep"),
        ("w(" * 100_000, "brackets may stand 8 deep"),
    ],
)
def test_what_does_not_hold_is_told_in_one_sentence(text, said):
    """Whatever is wrong with the brackets, the weights or the names between them."""
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_without_brackets_are_names():
    """A plain name, a file, also one whose path has brackets, are no expressions; what opens one after a name is."""
    assert [False, False, False, True] == [is_composed(name) for name in ("contrastive", "./a.py:B", "./a(1).py:B", "sum(a)")]
    assert Expression("contrastive") == parsed("contrastive")


def test_short_names_stand_for_paths():
    """On a worker the names of losses in files are their paths again, in an expression too."""
    paths = {"mine.py:My": "/somewhere/mine.py:My"}
    assert "/somewhere/mine.py:My" == with_paths("mine.py:My", paths)
    assert "sum(/somewhere/mine.py:My,0.5*a)" == with_paths("sum(mine.py:My,0.5*a)", paths)
    assert ("a", "w", "mine.py:My", "v") == parsed("sum(a,w(mine.py:My),v(a))").names

"""The sentence for whoever brings a row: what is proven of it."""

from __future__ import annotations

import dataclasses

from made import NO_UNITS, TRACK, final, several, studies, study, table_of, untrained

from siambench.board.captions import captions
from siambench.board.own import own_texts
from siambench.board.rows import rows_of
from siambench.board.table import build


def beside(own, shipped=None):
    """The table of rows of one's own beside shipped ones."""
    rows = [*rows_of(TRACK, shipped if shipped is not None else several(), shipped=True), *rows_of(TRACK, own)]
    return build(TRACK, rows, units=NO_UNITS)


def test_a_ranked_row_is_told_above_and_below_whom_it_is_proven():
    """A full row of one's own names those that the tests put below and above it, and how many are open; shipped rows are not spoken of."""
    table = beside(studies("mine", [0.30, 0.31, 0.29]))
    (text,) = own_texts(table)
    (line,) = (line for line in table.lines if line.row.name == "mine")
    above = [table.lines[place].row.name for place in line.beats]
    below = [rival.row.name for rival in table.ranked if table.lines.index(line) in rival.beats]
    assert above
    assert below
    assert text.startswith("`mine`: proven better than ")
    for name in above:
        assert f"`{name}`" in text.partition(" and worse than ")[0]
    for name in below:
        assert f"`{name}`" in text.partition(" and worse than ")[2]
    assert "by tests of all pairs over 3 studies, Holm-corrected over 10 pairs." in text
    assert text in captions(table, classes=False)


def test_a_row_above_all_others_says_so():
    """Where every other ranked row is proven worse it is all others, none is above, and nothing is open."""
    (text,) = own_texts(beside(studies("mine", [0.90, 0.91, 0.89]), [*studies("a", [0.1, 0.11, 0.1]), *studies("b", [0.2, 0.21, 0.2])]))
    assert text.startswith("`mine`: proven better than all 2 others and worse than none, by tests")
    assert "not told apart" not in text


def test_a_row_with_a_smaller_budget_is_in_no_test():
    """Nothing is proven of it; what it had and what is asked stands there, and by the single intervals of the table where it lies."""
    many = [*several(), *studies("angular", [0.40, 0.41, 0.39])]
    table = beside(studies("mine", [0.95]), many)
    (text,) = own_texts(table)
    had = "It had 1 study of 2 trials and 1 repetition; tested are rows with exactly 3 studies of 2 trials and 1 repetition."
    assert f"nothing is proven of it, for it stands in no test. {had}" in text
    widths = {line.row.name: line.difference for line in table.lines if line.difference is not None}
    far = [name for name, one in widths.items() if one.half_width is not None and -one.mean > one.half_width]
    assert far
    assert "which are not corrected for their number, it lies above " in text
    for name in far:
        assert f"`{name}`" in text


def test_what_was_set_by_hand_is_told():
    """Of a row with an edited space the paragraph says which parameter, and in what part or at what value; of others nothing."""
    (text,) = own_texts(beside(studies("mine", [0.30, 0.31, 0.29], edited=("loss.margin", "loss.gone"))))
    assert " By hand: `loss.gone` = —, `loss.margin` tuned in " in text
    assert "By hand" not in own_texts(beside(studies("mine", [0.30, 0.31, 0.29])))[0]


def test_rows_of_one_name_are_told_apart():
    """Behind a name that two rows bear stands the key that the table flags each with."""
    wide = studies("mine", [0.30, 0.31, 0.29])
    table = beside([*wide, *studies("mine", [0.4, 0.41], row="narrowed", space_name="other")])
    texts = own_texts(table)
    keys = {flag for line in table.lines for flag in line.row.flags if flag.startswith("row:")}
    assert 2 == len(texts) == len(keys)
    assert keys == {text.partition("(`")[2].partition("`)")[0] for text in texts}


def test_lower_is_better_turns_above_and_below_round():
    """Of an error a row with a smaller one lies above."""
    many = [*several(), *studies("angular", [0.40, 0.41, 0.39])]
    table = dataclasses.replace(beside(studies("mine", [0.95]), many), direction="min")
    (text,) = own_texts(table)
    assert "it lies below " in text
    assert "above" not in text


def test_alone_and_shipped_nothing_is_said():
    """A table of one method, or of shipped ones alone, has no such sentence; the only full row says that it has nothing beside it."""
    assert [] == own_texts(table_of([*studies("mine", [0.3, 0.31, 0.32]), final("raw", 0, 0.1), *untrained([0.1])]))
    assert [] == own_texts(table_of(several(), shipped=True))
    (text,) = own_texts(beside(studies("mine", [0.3, 0.31, 0.32]), study("other", [0.2])))
    assert "there is nothing to test it against" in text

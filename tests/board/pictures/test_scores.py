"""`board.pictures.scores`: what the table says, and nothing more."""

from __future__ import annotations

import pytest
from made import ONE_STUDY, SCORES, TRACK, final, several, studies, study, table_of, untrained

from siambench.board.pictures.common import SHIPPED, YOURS
from siambench.board.pictures.scores import proven, scores
from siambench.board.rows import rows_of
from siambench.board.table import build
from siambench.errors import NothingToDrawError
from siambench.figures import Cells, Intervals, Points, Reference

BASELINES = [final("raw", 0, 0.05), *untrained([0.03, 0.04, 0.05])]


def of(picture, kind):
    return [mark for mark in picture.marks if isinstance(mark, kind)]


def test_rows_stand_as_in_the_table_with_the_same_numbers():
    """Names are in the table's order, each point is its row's mean, each interval that of the table, ranks stand beside them."""
    table = table_of([*several(), *BASELINES])
    picture = scores(table)
    assert picture.y.names == tuple(line.row.name for line in table.lines)
    means = [mark.at[0] for mark in of(picture, Points) if mark.size > 3]
    assert [(line.row.scores["map@r"].mean, place) for place, line in enumerate(table.lines)] == means
    spans = [mark.spans[0] for mark in of(picture, Intervals)]
    halves = [(place, line.row.scores["map@r"]) for place, line in enumerate(table.lines) if line.row.scores["map@r"].ci95 is not None]
    assert [(place, one.mean - one.ci95, one.mean + one.ci95) for place, one in halves] == spans
    assert ("1–2", "1–2", "3–4", "3–4", "", "") == picture.y.notes
    assert "95 % t-interval over studies" in picture.caption


def test_baselines_are_lines_across_and_hollow_points():
    """What is reached without training is a dashed line for each baseline, and its point is hollow."""
    picture = scores(table_of([*several(), *BASELINES]))
    assert sorted([0.05, 0.04]) == pytest.approx(sorted(mark.at for mark in of(picture, Reference)))
    assert [False] * 4 + [True] * 2 == [mark.hollow for mark in of(picture, Points) if mark.size > 3]


def test_baselines_alone_are_told_of_without_what_is_not_there():
    """A picture speaks of intervals, ranks and dashed lines only where they are drawn; of baselines alone, too."""
    alone = scores(table_of([final("raw", 0, 0.05)]))
    assert alone.title == f"{TRACK.name}: map@r"
    assert alone.caption == "Mean map@r of each row on test classes. Dashed: what is reached without training, which is all there is."
    drawn = [final("untrained", number, 0.03 + 0.01 * number) for number in range(3)]
    for untrained_too, over in (
        ([final("raw", 0, 0.05), *drawn], "the networks that were drawn"),
        (BASELINES, "studies, whose own means are the small points below it"),
    ):
        both = scores(table_of(untrained_too))
        assert both.title == f"{TRACK.name}: map@r with 95 % intervals"
        assert both.caption == (
            f"Mean map@r of each row on test classes, of an untrained network with its 95 % t-interval over {over}. "
            "Dashed: what is reached without training, which is all there is."
        )
    without = scores(table_of(several())).caption
    assert "Dashed" not in without
    assert without.endswith("Two intervals that overlap are no test: what is proven, the ranks tell.")
    unranked = scores(table_of([*studies("triplet", [0.5, 0.51]), *studies("supcon", [0.5, 0.52]), *BASELINES]))
    assert not any(unranked.y.notes)
    assert unranked.caption.endswith("Dashed: what is reached without training. Two intervals that overlap are no test.")


def test_the_means_of_studies_stand_below_their_row():
    """Each study's own mean is a small point; of one study there is none, and the caption says what its interval is over."""
    picture = scores(table_of(several()))
    small = [mark for mark in of(picture, Points) if mark.size < 3]
    best = table_of(several()).lines[0].row.name
    assert SCORES[best] == [x for x, _ in small[0].at]
    one = scores(table_of(study("triplet", [0.5, 0.51, 0.52]), ONE_STUDY))
    assert not [mark for mark in of(one, Points) if mark.size < 3]
    assert "says nothing of the next" in one.caption
    assert one.y.notes == ()


def test_an_interval_that_is_over_something_else_is_said():
    """Beside rows of several studies one of a single study is named, with what its interval is over."""
    picture = scores(table_of([*several(), *study("mine", [0.6, 0.7])]))
    assert "over studies, independent tunings" in picture.caption
    assert "of mine, tuned once, over final models of that tuning alone" in picture.caption
    assert "tuned once" not in scores(table_of(several())).caption


def test_your_rows_are_told_from_shipped_ones():
    """Where a table holds both, a legend tells them apart; where it holds one of them there is none."""
    shipped = rows_of(TRACK, several(), shipped=True)
    fresh = rows_of(TRACK, studies("mine", [0.6, 0.61, 0.62]))
    picture = scores(build(TRACK, [*shipped, *fresh], units={}))
    assert picture.groups == (YOURS, SHIPPED)
    assert {mark.group for mark in picture.marks if not isinstance(mark, Reference)} == {YOURS, SHIPPED}
    assert scores(table_of(several())).groups == ()
    assert scores(build(TRACK, shipped, units={})).groups == ()


def test_the_matrix_is_that_of_the_tests():
    """A cell says better exactly where the table's tests do, worse where they say so of the other, else nothing; the diagonal is empty."""
    table = table_of(several())
    picture = proven(table)
    (cells,) = of(picture, Cells)
    for place, row in enumerate(cells.rows):
        assert row[place] is None
        for other, cell in enumerate(row):
            if other != place:
                better, worse = other in table.lines[place].beats, place in table.lines[other].beats
                assert cell.value == ("good" if better else "bad" if worse else "open")
    assert {"good", "bad", "open"} == {cell.value for row in cells.rows for cell in row if cell is not None}
    assert picture.y.names[0].endswith(table.lines[0].row.name)


def test_without_data_a_sentence_says_so():
    """A table without scores, or with fewer than two ranked rows, has no such figure."""
    with pytest.raises(NothingToDrawError, match="no row of made has a score in map@r yet"):
        scores(table_of([]))
    with pytest.raises(NothingToDrawError, match="fewer than two rows of made are ranked"):
        proven(table_of(studies("triplet", [0.5, 0.51, 0.52])))

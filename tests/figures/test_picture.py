"""`figures.picture`: what a picture refuses."""

from __future__ import annotations

import math

import pytest

from siambench.errors import UsageError
from siambench.figures import Axis, Bars, Cell, Cells, Intervals, Line, Panel, Picture, Points, Reference, Thumbnail, Thumbnails
from siambench.figures.picture import reach


def made(*marks, **changes):
    return Picture(**{"name": "made", "title": "t", "caption": "c", "x": Axis(), "y": Axis(), "marks": marks} | changes)


@pytest.mark.parametrize(
    "mark",
    [
        Points(at=((0.0, math.nan),)),
        Line(at=((0.0, 1.0),), band=((-math.inf, 1.0),)),
        Intervals(spans=((0.0, math.nan, 1.0),)),
        Bars(boxes=((0.0, 1.0, 0.0, math.inf),)),
        Cells(rows=((Cell(value=math.nan),),)),
        Reference(at=math.nan),
        Thumbnails(items=(Thumbnail(x=math.nan, y=0.0, png=b""),)),
    ],
)
def test_numbers_that_are_not_finite_are_refused(mark):
    """A place that is not a finite number is an error that names the picture, in a panel too."""
    with pytest.raises(UsageError, match=r"picture made: a number of its .* is not finite"):
        made(mark)
    with pytest.raises(UsageError, match="finite"):
        made(panels=(Panel(title="p", marks=(mark,)),))


def test_groups_and_counts_have_to_fit():
    """A group that is not named, and tips of another number than the points, are errors; none at all are not."""
    with pytest.raises(UsageError, match="group 'b', which is none of its groups"):
        made(Points(at=((0, 0),), group="b"), groups=("a",))
    with pytest.raises(UsageError, match="2 points have 1 labels"):
        made(Points(at=((0, 0), (1, 1)), labels=("one",)))
    with pytest.raises(UsageError, match="1 line have 2 bands"):
        made(Line(at=((0, 0),), band=((0, 1), (0, 1))))
    assert made(Points(at=((0, 0), (1, 1)))).marks


def test_reach_knows_both_axes():
    """The numbers of intervals change axes with their direction, and a reference line reaches over its own alone."""
    assert ([2, 3], [1]) == reach(Intervals(spans=((1, 2, 3),)))
    assert ([1], [2, 3]) == reach(Intervals(spans=((1, 2, 3),), along="y"))
    assert ([], [5]) == reach(Reference(at=5, along="y"))
    assert ([0, 1], [2, 3]) == reach(Bars(boxes=((0, 1, 2, 3),)))

"""`figures.layout`: everything within the drawing, and no text over another."""

from __future__ import annotations

import pytest
from drawn import HOSTILE, everything, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from siambench.figures import Axis, Line, Panel, Picture, Points
from siambench.figures.drawing import Clip, Image, Label, Marker
from siambench.figures.labels import Area
from siambench.figures.layout import NARROW, WIDE, laid_out
from siambench.figures.letters import width_of


def area_of(label):
    width = width_of(label.text, label.size, bold=label.bold)
    if not label.upright:
        return Area(label.x - label.size, label.y, label.x + 2, label.y + width)
    left = label.x - {"start": 0, "middle": width / 2, "end": width}[label.align]
    return Area(left, label.y - 0.72 * label.size, left + width, label.y + 0.2 * label.size)


def labels_of(drawing):
    return [shape for shape in drawing.shapes if isinstance(shape, Label)]


@pytest.mark.parametrize("text", ["ab", "multi-similarity+multi-similarity", HOSTILE, ""])
@pytest.mark.parametrize("width", [240, NARROW, WIDE, 1000])
def test_nothing_leaves_the_drawing(text, width):
    """At every width, with short, long and hostile names, each text, marker and thumbnail lies within the drawing."""
    for picture in everything(text):
        drawing = laid_out(picture, width, titled=True, captioned=True)
        room = Area(-1, -1, drawing.width + 1, drawing.height + 1)
        for label in labels_of(drawing):
            area = area_of(label)
            assert room.left <= area.left, (picture.name, label)
            assert area.right <= room.right, (picture.name, label)
            assert room.top <= area.top, (picture.name, label)
            assert area.bottom <= room.bottom, (picture.name, label)
        for shape in drawing.shapes:
            if isinstance(shape, Marker):
                assert 0 <= shape.x <= drawing.width
                assert 0 <= shape.y <= drawing.height
            if isinstance(shape, Image | Clip):
                assert 0 <= shape.x <= shape.x + shape.width <= drawing.width
                assert 0 <= shape.y <= shape.y + shape.height <= drawing.height


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_no_text_lies_over_another(width):
    """In every picture no text covers another one, but for those in the thumbnails' and the free texts' own hands."""
    for picture in everything("multi-similarity+multi-similarity"):
        areas = [(label.text, area_of(label)) for label in labels_of(laid_out(picture, width, titled=True))]
        for place, (text, area) in enumerate(areas):
            assert not [other for other, its in areas[place + 1 :] if area.meets(its)], (picture.name, text)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=25), st.sampled_from([NARROW, WIDE]))
def test_names_of_points_cover_neither_names_nor_points(at, width):
    """Wherever points lie, no name beside one covers another name or a marker, or leaves the chart."""
    names = tuple(f"method-{number}" for number in range(len(at)))
    picture = Picture(name="p", title="t", caption="", x=Axis(), y=Axis(), marks=(Points(at=tuple(at), labels=names),))
    drawing = laid_out(picture, width)
    areas = [area_of(label) for label in labels_of(drawing) if label.text in names]
    markers = [Area(s.x - s.radius, s.y - s.radius, s.x + s.radius, s.y + s.radius) for s in drawing.shapes if isinstance(s, Marker)]
    assert len(markers) == len(at)
    for place, area in enumerate(areas):
        assert not any(area.meets(other) for other in [*areas[place + 1 :], *markers])


def test_a_few_points_all_get_their_names():
    """Thirteen methods along a diagonal, as a board has them, are all named in the wide drawing and in the narrow one."""
    names = tuple(f"method-{number}" for number in range(13))
    at = tuple((0.2 + 0.02 * number, 0.2 + 0.018 * number + 0.01 * (number % 2)) for number in range(13))
    picture = Picture(name="p", title="t", caption="", x=Axis(), y=Axis(), marks=(Points(at=at, labels=names),))
    for width in (NARROW, WIDE):
        assert set(names) <= {label.text for label in labels_of(laid_out(picture, width))}


def test_long_names_stand_above_their_marks_where_it_is_narrow():
    """A name that would take more than two fifths of a narrow drawing stands above its mark, whole; in a wide one beside it."""
    name = "multi-similarity+multi-similarity"
    narrow, wide = (next(label for label in labels_of(laid_out(rows(name), width)) if label.text == name) for width in (NARROW, WIDE))
    assert (narrow.align, wide.align) == ("start", "end")
    marker = next(shape for shape in laid_out(rows(name), NARROW).shapes if isinstance(shape, Marker) and shape.y > narrow.y)
    assert narrow.y < marker.y


def test_the_first_category_stands_on_top():
    """Categories of a vertical axis go down in their order, and so do their points and notes."""
    drawing = laid_out(rows())
    heights = {label.text: label.y for label in labels_of(drawing) if label.size == 12}
    assert heights["ntxent"] < heights["multi-similarity+multi-similarity"] < heights["raw"]
    markers = [shape for shape in drawing.shapes if isinstance(shape, Marker)]
    assert [round(heights[name]) for name in ("ntxent", "multi-similarity+multi-similarity", "raw")] == [round(m.y + 4) for m in markers]


def test_panels_share_their_axes_and_have_a_title_each():
    """Panels of one picture reach over the marks of all of them, and wrap into columns that a narrow drawing has fewer of."""
    panels = tuple(Panel(title=f"panel {n}", marks=(Line(at=((0.0, 0.0), (1.0, float(n + 1)))),)) for n in range(6))
    picture = Picture(name="p", title="t", caption="", x=Axis(), y=Axis(), panels=panels)
    for width, columns in ((WIDE, 3), (NARROW, 2)):
        drawing = laid_out(picture, width)
        titles = [label for label in labels_of(drawing) if label.text.startswith("panel")]
        assert [f"panel {n}" for n in range(6)] == [label.text for label in titles]
        assert len({label.x for label in titles}) == columns
        ends = [clip.shapes[0].at[-1][1] - clip.y for clip in drawing.shapes if isinstance(clip, Clip)]
        assert ends == sorted(ends, reverse=True)
        assert len(set(ends)) == 6


def test_lines_of_a_log_axis_leave_out_what_has_no_place():
    """A value of 0 on a logarithmic axis goes to its lower end instead of breaking the figure."""
    line = Line(at=((0.0, 1.0), (10.0, 2.0), (1000.0, 3.0)))
    drawing = laid_out(Picture(name="p", title="t", caption="", x=Axis(scale="log"), y=Axis(), marks=(line,)))
    (clip,) = (shape for shape in drawing.shapes if isinstance(shape, Clip))
    assert clip.shapes[0].at[0][0] < clip.x < clip.shapes[0].at[1][0]


def test_names_keep_off_lines_where_there_is_room():
    """A name beside a point on a line stands on the side where no line runs."""
    line = Line(at=((0.5, 0.5), (1.0, 0.5)))
    point = Points(at=((0.5, 0.5),), labels=("a name",))
    drawing = laid_out(Picture(name="p", title="t", caption="", x=Axis(low=0, high=1), y=Axis(low=0, high=1), marks=(line, point)))
    label = next(label for label in labels_of(drawing) if label.text == "a name")
    marker = next(shape for shape in drawing.shapes if isinstance(shape, Marker))
    assert not (area_of(label).right > marker.x and area_of(label).top < marker.y < area_of(label).bottom)

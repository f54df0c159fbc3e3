"""`figures.svg`: well-formed, alike everywhere, coloured by classes, and safe whatever the names are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from drawn import HOSTILE, everything, png, rows

from siambench.figures import STYLE, Axis, Picture, Thumbnail, Thumbnails, figure, svg
from siambench.figures.drawing import Ink, Path
from siambench.figures.palette import DARK, LIGHT
from siambench.figures.svg import _course


@pytest.mark.parametrize("text", ["plain", HOSTILE])
def test_every_picture_is_well_formed(text):
    """Each picture is XML that parses, of elements that draw alone: no script, no handler of events, no reference to the outside."""
    for picture in everything(text):
        root = ET.fromstring(svg(picture))
        known = {"svg", "title", "desc", "clipPath", "rect", "g", "path", "circle", "text", "image", "use"}
        assert known >= {element.tag for element in root.iter()}
        for element in root.iter():
            assert not [name for name in element.attrib if name.startswith("on")]
            assert element.get("href", "data:image/png;base64,").startswith(("data:image/png;base64,", "#"))


def test_a_hostile_name_is_shown_as_it_stands():
    """In HTML the name of a method stays text: tags as letters, control characters and marks of direction as escapes."""

    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags, self.texts = set(), []

        def handle_starttag(self, tag, attrs):
            self.tags.add(tag)

        def handle_data(self, data):
            self.texts.append(data)

    page = figure(rows(HOSTILE))
    reader = Reader()
    reader.feed(page)
    assert "script" not in reader.tags
    shown = '<script>alert(1)</script> $\\frac{x}{0}$ \\x1b[31m \\x202eevil & "quoted" ]]> =cmd() {x} %s'
    assert shown in reader.texts
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_reader_of_screens_is_told_what_it_shows():
    """Each drawing is an image with a title and a description of its own, whose ids differ between the two drawings of a figure."""
    page = figure(rows())
    names = re.findall(r'role="img" aria-labelledby="(\S+) (\S+)"', page)
    assert len(names) == 2
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert {one for pair in names for one in pair} <= set(ids)
    assert ">Scores</title>" in page
    assert ">Mean and interval.</desc>" in page


def test_points_say_what_they_are_when_pointed_at():
    """A mark with a tip holds it as its title."""
    root = ET.fromstring(svg(rows()))
    assert "0.42" in [element.text for element in root.iter("title")]
    assert any(circle.find("title") is not None for circle in root.iter("circle"))


def test_the_same_picture_is_the_same_text():
    """Drawn again a picture is the same to the byte, and its numbers have a decimal at most."""
    for picture in everything():
        text = svg(picture)
        assert text == svg(picture)
        images = re.sub(r'href="[^"]*"', "", re.sub(r"<title.*?</title>|<text.*?</text>", "", text))
        assert not re.findall(r"\d\.\d\d", re.sub(r'fill-opacity="[^"]*"', "", images))


def test_every_class_has_a_colour_on_both_pages():
    """Each colour that a drawing names stands in the style, light and dark, and print is light."""
    assert LIGHT.keys() == DARK.keys()
    used = {name for picture in everything() for name in re.findall(r"\b[fs]-([a-z0-9]+)", svg(picture))}
    assert used
    assert used <= LIGHT.keys()
    for name in LIGHT:
        assert f".f-{name}{{fill:var(--fig-{name})}}" in STYLE
    assert STYLE.count(f"--fig-ink:{DARK['ink']}") == 2
    assert all("screen" in block for block in re.findall(r"@media[^{]*", STYLE))


def test_an_image_that_comes_again_is_held_once():
    """A thumbnail at several places is one image and uses of it, each at its own place."""
    items = tuple(Thumbnail(x=float(place), y=0.0, png=png()) for place in (0, 1, 2))
    axis = Axis(names=("a", "b", "c"))
    picture = Picture(name="p", title="t", caption="", x=axis, y=Axis(names=("r",)), marks=(Thumbnails(items=items),))
    root = ET.fromstring(svg(picture))
    (image,), uses = list(root.iter("image")), list(root.iter("use"))
    assert [use.get("href") for use in uses] == [f"#{image.get('id')}"] * 2
    steps = [float(use.get("x")) for use in uses]
    assert steps[1] == pytest.approx(2 * steps[0], abs=0.2)
    assert steps[0] > 0
    assert {"0"} == {use.get("y") for use in uses}


def test_tips_are_left_out_of_the_narrow_drawing():
    """On a telephone nobody points at anything: the wide drawing of a figure holds the tips, the narrow one none."""
    wide, _, narrow = figure(rows()).partition('class="narrow"')
    assert "<title>0.42</title>" in wide
    assert "<title>" not in narrow
    assert "ntxent" in narrow


def test_a_course_leads_through_its_places():
    """What is written of a line leads, number by number, through the same places, whatever turns it takes."""
    at = ((0.0, 0.0), (5.0, 0.0), (5.0, 2.5), (5.0, 2.5), (1.0, 1.0), (-0.04, 1.0))
    assert "M0 0H5V2.5L1 1H0" == _course(Path(at, Ink()))
    assert _course(Path(at, Ink(), closed=True)).endswith("Z")

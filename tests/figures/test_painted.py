"""`figures.painted`: PNG, SVG and PDF that can be opened, say no time, and show hostile names as they stand."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from drawn import HOSTILE, everything, png, rows
from PIL import Image

from siambench.errors import UsageError
from siambench.figures import Axis, Picture, Thumbnail, Thumbnails, painted


def test_every_picture_is_painted_as_a_png():
    """Each kind of mark becomes pixels of the asked size, light and dark, and a hostile name raises nothing."""
    for picture in everything(HOSTILE):
        image = Image.open(io.BytesIO(painted(picture, ".png", width=480, dots=96)))
        assert image.width == 480
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 3
    dark = Image.open(io.BytesIO(painted(rows(), ".png", theme="dark", dots=50))).convert("RGB")
    assert dark.getpixel((0, 0)) == (0x14, 0x18, 0x1D)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_files_are_the_same_when_painted_again(suffix):
    """The same picture is the same file to the byte: no time, no random name stands in it."""
    assert painted(rows(), suffix) == painted(rows(), suffix)


def test_a_png_holds_its_caption():
    """Title and caption stand in the file for whoever finds it."""
    image = Image.open(io.BytesIO(painted(rows(), ".png", dots=50)))
    assert image.info["Title"] == "Scores"
    assert image.info["Description"] == "Mean and interval."
    assert image.info["Software"] == "siambench plot"


def test_an_svg_is_outlines_and_well_formed():
    """Letters are outlines, so that no font is missing anywhere, and a hostile name breaks nothing."""
    root = ET.fromstring(painted(rows(HOSTILE, title=HOSTILE), ".svg"))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "text" not in tags
    assert "script" not in tags
    assert {"path", "svg"} <= tags


def test_a_pdf_embeds_its_fonts_and_tells_no_time():
    """Fonts are embedded as TrueType, there is no date, and nothing in it runs."""
    data = painted(rows(HOSTILE, title=HOSTILE), ".pdf")
    assert data.startswith(b"%PDF-")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    for word in (b"/CreationDate", b"/ModDate", b"/JavaScript", b"/OpenAction", b"/Launch"):
        assert word not in data


def test_a_hostile_name_can_be_read_out_of_a_pdf(tmp_path):
    """A program that reads the text of a PDF finds the name letter for letter, control characters as escapes."""
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not installed (poppler-utils)")
    file = tmp_path / "figure.pdf"
    file.write_bytes(painted(rows(HOSTILE), ".pdf"))
    text = subprocess.run([reader, "-layout", file, "-"], capture_output=True, check=True).stdout.decode()
    assert '<script>alert(1)</script> $\\frac{x}{0}$ \\x1b[31m \\x202eevil & "quoted" ]]> =cmd() {x} %s' in text


def test_dollars_are_dollars():
    """A name that would be a formula for matplotlib is painted letter by letter: one that is no formula raises nothing either."""
    picture = rows("$x^2$", title="$\\frac{1}{2}$ costs $5")
    svg = painted(picture, ".svg").decode()
    comments = re.findall(r"<!--(.*?)-->", svg, re.DOTALL)
    assert "$x^2$" in [comment.strip() for comment in comments]
    # As a formula it would be one letter and a raised figure: five letters take more room.
    assert len(painted(rows("$$$$$"), ".pdf")) > 1000


def test_letters_without_a_font_are_boxes():
    """A name of a script that no font has is painted as boxes, without a warning on the way."""
    assert painted(rows("漢字 ไทย"), ".png", dots=50)
    assert painted(rows("漢字 ไทย"), ".pdf")


def test_thumbnails_that_are_no_png_are_refused():
    """Bytes that hold no PNG are one sentence; grey, narrow ones are painted."""

    def with_image(content):
        item = Thumbnail(x=0, y=0, png=content)
        return Picture(name="p", title="t", caption="", x=Axis(names=("a",)), y=Axis(names=("b",)), marks=(Thumbnails(items=(item,)),))

    assert painted(with_image(png()), ".png", dots=50)
    with pytest.raises(UsageError, match="a thumbnail of the picture is no PNG file"):
        painted(with_image(b"GIF89a, or not"), ".png")
    with pytest.raises(UsageError, match=r"written as .png, .svg, .pdf, got '.gif'"):
        painted(rows(), ".gif")


def test_matplotlib_is_not_loaded_before_it_is_needed():
    """Importing the figures loads neither matplotlib nor numpy nor torch."""
    code = "import sys, siambench.figures; print([m for m in ('matplotlib', 'numpy', 'torch', 'pandas') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

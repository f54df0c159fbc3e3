"""Pictures that several test files draw."""

from __future__ import annotations

import io

from PIL import Image

from siambench.figures import (
    Arrows,
    Axis,
    Bars,
    Cell,
    Cells,
    Intervals,
    Line,
    Panel,
    Picture,
    Points,
    Reference,
    Text,
    Thumbnail,
    Thumbnails,
)

HOSTILE = '<script>alert(1)</script> $\\frac{x}{0}$ \x1b[31m \u202eevil & "quoted" ]]> =cmd() {x} %s'
"""What a plugin might call its loss."""


def png(width: int = 6, height: int = 4) -> bytes:
    """A small grey image."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(file, "png")
    return file.getvalue()


def rows(name: str = "multi-similarity+multi-similarity", *, title: str = "Scores") -> Picture:
    """Points and intervals over names, as a forest plot has them."""
    names = ("ntxent", name, "raw")
    spans = ((0.0, 0.41, 0.43), (1.0, 0.36, 0.42))
    return Picture(
        name="rows",
        title=title,
        caption="Mean and interval.",
        x=Axis(title="map@r"),
        y=Axis(names=names, notes=("1–2", "1–2", ""), notes_title="rank"),
        marks=(
            Reference(at=0.04, label="raw"),
            Intervals(spans=spans, tips=("0.42", name)),
            Points(at=((0.42, 0), (0.39, 1)), tips=("0.42", name)),
            Points(at=((0.04, 2),), tone="muted", hollow=True),
        ),
    )


def everything(text: str = "a name") -> list[Picture]:
    """One picture for each kind of mark, scale and arrangement, with a text in each place that takes one."""
    number = Axis(title=f"number, {text}")
    curve = tuple((float(x), 0.1 * x) for x in range(1, 8))
    band = tuple((0.08 * x, 0.13 * x) for x in range(1, 8))
    line = Line(at=curve, band=band, group=text, tip=text, label=text)
    shares = Axis(title=text, scale="probit", percent=True)
    det = Line(at=((0.001, 0.9), (0.01, 0.6), (0.1, 0.2), (0.5, 0.01)), steps=True, dashed=True)
    panels = tuple(Panel(title=f"{text} {number}", marks=(line,), y=Axis(title=text) if number == 2 else None) for number in range(5))
    cells = tuple(
        tuple(None if i == j else Cell(value="good" if i < j else 0.3 * i, text=text, tip=text) for j in range(3)) for i in range(3)
    )
    grid = Axis(names=("query", "1", "2"))
    named = Axis(names=(text, "b", f"c {text}"))
    thumbnails = Thumbnails(items=(Thumbnail(x=0, y=0, png=png(), tip=text, tone="bad"), Thumbnail(x=2, y=1, png=png(4, 9), tone="good")))
    return [
        rows(text, title=text),
        Picture(
            name="points",
            title=text,
            caption=text,
            x=number,
            y=number,
            groups=(text, "other"),
            marks=(
                Points(at=((1, 1), (1.05, 1), (2, 3)), labels=(text, "near", ""), group=text, tips=(text, "b", "c")),
                Points(at=((3, 1),), group="other", hollow=True),
                Arrows(spans=((1, 1, 2, 3), (1, 1, 1, 1)), tips=(text, text)),
                Text(x=2, y=2, text=text, align="end"),
                Reference(at=1.5, along="y", label=text),
            ),
        ),
        Picture(name="panels", title="t", caption="", x=Axis(title="trials", whole=True), y=number, groups=(text,), panels=panels),
        Picture(name="shares", title="t", caption="", x=shares, y=shares, aspect=1.0, marks=(det,)),
        Picture(name="log", title="t", caption="", x=Axis(scale="log", title="s"), y=number, marks=(Line(at=((3, 1), (4000, 2))),)),
        Picture(
            name="bars",
            title="t",
            caption="",
            x=number,
            y=named,
            groups=("collapsed", "starved"),
            marks=(
                Bars(boxes=((0, 3, -0.3, 0.3),), texts=(text,), tips=(text,), group="collapsed"),
                Bars(boxes=((3, 9, -0.3, 0.3),), texts=("6",), group="starved", opacity=0.5),
            ),
        ),
        Picture(name="cells", title="t", caption="", x=named, y=named, marks=(Cells(rows=cells),)),
        Picture(name="thumbnails", title="t", caption="", x=grid, y=Axis(names=("b", text)), marks=(thumbnails,)),
        Picture(name="empty", title="t", caption="", x=number, y=number),
    ]

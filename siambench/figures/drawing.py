"""What is drawn, in pixels from the top left: what both renderers write, and all that they know of a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Shape = Literal["circle", "square", "diamond", "triangle", "down", "cross"]
"""What a marker looks like."""

SHAPES: tuple[Shape, ...] = ("circle", "square", "triangle", "diamond", "down", "cross")

DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 2), (8, 3, 2, 3))
"""Of the lines of groups, `SOLID` groups to each."""

SOLID = 3
"""So many groups can be told apart by their colours alone, whoever looks; further ones have dashes, too."""


@dataclass(frozen=True)
class Ink:
    """How something is drawn; colours by their names in `siambench.figures.palette`.

    Args:
        fill: of its area; None: none.
        stroke: of its line; None: none.
        width: of its line, in pixels.
        dash: lengths of strokes and gaps; empty: solid.
        opacity: of its area.
    """

    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True)
class Path:
    """A line through places, or the area within it.

    Args:
        at: the places.
        ink: how it is drawn.
        closed: whether it ends where it begins.
        tip: what is said of it when it is pointed at.
    """

    at: tuple[tuple[float, float], ...]
    ink: Ink
    closed: bool = False
    tip: str = ""


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    ink: Ink
    tip: str = ""


@dataclass(frozen=True)
class Marker:
    """A marker of some radius around a place."""

    x: float
    y: float
    radius: float
    shape: Shape
    ink: Ink
    tip: str = ""


@dataclass(frozen=True)
class Label:
    """A text; ``y`` is that of its baseline."""

    x: float
    y: float
    text: str
    size: float = 12.0
    colour: str = "ink"
    align: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    upright: bool = True
    tip: str = ""
    halo: bool = False


@dataclass(frozen=True)
class Image:
    """A PNG file in a rectangle."""

    x: float
    y: float
    width: float
    height: float
    png: bytes = field(repr=False)
    tip: str = ""


Drawn = Path | Box | Marker | Label | Image


@dataclass(frozen=True)
class Clip:
    """What of some shapes lies within a rectangle."""

    x: float
    y: float
    width: float
    height: float
    shapes: tuple[Drawn, ...]


@dataclass(frozen=True)
class Drawing:
    """A whole drawing.

    Args:
        name: of the picture.
        title: of the picture, for who cannot see it.
        description: the same, at length.
        width: in pixels.
        height: in pixels.
        shapes: in the order in which they are drawn.
    """

    name: str
    title: str
    description: str
    width: float
    height: float
    shapes: tuple[Drawn | Clip, ...]


def rounded(value: float) -> float:
    """A place as it is written: to a tenth of a pixel, so that the last bits of a processor do not show."""
    return round(value, 1) + 0.0

"""Figures, each described once as a frozen value, and drawn by two renderers: SVG for pages, and matplotlib for files. Light at import."""

from siambench.figures.painted import SUFFIXES, painted
from siambench.figures.picture import (
    GROUPS,
    Arrows,
    Axis,
    Bars,
    Cell,
    Cells,
    Intervals,
    Line,
    Mark,
    Panel,
    Picture,
    Points,
    Reference,
    Text,
    Thumbnail,
    Thumbnails,
    Tone,
)
from siambench.figures.svg import STYLE, figure, svg

__all__ = [
    "GROUPS",
    "STYLE",
    "SUFFIXES",
    "Arrows",
    "Axis",
    "Bars",
    "Cell",
    "Cells",
    "Intervals",
    "Line",
    "Mark",
    "Panel",
    "Picture",
    "Points",
    "Reference",
    "Text",
    "Thumbnail",
    "Thumbnails",
    "Tone",
    "figure",
    "painted",
    "svg",
]

"""What a figure shows, as a frozen value: axes and marks in the units of the data. How it looks is the renderers' affair.

A picture is drawn at any width, so it says nothing of pixels but for the size of points and thumbnails. Text in it may come from anywhere:
the renderers make it safe.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from siambench.errors import UsageError

Tone = Literal["plain", "muted", "strong", "good", "bad", "open"]
"""What the colour of a mark says where it belongs to no group: nothing, background, emphasis, better, worse, undecided."""

Scale = Literal["linear", "log", "probit"]
"""How values become places; ``probit``, of shares in (0, 1), is that of DET curves: a normal distribution becomes a straight line."""

GROUPS = 8
"""So many groups have a colour of their own; further ones repeat the colours with other markers and dashes."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis.

    Args:
        title: what stands on it, with its unit; empty: nothing.
        scale: how values become places.
        low: its lower end; None: from the marks.
        high: its upper end; None: from the marks.
        names: of categories, at the places 0, 1, 2, …; on a vertical axis the first stands on top. Empty: the axis bears numbers.
        notes: a text at the far end of each category, such as its rank; empty: none.
        notes_title: what stands above the notes.
        percent: whether its values, shares, are written in percent.
        whole: whether only whole numbers are marked.
    """

    title: str = ""
    scale: Scale = "linear"
    low: float | None = None
    high: float | None = None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    notes_title: str = ""
    percent: bool = False
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points.

    Args:
        at: x and y of each.
        tips: what is said of each when it is pointed at; empty: nothing.
        labels: what stands beside each, where there is room; empty: nothing, and so is an empty label.
        size: radius in pixels.
        hollow: whether only their outline is drawn.
        opacity: in (0, 1].
        group: that they belong to; empty: none.
        tone: what their colour says without a group.
    """

    at: tuple[tuple[float, float], ...]
    tips: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    size: float = 4.0
    hollow: bool = False
    opacity: float = 1.0
    group: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points.

    Args:
        at: x and y of each.
        band: lower and upper y of the spread around each point; empty: none.
        steps: whether it goes on level from each point to the next, as best-so-far does.
        dashed: whether it is dashed.
        width: in pixels.
        tip: what is said of it when it is pointed at.
        label: what stands at its end, where there is room.
        group: that it belongs to; empty: none.
        tone: what its colour says without a group.
    """

    at: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float], ...] = ()
    steps: bool = False
    dashed: bool = False
    width: float = 1.8
    tip: str = ""
    label: str = ""
    group: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Intervals, with caps at their ends.

    Args:
        spans: place on the other axis, lower and upper end of each.
        along: the axis on which they lie.
        tips: what is said of each when it is pointed at; empty: nothing.
        width: in pixels.
        caps: whether they have end caps.
        group: that they belong to; empty: none.
        tone: what their colour says without a group.
    """

    spans: tuple[tuple[float, float, float], ...]
    along: Literal["x", "y"] = "x"
    tips: tuple[str, ...] = ()
    width: float = 1.6
    caps: bool = True
    group: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Filled boxes: bars of either direction, stacked ones, or the bins of a histogram.

    Args:
        boxes: left, right, lower and upper end of each.
        tips: what is said of each when it is pointed at; empty: nothing.
        texts: what stands in each, where there is room; empty: nothing.
        opacity: in (0, 1]; less than 1 where bars of two groups lie over each other.
        group: that they belong to; empty: none.
        tone: what their colour says without a group.
    """

    boxes: tuple[tuple[float, float, float, float], ...]
    tips: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    opacity: float = 1.0
    group: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a matrix.

    Args:
        value: what its colour says: a share in [0, 1] from faint to strong, or a tone.
        text: what stands in it.
        tip: what is said of it when it is pointed at.
    """

    value: float | Tone
    text: str = ""
    tip: str = ""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A matrix: row by row from the top, over axes that bear names.

    Args:
        rows: the cells of each row; None: an empty place.
    """

    rows: tuple[tuple[Cell | None, ...], ...]
    group: str = field(default="", init=False)


@dataclass(frozen=True, kw_only=True)
class Arrows:
    """Arrows.

    Args:
        spans: x and y where each begins, x and y where it ends.
        tips: what is said of each when it is pointed at; empty: nothing.
        width: in pixels.
        group: that they belong to; empty: none.
        tone: what their colour says without a group.
    """

    spans: tuple[tuple[float, float, float, float], ...]
    tips: tuple[str, ...] = ()
    width: float = 1.6
    group: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A dashed line across the whole panel.

    Args:
        at: the value that it marks.
        along: the axis on which that value lies: ``"x"`` gives a vertical line.
        label: what stands at its end, where there is room.
        group: that it belongs to; empty: none.
        tone: what its colour says without a group.
    """

    at: float
    along: Literal["x", "y"] = "x"
    label: str = ""
    group: str = ""
    tone: Tone = "muted"


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text at a place.

    Args:
        x: where it stands.
        y: where it stands.
        text: what is said.
        align: which part of it stands at x.
        tone: what its colour says.
    """

    x: float
    y: float
    text: str
    align: Literal["start", "middle", "end"] = "middle"
    tone: Tone = "strong"
    group: str = field(default="", init=False)


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A small image.

    Args:
        x: of its centre.
        y: of its centre.
        png: the bytes of a PNG file.
        tip: what is said of it when it is pointed at.
        tone: of a frame around it; None: it has none.
    """

    x: float
    y: float
    png: bytes = field(repr=False)
    tip: str = ""
    tone: Tone | None = None


@dataclass(frozen=True, kw_only=True)
class Thumbnails:
    """Small images.

    Args:
        items: the images.
        size: of the longer side of each, in pixels.
    """

    items: tuple[Thumbnail, ...]
    size: float = 24.0
    group: str = field(default="", init=False)


Mark = Points | Line | Intervals | Bars | Cells | Arrows | Reference | Text | Thumbnails


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One of several small charts beside each other.

    Args:
        title: its heading.
        marks: drawn in their order, above those of the picture.
        x: an axis of its own; None: the picture's.
        y: an axis of its own; None: the picture's.
    """

    title: str
    marks: tuple[Mark, ...]
    x: Axis | None = None
    y: Axis | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure.

    Args:
        name: of letters, digits, dots and hyphens, different from that of other pictures of a page.
        title: for people, a line.
        caption: what a reader must know of it: what is shown, over what, and of what it says nothing.
        x: the horizontal axis.
        y: the vertical axis.
        marks: drawn in their order; with panels in each of them, below its own.
        groups: names of groups, which the legend shows in this order.
        panels: small charts in place of a single one; empty: one chart.
        aspect: height of a chart over its width; of an axis that bears names every category has its own height instead.

    Raises:
        UsageError: if a number is not finite, a group is none of those named, or tips, labels and texts are another number than what they
            are of.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    groups: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()
    aspect: float = 0.62

    def __post_init__(self) -> None:
        for mark in (*self.marks, *(mark for panel in self.panels for mark in panel.marks)):
            if mark.group and mark.group not in self.groups:
                raise UsageError(f"picture {self.name}: a mark is of the group {mark.group!r}, which is none of its groups")
            if not _is_finite(mark):
                raise UsageError(f"picture {self.name}: a number of its {type(mark).__name__.lower()} is not finite")
            for what, number, of in _counts(mark):
                if number not in (0, of):
                    raise UsageError(f"picture {self.name}: {of} {type(mark).__name__.lower()} have {number} {what}")


def reach(mark: Mark) -> tuple[list[float], list[float]]:
    """Every number of a mark on the horizontal axis, and every one on the vertical axis; of what lies over named axes nothing."""
    across: list[float] = []
    down: list[float] = []
    if isinstance(mark, Points | Line):
        across, down = [x for x, _ in mark.at], [y for _, y in mark.at]
        down += [value for ends in mark.band for value in ends] if isinstance(mark, Line) else []
    elif isinstance(mark, Intervals):
        places, ends = [at for at, _, _ in mark.spans], [value for _, low, high in mark.spans for value in (low, high)]
        across, down = (ends, places) if mark.along == "x" else (places, ends)
    elif isinstance(mark, Bars):
        across, down = [value for box in mark.boxes for value in box[:2]], [value for box in mark.boxes for value in box[2:]]
    elif isinstance(mark, Arrows):
        across, down = [value for span in mark.spans for value in span[::2]], [value for span in mark.spans for value in span[1::2]]
    elif isinstance(mark, Reference):
        across, down = ([mark.at], []) if mark.along == "x" else ([], [mark.at])
    elif isinstance(mark, Text):
        across, down = [mark.x], [mark.y]
    elif isinstance(mark, Thumbnails):
        across, down = [item.x for item in mark.items], [item.y for item in mark.items]
    return across, down


def _is_finite(mark: Mark) -> bool:
    shares = [one.value for row in mark.rows for one in row if one is not None] if isinstance(mark, Cells) else []
    numbers = [value for value in shares if not isinstance(value, str)]
    return all(math.isfinite(value) for part in (*reach(mark), numbers) for value in part)


def _counts(mark: Mark) -> Iterator[tuple[str, int, int]]:
    """What goes with a mark's items: its name, how many there are, and how many items."""
    if isinstance(mark, Points):
        yield from (("tips", len(mark.tips), len(mark.at)), ("labels", len(mark.labels), len(mark.at)))
    elif isinstance(mark, Line):
        yield "bands", len(mark.band), len(mark.at)
    elif isinstance(mark, Bars):
        yield from (("tips", len(mark.tips), len(mark.boxes)), ("texts", len(mark.texts), len(mark.boxes)))
    elif isinstance(mark, Intervals | Arrows):
        yield "tips", len(mark.tips), len(mark.spans)

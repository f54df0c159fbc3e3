"""Picture → drawing: everything in its place for one width, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from siambench.figures import axes
from siambench.figures.drawing import Box, Clip, Drawing, Drawn, Ink, Label, Marker, Path, rounded
from siambench.figures.frame import NAME_ABOVE, Frame
from siambench.figures.labels import Area, area_of, placed
from siambench.figures.letters import clean, shortened, width_of, wrapped
from siambench.figures.marks import Chart, look_of
from siambench.figures.picture import Arrows, Axis, Bars, Cells, Intervals, Line, Mark, Panel, Picture, Points, Reference, Thumbnails, reach
from siambench.figures.scales import Range, range_of, ticks_of
from siambench.wording import in_a_line

WIDE, NARROW = 720.0, 340.0
"""Widths at which pages show a figure: of a column of text, and of a telephone."""

_EDGE = 6.0
_TITLE = 15.0
_GAP = 18.0
_PANEL = 156.0
_MOST_COLUMNS = 4
_WIDEST_CELL = 72.0
_SLIM, _TALLER = 400.0, 1.35


@dataclass(frozen=True)
class _Room:
    """What the charts of a picture share: room around each frame, in pixels."""

    left: float
    right: float
    above: bool
    names: float


def laid_out(picture: Picture, width: float = WIDE, *, titled: bool = False, captioned: bool = False) -> Drawing:
    """A picture as it is drawn at a width.

    Args:
        picture: what to draw.
        width: in pixels, at least 240.
        titled: whether its title stands above it; a page has it beside the figure.
        captioned: whether its caption stands below it.
    """
    width = max(width, 240.0)
    shapes: list[Drawn | Clip] = []
    y = _EDGE
    if titled:
        for line in wrapped(clean(picture.title), _TITLE * 1.13, width - 2 * _EDGE):
            y += _TITLE + 4
            shapes.append(Label(_EDGE, rounded(y), line, _TITLE, bold=True))
        y += 8
    legend, y = _legend(picture, width, y)
    shapes += legend
    charts, y = _charts(picture, width, y)
    shapes += charts
    if captioned and picture.caption:
        y += 6
        for line in wrapped(in_a_line(picture.caption), axes.SMALL, width - 2 * _EDGE):
            y += axes.SMALL + 4
            shapes.append(Label(_EDGE, rounded(y), line, axes.SMALL, "soft"))
        y += 6
    return Drawing(picture.name, clean(picture.title), picture.caption, rounded(width), rounded(y + _EDGE), tuple(shapes))


def _legend(picture: Picture, width: float, y: float) -> tuple[list[Drawn], float]:
    """A sample and a name for each group, in lines; and where they end."""
    found: list[Drawn] = []
    if not picture.groups:
        return found, y
    every = [*picture.marks, *(mark for panel in picture.panels for mark in panel.marks)]
    x, y = _EDGE, y + 4
    for group in picture.groups:
        text = shortened(clean(group), axes.SIZE, width - 2 * _EDGE - 26)
        step = 26 + width_of(text, axes.SIZE) + 16
        if x > _EDGE and x + step - 16 > width - _EDGE:
            x, y = _EDGE, y + axes.SIZE + 7
        look = look_of(picture.groups, group, "plain")
        found += _sample([mark for mark in every if mark.group == group], look.colour, (x, y + 6), picture)
        found.append(Label(rounded(x + 26), rounded(y + 10), text, axes.SIZE))
        x += step
    return found, y + axes.SIZE + 14


def _sample(marks: Sequence[Mark], colour: str, at: tuple[float, float], picture: Picture) -> list[Drawn]:
    x, y = rounded(at[0]), rounded(at[1])
    group = marks[0].group if marks else ""
    look = look_of(picture.groups, group, "plain")
    found: list[Drawn] = []
    if any(isinstance(mark, Bars) for mark in marks):
        return [Box(x + 4, y - 6, 14, 12, Ink(colour))]
    for mark in marks:
        if isinstance(mark, Line | Intervals | Arrows | Reference):
            dash = (5.0, 3.0) if (isinstance(mark, Line) and mark.dashed) or isinstance(mark, Reference) else look.dash
            found.append(Path(((x, y), (x + 20, y)), Ink(stroke=colour, width=1.8, dash=dash)))
            break
    points = next((mark for mark in marks if isinstance(mark, Points)), None)
    if points is not None:
        ink = Ink(fill="paper", stroke=colour, width=1.5) if points.hollow else Ink(colour, "paper", 0.7)
        found.append(Marker(x + 10, y, 4.5, look.shape, ink))
    return found


def _charts(picture: Picture, width: float, y: float) -> tuple[list[Drawn | Clip], float]:
    panels = picture.panels or (Panel(title="", marks=()),)
    free_x, free_y = any(panel.x is not None for panel in panels), any(panel.y is not None for panel in panels)
    columns = min(len(panels), _MOST_COLUMNS, max(1, int((width - 2 * _EDGE) / _PANEL)))
    columns = math.ceil(len(panels) / math.ceil(len(panels) / columns))
    ranges = [_ranges(picture, panel, panels) for panel in panels]
    room = _room(picture, panels, ranges, (width - 2 * _EDGE) / columns)
    shapes: list[Drawn | Clip] = []
    headed = clean(picture.y.title) if not picture.y.names else ""
    if headed or picture.y.notes_title:
        y += axes.SMALL + 2
        headed = shortened(f"↑ {headed}", axes.SMALL, width - 2 * _EDGE) if headed else ""
        shapes += [Label(_EDGE, rounded(y), headed, axes.SMALL, "soft")] if headed else []
        y += 8
    first = room.left
    inner = width - 2 * _EDGE - room.right
    each = (inner - first - (columns - 1) * (_GAP + (first if free_y else 0))) / columns
    if len(panels) == 1 and picture.x.names and _is_matrix(picture):
        each = min(each, _WIDEST_CELL * len(picture.x.names))
    height = _height(picture, each)
    rows = math.ceil(len(panels) / columns)
    for row in range(rows):
        titles = any(panel.title for panel in panels)
        y += axes.SIZE + 6 if titles else 0
        of_row = list(range(row * columns, min((row + 1) * columns, len(panels))))
        for place in of_row:
            panel = panels[place]
            x_axis, y_axis = panel.x or picture.x, panel.y or picture.y
            column = place - row * columns
            left = _EDGE + first + column * (each + _GAP + (first if free_y else 0))
            frame = Frame(rounded(left), rounded(y), rounded(each), rounded(height), *ranges[place], len(y_axis.names), room.above)
            lowest = free_x or place + columns >= len(panels)
            leftmost = free_y or column == 0
            shapes += _chart(picture, panel, (x_axis, y_axis), frame, (lowest, leftmost, room.names))
        ends_here = free_x or row == rows - 1 or (row + 1) * columns + columns > len(panels)
        y += height + (axes.below(picture.x, each) if ends_here else 10)
    if title := clean(picture.x.title):
        y += axes.SMALL + 3
        title = shortened(title, axes.SMALL, width - 2 * _EDGE - room.right - 14)
        shapes.append(Label(rounded(width - _EDGE - room.right), rounded(y), f"{title} →", axes.SMALL, "soft", "end"))
        y += 3
    return shapes, y


def _chart(picture: Picture, panel: Panel, both: tuple[Axis, Axis], frame: Frame, where: tuple[bool, bool, float]) -> list[Drawn | Clip]:
    x_axis, y_axis = both
    lowest, leftmost, names = where
    marks = (*picture.marks, *panel.marks)
    chart = Chart(frame, picture.groups)
    for mark in marks:
        chart.add(mark)
    found: list[Drawn | Clip] = list(axes.grid(x_axis, y_axis, frame, cells=any(isinstance(mark, Cells) for mark in marks)))
    if panel.title:
        title = shortened(clean(panel.title), axes.SIZE, frame.width + 8, bold=True)
        tip = panel.title if title != clean(panel.title) else ""
        found.append(Label(rounded(frame.left), rounded(frame.top - 5), title, axes.SIZE, bold=True, tip=tip))
    found += axes.across(x_axis, frame) if lowest else []
    found += chart.shapes()
    # Names above their marks stand where lines may run, so they come behind these.
    beside = axes.down(y_axis, frame, names) if leftmost else []
    found += beside
    if frame.above:
        chart.taken += [area_of(shape) for shape in beside if isinstance(shape, Label)]
    bounds = Area(frame.left - 2, frame.top - 2, frame.right + 2, frame.bottom + 2)
    return [*found, *placed(chart.wishes, chart.taken, chart.crossed, bounds)]


def _room(picture: Picture, panels: Sequence[Panel], ranges: Sequence[tuple[Range, Range]], each: float) -> _Room:
    """How much room the names or numbers of the vertical axes take beside a frame, and the notes behind it."""
    named = [axis for panel in panels for axis in [panel.y or picture.y] if axis.names]
    notes = max((axes.widest([*axis.notes, axis.notes_title], axes.SIZE) for axis in named if axis.notes), default=0.0)
    right = notes + 12 if notes else 12.0
    if named:
        needed = max(axes.widest(axis.names, axes.SIZE) for axis in named)
        is_matrix = _is_matrix(picture)
        if needed > 0.42 * each and not is_matrix:
            return _Room(2.0, right, above=True, names=each - right)
        most = min(needed, (0.5 if is_matrix else 0.42) * each)
        return _Room(most + 10, right, above=False, names=most)
    widths = [
        axes.widest([text for _, text in ticks_of(panel.y or picture.y, y, 6)], axes.SMALL)
        for panel, (_, y) in zip(panels, ranges, strict=True)
    ]
    return _Room(max(widths) + 10, right, above=False, names=0.0)


def _is_matrix(picture: Picture) -> bool:
    return any(isinstance(mark, Cells) for mark in (*picture.marks, *(mark for panel in picture.panels for mark in panel.marks)))


def _height(picture: Picture, width: float) -> float:
    names = len(picture.y.names)
    if not names:
        # Beside names in a narrow chart there is room above and below alone; what is square stays so.
        taller = _TALLER if width < _SLIM and not picture.panels and picture.aspect < 1 else 1.0
        return max(64.0, width * picture.aspect * taller)
    marks = [*picture.marks, *(mark for panel in picture.panels for mark in panel.marks)]
    sizes = [mark.size + 10 for mark in marks if isinstance(mark, Thumbnails)]
    if _is_matrix(picture):
        return names * min(28.0, max(20.0, width / max(1, len(picture.x.names))))
    above = NAME_ABOVE if axes.widest(picture.y.names, axes.SIZE) > 0.42 * (width + 60) else 0.0
    return names * (max([22.0 - above / 3, *sizes]) + above)


def _ranges(picture: Picture, panel: Panel, panels: Sequence[Panel]) -> tuple[Range, Range]:
    """What the axes of a panel reach over: those of the picture over the marks of all panels, its own over its own."""
    every = [*picture.marks, *(mark for one in panels for mark in one.marks)]
    own = [*picture.marks, *panel.marks]
    across = own if panel.x is not None else every
    down = own if panel.y is not None else every
    return (
        range_of(panel.x or picture.x, [x for mark in across for x in reach(mark)[0]]),
        range_of(panel.y or picture.y, [y for mark in down for y in reach(mark)[1]]),
    )

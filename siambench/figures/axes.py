"""The axes of one chart: grid, numbers, names and notes around its frame."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from siambench.figures.drawing import Drawn, Ink, Label, Path, rounded
from siambench.figures.frame import NAME_ABOVE, Frame
from siambench.figures.letters import clean, shortened, width_of
from siambench.figures.picture import Axis
from siambench.figures.scales import ticks_of

SIZE = 12.0
SMALL = 11.0
_PER_TICK_ACROSS, _PER_TICK_DOWN = 46.0, 30.0
_ROTATED = 110.0


def across_ticks(axis: Axis, frame: Frame) -> list[tuple[float, str]]:
    """The numbers along a horizontal axis, as many as stand side by side: places and texts."""
    for most in range(max(2, min(int(frame.width / _PER_TICK_ACROSS), 4 + int(frame.width / 140))), 1, -1):
        found = [(frame.across(value), text) for value, text in ticks_of(axis, frame.x, most)]
        widths = [width_of(text, SMALL) for _, text in found]
        places = [x for x, _ in found]
        gaps = [b - a for a, b in itertools.pairwise(places)]
        if all(gap >= (left + right) / 2 + 6 for gap, left, right in zip(gaps, widths, widths[1:], strict=False)):
            return found
    return found[:1] + found[-1:] if len(found) > 1 and found[-1][0] - found[0][0] > max(widths) + 6 else found[:1]


def down_ticks(axis: Axis, frame: Frame) -> list[tuple[float, str]]:
    """The numbers along a vertical axis: places and texts."""
    most = max(3, min(int(frame.height / _PER_TICK_DOWN), 4 + int(frame.height / 80)))
    found = [(frame.down(value), text) for value, text in ticks_of(axis, frame.y, most)]
    kept: list[tuple[float, str]] = []
    for y, text in found:
        if not kept or kept[-1][0] - y >= SMALL + 3:
            kept.append((y, text))
    return kept


def grid(x: Axis, y: Axis, frame: Frame, *, cells: bool) -> list[Drawn]:
    """What lies behind the marks.

    Args:
        x: the horizontal axis.
        y: the vertical axis.
        frame: of the chart.
        cells: whether it is a matrix, which is its own grid.
    """
    if cells:
        return []
    found: list[Drawn] = []
    ink = Ink(stroke="grid", width=1)
    if not x.names:
        found += [Path(((place, frame.top), (place, rounded(frame.bottom))), ink) for place, _ in across_ticks(x, frame)]
    if not y.names:
        found += [Path(((frame.left, place), (rounded(frame.right), place)), ink) for place, _ in down_ticks(y, frame)]
    else:
        edges = [rounded(frame.top + frame.row * place) for place in range(1, frame.rows)]
        found += [Path(((frame.left, edge), (rounded(frame.right), edge)), Ink(stroke="grid", width=0.6)) for edge in edges]
    return [*found, Path(((frame.left, rounded(frame.bottom)), (rounded(frame.right), rounded(frame.bottom))), Ink(stroke="line", width=1))]


def across(axis: Axis, frame: Frame) -> list[Drawn]:
    """The numbers or names below the frame."""
    base = rounded(frame.bottom + SMALL + 5)
    found: list[Drawn] = []
    if not axis.names:
        for place, text in across_ticks(axis, frame):
            half = width_of(text, SMALL) / 2
            # The last number would reach over the edge of the drawing.
            found.append(Label(rounded(min(place, frame.right + 12 - half)), base, text, SMALL, "soft", "middle"))
        return found
    if not rotated(axis, frame.width):
        return [Label(frame.across(place), base, clean(name), SMALL, "soft", "middle") for place, name in enumerate(axis.names)]
    # Where names on end would still touch each other, every second one stands, or every third, and so on.
    step = math.ceil((SMALL + 1) * len(axis.names) / frame.width)
    for place, name in list(enumerate(axis.names))[::step]:
        found.append(
            Label(
                rounded(frame.across(place) + 4),
                rounded(frame.bottom + 6),
                shortened(clean(name), SMALL, _ROTATED),
                SMALL,
                "soft",
                "end",
                upright=False,
            )
        )
    return found


def rotated(axis: Axis, width: float) -> bool:
    """Whether the names of a horizontal axis have to stand on end."""
    return any(width_of(clean(name), SMALL) > width / len(axis.names) - 4 for name in axis.names)


def below(axis: Axis, width: float) -> float:
    """The height that numbers or names below a frame take."""
    if axis.names and rotated(axis, width):
        return min(_ROTATED, max(width_of(clean(name), SMALL) for name in axis.names)) + 12
    return SMALL + 9


def down(axis: Axis, frame: Frame, room: float) -> list[Drawn]:
    """The numbers or names beside the frame, and the notes at its other side.

    Args:
        axis: the vertical axis.
        frame: of the chart.
        room: for names, in pixels.
    """
    if not axis.names:
        return [Label(rounded(frame.left - 6), rounded(y + 4), text, SMALL, "soft", "end") for y, text in down_ticks(axis, frame)]
    found: list[Drawn] = []
    for place, name in enumerate(axis.names):
        middle = rounded(frame.down(place) + 4)
        cut = shortened(clean(name), SIZE, room)
        tip = name if cut != clean(name) else ""
        if frame.above:
            found.append(Label(rounded(frame.left), rounded(frame.top + frame.row * place + NAME_ABOVE - 2), cut, SIZE, tip=tip, halo=True))
        else:
            found.append(Label(rounded(frame.left - 8), middle, cut, SIZE, align="end", tip=tip))
        if axis.notes:
            found.append(Label(rounded(frame.right + 10), middle, clean(axis.notes[place]), SIZE, "soft"))
    if axis.notes and axis.notes_title:
        found.append(Label(rounded(frame.right + 10), rounded(frame.top - 6), clean(axis.notes_title), SMALL, "soft"))
    return found


def widest(texts: Sequence[str], size: float) -> float:
    """Width of the widest of some texts; 0 without any."""
    return max((width_of(clean(text), size) for text in texts), default=0.0)

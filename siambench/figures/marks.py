"""The marks of one chart → shapes, with the names that would stand beside them and what these must not cover."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from siambench.figures.drawing import DASHES, SHAPES, SOLID, Box, Clip, Drawn, Image, Ink, Label, Marker, Path, Shape, rounded
from siambench.figures.frame import Frame
from siambench.figures.labels import Area, Wish, along
from siambench.figures.letters import clean, shortened, width_of
from siambench.figures.palette import on, ramp
from siambench.figures.picture import (
    GROUPS,
    Arrows,
    Bars,
    Cells,
    Intervals,
    Line,
    Mark,
    Points,
    Reference,
    Text,
    Thumbnails,
    Tone,
)

_TONES = {"plain": "g0", "muted": "muted", "strong": "ink", "good": "good", "bad": "bad", "open": "line"}
_CAP = 3.5
_HEAD = 6.0
_BAND = 0.2


@dataclass(frozen=True)
class Look:
    """What tells the marks of a group from those of others.

    Args:
        colour: its name.
        shape: of markers.
        dash: of lines.
    """

    colour: str
    shape: Shape = "circle"
    dash: tuple[float, ...] = ()


def look_of(groups: Sequence[str], group: str, tone: Tone) -> Look:
    """How a mark of a group looks, or one of no group by its tone."""
    if not group:
        return Look(_TONES[tone])
    place = groups.index(group)
    return Look(f"g{place % GROUPS}", SHAPES[place % len(SHAPES)], DASHES[place // SOLID % len(DASHES)])


@dataclass
class Chart:
    """What the marks of one chart have become so far.

    Args:
        frame: in which they lie.
        groups: of the picture.
    """

    frame: Frame
    groups: tuple[str, ...]
    inside: list[Drawn] = field(default_factory=list)
    above: list[Drawn] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    taken: list[Area] = field(default_factory=list)
    crossed: list[Area] = field(default_factory=list)

    def add(self, mark: Mark) -> None:
        """Draw a mark above those before it."""
        if isinstance(mark, Points):
            self._points(mark)
        elif isinstance(mark, Line):
            self._line(mark)
        elif isinstance(mark, Intervals):
            self._intervals(mark)
        elif isinstance(mark, Bars):
            self._bars(mark)
        elif isinstance(mark, Cells):
            self._cells(mark)
        elif isinstance(mark, Arrows):
            self._arrows(mark)
        elif isinstance(mark, Reference):
            self._reference(mark)
        elif isinstance(mark, Text):
            self._text(mark)
        else:
            self._thumbnails(mark)

    def shapes(self) -> list[Drawn | Clip]:
        """All of them, what leaves the frame cut off; markers and texts, which may reach over its edge, above the rest."""
        frame = self.frame
        clip = Clip(frame.left, frame.top, frame.width, frame.height, tuple(self.inside))
        return [*([clip] if self.inside else []), *self.above]

    def _points(self, mark: Points) -> None:
        look = look_of(self.groups, mark.group, mark.tone)
        ink = Ink(fill="paper", stroke=look.colour, width=1.5) if mark.hollow else Ink(look.colour, "paper", 0.7, opacity=mark.opacity)
        for place, at in enumerate(mark.at):
            x, y = self.frame.place(at)
            if not self.frame.holds(x, y):
                continue
            tip = mark.tips[place] if mark.tips else ""
            self.above.append(Marker(x, y, mark.size, look.shape, ink, tip))
            self.taken.append(Area(x - mark.size, y - mark.size, x + mark.size, y + mark.size))
            label = clean(mark.labels[place]) if mark.labels else ""
            if label:
                self.wishes.append(Wish(x, y, shortened(label, 11, self.frame.width * 0.6), "ink", mark.size + 1))

    def _line(self, mark: Line) -> None:
        look = look_of(self.groups, mark.group, mark.tone)
        if mark.band:
            low = self._places([(x, low) for (x, _), (low, _) in zip(mark.at, mark.band, strict=True)], steps=mark.steps)
            high = self._places([(x, high) for (x, _), (_, high) in zip(mark.at, mark.band, strict=True)], steps=mark.steps)
            self.inside.append(Path((*low, *reversed(high)), Ink(fill=look.colour, opacity=_BAND), closed=True))
        places = self._places(mark.at, steps=mark.steps)
        if not places:
            return
        dash = (5.0, 3.0) if mark.dashed else look.dash
        self.inside.append(Path(tuple(places), Ink(stroke=look.colour, width=mark.width, dash=dash), tip=mark.tip))
        self.crossed += along(places)
        if label := clean(mark.label):
            self.wishes.append(Wish(*places[-1], shortened(label, 11, self.frame.width * 0.6), "ink", 3))

    def _places(self, at: Sequence[tuple[float, float]], *, steps: bool) -> list[tuple[float, float]]:
        places = [self.frame.place(one) for one in at]
        if not steps:
            return places
        corners = [[(after[0], before[1]), after] for before, after in itertools.pairwise(places)]
        return [*places[:1], *(corner for pair in corners for corner in pair)]

    def _intervals(self, mark: Intervals) -> None:
        look, frame = look_of(self.groups, mark.group, mark.tone), self.frame
        ink = Ink(stroke=look.colour, width=mark.width)
        for place, (at, low, high) in enumerate(mark.spans):
            tip = mark.tips[place] if mark.tips else ""
            if mark.along == "x":
                y, start, end = frame.down(at), frame.across(low), frame.across(high)
                lines = [((start, y), (end, y)), *(((x, y - _CAP), (x, y + _CAP)) for x in (start, end) if mark.caps)]
            else:
                x, start, end = frame.across(at), frame.down(low), frame.down(high)
                lines = [((x, start), (x, end)), *(((x - _CAP, y), (x + _CAP, y)) for y in (start, end) if mark.caps)]
            for number, line in enumerate(lines):
                self.inside.append(Path(line, ink, tip="" if number else tip))
            self.crossed += along(lines[0])

    def _bars(self, mark: Bars) -> None:
        look, frame = look_of(self.groups, mark.group, mark.tone), self.frame
        for place, (x0, x1, y0, y1) in enumerate(mark.boxes):
            left, right = sorted((frame.across(x0), frame.across(x1)))
            top, bottom = sorted((frame.down(y0), frame.down(y1)))
            tip = mark.tips[place] if mark.tips else ""
            ink = Ink(look.colour, "paper" if mark.opacity == 1 else None, 0.5, opacity=mark.opacity)
            self.inside.append(Box(left, top, rounded(right - left), rounded(bottom - top), ink, tip))
            text = clean(mark.texts[place]) if mark.texts else ""
            if text and width_of(text, 11) <= right - left - 2 and bottom - top >= 12:
                middle = rounded((left + right) / 2), rounded((top + bottom) / 2 + 4)
                self.above.append(Label(*middle, text, 11, on(look.colour), "middle", tip=tip))

    def _cells(self, mark: Cells) -> None:
        frame = self.frame
        for row, cells in enumerate(mark.rows):
            for column, cell in enumerate(cells):
                if cell is None:
                    continue
                left, right = frame.across(column - 0.5) + 1, frame.across(column + 0.5) - 1
                top, bottom = frame.down(row - 0.5) + 1, frame.down(row + 0.5) - 1
                colour = ramp(cell.value) if not isinstance(cell.value, str) else {"plain": "g0"}.get(cell.value, cell.value)
                colour = {"strong": "ink"}.get(colour, colour)
                self.inside.append(Box(left, top, rounded(right - left), rounded(bottom - top), Ink(colour), cell.tip))
                text, size = clean(cell.text), next((size for size in (12.0, 11.0, 10.0) if self._fits(cell.text, size, right - left)), 0.0)
                if text and size:
                    middle = rounded((left + right) / 2), rounded((top + bottom) / 2 + 0.35 * size)
                    self.above.append(Label(*middle, text, size, on(colour), "middle", tip=cell.tip))

    @staticmethod
    def _fits(text: str, size: float, width: float) -> bool:
        return width_of(clean(text), size) <= width

    def _arrows(self, mark: Arrows) -> None:
        look, frame = look_of(self.groups, mark.group, mark.tone), self.frame
        for place, (x0, y0, x1, y1) in enumerate(mark.spans):
            (start_x, start_y), (end_x, end_y) = frame.place((x0, y0)), frame.place((x1, y1))
            length = math.hypot(end_x - start_x, end_y - start_y)
            tip = mark.tips[place] if mark.tips else ""
            if length < 1:
                # It leads nowhere: whoever draws it marks its ends.
                continue
            along_x, along_y = (end_x - start_x) / length, (end_y - start_y) / length
            head = min(_HEAD, length)
            back_x, back_y = end_x - along_x * head, end_y - along_y * head
            half = head * 0.55
            wings = ((back_x - along_y * half, back_y + along_x * half), (back_x + along_y * half, back_y - along_x * half))
            self.inside.append(
                Path(((start_x, start_y), (rounded(back_x), rounded(back_y))), Ink(stroke=look.colour, width=mark.width), tip=tip)
            )
            corners = ((end_x, end_y), *((rounded(x), rounded(y)) for x, y in wings))
            self.inside.append(Path(corners, Ink(fill=look.colour), closed=True, tip=tip))
            self.crossed += along(((start_x, start_y), (end_x, end_y)))

    def _reference(self, mark: Reference) -> None:
        look, frame = look_of(self.groups, mark.group, mark.tone), self.frame
        if mark.along == "x":
            x = frame.across(mark.at)
            line = ((x, rounded(frame.top)), (x, rounded(frame.bottom)))
        else:
            y = frame.down(mark.at)
            line = ((rounded(frame.left), y), (rounded(frame.right), y))
        self.inside.append(Path(line, Ink(stroke=look.colour, width=1.2, dash=(4, 3))))
        self.crossed += along(line)
        if label := clean(mark.label):
            # From the middle of the upper end, or of the right one, the name looks for room beside the line.
            at = (line[0][0], line[0][1] + 9) if mark.along == "x" else (line[1][0] - 3, line[1][1])
            self.wishes.append(Wish(*at, shortened(label, 11, frame.width * 0.6), "soft", 2))

    def _text(self, mark: Text) -> None:
        x, y = self.frame.place((mark.x, mark.y))
        text = shortened(clean(mark.text), 11, self.frame.width)
        width = width_of(text, 11)
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[mark.align]
        # Within the frame, wherever it begins.
        left = rounded(min(max(left, self.frame.left), self.frame.right - width))
        self.above.append(Label(left, rounded(y + 4), text, 11, _TONES[mark.tone], halo=True))
        self.taken.append(Area(left, y - 7, left + width, y + 6))

    def _thumbnails(self, mark: Thumbnails) -> None:
        half = mark.size / 2
        for item in mark.items:
            x, y = self.frame.place((item.x, item.y))
            if not self.frame.holds(x, y):
                continue
            self.above.append(Image(rounded(x - half), rounded(y - half), mark.size, mark.size, item.png, item.tip))
            if item.tone is not None:
                frame = Ink(stroke=_TONES[item.tone], width=2, dash=(4, 2) if item.tone == "bad" else ())
                self.above.append(Box(rounded(x - half - 1), rounded(y - half - 1), mark.size + 2, mark.size + 2, frame, item.tip))
            self.taken.append(Area(x - half, y - half, x + half, y + half))

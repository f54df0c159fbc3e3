"""Names beside points: each where it covers nothing, or not at all."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from siambench.figures.drawing import Ink, Label, Path, rounded
from siambench.figures.letters import width_of

SIZE = 11.0
_RINGS = (0.0, 10.0, 22.0, 36.0, 52.0, 70.0, 90.0)
_DIRECTIONS = ((1, 0), (1, -1), (1, 1), (-1, 0), (-1, -1), (-1, 1), (0, -1), (0, 1))
_SQUARE = 5.0
_PLAIN_RING = 3.0
"""Beyond so much, a line leads from the name to its point."""


@dataclass(frozen=True)
class Area:
    """A rectangle that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area) -> bool:
        """Whether they share more than an edge."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True)
class Wish:
    """A name that would stand beside a place.

    Args:
        x: the place.
        y: the place.
        text: the name.
        colour: in which it is written.
        clearance: how far from the place it has to stay.
    """

    x: float
    y: float
    text: str
    colour: str = "ink"
    clearance: float = 5.0


def area_of(label: Label) -> Area:
    """What an upright text covers."""
    width = width_of(label.text, label.size, bold=label.bold)
    left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.align]
    return Area(left, label.y - 0.8 * label.size, left + width, label.y + 0.25 * label.size)


def placed(wishes: Sequence[Wish], taken: Sequence[Area], crossed: Sequence[Area], bounds: Area) -> list[Label | Path]:
    """The names that found a place, each with the line that leads to it where it stands apart; what found none is left out.

    Args:
        wishes: the names, the most important ones first.
        taken: what no name may cover.
        crossed: what it had better not, such as lines.
        bounds: in which they have to stay.
    """
    # By small squares, so that a hundred names among a thousand lines find their places at once.
    squares = Counter((int((one.left + one.right) / 2 // _SQUARE), int((one.top + one.bottom) / 2 // _SQUARE)) for one in crossed)
    orders = [list(wishes), sorted(wishes, key=lambda one: (one.x, one.y)), sorted(wishes, key=lambda one: (one.y, -one.x))]
    tries = [_in_order(order, taken, squares, bounds) for order in orders]
    # Of equally good ones the first, in which the most important names chose first.
    return min(tries, key=lambda one: one[0])[1]


def _in_order(
    wishes: Sequence[Wish], taken: Sequence[Area], squares: Counter[tuple[int, int]], bounds: Area
) -> tuple[float, list[Label | Path]]:
    used, cost, found = list(taken), 0.0, list[Label | Path]()
    for wish in wishes:
        best = min(_candidates(wish, used, squares, bounds), key=lambda one: one[0], default=None)
        if best is None:
            cost += 1000
            continue
        price, area, ring = best
        cost += price
        used.append(area)
        if ring > _PLAIN_RING:
            end = (min(max(wish.x, area.left), area.right), min(max(wish.y, area.top), area.bottom))
            found.append(Path((_towards(wish, end), end), Ink(stroke="line", width=0.8)))
        found.append(Label(rounded(area.left + 1), rounded(area.bottom - 3), wish.text, SIZE, wish.colour, halo=True))
    return cost, found


def _towards(wish: Wish, end: tuple[float, float]) -> tuple[float, float]:
    """Where the line to a name leaves its marker."""
    length = math.hypot(end[0] - wish.x, end[1] - wish.y) or 1.0
    share = min(1.0, wish.clearance / length)
    return rounded(wish.x + share * (end[0] - wish.x)), rounded(wish.y + share * (end[1] - wish.y))


def _candidates(wish: Wish, used: Sequence[Area], squares: Counter[tuple[int, int]], bounds: Area) -> Iterator[tuple[float, Area, float]]:
    width, height = width_of(wish.text, SIZE) + 2, SIZE + 3
    for ring in _RINGS:
        for preference, (aside, down) in enumerate(_DIRECTIONS):
            distance = wish.clearance + 2 + ring
            # A name straight above or below is centred; one on a diagonal starts where the marker ends.
            x = wish.x + aside * distance * (0.8 if down else 1.0) - (0 if aside > 0 else width if aside < 0 else width / 2)
            y = wish.y + down * (distance * 0.8 + height / 2) - height / 2
            area = Area(rounded(x), rounded(y), rounded(x + width), rounded(y + height))
            inside = bounds.left <= area.left and area.right <= bounds.right and bounds.top <= area.top and area.bottom <= bounds.bottom
            if inside and not any(area.meets(other) for other in used):
                yield ring + 0.6 * preference + 4 * _within(area, squares), area, ring


def _within(area: Area, squares: Counter[tuple[int, int]]) -> int:
    """How much of what is drawn lies in the squares that an area covers."""
    across = range(int(area.left // _SQUARE), int(area.right // _SQUARE) + 1)
    down = range(int(area.top // _SQUARE), int(area.bottom // _SQUARE) + 1)
    return sum(squares[x, y] for x in across for y in down)


def along(at: Iterable[tuple[float, float]], step: float = 6.0) -> list[Area]:
    """What a line through places covers."""
    found = []
    places = list(at)
    for (x0, y0), (x1, y1) in itertools.pairwise(places):
        pieces = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
        for piece in range(pieces + 1):
            x, y = x0 + (x1 - x0) * piece / pieces, y0 + (y1 - y0) * piece / pieces
            found.append(Area(x - 1, y - 1, x + 1, y + 1))
    return found

"""Where on a drawing the values of one chart lie."""

from __future__ import annotations

from dataclasses import dataclass

from siambench.figures.drawing import rounded
from siambench.figures.scales import Range

NAME_ABOVE = 15.0
"""Height of a category's name where it stands above its marks."""


@dataclass(frozen=True)
class Frame:
    """The rectangle in which a chart's marks are drawn.

    Args:
        left: its left edge, in pixels.
        top: its upper edge, in pixels.
        width: in pixels.
        height: in pixels.
        x: what the horizontal axis reaches over.
        y: what the vertical axis reaches over.
        rows: number of categories of the vertical axis, the first on top; 0: it bears numbers.
        above: whether the names of these stand above their marks.
    """

    left: float
    top: float
    width: float
    height: float
    x: Range
    y: Range
    rows: int = 0
    above: bool = False

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height

    @property
    def row(self) -> float:
        """Height of a category."""
        return self.height / self.rows if self.rows else self.height

    def across(self, value: float) -> float:
        """The horizontal place of a value."""
        return rounded(self.left + self.width * self.x.share(value))

    def down(self, value: float) -> float:
        """The vertical place of a value."""
        if not self.rows:
            return rounded(self.top + self.height * (1 - self.y.share(value)))
        if not self.above:
            return rounded(self.top + self.height * self.y.share(value))
        category = round(value)
        middle = self.top + self.row * (category + 0.5) + NAME_ABOVE / 2
        return rounded(middle + (value - category) * (self.row - NAME_ABOVE))

    def place(self, at: tuple[float, float]) -> tuple[float, float]:
        """Both places of a point."""
        return self.across(at[0]), self.down(at[1])

    def holds(self, x: float, y: float) -> bool:
        """Whether a place lies within it, or on its edge."""
        return self.left - 0.5 <= x <= self.right + 0.5 and self.top - 0.5 <= y <= self.bottom + 0.5

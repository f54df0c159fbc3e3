"""Triplets that a file names: a table with commas."""

from __future__ import annotations

from dataclasses import dataclass

from siambench.errors import MetricError
from siambench.metrics.named_items import cells_of, lines_of

_COLUMNS = ("anchor", "positive", "negative")


@dataclass(frozen=True)
class NamedTriplets:
    """Triplets as a file gives them, by the names of their items.

    Args:
        anchor: one item of each triplet.
        positive: one that is to lie near it.
        negative: one that is to lie further away.
    """

    anchor: tuple[str, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.anchor)


def parse_triplets(text: str) -> NamedTriplets:
    """Read a list of triplets: a table with commas and a heading that names the columns ``anchor``, ``positive`` and ``negative``.

    Raises:
        MetricError: naming the first line that does not hold.
    """
    lines = lines_of(text)
    if not lines:
        raise MetricError("a list of triplets must not be empty")
    heading = cells_of(*lines[0])
    if sorted(heading) != sorted(_COLUMNS):
        raise MetricError(
            f"a list of triplets begins with the columns anchor,positive,negative, each once and no others, got {lines[0][1][:60]!r}"
        )
    if len(lines) == 1:
        raise MetricError("a list of triplets needs a line below its heading")
    rows = []
    for number, line in lines[1:]:
        cells = cells_of(number, line)
        if len(cells) != len(heading):
            raise MetricError(f"line {number} has {len(cells)} cells, the heading has {len(heading)}")
        if not all(cells):
            raise MetricError(f"line {number} names no {heading[cells.index('')]}")
        rows.append(cells)
    columns = dict(zip(heading, zip(*rows, strict=True), strict=True))
    return NamedTriplets(**columns)

"""What several pictures of a table share: names of rows, scores as people read them, means and bands of curves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from siambench.board.rows import Row
from siambench.board.table import Line, Table
from siambench.figures import Axis
from siambench.figures import Line as Drawn

YOURS, SHIPPED = "your rows", "shipped rows"
"""Groups of points, where a table holds both."""


def methods(table: Table) -> list[Row]:
    """The rows that something is trained for, in the order of the table."""
    return [line.row for line in table.lines if line.row.method.baseline is None]


def names(rows: Sequence[Row]) -> list[str]:
    """What each row is called in a picture: where several bear one name, with the beginning of its key."""
    every = [row.name for row in rows]
    return [f"{row.name} {row.key[:8]}" if every.count(row.name) > 1 else row.name for row in rows]


def scored(table: Table) -> list[Line]:
    """The lines with a score, in the order of the table."""
    return [line for line in table.lines if table.track.metrics.primary in line.row.scores]


def metric_axis(table: Table, of: str = "") -> Axis:
    """The axis of the primary metric; where lower is better it says so."""
    way = ", lower is better" if table.direction == "min" else ""
    return Axis(title=f"{table.track.metrics.primary}{f' on {of}' if of else ''}{way}")


def number(value: float) -> str:
    """A score with three decimals."""
    return f"{value:.3f}"


def mean_and_band(curves: Sequence[Mapping[float, float]], **look: object) -> Drawn | None:
    """The mean of some curves where all of them have a value, with the band from the lowest to the highest; None without such a place.

    Args:
        curves: x → y.
        look: further arguments of the line.
    """
    common = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    if not common:
        return None
    at = tuple((x, statistics.fmean(curve[x] for curve in curves)) for x in common)
    band = tuple((min(curve[x] for curve in curves), max(curve[x] for curve in curves)) for x in common) if len(curves) > 1 else ()
    return Drawn(at=at, band=band, **look)  # type: ignore[arg-type]

"""Values of a table, for people, for JSON and for flat files: one function each, by what the value is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from siambench.board.differences import Difference
from siambench.board.scores import Grouped, Score
from siambench.interfaces import Cell

MISSING = "—"


class Ranks(NamedTuple):
    """The lowest and the highest rank that the tests leave open."""

    low: int
    high: int


class Ends(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


class Names(tuple[str, ...]):
    """Several names."""

    __slots__ = ()


class Unspoken(int):
    """A number for machines that people are not shown: a baseline has no budget."""

    __slots__ = ()


def number(value: float | None, digits: int = 3) -> str:
    """A score with fixed decimals, or a dash."""
    return MISSING if value is None else f"{value:.{digits}f}"


def parameter(value: object) -> str:
    """A parameter with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


_PAIRED: Mapping[type, tuple[str, str]] = {Ranks: ("_low", "_high"), Ends: ("_low", "_high")}

_PARTS: Mapping[type, tuple[str, ...]] = {
    Difference: ("mean", "half_width", "to", "over"),
    Grouped: ("mean", "half_width", "n", "over"),
}
"""What of such a value a flat file holds; the mean goes by the name of the column."""


def text_of(value: object, kind: type | None = None) -> str:  # noqa: PLR0911  one line for each thing that a cell can be
    """A cell as people read it: ``0.412 ± 0.006``, ``2–5``, ``[0.281, 0.317]``, ``-0.031 ± 0.004``.

    Args:
        value: the cell.
        kind: what the column holds; where a score or an interval is missing stands a dash, elsewhere nothing.
    """
    if isinstance(value, Unspoken):
        return ""
    if value is None:
        return MISSING if kind in (Score, Ends, Grouped) else ""
    if isinstance(value, Score):
        return number(value.mean) if value.ci95 is None else f"{number(value.mean)} ± {number(value.ci95)}"
    if isinstance(value, Ranks):
        return str(value.low) if value.low == value.high else f"{value.low}–{value.high}"
    if isinstance(value, Ends):
        return f"[{number(value.low)}, {number(value.high)}]"
    if isinstance(value, Grouped):
        return f"{number(value.mean)} ± {number(value.half_width)}"
    if isinstance(value, Difference):
        return f"{value.mean:+.3f}" + ("" if value.half_width is None else f" ± {value.half_width:.3f}")
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {parameter(one)}" for name, one in sorted(value.items()))
    if isinstance(value, Names):
        return ", ".join(value)
    return number(value) if isinstance(value, float) else str(value)


def json_of(value: object) -> Cell:
    """A cell as JSON."""
    if isinstance(value, Score):
        ends = None if value.classes95 is None else list(value.classes95)
        groups = json_of(value.groups95)
        return {"mean": value.mean, "ci95": value.ci95, "n": value.n, "over": value.over, "classes95": ends, "groups95": groups}
    if isinstance(value, Difference | Grouped):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    assert value is None or isinstance(value, str | int | float)
    return value


def flat(name: str, value: object, kind: type | None) -> dict[str, Any]:
    """The columns that a cell takes in a flat file, by their names; what is missing is None.

    Args:
        name: of the column.
        value: the cell.
        kind: what the column holds; None: plain values.
    """
    if kind is Score:
        score = value if isinstance(value, Score) else None
        return {
            name: None if score is None else score.mean,
            f"{name}_ci95": None if score is None else score.ci95,
            f"{name}_n": 0 if score is None else score.n,
        }
    if kind is not None and kind in _PAIRED:
        first, second = value if isinstance(value, tuple) else (None, None)
        return {f"{name}{ending}": part for ending, part in zip(_PAIRED[kind], (first, second), strict=True)}
    if kind is not None and kind in _PARTS:
        return {name if part == "mean" else f"{name}_{part}": None if value is None else getattr(value, part) for part in _PARTS[kind]}
    return {name: list(value) if isinstance(value, Names) else value}

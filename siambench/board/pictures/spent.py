"""Pictures of what rows cost: scores against the seconds that tuning took."""

from __future__ import annotations

from collections import Counter

from siambench.board.pictures.common import methods, metric_axis, names, number, scored
from siambench.board.rows import Row
from siambench.board.table import Table
from siambench.board.tuning import Tuning
from siambench.errors import NothingToDrawError
from siambench.figures import Axis, Intervals, Line, Mark, Panel, Picture, Points
from siambench.wording import duration


def cost(table: Table) -> Picture:
    """The score on test classes against what one tuning took, and the methods that no other one beats in both."""
    primary, better = table.track.metrics.primary, 1 if table.direction == "max" else -1
    known = [(line.row, _seconds(line.row)) for line in scored(table) if line.row.method.baseline is None]
    rows = [(row, seconds) for row, seconds in known if seconds]
    if not rows:
        raise NothingToDrawError(f"no record of a row of {table.track.name} with a score says how long its tuning took")
    at = [(seconds, row.scores[primary].mean) for row, seconds in rows]
    front: list[tuple[float, float]] = []
    for seconds, score in sorted(at, key=lambda one: (one[0], -better * one[1])):
        if not front or better * score > better * front[-1][1]:
            front.append((seconds, score))
    marks: list[Mark] = [Line(at=tuple(front), steps=True, dashed=True, tone="muted", width=1.2)] if len(front) > 1 else []
    for (row, seconds), (x, y), name in zip(rows, at, names([row for row, _ in rows]), strict=True):
        half, first = row.scores[primary].ci95, (x, y) in front
        tip = f"{name}: {primary} {number(y)} after {duration(seconds)} of tuning{', beaten in both by none' if first else ''}"
        marks += [Intervals(spans=((x, y - half, y + half),), along="y", tone="muted", width=1.0, caps=False)] if half is not None else []
        marks.append(Points(at=((x, y),), labels=(name,), tips=(tip,), hollow=not first))
    spread = max(x for x, _ in at) / min(x for x, _ in at)
    return Picture(
        name="cost",
        title=f"{table.track.name}: {primary} against the cost of tuning",
        caption=(
            f"Mean {primary} on test classes with its 95 % interval, against the wall time of the units of one study's tuning, one after "
            "the other. Filled, and joined by the dashed line: methods that none beats in both. "
            + _budgets([row for row, _ in rows])
            + _machines([row for row, _ in rows])
        ),
        x=Axis(title="seconds of tuning, one study", scale="log" if spread > 4 else "linear"),
        y=metric_axis(table, "test classes"),
        marks=tuple(marks),
    )


def _seconds(row: Row) -> float | None:
    """Of one tuning, the mean over its studies."""
    spent, studies = row.costs.tuning.seconds, sum(tuning.counted > 0 for tuning in row.tunings)
    return None if spent is None or not studies else spent / studies


def seconds(table: Table) -> Picture:
    """The best score on validation classes after so many seconds of tuning, study by study."""
    rows = [(row, curves) for row in methods(table) if (curves := [curve for one in row.tunings if (curve := _curve(row, one))])]
    if not rows:
        raise NothingToDrawError(f"no record of {table.track.name} says how long its trials took")
    called = names([row for row, _ in rows])
    panels = tuple(
        Panel(title=name, marks=tuple(Line(at=curve, steps=True, width=1.2) for curve in curves))
        for (_, curves), name in zip(rows, called, strict=True)
    )
    return Picture(
        name="seconds",
        title=f"{table.track.name}: the best after so many seconds",
        caption=(
            f"Best {table.track.metrics.primary} on validation classes after so many seconds of units one after the other, a line for each "
            "study. A trial that lost its race cost its first fold alone. " + _machines([row for row, _ in rows])
        ),
        x=Axis(title="seconds of tuning", low=0.0),
        y=metric_axis(table, "validation classes"),
        panels=panels,
    )


def _curve(row: Row, tuning: Tuning) -> tuple[tuple[float, float], ...]:
    """Where the best changes, and the end; nothing where a trial does not say how long it took."""
    told = row.material.seconds.get(tuning.study, {})
    spent, found = 0.0, list[tuple[float, float]]()
    for trial in tuning.trials[: tuning.counted]:
        if trial.number not in told:
            return ()
        spent += told[trial.number]
        if trial.best is not None:
            found.append((spent, trial.best))
    return tuple(found) if len(found) > 1 else ()


def _budgets(rows: list[Row]) -> str:
    """Where trials are not as many in each row, which had others than most: less tuning costs less."""
    usual = Counter(row.trials for row in rows).most_common(1)[0][0]
    others = [f"{name} {row.trials}" for name, row in zip(names(rows), rows, strict=True) if row.trials != usual]
    return f"Trials were {usual}, of {', '.join(others)}: what was tuned less cost less. " if others else ""


def _machines(rows: list[Row]) -> str:
    devices = sorted({device for row in rows for device in row.costs.devices})
    where = f" ({', '.join(devices)})" if devices else ""
    return f"Seconds are those of the machines that ran the units{where}, and another one takes others."

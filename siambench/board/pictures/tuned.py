"""Pictures of tuning: what it brought, after how many trials, and whether validation foretold the test."""

from __future__ import annotations

from siambench.board.pictures.common import mean_and_band, methods, metric_axis, names, number, scored
from siambench.board.rows import Row
from siambench.board.table import BELOW_VALIDATION, Table
from siambench.board.tuning import Tuning
from siambench.errors import NothingToDrawError
from siambench.figures import Arrows, Axis, Intervals, Line, Mark, Panel, Picture, Points, Reference
from siambench.stats import expected_best

_BELOW = 0.27


def tuned(table: Table) -> Picture:
    """From the declared default of each method to what its studies selected, on validation classes."""
    rows = [row for row in methods(table) if None not in row.validation]
    if not rows:
        raise NothingToDrawError(f"no row of {table.track.name} has both a default and a selected trial with a score on validation classes")
    marks: list[Mark] = []
    changes = []
    for place, (row, name) in enumerate(zip(rows, names(rows), strict=True)):
        default, chosen = (value or 0.0 for value in row.validation)
        kept = sum(one.selected is not None and one.selected.number == 0 for one in row.tunings)
        tip = f"{name}: default {number(default)}, selected {number(chosen)}; {kept} of {len(row.tunings)} studies kept the default"
        several = [one.selected.value for one in row.tunings if one.selected is not None and one.selected.value is not None]
        if len(several) > 1:
            marks.append(Points(at=tuple((value, place + _BELOW) for value in several), size=1.8, opacity=0.7))
        marks.append(Arrows(spans=((default, place, chosen, place),), tips=(tip,)))
        marks.append(Points(at=((default, place),), tips=(tip,), hollow=True, size=3.5))
        changes.append(f"{chosen - default:+.3f}".replace("-", "−"))
    return Picture(
        name="tuned",
        title=f"{table.track.name}: from the default to what was tuned",
        caption=(
            f"{table.track.metrics.primary} on validation classes, means over studies: of the declared default (circle) and of what was "
            "selected (arrowhead), each study's own below it. A selected score is the best of many and so looks better than it is; the "
            "test is another matter."
        ),
        x=metric_axis(table, "validation classes"),
        y=Axis(names=tuple(names(rows)), notes=tuple(changes), notes_title="change"),
        marks=tuple(marks),
    )


def trials(table: Table) -> Picture:
    """The best score on validation classes after so many trials, method by method."""
    return _panels(
        table,
        [(row, [_best(tuning) for tuning in row.tunings]) for row in methods(table)],
        name="trials",
        title="the best after so many trials",
        caption=(
            f"Best {table.track.metrics.primary} on validation classes after so many trials: mean over studies, and the band from the "
            "lowest to the highest of them. The dashed line is trial 0, the declared default; grey are the means of the other methods."
        ),
        references=True,
    )


def _best(tuning: Tuning) -> dict[float, float]:
    best = {float(count): tuning.best_after(count) for count in range(1, tuning.counted + 1)}
    return {count: value for count, value in best.items() if value is not None}


def expected(table: Table) -> Picture:
    """The best that so many random trials are expected to find, by their score on the first fold."""
    return _panels(
        table,
        [(row, [_expected(tuning) for tuning in row.tunings]) for row in methods(table)],
        name="expected",
        title="the expected best of so many random trials",
        caption=(
            f"Expected best {table.track.metrics.primary} of so many trials drawn at random from those of a study (Dodge et al. 2019, "
            "without repetition), on the first validation fold, on which all trials are scored: mean over studies, and the band from the "
            "lowest to the highest of them. Trial 0, the default, and what TPE proposed are left out: such trials cannot be exchanged. "
            "Grey are the means of the other methods."
        ),
        references=False,
    )


def _expected(tuning: Tuning) -> dict[float, float]:
    drawn = [one for one in tuning.trials[: tuning.counted] if one.kind in ("random", "quasi-random")]
    values = [one.first for one in drawn if one.first is not None]
    if len(values) < 2:
        return {}
    return {float(count): expected_best(values, count, higher_is_better=tuning.maximise) for count in range(1, len(values) + 1)}


def _panels(
    table: Table, found: list[tuple[Row, list[dict[float, float]]]], *, name: str, title: str, caption: str, references: bool
) -> Picture:
    """A chart for each method with a curve over trials, the means of all methods behind each."""
    curves = [(row, [curve for curve in several if len(curve) > 1]) for row, several in found]
    kept = [(row, line) for row, several in curves if (line := mean_and_band(several, steps=name == "trials")) is not None]
    if not kept:
        raise NothingToDrawError(f"no row of {table.track.name} has two trials that could be told from each other")
    panels = []
    for (row, line), called in zip(kept, names([row for row, _ in kept]), strict=True):
        default = row.validation[0]
        reference = (Reference(at=default, along="y"),) if references and default is not None else ()
        panels.append(Panel(title=called, marks=(*reference, line)))
    behind = tuple(Line(at=line.at, steps=line.steps, width=0.7, tone="muted") for _, line in kept) if len(kept) > 1 else ()
    return Picture(
        name=name,
        title=f"{table.track.name}: {title}",
        caption=caption,
        x=Axis(title="trials", whole=True),
        y=metric_axis(table, "validation classes" if name == "trials" else "the first fold"),
        marks=behind,
        panels=tuple(panels),
    )


def validation(table: Table) -> Picture:
    """The score on validation classes of what was selected, against that on test classes."""
    primary = table.track.metrics.primary
    rows = [line.row for line in scored(table) if line.row.method.baseline is None and line.row.validation[1] is not None]
    if not rows:
        raise NothingToDrawError(f"no row of {table.track.name} has a score both on validation and on test classes")
    called = names(rows)
    at = [(row.validation[1] or 0.0, row.scores[primary].mean) for row in rows]
    below = [BELOW_VALIDATION in row.flags for row in rows]
    low, high = min(min(one) for one in at), max(max(one) for one in at)
    marks: list[Mark] = [Line(at=((low, low), (high, high)), dashed=True, tone="muted", width=1.2)] if high > low else []
    for row, (x, y), name, is_below in zip(rows, at, called, below, strict=True):
        half = row.scores[primary].ci95
        tip = f"{name}: validation {number(x)}, test {number(y)}{'; far below the line of the other rows' if is_below else ''}"
        marks += [Intervals(spans=((x, y - half, y + half),), along="y", tone="muted", width=1.0, caps=False)] if half is not None else []
        marks.append(Points(at=((x, y),), labels=(name,), tips=(tip,), tone="bad" if is_below else "plain", hollow=is_below))
    flagged = " Hollow: the test falls far below what the other rows' validation lets one expect." if any(below) else ""
    return Picture(
        name="validation",
        title=f"{table.track.name}: validation against test",
        caption=(
            f"{primary} of what was selected, mean over studies, on validation classes and on test classes, with its 95 % interval. On the "
            "dashed line both are equal; test classes are others, and may be harder or easier for all." + flagged
        ),
        x=metric_axis(table, "validation classes"),
        y=metric_axis(table, "test classes"),
        marks=tuple(marks),
    )

"""Pictures of what a table says: scores with their intervals, and who is proven better than whom."""

from __future__ import annotations

from siambench.board.pictures.common import SHIPPED, YOURS, metric_axis, names, number, scored
from siambench.board.scores import Score
from siambench.board.table import Line, Table
from siambench.errors import NothingToDrawError
from siambench.figures import Axis, Cell, Cells, Intervals, Mark, Picture, Points, Reference

_BELOW = 0.27


def scores(table: Table) -> Picture:
    """Each row's score with its interval, the studies it is the mean of below it, and the ranks that the tests leave open beside it."""
    lines, primary = scored(table), table.track.metrics.primary
    if not lines:
        raise NothingToDrawError(f"no row of {table.track.name} has a score in {primary} yet")
    called = names([line.row for line in lines])
    fresh = [line.row.method.baseline is None and not line.row.shipped for line in lines]
    trained = [line.row.method.baseline is None for line in lines]
    groups = (YOURS, SHIPPED) if any(fresh) and any(t and not f for t, f in zip(trained, fresh, strict=True)) else ()
    marks: list[Mark] = [Reference(at=line.row.scores[primary].mean) for line in lines if line.row.method.baseline is not None]
    for place, (line, name) in enumerate(zip(lines, called, strict=True)):
        score, tip = line.row.scores[primary], _said(line, name, primary)
        group = "" if not groups or not trained[place] else YOURS if fresh[place] else SHIPPED
        look = {"group": group, "tone": "plain" if trained[place] else "muted"}
        several = list(line.row.by_study.get(primary, {}).values())
        if score.ci95 is not None:
            marks.append(Intervals(spans=((place, score.mean - score.ci95, score.mean + score.ci95),), tips=(tip,), **look))  # type: ignore[arg-type]
        if len(several) > 1:
            marks.append(Points(at=tuple((value, place + _BELOW) for value in several), size=1.8, opacity=0.7, **look))  # type: ignore[arg-type]
        marks.append(Points(at=((score.mean, place),), tips=(tip,), hollow=not trained[place], **look))  # type: ignore[arg-type]
    ranks = tuple(_rank(line) for line in lines)
    y = Axis(names=tuple(called), notes=ranks if any(ranks) else (), notes_title="rank" if any(ranks) else "")
    return Picture(
        name="scores",
        title=f"{table.track.name}: {primary}{' with 95 % intervals' if _with_intervals(lines, primary) else ''}",
        caption=_caption(lines, primary, ranked=any(ranks)),
        x=metric_axis(table),
        y=y,
        marks=tuple(marks),
        groups=groups,
    )


def _said(line: Line, name: str, primary: str) -> str:
    score: Score = line.row.scores[primary]
    half = "" if score.ci95 is None else f" ± {number(score.ci95)} over {score.n} {score.over}"
    return f"{name}: {primary} {number(score.mean)}{half}{f', rank {_rank(line)}' if line.rank else ''}"


def _rank(line: Line) -> str:
    if line.rank is None:
        return ""
    low, high = line.rank
    return str(low) if low == high else f"{low}–{high}"


def _with_intervals(lines: list[Line], primary: str) -> list[Line]:
    return [line for line in lines if line.row.scores[primary].ci95 is not None]


def _caption(lines: list[Line], primary: str, *, ranked: bool) -> str:
    """What must be known of those rows, and of what is drawn of them: intervals, lines and ranks that are not there are not spoken of."""
    drawn, baselines = _with_intervals(lines, primary), [line for line in lines if line.row.method.baseline is not None]
    over = {line.row.scores[primary].over for line in drawn if line.row.method.baseline is None}
    untrained = {line.row.scores[primary].over for line in drawn if line.row.method.baseline is not None}
    parts = [f"Mean {primary} of each row on test classes"]
    if "studies" in over:
        parts.append("with its 95 % t-interval over studies, independent tunings whose own means are the small points below it")
    if over == {"repetitions"}:
        parts.append("with its 95 % t-interval over the final models of one tuning, which says nothing of the next")
    alone = [line.row for line in lines if line.row.method.baseline is None and line.row.scores[primary].over == "repetitions"]
    if "studies" in over and alone:
        parts.append(f"of {', '.join(names(alone))}, tuned once, over final models of that tuning alone")
    if not over and untrained:
        of = "studies, whose own means are the small points below it" if "studies" in untrained else "the networks that were drawn"
        parts.append(f"of an untrained network with its 95 % t-interval over {of}")
    text = [f"{', '.join(parts)}."]
    if baselines:
        text.append(f"Dashed: what is reached without training{', which is all there is' if len(baselines) == len(lines) else ''}.")
    text += ["Beside it the ranks that tests of all pairs leave open."] if ranked else []
    if len(drawn) > 1:
        text.append(f"Two intervals that overlap are no test{': what is proven, the ranks tell' if ranked else ''}.")
    return " ".join(text)


def proven(table: Table) -> Picture:
    """Who is proven better than whom, as a matrix."""
    ranked = table.ranked
    if len(ranked) < 2:
        raise NothingToDrawError(f"fewer than two rows of {table.track.name} are ranked, so nothing is proven of any")
    called = names([line.row for line in ranked])
    rows = []
    for place, line in enumerate(ranked):
        cells: list[Cell | None] = []
        for other, rival in enumerate(ranked):
            mine, its = called[place], called[other]
            if place == other:
                cells.append(None)
            elif other in line.beats:
                cells.append(Cell(value="good", text="+", tip=f"{mine} is significantly better than {its}"))
            elif place in rival.beats:
                cells.append(Cell(value="bad", text="−", tip=f"{mine} is significantly worse than {its}"))
            else:
                cells.append(Cell(value="open", text="·", tip=f"{mine} and {its} are not told apart"))
        rows.append(tuple(cells))
    numbers = tuple(str(place + 1) for place in range(len(ranked)))
    return Picture(
        name="proven",
        title=f"{table.track.name}: who is proven better than whom",
        caption=(
            f"+: the method of the row is significantly better in {table.track.metrics.primary} than that of the column, −: significantly "
            "worse, ·: not told apart, by tests of all pairs over study means with Holm correction (family-wise error 5 %). What is not "
            "told apart may still differ, by less than these studies can show."
        ),
        x=Axis(names=numbers),
        y=Axis(names=tuple(f"{number} {name}" for number, name in zip(numbers, called, strict=True))),
        marks=(Cells(rows=tuple(rows)),),
    )

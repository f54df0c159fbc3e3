"""Pictures of verdicts, and of scores by groups of test classes."""

from __future__ import annotations

import statistics

from siambench.board.pictures.common import methods, names, number
from siambench.board.table import Table
from siambench.board.verdicts import summed
from siambench.errors import NothingToDrawError
from siambench.figures import Axis, Bars, Cell, Cells, Picture

MOST_GROUPS = 40
"""So many groups are shown, those with the worst scores first."""


def verdicts(table: Table) -> Picture:
    """How many trials and final models of each method have which verdict."""
    counts = [(row, summed([row.verdicts, row.judged])) for row in methods(table)]
    judged = [(row, count) for row, count in counts if count]
    if not judged:
        raise NothingToDrawError(f"no unit of {table.track.name} was judged: its records are older than verdicts")
    occurring = tuple(summed(count for _, count in judged))
    # What is well comes first, so that what is not stands at the ends of the bars.
    groups = tuple(sorted(occurring, key=lambda verdict: verdict != "ok"))
    called = names([row for row, _ in judged])
    starts = [0] * len(judged)
    marks = []
    for verdict in groups:
        boxes, tips, texts = [], [], []
        for place, (_, count) in enumerate(judged):
            amount = count.get(verdict, 0)
            if amount:
                boxes.append((float(starts[place]), float(starts[place] + amount), place - 0.32, place + 0.32))
                tips.append(f"{called[place]}: {amount} of {sum(count.values())} {verdict}")
                texts.append(str(amount))
                starts[place] += amount
        marks.append(Bars(boxes=tuple(boxes), tips=tuple(tips), texts=tuple(texts), group=verdict))
    return Picture(
        name="verdicts",
        title=f"{table.track.name}: what trials and final models were called",
        caption="How many of each method's trials and final models have which verdict; what was not judged is left out.",
        x=Axis(title="trials and final models", low=0.0, whole=True),
        y=Axis(names=tuple(called)),
        marks=tuple(marks),
        groups=groups,
    )


def groups(table: Table) -> Picture:
    """Each row's score on each group of test classes, the hardest groups first."""
    told = [(line.row, found) for line in table.lines if (found := line.row.material.groups) is not None]
    known = [(row, found) for row, found in told if found.metric == told[0][1].metric]
    if not known:
        raise NothingToDrawError(f"the test classes of {table.track.name} come in no groups that its records tell")
    metric, over = known[0][1].metric, known[0][1].over
    means = [{name: statistics.fmean(values) for name, values in found.scores.items()} for _, found in known]
    way = next((row.directions[metric] for row, _ in known if metric in row.directions), "max")
    every = sorted({name for one in means for name in one})
    hardness = {name: statistics.fmean([one[name] for one in means if name in one]) * (1 if way == "max" else -1) for name in every}
    shown = sorted(every, key=lambda name: (hardness[name], name))[:MOST_GROUPS]
    values = [one[name] for one in means for name in shown if name in one]
    low, high = min(values), max(values)
    called = names([row for row, _ in known])
    rows = []
    for (_, found), one, row_name in zip(known, means, called, strict=True):
        cells: list[Cell | None] = []
        for name in shown:
            if name not in one:
                cells.append(None)
                continue
            share = (one[name] - low) / (high - low) if high > low else 0.5
            several = found.scores[name]
            spread = f", {number(min(several))} to {number(max(several))} over {len(several)} final models" if len(several) > 1 else ""
            cells.append(Cell(value=share, text=_short(one[name]), tip=f"{row_name}, {name}: {metric} {number(one[name])}{spread}"))
        rows.append(tuple(cells))
    left = f" The {len(shown)} hardest of {len(every)} are shown." if len(every) > len(shown) else ""
    primary = "" if metric == table.track.metrics.primary else f" {table.track.metrics.primary} has no score per query, so it is {metric}."
    return Picture(
        name="groups",
        title=f"{table.track.name}: {metric} by {over}",
        caption=(
            f"{metric} over the queries of each {over} among the test classes, mean over a row's final models, the hardest first; the "
            f"stronger the colour, the higher.{left}{primary}"
        ),
        x=Axis(names=tuple(shown)),
        y=Axis(names=tuple(called)),
        marks=(Cells(rows=tuple(rows)),),
    )


def _short(value: float) -> str:
    """Two decimals, without the 0 before them."""
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text

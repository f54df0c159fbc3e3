"""What somebody who brings a row asks first: is it proven better than anything? One paragraph for each row that did not come so."""

from __future__ import annotations

from collections.abc import Sequence

from siambench.board.rows import Row
from siambench.board.table import Line, Table
from siambench.board.values import MISSING, number
from siambench.spaces import dimension_text
from siambench.wording import enumerated, in_markdown_code, several


def own_texts(table: Table) -> list[str]:
    """Of each method that did not come with siambench, which others it is proven better and worse than, and what is open.

    Nothing where there is no other method beside it.
    """
    methods = [line for line in table.lines if line.row.method.baseline is None and table.track.metrics.primary in line.row.scores]
    if len(methods) < 2:
        return []
    own = [line for line in methods if not line.row.shipped]
    return [(_ranked(table, line) if line.rank is not None else _unranked(table, line)) + _edited(line.row) for line in own]


def _edited(row: Row) -> str:
    """What was fixed or narrowed by hand, and to what; nothing where nothing was."""
    spaces = {name: tuning.space.get(name) for tuning in row.tunings for name in tuning.edited}
    told = [
        f"{in_markdown_code(name)} {f'= {row.params.get(name, MISSING)}' if space is None else f'tuned in {dimension_text(space)}'}"
        for name, space in sorted(spaces.items())
    ]
    return f" By hand: {', '.join(told)}." if told else ""


def _called(table: Table, line: Line) -> str:
    """The row's name as code, and what tells it from another row of that name."""
    name, row = in_markdown_code(line.row.name), line.row
    shared = sum(other.row.name == row.name for other in table.lines) > 1
    return f"{name} ({in_markdown_code(f'row:{row.key[:8]}')})" if shared else name


def _ranked(table: Table, line: Line) -> str:
    place = table.lines.index(line)
    above = [table.lines[other].row.name for other in line.beats]
    below = [rival.row.name for rival in table.ranked if place in rival.beats]
    last = len(table.ranked) - 1
    studies = min(one.row.studies for one in table.ranked)
    tests = f"by tests of all pairs over {studies} studies, Holm-corrected over {several(last * (last + 1) // 2, 'pair', 'pairs')}"
    text = f"{_called(table, line)}: proven better than {_named(above, last)} and worse than {_named(below, last)}, {tests}."
    open_ones = last - len(above) - len(below)
    if open_ones:
        text += f" From {several(open_ones, 'other', 'others')} it is not told apart{_least(table)}."
    return text


def _unranked(table: Table, line: Line) -> str:
    row, budget = line.row, table.track.budget
    name = _called(table, line)
    if row.is_full:
        return (
            f"{name}: nothing is proven of it, for no other row here has the track's whole budget, and there is nothing to test it against."
        )
    had = _budget(row.studies, row.trials, row.repetitions)
    asked = _budget(budget.studies, budget.trials, budget.repetitions)
    text = f"{name}: nothing is proven of it, for it stands in no test. It had {had}; tested are rows with exactly {asked}."
    above, below, open_ones = _by_intervals(table, line)
    if above or below or open_ones:
        told = [f"above {_joined(above)}"] if above else []
        told += [f"below {_joined(below)}"] if below else []
        told += [f"not told apart from {_joined(open_ones)}"] if open_ones else []
        text += f" By 95 % intervals of single differences, which are not corrected for their number, it lies {'; '.join(told)}."
    detectable = table.detectable
    if detectable is not None:
        text += (
            f" Between two rows with that budget a true difference of {number(detectable.difference)} is found with probability "
            f"{100 * detectable.power:.0f} %."
        )
    return text


def _by_intervals(table: Table, line: Line) -> tuple[list[str], list[str], list[str]]:
    """Names of the methods that a row lies above, and below, by its differences over studies as they stand in the table; and the rest."""
    sign = 1.0 if table.direction == "max" else -1.0
    methods = [(other.row.name, other.difference) for other in table.lines if other.row.method.baseline is None]
    told = [(name, -sign * one.mean, one) for name, one in methods if one is not None and one.to == line.row.name]
    if line.difference is not None:
        told.append((line.difference.to, sign * line.difference.mean, line.difference))
    above: list[str] = []
    below: list[str] = []
    rest: list[str] = []
    for name, mean, one in told:
        if one.half_width is not None and one.over == "studies":
            (above if mean > one.half_width else below if mean < -one.half_width else rest).append(name)
    return above, below, rest


def _budget(studies: int, trials: int, repetitions: int) -> str:
    counts = several(studies, "study", "studies"), several(trials, "trial", "trials"), several(repetitions, "repetition", "repetitions")
    return f"{counts[0]} of {counts[1]} and {counts[2]}"


def _least(table: Table) -> str:
    found = table.detectable
    return "" if found is None else f"; a true difference of {number(found.difference)} is found with probability {100 * found.power:.0f} %"


def _named(names: Sequence[str], most: int) -> str:
    if len(names) == most > 1:
        return f"all {most} others"
    return _joined(names) or "none"


def _joined(names: Sequence[str]) -> str:
    return enumerated([in_markdown_code(name) for name in names])

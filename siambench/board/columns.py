"""The columns of a leaderboard, each said once: every format, the data frame and the documentation's test read them here."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from siambench.board.differences import Difference
from siambench.board.scores import Grouped, Score, grouping
from siambench.board.table import Line, Table
from siambench.board.values import Ends, Names, Ranks, Unspoken

SHOWN_FIRST = ("map@r", "recall@1", "verification_accuracy", "one_shot_error")
"""The metrics that people are shown in the main table, beside the primary one, as far as the track reports them."""


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: for machines.
        title: for people.
        value: of a line of a table; None where there is nothing.
        audience: for whom it is shown.
        kind: what the values are, where they are no plain values: a flat file gives such a column more than one.
    """

    name: str
    title: str
    value: Callable[[Table, Line], object]
    audience: Literal["people", "machines", "all"] = "all"
    kind: type | None = None


def _of_method(value: Callable[[Line], int]) -> Callable[[Table, Line], object]:
    """People are not shown it of a baseline, for which nothing is tuned."""
    return lambda _, line: value(line) if line.row.method.baseline is None else Unspoken(value(line))


LEADING = (
    Column("group", "group", lambda _, line: line.group),
    Column("rank", "rank", lambda _, line: None if line.rank is None else Ranks(*line.rank), kind=Ranks),
    Column("method", "method", lambda _, line: line.row.name),
    Column("loss", "loss", lambda _, line: line.row.method.loss, "machines"),
    Column("miner", "miner", lambda _, line: line.row.method.miner, "machines"),
    Column("feed", "feed", lambda _, line: str(line.row.method.feed), "machines"),
    Column("backbone", "backbone", lambda table, line: line.row.method.backbone or table.track.model.backbone, "machines"),
    Column("distribution", "distribution", lambda _, line: dict(line.row.distributions), "machines"),
    Column("better_than", "better than", lambda table, line: Names(table.lines[place].row.name for place in line.beats), "machines", Names),
)
"""Before the metrics."""

TRAILING = (
    Column("params", "parameters", lambda _, line: dict(line.row.params), "machines"),
    Column("studies", "studies", _of_method(lambda line: line.row.studies)),
    Column("trials", "trials", _of_method(lambda line: line.row.trials)),
    Column("repetitions", "repetitions", _of_method(lambda line: line.row.repetitions)),
    Column("seeds", "seeds", lambda _, line: line.row.seeds, "machines"),
    Column("dimension", "dim", _of_method(lambda line: line.row.dimension)),
    Column("test_opened", "test opened", lambda _, line: line.row.opened),
    Column("flags", "flags", lambda _, line: Names(line.row.flags), kind=Names),
    Column("also_made_with", "also made with", lambda _, line: Names(line.row.also_made_with), "machines", Names),
    Column("shipped", "shipped", lambda _, line: line.row.shipped, "machines"),
    Column("reason", "reason", lambda _, line: line.row.reason, "machines"),
)
"""Behind the metrics."""


def _foreign(_: Table, line: Line) -> object:
    return Names(sorted({where for where in line.row.distributions.values() if where.partition(" ")[0] != "siambench"}))


FOREIGN = Column("from", "from", _foreign, "people", Names)
"""Shown where a row has a component that does not come with siambench."""


def _judged(_: Table, line: Line) -> object:
    trials, models = dict(line.row.verdicts), dict(line.row.judged)
    return {"trials": trials, "final_models": models} if trials or models else None


VERDICTS = Column("verdicts", "verdicts", _judged, "machines")
"""There where a row has units that were judged; people are told in a sentence."""


def columns_of(table: Table) -> tuple[Column, ...]:
    """The columns of a table: those that are always there, those of the metrics that its track reports, and those that a row fills."""
    foreign = (FOREIGN,) if any(_foreign(table, line) for line in table.lines) else ()
    judged = (VERDICTS,) if any(_judged(table, line) for line in table.lines) else ()
    return (*LEADING, *_metrics(table), *TRAILING, *judged, *foreign)


def main_metrics(table: Table) -> list[str]:
    """The primary metric, then those of the usual others that the track reports."""
    primary = table.track.metrics.primary
    return [primary, *(m for m in SHOWN_FIRST if m != primary and m in table.track.metrics.report)]


def titled(table: Table, metric: str) -> str:
    """A metric as people read it: an estimate is marked."""
    return f"≈ {metric}" if table.is_approximate(metric) else metric


def _metrics(table: Table) -> list[Column]:
    shown, primary = main_metrics(table), table.track.metrics.primary
    found = []
    for metric in (*shown, *(m for m in table.metrics if m not in shown)):
        found.append(Column(metric, titled(table, metric), _score(metric), "all" if metric in shown else "machines", Score))
        if metric == primary:
            found += _beside_the_primary(table, metric)
    return found


def _beside_the_primary(table: Table, metric: str) -> list[Column]:
    # Classes that come in groups are no sample of their own: people are shown the wider interval, machines both.
    over = grouping(table.track) or "groups"
    classes = _shown(has_classes(table) and not has_groups(table))
    to = next((f" to {line.difference.to}" for line in table.lines if line.difference), "")
    baseline = next((f" to {line.to_baseline.to}" for line in table.lines if line.to_baseline), "")
    spread = any(_deviation(metric)(table, line) is not None for line in table.lines)
    return [
        Column(f"{metric}_classes", f"{metric}, 95 % over classes", _classes(metric), classes, Ends),
        Column(f"{metric}_groups", f"{metric}, mean over each {over}", _groups(metric), _shown(has_groups(table)), Grouped),
        Column("sd_over_studies", "sd over studies", _deviation(metric), _shown(spread)),
        Column("difference", f"Δ {metric}{to}", lambda _, line: line.difference, _shown(bool(to)), Difference),
        Column(
            "difference_to_baseline",
            f"Δ {metric}{baseline}, over classes",
            lambda _, line: line.to_baseline,
            _shown(bool(baseline)),
            Difference,
        ),
    ]


def _shown(is_there: bool) -> Literal["all", "machines"]:  # noqa: FBT001  the one thing it asks
    return "all" if is_there else "machines"


def has_classes(table: Table) -> bool:
    """Whether any row has an interval over test classes."""
    primary = table.track.metrics.primary
    return any(line.row.scores[primary].classes95 is not None for line in table.lines if primary in line.row.scores)


def has_groups(table: Table) -> bool:
    """Whether any row has an interval over groups of test classes."""
    primary = table.track.metrics.primary
    return any(line.row.scores[primary].groups95 is not None for line in table.lines if primary in line.row.scores)


def _score(metric: str) -> Callable[[Table, Line], object]:
    return lambda _, line: line.row.scores.get(metric)


def _classes(metric: str) -> Callable[[Table, Line], object]:
    def value(_: Table, line: Line) -> object:
        score = line.row.scores.get(metric)
        return None if score is None or score.classes95 is None else Ends(*score.classes95)

    return value


def _groups(metric: str) -> Callable[[Table, Line], object]:
    return lambda _, line: line.row.scores[metric].groups95 if metric in line.row.scores else None


def _deviation(metric: str) -> Callable[[Table, Line], object]:
    """Of the study means; baselines are not tuned, so theirs is another thing."""

    def value(_: Table, line: Line) -> float | None:
        means = list(line.row.by_study.get(metric, {}).values())
        return statistics.stdev(means) if len(means) > 1 and line.row.method.baseline is None else None

    return value

"""Rows → table: fresh beside shipped, ordered, with ranks and differences that say only what the evidence supports."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from siambench.board.differences import Difference, differences, differences_to_baseline
from siambench.board.rows import Row
from siambench.board.unit_figures import FiguresIn
from siambench.records.exams import OtherExam
from siambench.spec import BASELINES, CONCATENATED, OWN_SIMILARITY, Every, Exam, Listed, ScoringSpec
from siambench.stats import (
    StudyTests,
    brown_forsythe,
    compare_studies,
    detectable_differences,
    rank_intervals,
    robust_residuals,
    tie_groups,
)
from siambench.tracks.rules import Track

POWER = 0.8

BELOW_VALIDATION = "test-below-validation"
"""The flag of a row whose test score falls far below what the other rows' validation scores would have one expect."""

_ROWS_FOR_A_LINE = 6
_FAR_BELOW = 3.0


@dataclass(frozen=True)
class Line:
    """A row in its place.

    Args:
        row: the row.
        rank: lowest and highest rank that the tests leave open; None where it is not ranked.
        group: number of its tie group, 1 being the best; None where it is not ranked.
        beats: places in the table, from 0, of the rows that it is significantly better than; ranked rows come first.
        difference: of this row minus another one; None where there is nothing to compare it with, see `siambench.board.differences`.
        to_baseline: of this row minus the best baseline, over test classes; None of a metric with a score per query.
    """

    row: Row
    rank: tuple[int, int] | None
    group: int | None
    beats: tuple[int, ...]
    difference: Difference | None
    to_baseline: Difference | None = None


@dataclass(frozen=True)
class Detectable:
    """How large a true difference of two rows has to be to be found.

    Args:
        difference: in the units of the primary metric: the median over the pairs.
        studies: of each row.
        pairs: of ranked rows, all tested together.
        power: how often it is found.
    """

    difference: float
    studies: int
    pairs: int
    power: float


@dataclass(frozen=True)
class Spread:
    """How far study means of ranked rows lie apart.

    Args:
        sd: of all rows together, in the units of the primary metric.
        brown_forsythe: p-value of the test that the rows' spreads are equal; None where nothing tells. It decides nothing.
    """

    sd: float
    brown_forsythe: float | None


@dataclass(frozen=True)
class Setting:
    """What stands around the rows of a table; see `Table`."""

    exam: Exam | None = None
    others: tuple[OtherExam, ...] = ()
    reference: str = ""
    figures: FiguresIn = field(default_factory=FiguresIn)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A leaderboard.

    Args:
        track: the rules.
        lines: from best to worst, then those without scores, the baselines last.
        units: what happened to them.
        direction: of the primary metric.
        detectable: None with fewer than two ranked rows, two studies, or any spread.
        spread: None with fewer than two ranked rows or two studies.
        unseen: names of full shipped rows in whose place stands a fresh one that is not full; they stay in the tests.
        closed_set: whether its rows were tested on the classes they were trained on.
        scoring: how its final models were made and compared; None without rows.
        exam: that its rows sat; None without records.
        others: exams whose records lie beside it.
        reference: by what commands know it: the name of a shipped track, else a path.
        figures: what pictures of its rows' models are drawn from, by `Row.pictured`.
        sources: further folders whose records joined, as they were named.
    """

    track: Track
    lines: tuple[Line, ...]
    units: Mapping[str, int]
    direction: str
    detectable: Detectable | None
    spread: Spread | None
    unseen: tuple[str, ...]
    closed_set: bool
    scoring: ScoringSpec | None
    exam: Exam | None = None
    others: tuple[OtherExam, ...] = ()
    reference: str = ""
    figures: FiguresIn = field(default_factory=FiguresIn, compare=False, repr=False)
    sources: tuple[str, ...] = ()

    @property
    def ranked(self) -> tuple[Line, ...]:
        """Those with a rank, which come first."""
        return tuple(line for line in self.lines if line.rank is not None)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the track reports, and the scores of concatenated embeddings and by a loss's own similarity that occur."""
        more = (f"{prefix}{metric}" for prefix in (CONCATENATED, OWN_SIMILARITY) for metric in self.track.metrics.report)
        return (*self.track.metrics.report, *(m for m in more if any(m in line.row.scores for line in self.lines)))

    def is_approximate(self, metric: str) -> bool:
        """Whether a row's score by it is an estimate."""
        return any(line.row.scores[metric].approximate for line in self.lines if metric in line.row.scores)


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows with a flag where another one bears the same name: made of other components, spaces or fixed parameters."""
    names = [row.name for row in rows]
    return [
        dataclasses.replace(row, flags=tuple(sorted({*row.flags, f"row:{row.key[:8]}"}))) if names.count(row.name) > 1 else row
        for row in rows
    ]


def build(track: Track, rows: Sequence[Row], *, units: Mapping[str, int], direction: str = "max", setting: Setting | None = None) -> Table:
    """Order and rank rows of one exam by the track's primary metric.

    A fresh row replaces its shipped twin, of the same name and tuned alike: one whose space was edited stands beside the one in the whole
    space. But of a baseline a row that is not full does not replace one that is. Ranked are full rows, those with exactly the track's
    studies, trials and repetitions, where there are at least two. A full shipped row whose place a fresh one takes that is not full stays
    in the family of tests, unseen: no other rank moves.

    Args:
        track: the rules.
        rows: fresh and shipped, all of one exam.
        units: ``planned``, ``done``, ``cached``, ``failed``, ``lost``.
        direction: of the primary metric.
        setting: what stands around the rows.
    """
    setting = setting or Setting()
    # Of a baseline a run needs the studies that it runs: the shipped one, which has them all, says more.
    whole = {row.name for row in rows if row.shipped and row.is_full and row.method.baseline is not None}
    rows = [row for row in rows if row.shipped or row.is_full or row.name not in whole]
    fresh = {_tuned_as(row): row for row in rows if not row.shipped}
    kept = [_beside(row, rows) for row in rows if not (row.shipped and _tuned_as(row) in fresh)]
    twins = [row for row in rows if row.shipped and _tuned_as(row) in fresh and row.method.baseline is None]
    unseen = [row for row in twins if row.is_full and not fresh[_tuned_as(row)].is_full]
    primary, better = track.metrics.primary, direction == "max"

    def order(row: Row) -> tuple[int, float, str]:
        score = row.scores.get(primary)
        mean = math.inf if score is None else (-score.mean if better else score.mean)
        baseline = row.method.baseline
        section = int(score is None) + int(not row.is_full) if baseline is None else 3 + BASELINES.index(baseline)
        return section, mean, row.name

    kept = sorted(_told_apart(_below_validation(kept, unseen, primary, better=better)), key=order)
    full = [row for row in kept if row.method.baseline is None and row.is_full]
    # In the order of their scores, as tie groups are read off from the best downwards.
    family = sorted([*full, *unseen], key=order)
    tests = compare_studies([list(row.by_study[primary].values()) for row in family]) if family else None
    told = differences(kept, family, tests, primary)
    to_baseline = differences_to_baseline(kept, primary, better=better)
    ranked = _ranked(full, family, tests, better=better)
    lines = []
    for row in kept:
        rank, group, beats = ranked.get(id(row), (None, None, ()))
        lines.append(Line(row, rank, group, beats, told.get(id(row)), to_baseline.get(id(row))))
    methods = [row for row in kept if row.method.baseline is None]
    return Table(
        track=track,
        lines=tuple(lines),
        units=dict(units),
        direction=direction,
        detectable=_detectable(tests),
        spread=_spread(family, tests, primary),
        unseen=tuple(sorted(row.name for row in unseen)),
        closed_set=any(row.closed_set for row in kept),
        scoring=next((row.scoring for row in [*methods, *kept]), None),
        exam=setting.exam,
        others=setting.others,
        reference=setting.reference or track.name,
        figures=setting.figures,
        sources=setting.sources,
    )


def _ranked(
    full: Sequence[Row], family: Sequence[Row], tests: StudyTests | None, *, better: bool
) -> dict[int, tuple[tuple[int, int], int, tuple[int, ...]]]:
    """Rank interval, group and the places of those beaten, by the identity of each full row that is shown."""
    if tests is None or len(family) < 2:
        return {}
    ranks = rank_intervals(tests, higher_is_better=better)
    groups = tie_groups([float(mean) for mean in tests.mean], tests, higher_is_better=better)
    signs = tests.signs() if better else -tests.signs()
    places = {id(row): place for place, row in enumerate(full)}
    found = {}
    for row, rank, group, sign in zip(family, ranks, groups, signs, strict=True):
        beaten = (id(family[int(place)]) for place in np.flatnonzero(sign > 0))
        found[id(row)] = ((rank.low, rank.high), group, tuple(places[other] for other in beaten if other in places))
    return found


def _below_validation(rows: Sequence[Row], unseen: Sequence[Row], primary: str, *, better: bool) -> list[Row]:
    """The rows, each with a flag whose test falls far below the line of test on validation score through the full ones."""
    family = [row for row in [*rows, *unseen] if row.method.baseline is None and row.is_full and row.validation[1] is not None]
    sign = 1.0 if better else -1.0
    validation = [sign * (row.validation[1] or 0.0) for row in family]
    if len(family) < _ROWS_FOR_A_LINE or len(set(validation)) < 2:
        return list(rows)
    residuals = robust_residuals(validation, [sign * row.scores[primary].mean for row in family])
    below = {id(row) for row, residual in zip(family, residuals, strict=True) if residual < -_FAR_BELOW}
    return [dataclasses.replace(row, flags=tuple(sorted({*row.flags, BELOW_VALIDATION}))) if id(row) in below else row for row in rows]


def _tuned_as(row: Row) -> tuple[str, str, tuple[str, ...]]:
    """What twins have in common: their name, what their space is called, and what of it was edited."""
    one = row.tunings[0] if row.tunings else None
    return (row.name, "", ()) if one is None else (row.name, one.space_name, one.edited)


def _beside(row: Row, rows: Sequence[Row]) -> Row:
    """A fresh row with a word on its shipped twin, where that was made with other versions of libraries."""
    twins = [other for other in rows if other.shipped and not row.shipped and other.key == row.key and other.libraries != row.libraries]
    if not twins:
        return row
    versions = tuple(", ".join(f"{name} {version}" for name, version in sorted(twin.libraries.items())) for twin in twins)
    flags = tuple(sorted({*row.flags, "mixed-versions"}))
    return dataclasses.replace(row, flags=flags, also_made_with=(*row.also_made_with, *versions))


def pairs_text(track: Track, pairs: object) -> str:
    """Verification pairs for people: the name of their list, ``all``, or nothing where they are drawn."""
    if isinstance(pairs, Listed):
        return PurePath(track.evaluation.pairs).name if track.evaluation.pairs else f"a list with SHA-256 {pairs.digest[:16]}…"
    return "all" if isinstance(pairs, Every) else ""


def _detectable(tests: StudyTests | None) -> Detectable | None:
    """At the spread of the median pair, tested at the strictest step of Holm."""
    if tests is None or len(tests.mean) < 2:
        return None
    difference = detectable_differences(tests, power=POWER).median
    rows = len(tests.mean)
    # Without any spread nothing can be said of what would be found.
    return Detectable(difference, int(tests.studies.min()), rows * (rows - 1) // 2, POWER) if difference else None


def _spread(family: Sequence[Row], tests: StudyTests | None, primary: str) -> Spread | None:
    if tests is None or len(tests.mean) < 2 or not tests.pooled_variance >= 0:
        return None
    return Spread(tests.pooled_deviation, brown_forsythe([list(row.by_study[primary].values()) for row in family]))

"""Rows → table: fresh beside shipped, ordered, with ranks and differences that say only what the evidence supports."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from siambench.board.rows import Row
from siambench.records.exams import OtherExam
from siambench.spec import BASELINES, CONCATENATED, FIXED_BASELINES, Every, Exam, Listed, ScoringSpec
from siambench.stats import compare_all, minimum_detectable_difference, rank_intervals, score_table, t_interval, tie_groups
from siambench.tracks.rules import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

POWER = 0.8


@dataclass(frozen=True)
class Line:
    """A row in its place.

    Args:
        row: the row.
        rank: lowest and highest rank that the tests leave open; None where it is not ranked.
        group: number of its tie group, 1 being the best; None where it is not ranked.
        beats: places in the table, from 0, of the rows that it is significantly better than; ranked rows come first.
        difference: mean over the common seeds of this row minus the fresh one, and its half-width; None where there is
            no single fresh row, or for that row itself.
    """

    row: Row
    rank: tuple[int, int] | None
    group: int | None
    beats: tuple[int, ...]
    difference: tuple[float, float | None] | None


@dataclass(frozen=True)
class Detectable:
    """How large a true difference of two rows has to be to be found.

    Args:
        difference: in the units of the primary metric.
        seeds: common to the two.
        pairs: of ranked rows, all tested together.
        power: how often it is found.
    """

    difference: float
    seeds: int
    pairs: int
    power: float


@dataclass(frozen=True)
class Setting:
    """What stands around the rows of a table; see `Table`."""

    exam: Exam | None = None
    others: tuple[OtherExam, ...] = ()
    reference: str = ""


@dataclass(frozen=True)
class Table:
    """A leaderboard.

    Args:
        track: the rules.
        lines: from best to worst, then those without scores, the baselines last.
        units: what happened to them.
        direction: of the primary metric.
        detectable: None with fewer than two ranked rows, two seeds, or any spread.
        closed_set: whether its rows were tested on the classes they were trained on.
        scoring: how its final models were made and compared; None without rows.
        exam: that its rows sat; None without records.
        others: exams whose records lie beside it.
        reference: by what commands know it: the name of a shipped track, else a path.
    """

    track: Track
    lines: tuple[Line, ...]
    units: Mapping[str, int]
    direction: str
    detectable: Detectable | None
    closed_set: bool
    scoring: ScoringSpec | None
    exam: Exam | None = None
    others: tuple[OtherExam, ...] = ()
    reference: str = ""

    @property
    def ranked(self) -> tuple[Line, ...]:
        """Those with a rank, which come first."""
        return tuple(line for line in self.lines if line.rank is not None)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the track reports, and the scores of concatenated embeddings that occur."""
        joined = (f"{CONCATENATED}{metric}" for metric in self.track.metrics.report)
        return (*self.track.metrics.report, *(m for m in joined if any(m in line.row.scores for line in self.lines)))


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows with a flag where another one bears the same name: made of other components, spaces or fixed parameters."""
    names = [row.name for row in rows]
    return [
        dataclasses.replace(row, flags=tuple(sorted({*row.flags, f"row:{row.key[:8]}"}))) if names.count(row.name) > 1 else row
        for row in rows
    ]


def build(track: Track, rows: Sequence[Row], *, units: Mapping[str, int], direction: str = "max", setting: Setting | None = None) -> Table:
    """Order and rank rows of one exam by the track's primary metric.

    A fresh row replaces its shipped twin. Ranked are full rows: those with exactly the track's trials and repetitions. A full shipped
    row whose place a fresh one takes that is not full stays in the family of tests, unseen: no other rank moves.

    Args:
        track: the rules.
        rows: fresh and shipped, all of one exam.
        units: ``planned``, ``done``, ``cached``, ``failed``, ``lost``.
        direction: of the primary metric.
        setting: what stands around the rows.
    """
    setting = setting or Setting()
    fresh = {row.name: row for row in rows if not row.shipped}
    kept = _told_apart([_beside(row, rows) for row in rows if not (row.shipped and row.name in fresh)])
    twins = [row for row in rows if row.shipped and row.name in fresh and row.method.baseline is None]
    unseen = [row for row in twins if row.is_full and not fresh[row.name].is_full]
    primary, better = track.metrics.primary, direction == "max"

    def order(row: Row) -> tuple[int, float, str]:
        score = row.scores.get(primary)
        mean = math.inf if score is None else (-score.mean if better else score.mean)
        baseline = row.method.baseline
        section = int(score is None) + int(not row.is_full) if baseline is None else 3 + BASELINES.index(baseline)
        return section, mean, row.name

    kept.sort(key=order)
    new = [row for row in kept if not row.shipped and row.method.baseline is None]
    reference = new[0] if len(new) == 1 and len(kept) > 1 else None
    ranked = [row for row in kept if row.method.baseline is None and primary in row.scores and row.is_full]
    # In the order of their scores, as tie groups are read off from the best downwards.
    family = sorted((*ranked, *(row for row in unseen if primary in row.scores)), key=order)
    lines, detectable = [], None
    if ranked:
        _, _, scores = score_table({str(index): row.by_seed[primary] for index, row in enumerate(family)})
        tests = compare_all(scores)
        ranks = rank_intervals(tests, higher_is_better=better)
        groups = tie_groups([row.scores[primary].mean for row in family], tests, higher_is_better=better)
        signs = tests.signs() if better else -tests.signs()
        detectable = _detectable(scores)
        places = {id(row): place for place, row in enumerate(ranked)}
        for row, rank, group, sign in zip(family, ranks, groups, signs, strict=True):
            if id(row) in places:
                beaten = (id(family[place]) for place in np.flatnonzero(sign > 0))
                beats = tuple(places[other] for other in beaten if other in places)
                lines.append(Line(row, (rank.low, rank.high), group, beats, _difference(row, reference, primary)))
    lines += [Line(row, None, None, (), _difference(row, reference, primary)) for row in kept[len(ranked) :]]
    methods = [row for row in kept if row.method.baseline is None]
    scoring = next((row.scoring for row in [*methods, *kept]), None)
    closed_set = any(row.closed_set for row in kept)
    return Table(
        track=track,
        lines=tuple(lines),
        units=dict(units),
        direction=direction,
        detectable=detectable,
        closed_set=closed_set,
        scoring=scoring,
        exam=setting.exam,
        others=setting.others,
        reference=setting.reference or track.name,
    )


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


def _detectable(scores: NDArray[np.float64]) -> Detectable | None:
    """From scores [K, S] with NaN where missing: the spread of a typical pair's differences, at the seeds it shares."""
    first, second = np.triu_indices(len(scores), k=1)
    differences = scores[first] - scores[second]
    shared = np.isfinite(differences).sum(axis=1)
    enough = shared >= 2
    if not enough.any():
        return None
    seeds = int(np.sort(shared)[(shared.size - 1) // 2])
    deviation = float(np.median(np.nanstd(differences[enough], axis=1, ddof=1)))
    difference = minimum_detectable_difference(deviation, seeds, shared.size, power=POWER) if seeds else None
    # Without any spread nothing can be said of what would be found.
    return Detectable(difference, seeds, shared.size, POWER) if difference else None


def _difference(row: Row, reference: Row | None, primary: str) -> tuple[float, float | None] | None:
    if reference is None or row is reference or row.method.baseline in FIXED_BASELINES:
        return None
    ours, theirs = reference.by_seed.get(primary, {}), row.by_seed.get(primary, {})
    common = sorted(set(ours) & set(theirs))
    if not common:
        return None
    interval = t_interval([theirs[seed] - ours[seed] for seed in common])
    return interval.mean, interval.half_width

"""Rows → table: fresh beside shipped, ordered, with ranks and differences that say only what the evidence supports."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.board import costs
from siambench.board.rows import EVALUATION, Row, Score
from siambench.errors import UsageError
from siambench.spec import ANCHORS, FIXED_ANCHORS, SCHEMA
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
class Table:
    """A leaderboard.

    Args:
        track: the rules.
        lines: from best to worst, then those without scores, the anchors last.
        units: what happened to them.
        direction: of the primary metric.
        detectable: None with fewer than two ranked rows, two seeds, or any spread.
        closed_set: whether its rows were tested on the classes they were trained on.
        evaluation: how its final models were made and compared, as `siambench.board.rows.EVALUATION`.
    """

    track: Track
    lines: tuple[Line, ...]
    units: Mapping[str, int]
    direction: str
    detectable: Detectable | None
    closed_set: bool
    evaluation: Mapping[str, str]

    @property
    def ranked(self) -> tuple[Line, ...]:
        """Those with a rank, which come first."""
        return tuple(line for line in self.lines if line.rank is not None)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What the track reports, and the scores of concatenated embeddings that occur."""
        joined = (f"concatenated:{metric}" for metric in self.track.metrics.report)
        return (*self.track.metrics.report, *(m for m in joined if any(m in line.row.scores for line in self.lines)))


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows with a flag where another study bears the same name: made of other components, spaces or fixed parameters."""
    names = [row.name for row in rows]
    return [
        dataclasses.replace(row, flags=tuple(sorted({*row.flags, f"study:{row.study[:8]}"}))) if names.count(row.name) > 1 else row
        for row in rows
    ]


def build(track: Track, rows: Sequence[Row], *, units: Mapping[str, int], direction: str = "max") -> Table:
    """Order and rank rows by the track's primary metric.

    A fresh row replaces its shipped twin. Anchors and rows without scores are not ranked.

    Args:
        track: the rules.
        rows: fresh and shipped.
        units: ``planned``, ``done``, ``cached``, ``failed``, ``lost``.
        direction: of the primary metric.

    Raises:
        UsageError: if closed-set and class-disjoint rows, or rows of two protocols, would share the table.
    """
    fresh = {row.name for row in rows if not row.shipped}
    kept = [row for row in rows if not (row.shipped and row.name in fresh)]
    kept = _told_apart(kept)
    closed_set, evaluation = _one_exam(track, kept)
    primary, better = track.metrics.primary, direction == "max"

    def order(row: Row) -> tuple[int, float, str]:
        score = row.scores.get(primary)
        mean = math.inf if score is None else (-score.mean if better else score.mean)
        section = 2 + ANCHORS.index(row.method.loss) if row.method.is_anchor else int(score is None)
        return section, mean, row.name

    kept.sort(key=order)
    new = [row for row in kept if not row.shipped and not row.method.is_anchor]
    reference = new[0] if len(new) == 1 and len(kept) > 1 else None
    ranked = [row for row in kept if not row.method.is_anchor and primary in row.scores]
    lines, detectable = [], None
    if ranked:
        _, _, scores = score_table({str(index): row.by_seed[primary] for index, row in enumerate(ranked)})
        tests = compare_all(scores)
        ranks = rank_intervals(tests, higher_is_better=better)
        groups = tie_groups([row.scores[primary].mean for row in ranked], tests, higher_is_better=better)
        signs = tests.signs() if better else -tests.signs()
        detectable = _detectable(scores)
        for row, rank, group, sign in zip(ranked, ranks, groups, signs, strict=True):
            beats = tuple(int(place) for place in np.flatnonzero(sign > 0))
            lines.append(Line(row, (rank.low, rank.high), group, beats, _difference(row, reference, primary)))
    lines += [Line(row, None, None, (), _difference(row, reference, primary)) for row in kept[len(ranked) :]]
    return Table(track, tuple(lines), dict(units), direction, detectable, closed_set, evaluation)


def _one_exam(track: Track, rows: Sequence[Row]) -> tuple[bool, Mapping[str, str]]:
    """Whether the rows are closed-set, and their evaluation; anchors are made the same way under every protocol."""
    for closed, other in ((a, b) for a in rows if a.closed_set for b in rows if not b.closed_set):
        raise UsageError(
            f"{closed.name} was tested on classes it was trained on (closed-set) and {other.name} was not: they cannot share a "
            f"table of {track.name} {track.version}"
        )
    methods = [row for row in rows if not row.method.is_anchor]
    for row in methods[1:]:
        if row.evaluation != methods[0].evaluation:
            key = next(key for key in EVALUATION if row.evaluation[key] != methods[0].evaluation[key])
            raise UsageError(
                f"{methods[0].name} has {key} {methods[0].evaluation[key]!r} and {row.name} {row.evaluation[key]!r}: they cannot "
                f"share a table of {track.name} {track.version}"
            )
    return any(row.closed_set for row in rows), next((row.evaluation for row in [*methods, *rows]), EVALUATION)


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
    if reference is None or row is reference or row.method.loss in FIXED_ANCHORS:
        return None
    ours, theirs = reference.by_seed.get(primary, {}), row.by_seed.get(primary, {})
    common = sorted(set(ours) & set(theirs))
    if not common:
        return None
    interval = t_interval([theirs[seed] - ours[seed] for seed in common])
    return interval.mean, interval.half_width


def to_json(table: Table) -> dict[str, Any]:
    """The document of ``run --json`` and ``leaderboard --format json``; documented in leaderboards/README.md."""
    rows = []
    for line in table.lines:
        row = line.row
        rows.append(
            {
                "method": row.name,
                "loss": row.method.loss,
                "miner": row.method.miner,
                "feed": row.method.feed,
                "backbone": row.method.backbone or table.track.model.backbone,
                "rank": None if line.rank is None else list(line.rank),
                "group": line.group,
                "better_than": [table.lines[place].row.name for place in line.beats],
                "scores": {name: _score_json(score) for name, score in row.scores.items()},
                "params": dict(row.params),
                "trials": row.trials,
                "seeds": row.seeds,
                "dimension": row.dimension,
                "test_opened": row.opened,
                "flags": list(row.flags),
                "shipped": row.shipped,
                "reason": row.reason,
                "costs": costs.to_json(row.costs),
            }
        )
    return {
        "schema": SCHEMA,
        "track": {"name": table.track.name, "version": table.track.version},
        "rows": rows,
        "minimum_detectable_difference": None if table.detectable is None else asdict(table.detectable),
        "units": dict(table.units),
    }


def _score_json(score: Score) -> dict[str, Any]:
    ends = None if score.classes95 is None else list(score.classes95)
    return {"mean": score.mean, "ci95": score.ci95, "n": score.n, "classes95": ends}

"""Rows → table: fresh beside shipped, ordered, with ranks that say only what the evidence supports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.board.rows import Row
from siambench.config import Track
from siambench.spec import ANCHORS, SCHEMA
from siambench.stats import compare_all, rank_intervals, score_table, t_interval, tie_groups


@dataclass(frozen=True)
class Line:
    """A row in its place.

    Args:
        row: the row.
        rank: lowest and highest rank that the tests leave open; None where it is not ranked.
        group: number of its tie group, 1 being the best; None where it is not ranked.
        difference: mean over the common seeds of this row minus the fresh one, and its half-width; None where there is
            no single fresh row, or for that row itself.
    """

    row: Row
    rank: tuple[int, int] | None
    group: int | None
    difference: tuple[float, float | None] | None


@dataclass(frozen=True)
class Table:
    """A leaderboard: the track, its lines from best to worst with the anchors last, and what happened to the units."""

    track: Track
    lines: tuple[Line, ...]
    units: Mapping[str, int]
    direction: str


def build(track: Track, rows: Sequence[Row], *, units: Mapping[str, int], direction: str = "max") -> Table:
    """Order and rank rows by the track's primary metric.

    A fresh row replaces its shipped twin. Anchors and rows without scores are not ranked.

    Args:
        track: the rules.
        rows: fresh and shipped.
        units: ``planned``, ``done``, ``cached``, ``failed``, ``lost``.
        direction: of the primary metric.
    """
    fresh = {row.name for row in rows if not row.shipped}
    kept = [row for row in rows if not (row.shipped and row.name in fresh)]
    primary, better = track.metrics.primary, direction == "max"
    ranked = [row for row in kept if not row.method.is_anchor and len(row.by_seed.get(primary, {})) > 0]
    ranks: list[tuple[int, int]] = []
    groups: Sequence[int] = []
    if ranked:
        _, _, scores = score_table({str(index): row.by_seed[primary] for index, row in enumerate(ranked)})
        tests = compare_all(scores)
        ranks = [(r.low, r.high) for r in rank_intervals(tests, higher_is_better=better)]
        groups = tie_groups([row.scores[primary].mean for row in ranked], tests, higher_is_better=better)
    place = {id(row): (rank, group) for row, rank, group in zip(ranked, ranks, groups, strict=True)}

    def order(row: Row) -> tuple[int, float, str]:
        score = row.scores.get(primary)
        mean = math.inf if score is None else (-score.mean if better else score.mean)
        section = 2 + ANCHORS.index(row.method.loss) if row.method.is_anchor else int(score is None)
        return section, mean, row.name

    new = [row for row in kept if not row.shipped and not row.method.is_anchor]
    reference = new[0] if len(new) == 1 and len(kept) > 1 else None
    lines = []
    for row in sorted(kept, key=order):
        rank, group = place.get(id(row), (None, None))
        lines.append(Line(row, rank, group, _difference(row, reference, primary)))
    return Table(track, tuple(lines), dict(units), direction)


def _difference(row: Row, reference: Row | None, primary: str) -> tuple[float, float | None] | None:
    if reference is None or row is reference or row.method.loss == "raw":
        return None
    ours, theirs = reference.by_seed.get(primary, {}), row.by_seed.get(primary, {})
    common = sorted(set(ours) & set(theirs))
    if not common:
        return None
    interval = t_interval([theirs[seed] - ours[seed] for seed in common])
    return interval.mean, interval.half_width


def to_json(table: Table) -> dict[str, Any]:
    """The document of ``run --json`` and ``leaderboard --format json``; documented in the README."""
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
                "scores": {name: {"mean": s.mean, "ci95": s.ci95, "n": s.n} for name, s in row.scores.items()},
                "params": dict(row.params),
                "trials": row.trials,
                "seeds": row.seeds,
                "dimension": row.dimension,
                "test_opened": row.opened,
                "flags": list(row.flags),
                "shipped": row.shipped,
                "reason": row.reason,
            }
        )
    track = {"name": table.track.name, "version": table.track.version}
    return {"schema": SCHEMA, "track": track, "rows": rows, "units": dict(table.units)}

"""How far a row lies from the one that it is best compared with, and how sure that is.

Every difference is of a row minus the one that it is compared with, which is:

- where exactly one row of a table is fresh: that row, for all others. It is what somebody who has just run one method wants to know.
- else the best full row, for each row that is not full and so has no rank. Between full rows the ranks tell.

Of a metric without a score per query, such as an error over pairs, there is another one: every row minus the best baseline, over the
test classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from siambench.board.rows import Row
from siambench.board.scores import Over
from siambench.spec import FIXED_BASELINES
from siambench.stats import Interval, StudyTests, jackknife_difference, pair_interval, partial_difference, t_interval


@dataclass(frozen=True)
class Difference:
    """A row minus another one.

    Args:
        to: the name of the other row.
        mean: difference of their means, in the units of the primary metric.
        half_width: of its 95 % interval; None where nothing tells how sure it is.
        over: ``"studies"``: the next tuning is in it; ``"repetitions"``: of these tunings alone; ``"classes"``: other test classes
            are in it, and no other tuning.
    """

    to: str
    mean: float
    half_width: float | None
    over: Over | Literal["classes"]


def differences(rows: Sequence[Row], family: Sequence[Row], tests: StudyTests | None, primary: str) -> dict[int, Difference]:
    """The differences that a table shows, by the identity of the row.

    Args:
        rows: of the table, the best full one first.
        family: full rows, in the order in which they were tested; one that is not shown among them.
        tests: of these; None without any.
        primary: the metric.
    """
    fresh = [row for row in rows if not row.shipped and row.method.baseline is None]
    if len(fresh) == 1 and len(rows) > 1:
        reference, compared = fresh[0], [row for row in rows if row is not fresh[0]]
    else:
        full = [row for row in rows if row.is_full and row.method.baseline is None]
        if not full:
            return {}
        reference, compared = full[0], [row for row in rows if not row.is_full and row.method.baseline is None]
    if primary not in reference.scores:
        return {}
    found = {}
    for row in compared:
        # Of what nothing is drawn for there is one value, and no interval.
        if primary in row.scores and row.method.baseline not in FIXED_BASELINES:
            interval, over = _between(row, reference, (family, tests), primary)
            found[id(row)] = Difference(reference.name, interval.mean, interval.half_width, over)
    return found


def differences_to_baseline(rows: Sequence[Row], primary: str, *, better: bool) -> dict[int, Difference]:
    """Each row minus the best baseline, by the identity of the row: jackknife of the difference over the test classes.

    Args:
        rows: of the table.
        primary: a metric without a score per query; of others nothing is found.
        better: whether higher is better.
    """
    scored = [(row, row.scores[primary].left_out) for row in rows if primary in row.scores]
    known = [(row, without) for row, without in scored if without is not None]
    baselines = [(row, without) for row, without in known if row.method.baseline is not None]
    if not baselines:
        return {}
    best, theirs = (max if better else min)(baselines, key=lambda one: one[0].scores[primary].mean)
    found = {}
    for row, ours in known:
        # Records of other test classes have another number of scores, and cannot be compared class by class.
        if row is not best and len(ours.scores) == len(theirs.scores):
            interval = jackknife_difference(ours.score, ours.scores, theirs.score, theirs.scores)
            found[id(row)] = Difference(best.name, interval.mean, interval.half_width, "classes")
    return found


def _between(row: Row, other: Row, tested: tuple[Sequence[Row], StudyTests | None], primary: str) -> tuple[Interval, Over]:
    family, tests = tested
    places = {id(one): place for place, one in enumerate(family)}
    ours, theirs = row.by_study[primary], other.by_study[primary]
    if tests is not None and max(len(ours), len(theirs)) > 1:
        if id(row) in places and id(other) in places:
            return pair_interval(tests, places[id(row)], places[id(other)]), "studies"
        for one, full, sign in ((row, other, 1.0), (other, row, -1.0)):
            if one.method.baseline is None and one.is_comparable and id(full) in places:
                found = partial_difference(list(one.by_study[primary].values()), tests, places[id(full)])
                if found is not None:
                    return Interval(sign * found.mean, found.half_width), "studies"
    mean = row.scores[primary].mean - other.scores[primary].mean
    common = sorted(set(ours) & set(theirs))
    # Of a baseline nothing is tuned: of its other studies nothing is to be learnt about the one that a row has.
    if len(common) == 1 and (len(ours) == len(theirs) == 1 or (row.method.baseline is not None and len(theirs) == 1)):
        (study,) = common
        first, second = row.by_repetition[primary][study], other.by_repetition[primary][study]
        pairs = sorted(set(first) & set(second))
        paired = t_interval([first[repetition] - second[repetition] for repetition in pairs]) if pairs else Interval(mean, None)
        return paired, "repetitions"
    if min(len(ours), len(theirs), len(common)) > 1:
        return t_interval([ours[study] - theirs[study] for study in common]), "studies"
    return Interval(mean, None), "studies"

"""Records → rows: one per method and baseline, with its scores, its tuning and what a reader must know of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from siambench.board.costs import Costs, costs_of
from siambench.board.tuning import Tuning, tuning_of
from siambench.identity import seed_of
from siambench.interfaces import Done
from siambench.records.record import Record, row_key
from siambench.spaces import Params
from siambench.spec import FIXED_BASELINES, TRAINING_REVISION, Method, ScoringSpec, Unit
from siambench.stats import class_bootstrap, t_interval
from siambench.tracks.rules import Track

_NOT_FULL = ("short-budget", "long-budget", "failed-seeds")

DRAWS = 2_000
"""Resamples of the bootstrap over test classes: enough for its third decimal, and cheap with a thousand classes and twenty rows."""


@dataclass(frozen=True)
class Score:
    """A metric of a row over its seeds.

    Args:
        mean: over the seeds.
        ci95: half-width of the t-interval over seeds; None at n = 1.
        n: number of seeds.
        classes95: ends of the bootstrap interval over test classes, of the seeds' mean; only of the primary metric, and
            None where the records do not allow it.
    """

    mean: float
    ci95: float | None
    n: int
    classes95: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard.

    Args:
        method: what was compared.
        key: what its records share.
        scores: by metric; a metric that does not apply is missing.
        by_seed: metric → repetition → score.
        tuning: how it was tuned; None for a baseline.
        seeds: final models that gave scores.
        flags: what marks the row, sorted.
        opened: distinct units of the method that saw the test part.
        reason: why there are no scores; None where there are.
        missing: what else has no value, and why.
        shipped: whether its records came with siambench.
        closed_set: whether training and test shared their classes.
        scoring: how its final models were made and compared.
        distributions: name and version of what each component comes from, by its role.
        directions: ``"max"`` or ``"min"`` by metric, as its records say.
        libraries: minor versions of those that computed, by name.
        also_made_with: versions of another make of the same row that is not shown, in words.
        costs: what its units took, which is no part of what makes two rows equal.
    """

    method: Method
    key: str
    scores: Mapping[str, Score]
    by_seed: Mapping[str, Mapping[int, float]]
    tuning: Tuning | None
    seeds: int
    flags: tuple[str, ...]
    opened: int
    reason: str | None
    missing: Mapping[str, str]
    shipped: bool
    closed_set: bool
    scoring: ScoringSpec
    distributions: Mapping[str, str]
    directions: Mapping[str, str]
    libraries: Mapping[str, str]
    also_made_with: tuple[str, ...]
    costs: Costs = field(compare=False)

    @property
    def name(self) -> str:
        """The method's name, which is the row's."""
        return self.method.name

    @property
    def is_full(self) -> bool:
        """Whether it has exactly the track's trials and repetitions, each repetition with scores: what ranks and their tests count."""
        return not any(flag.partition(":")[0] in _NOT_FULL for flag in self.flags)

    @property
    def params(self) -> Params:
        """Those of the selected trial."""
        return {} if self.tuning is None or self.tuning.selected is None else self.tuning.selected.params

    @property
    def trials(self) -> int:
        """How many were tuned with."""
        return 0 if self.tuning is None else self.tuning.counted

    @property
    def dimension(self) -> int:
        """Number of tuned parameters."""
        return 0 if self.tuning is None else len(self.tuning.space)

    @property
    def validation(self) -> tuple[float | None, float | None]:
        """Score of the default trial and of the selected one."""
        if self.tuning is None:
            return None, None
        return self.tuning.default, None if self.tuning.selected is None else self.tuning.selected.value


def rows_of(
    track: Track,
    records: Iterable[Record],
    *,
    openings: Sequence[Mapping[str, Any]] = (),
    selected: Mapping[str, int] | None = None,
    shipped: bool = False,
) -> list[Row]:
    """The rows that records of one exam give.

    Args:
        track: the rules.
        records: all of one exam, in any order.
        openings: lines of the log of test openings.
        selected: row → number of trials to count, where a run had a smaller budget than the records hold.
        shipped: whether the records came with siambench.
    """
    # By method, not by row: whoever edits a loss, a space or a track's version and looks again has looked again.
    opened: dict[str, set[str]] = {}
    for line in openings:
        opened.setdefault(str(line.get("method")), set()).add(str(line.get("unit")))
    rows = []
    for key, members in sorted(records_by_row(records).items()):
        seen = opened.get(members[0].unit.method.name, set())
        rows.append(_row(track, key, members, seen, (selected or {}).get(key), shipped=shipped))
    return rows


def records_by_row(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records of one exam by the row that they belong to."""
    rows: dict[str, list[Record]] = {}
    for record in records:
        rows.setdefault(row_key(record.unit), []).append(record)
    return rows


def one_make(records: Sequence[Record]) -> tuple[list[Record], tuple[str, ...]]:
    """Of a row's records those of one set of library versions, the newest that has final units, else the newest; and the others, told.

    A baseline has no study whose parts belong together: of each repetition the newest counts, whatever made it.
    """
    makes: dict[tuple[tuple[str, str], ...], list[Record]] = {}
    for record in records:
        makes.setdefault(tuple(sorted(record.unit.libraries.items())), []).append(record)

    def age(make: tuple[tuple[str, str], ...]) -> tuple[bool, list[tuple[str, list[int]]]]:
        finished = any(record.unit.kind == "final" for record in makes[make])
        return finished, [(name, [int(part) for part in version.split(".") if part.isdigit()]) for name, version in make]

    newest = max(makes, key=age)
    others = sorted((make for make in makes if make != newest), key=age, reverse=True)
    kept = list(records) if records[0].unit.method.baseline is not None else makes[newest]
    return kept, tuple(", ".join(f"{name} {version}" for name, version in make) or "versions that are not told" for make in others)


def finals_of(track: Track, records: Iterable[Record], tuning: Tuning | None) -> list[Record]:
    """The final units of one row, by repetition: those of the trial and epoch that its tuning selected, of a baseline all.

    Of several of one repetition, which differ in what they report, the one that reports most of what the track does.
    """
    finals = [r for r in records if r.unit.kind == "final"]
    if tuning is not None:
        picked = None if tuning.selected is None else (tuning.selected.number, tuning.selected.epoch)
        finals = [r for r in finals if (r.unit.trial, r.unit.stop_epoch) == picked]

    def fullness(record: Record) -> tuple[int, float, int, str]:
        reported = record.unit.scoring.metrics
        # Of two that report as much the newer: a baseline that was made again takes its twin's place.
        return len(set(reported) & set(track.metrics.report)), record.started, len(reported), record.id

    fullest: dict[int, Record] = {}
    for record in sorted(finals, key=fullness):
        fullest[record.unit.repetition] = record
    return [fullest[repetition] for repetition in sorted(fullest)]


def _row(track: Track, key: str, found: list[Record], opened: set[str], limit: int | None, *, shipped: bool) -> Row:
    records, others = one_make(found)
    first, primary = records[0].unit, track.metrics.primary
    method = first.method
    finals = [r for r in records if r.unit.kind == "final"]
    closed_set = first.data.split.rule == "closed-set"
    if method.baseline is not None:
        tuning, chosen = None, finals_of(track, finals, None)
        # What nothing random can move is run once; how often the others are, the track's budget says.
        expected = 1 if method.baseline in FIXED_BASELINES else track.budget.repetitions
        flags = {"short-budget"} if len(chosen) < expected else set()
    else:
        tuning = tuning_of(records, budget=track.budget.trials, limit=limit)
        chosen = finals_of(track, finals, tuning)
        flags = {*tuning.flags, *_flags(track, first, chosen)}
    counted = [r for r in records if tuning is not None and r.unit.kind == "tune" and (r.unit.trial or 0) < tuning.counted]
    by_seed = _by_seed(chosen)
    classes95 = _classes95(track, method, chosen)
    scores = {
        metric: Score(*t_interval(list(values.values())), len(values), classes95 if metric == primary else None)
        for metric, values in by_seed.items()
    }
    done = [record.outcome for record in chosen if isinstance(record.outcome, Done)]
    source = chosen[0] if chosen else records[0]
    shown = source.unit
    flags |= {"mixed-versions"} if others else set()
    flags |= {"unverified"} if any(not record.verified for record in (*counted, *chosen)) else set()
    return Row(
        method=method,
        key=key,
        scores=scores,
        by_seed=by_seed,
        tuning=tuning,
        seeds=len(by_seed.get(primary, {})) if tuning is not None else len(chosen),
        flags=tuple(sorted({*flags, *(["closed-set"] if closed_set else [])})),
        opened=len({_logged_id(r, opened) for r in found if r.unit.kind == "final"} | opened),
        reason=None if scores else _reason(chosen, tuning),
        missing=_missing(track, shown.scoring.metrics, done, scores),
        shipped=shipped,
        closed_set=closed_set,
        scoring=shown.scoring,
        distributions=_distributions(source),
        directions=done[0].directions if done else {},
        libraries=shown.libraries,
        also_made_with=others,
        costs=costs_of(counted, chosen),
    )


def _distributions(record: Record) -> dict[str, str]:
    """By role, the metrics that are reported as one role for each distribution."""
    found = {}
    for role, where in record.distributions.items():
        found[f"metrics:{where.partition(' ')[0]}" if role.startswith("metric:") else role] = where
    return found


def _logged_id(record: Record, opened: Collection[str]) -> str:
    # A log may know a record by the id that it had in an older layout.
    return next((former for former in record.former_ids if former in opened), record.id)


def _by_seed(finals: Sequence[Record]) -> dict[str, dict[int, float]]:
    by_seed: dict[str, dict[int, float]] = {}
    for record in finals:
        for metric, value in record.outcome.scores.items():
            if value is not None:
                by_seed.setdefault(metric, {})[record.unit.repetition] = value
    return by_seed


def _classes95(track: Track, method: Method, finals: Sequence[Record]) -> tuple[float, float] | None:
    """Ends of the bootstrap interval over test classes, each with its mean over the seeds and weighted by its queries."""
    metric = track.metrics.primary
    outcomes = [r.outcome for r in finals if r.outcome.scores.get(metric) is not None]
    per_class = [outcome.per_class.get(metric, ()) for outcome in outcomes]
    queries = next((outcome.class_queries for outcome in outcomes), None) or ()
    if any(outcome.class_queries != queries for outcome in outcomes) or any(len(scores) != len(queries) for scores in per_class):
        return None
    # A class in which no query has a positive has no score, and nothing to weigh.
    known = []
    for *values, count in zip(*per_class, queries, strict=True):
        scores = [value for value in values if value is not None]
        if count and len(scores) == len(values):
            known.append((math.fsum(scores) / len(scores), count))
    if len(known) < 2:
        return None
    found = class_bootstrap(
        [mean for mean, _ in known],
        [count for _, count in known],
        seed=seed_of("classes", track.name, track.version, method.name),
        draws=DRAWS,
    )
    return found.low, found.high


def _missing(track: Track, asked: Sequence[str], done: Sequence[Done], scores: Mapping[str, Score]) -> dict[str, str]:
    """Reported metrics that a row with scores lacks, and why."""
    if not done or not scores:
        return {}
    outcome = done[0]
    missing = {
        metric: _why(metric, outcome) if metric in asked else "it was not among the metrics reported when the row was made"
        for metric in track.metrics.report
        if metric not in scores
    }
    primary = track.metrics.primary
    # A primary metric without a score per query, such as one over pairs, has no interval over classes to miss.
    if primary in scores and scores[primary].classes95 is None and outcome.per_class.get(primary):
        missing[f"{primary} over classes"] = (
            "fewer than two test classes have a score" if outcome.class_queries else "its records do not say how many queries a class has"
        )
    return missing


def _why(metric: str, outcome: Done) -> str:
    """Why a metric has no value: its own note, that on verification pairs where it needs them, or the plain fact."""
    stem, _, number = metric.partition("@")
    for name, note in outcome.notes.items():
        other, _, value = name.partition("@")
        # A rate may be written in two ways: tar@1e-3 and tar@0.001.
        same = stem == other and (number == value or _rate(number) == _rate(value) is not None)
        if same and isinstance(note, str):
            return note
    return str(outcome.notes["verification"]) if metric in outcome.over_pairs and "verification" in outcome.notes else "it does not apply"


def _rate(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _reason(finals: Sequence[Record], tuning: Tuning | None) -> str:
    errors = [r.outcome.error for r in finals if r.outcome.error is not None]
    if errors:
        return f"every final model failed: {errors[0]}"
    if tuning is not None and tuning.selected is not None:
        return "no final model yet"
    failed = [trial.error for trial in tuning.trials if trial.error] if tuning is not None else []
    return f"every trial failed: {failed[0]}" if failed else "still being tuned"


def _flags(track: Track, unit: Unit, finals: Sequence[Record]) -> list[str]:
    """What marks a row beyond its tuning."""
    flags = []
    done = sum(r.outcome.state == "done" for r in finals)
    if len(finals) < track.budget.repetitions:
        flags.append("short-budget")
    if len(finals) > track.budget.repetitions:
        flags.append("long-budget")
    if finals and done < len(finals):
        flags.append(f"failed-seeds:{len(finals) - done}")
    if unit.is_local:
        flags.append("local")
    if unit.revision != TRAINING_REVISION:
        flags.append(f"revision-{unit.revision}")
    return flags

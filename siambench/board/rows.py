"""Records → rows: one per study and anchor, with its scores, its ledger and what a reader must know of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from siambench.board.costs import Costs, costs_of
from siambench.board.tuning import Ledger, ledger_of
from siambench.records.record import Record, row_key
from siambench.spec import FIXED_ANCHORS, TRAINING_REVISION, Method, Params, seed_of
from siambench.stats import class_bootstrap, t_interval
from siambench.tracks.rules import Track

DRAWS = 2_000
"""Resamples of the bootstrap over test classes: enough for its third decimal, and cheap with a thousand classes and twenty rows."""

EVALUATION: Mapping[str, str] = {"distance": "cosine", "protocol": "retrain", "pairs": ""}
"""How final models are made and compared, where a record does not say."""

_ON_PAIRS = ("verification_accuracy", "roc_auc", "eer", "tar")


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
        study: its key, or the anchor's.
        scores: by metric; a metric that does not apply is missing.
        by_seed: metric → repetition → score.
        ledger: of its tuning; None for an anchor.
        seeds: final models that gave scores.
        flags: what marks the row, sorted.
        opened: distinct units of the method that saw the test part.
        reason: why there are no scores; None where there are.
        missing: what else has no value, and why.
        shipped: whether its records came with siambench.
        closed_set: whether training and test shared their classes.
        evaluation: distance, protocol and named pairs, as `EVALUATION`.
        costs: what its units took, which is no part of what makes two rows equal.
    """

    method: Method
    study: str
    scores: Mapping[str, Score]
    by_seed: Mapping[str, Mapping[int, float]]
    ledger: Ledger | None
    seeds: int
    flags: tuple[str, ...]
    opened: int
    reason: str | None
    missing: Mapping[str, str]
    shipped: bool
    closed_set: bool
    evaluation: Mapping[str, str]
    costs: Costs = field(compare=False)

    @property
    def name(self) -> str:
        """The method's name, which is the row's."""
        return self.method.name

    @property
    def params(self) -> Params:
        """Those of the selected trial."""
        return {} if self.ledger is None or self.ledger.selected is None else self.ledger.selected.params

    @property
    def trials(self) -> int:
        """How many were tuned with."""
        return 0 if self.ledger is None else self.ledger.counted

    @property
    def dimension(self) -> int:
        """Number of tuned parameters."""
        return 0 if self.ledger is None else len(self.ledger.space)

    @property
    def validation(self) -> tuple[float | None, float | None]:
        """Score of the default trial and of the selected one."""
        if self.ledger is None:
            return None, None
        return self.ledger.default, None if self.ledger.selected is None else self.ledger.selected.value


def rows_of(
    track: Track,
    records: Iterable[Record],
    *,
    openings: Sequence[Mapping[str, Any]] = (),
    selected: Mapping[str, int] | None = None,
    shipped: bool = False,
) -> list[Row]:
    """The rows that records give on a track; records of another track, or another Major.Minor of it, are left out.

    Args:
        track: the rules.
        records: in any order.
        openings: lines of the log of test openings.
        selected: study → number of trials to count, where a run had a smaller budget than the records hold.
        shipped: whether the records came with siambench.
    """
    # By method, not by study: whoever edits a loss, a space or a track's version and looks again has looked again.
    opened: dict[str, set[str]] = {}
    for line in openings:
        opened.setdefault(str(line.get("method")), set()).add(str(line.get("unit")))
    rows = []
    for study, members in sorted(studies_of(track, records).items()):
        seen = opened.get(Method(**members[0]["result"]["unit"]["method"]).name, set())
        rows.append(_row(track, study, members, seen, (selected or {}).get(study), shipped=shipped))
    return rows


def studies_of(track: Track, records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of a track by what they make a row of: the study, or the anchor with its backbone and data."""
    studies: dict[str, list[Record]] = {}
    for record in records:
        unit = record["result"]["unit"]
        if (unit["track"], unit["track_version"]) == (track.name, track.version):
            studies.setdefault(row_key(unit), []).append(record)
    return studies


def finals_of(records: Iterable[Record], ledger: Ledger | None) -> list[Record]:
    """The final units of one row, by seed: those of the trial and epoch that its ledger selected, of an anchor all."""
    finals = sorted((r for r in records if r["result"]["unit"]["kind"] == "final"), key=lambda r: r["result"]["unit"]["repetition"])
    if ledger is None:
        return finals
    picked = None if ledger.selected is None else (ledger.selected.number, ledger.selected.epoch)
    return [r for r in finals if (r["result"]["unit"]["trial"], r["result"]["unit"]["stop_epoch"]) == picked]


def _row(track: Track, study: str, records: list[Record], opened: set[str], limit: int | None, *, shipped: bool) -> Row:
    first, primary = records[0]["result"]["unit"], track.metrics.primary
    method = Method(**first["method"])
    finals = finals_of(records, None)
    closed_set = first["data"]["split"].get("rule") == "closed-set"
    if method.is_anchor:
        ledger, chosen = None, finals
        # What no seed can move is run once; how often the others are, the track's budget says.
        expected = 1 if method.loss in FIXED_ANCHORS else track.budget.seeds
        flags = {"short-budget"} if len(finals) < expected else set()
    else:
        ledger = ledger_of(records, budget=track.budget.trials, limit=limit)
        chosen = finals_of(finals, ledger)
        flags = {*ledger.flags, *_flags(track, first, chosen)}
    tuning = [r for r in records if ledger is not None and _is_counted(r["result"]["unit"], ledger)]
    by_seed = _by_seed(chosen)
    classes95 = _classes95(track, method, chosen)
    scores = {
        metric: Score(*t_interval(list(values.values())), len(values), classes95 if metric == primary else None)
        for metric, values in by_seed.items()
    }
    return Row(
        method=method,
        study=study,
        scores=scores,
        by_seed=by_seed,
        ledger=ledger,
        seeds=len(by_seed.get(primary, {})) if ledger is not None else len(finals),
        flags=tuple(sorted({*flags, *(["closed-set"] if closed_set else [])})),
        opened=len({_logged_id(r, opened) for r in finals} | opened),
        reason=None if scores else _reason(chosen, ledger),
        missing=_missing(track, chosen, scores),
        shipped=shipped,
        closed_set=closed_set,
        evaluation={key: (first.get("evaluation") or {}).get(key) or default for key, default in EVALUATION.items()},
        costs=costs_of(tuning, chosen),
    )


def _is_counted(unit: Mapping[str, Any], ledger: Ledger) -> bool:
    return unit["kind"] == "tune" and int(unit["trial"]) < ledger.counted


def _logged_id(record: Record, opened: Collection[str]) -> str:
    # The log knows a record of an older layout by the id it had then.
    before = (record.get("telemetry", {}).get("upgraded_from") or {}).get("id")
    return str(before if before in opened else record["id"])


def _by_seed(finals: Sequence[Record]) -> dict[str, dict[int, float]]:
    by_seed: dict[str, dict[int, float]] = {}
    for record in finals:
        for metric, value in record["result"]["scores"].items():
            if value is not None:
                by_seed.setdefault(metric, {})[record["result"]["unit"]["repetition"]] = value
    return by_seed


def _classes95(track: Track, method: Method, finals: Sequence[Record]) -> tuple[float, float] | None:
    """Ends of the bootstrap interval over test classes, each with its mean over the seeds and weighted by its queries."""
    metric = track.metrics.primary
    results = [r["result"] for r in finals if r["result"]["scores"].get(metric) is not None]
    per_class = [(result.get("per_class") or {}).get(metric) or [] for result in results]
    queries = next((result.get("class_queries") for result in results), None) or []
    if any(result.get("class_queries") != queries for result in results) or any(len(scores) != len(queries) for scores in per_class):
        return None
    # A class in which no query has a positive has no score, and nothing to weigh.
    known = [(scores, count) for *scores, count in zip(*per_class, queries, strict=True) if count and None not in scores]
    if len(known) < 2:
        return None
    found = class_bootstrap(
        [math.fsum(scores) / len(scores) for scores, _ in known],
        [count for _, count in known],
        seed=seed_of("classes", track.name, track.version, method.name),
        draws=DRAWS,
    )
    return found.low, found.high


def _missing(track: Track, finals: Sequence[Record], scores: Mapping[str, Score]) -> dict[str, str]:
    """Reported metrics that a row with scores lacks, and why."""
    result = next((r["result"] for r in finals if r["result"]["state"] == "done"), None)
    if result is None or not scores:
        return {}
    notes = result.get("notes") or {}
    missing = {metric: _why(metric, notes) for metric in track.metrics.report if metric not in scores}
    primary = track.metrics.primary
    # A primary metric without a score per query, such as one over pairs, has no interval over classes to miss.
    if primary in scores and scores[primary].classes95 is None and (result.get("per_class") or {}).get(primary):
        counted = result.get("class_queries")
        missing[f"{primary} over classes"] = (
            "fewer than two test classes have a score" if counted else "its records do not say how many queries a class has"
        )
    return missing


def _why(metric: str, notes: Mapping[str, Any]) -> str:
    """Why a metric has no value: its own note, that on verification pairs where it needs them, or the plain fact."""
    stem, _, number = metric.partition("@")
    for name, note in notes.items():
        other, _, value = name.partition("@")
        # A rate may be written in two ways: tar@1e-3 and tar@0.001.
        same = stem == other and (number == value or (stem == "tar" and bool(number and value) and float(number) == float(value)))
        if same and isinstance(note, str):
            return note
    return str(notes["verification"]) if stem in _ON_PAIRS and "verification" in notes else "it does not apply"


def _reason(finals: Sequence[Record], ledger: Ledger | None) -> str:
    errors = [r["result"]["error"] for r in finals if r["result"]["state"] == "failed"]
    if errors:
        return f"every final model failed: {errors[0]}"
    if ledger is not None and ledger.selected is not None:
        return "no final model yet"
    failed = [trial.error for trial in ledger.trials if trial.error] if ledger is not None else []
    return f"every trial failed: {failed[0]}" if failed else "still being tuned"


def _flags(track: Track, unit: Mapping[str, Any], finals: Sequence[Record]) -> list[str]:
    """What marks a row beyond its tuning."""
    flags = []
    done = sum(r["result"]["state"] == "done" for r in finals)
    if len(finals) < track.budget.seeds:
        flags.append("short-budget")
    if len(finals) > track.budget.seeds:
        flags.append("long-budget")
    if finals and done < len(finals):
        flags.append(f"failed-seeds:{len(finals) - done}")
    if any(where.startswith("local ") for where in unit["components"].values()):
        flags.append("local")
    if unit["revision"] != TRAINING_REVISION:
        flags.append(f"revision-{unit['revision']}")
    return flags

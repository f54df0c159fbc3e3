"""Records → rows: one per study and anchor, with its scores, its parameters and what a reader must know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.config import Track
from siambench.record import Record, best_epoch
from siambench.spec import ANCHORS, TRAINING_REVISION, Method, dimension_from_json
from siambench.stats import t_interval


@dataclass(frozen=True)
class Score:
    """A metric of a row over its seeds; ``ci95`` is the half-width of the t-interval, None at n = 1."""

    mean: float
    ci95: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard.

    Args:
        method: what was compared.
        study: its key, or the anchor's.
        scores: by metric; a metric that does not apply is missing.
        by_seed: metric → repetition → score.
        params: of the selected trial.
        trials: how many were tuned with.
        seeds: final models that gave scores.
        dimension: number of tuned parameters.
        flags: what marks the row, sorted.
        opened: distinct units of the method that saw the test part.
        validation: (score of the default trial or None, of the selected one or None).
        reason: why there are no scores; None where there are.
        shipped: whether its records came with siambench.
    """

    method: Method
    study: str
    scores: Mapping[str, Score]
    by_seed: Mapping[str, Mapping[int, float]]
    params: Mapping[str, Any]
    trials: int
    seeds: int
    dimension: int
    flags: tuple[str, ...]
    opened: int
    validation: tuple[float | None, float | None]
    reason: str | None
    shipped: bool

    @property
    def name(self) -> str:
        """The method's name, which is the row's."""
        return self.method.name


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
    studies: dict[str, list[Record]] = {}
    for record in records:
        unit = record["result"]["unit"]
        if (unit["track"], unit["track_version"]) == (track.name, track.version):
            studies.setdefault(_group(unit), []).append(record)
    return [_row(track, study, members, openings, (selected or {}).get(study), shipped) for study, members in sorted(studies.items())]


def _group(unit: Mapping[str, Any]) -> str:
    # An anchor has no study; that of another backbone or data set is another row.
    if unit["method"]["loss"] in ANCHORS:
        return f"{unit['study']}@{unit['method']['backbone']}@{unit['data']['fingerprint']}"
    return str(unit["study"])


def _row(
    track: Track,
    study: str,
    records: list[Record],
    openings: Sequence[Mapping[str, Any]],
    trials: int | None,
    shipped: bool,  # noqa: FBT001
) -> Row:
    first = records[0]["result"]["unit"]
    method = Method(**first["method"])
    finals = [r for r in records if r["result"]["unit"]["kind"] == "final"]
    seen = {r["id"] for r in finals} | {line["unit"] for line in openings if line.get("study") == first["study"]}
    if method.is_anchor:
        scores, by_seed = _scores(finals)
        reason = None if scores else _reason(finals)
        expected = 1 if method.loss == "raw" else track.budget.seeds
        short = ("short-budget",) if len(finals) < expected else ()
        return Row(method, study, scores, by_seed, {}, 0, len(finals), 0, short, len(seen), (None, None), reason, shipped)

    ledger = _ledger(records)
    maximise = bool(first["training"]["maximise"])
    counted, best = _best(ledger, trials or len(ledger), finals, first["primary"], maximise=maximise)
    chosen = [
        r for r in finals if best is not None and r["result"]["unit"]["trial"] == best[0] and r["result"]["unit"]["stop_epoch"] == best[1]
    ]
    scores, by_seed = _scores(chosen)
    default = best_epoch(ledger[0], first["primary"], maximise=maximise) if ledger else None
    params = ledger[best[0]][0]["result"]["unit"]["params"] if best is not None else {}
    failed_trials = sum(best_epoch(folds, first["primary"], maximise=maximise) is None for folds in ledger[:counted])
    return Row(
        method=method,
        study=study,
        scores=scores,
        by_seed=by_seed,
        params=params,
        trials=counted,
        seeds=len(by_seed.get(first["primary"], {})),
        dimension=len(first["space"]),
        flags=_flags(track, first, params, counted, chosen, failed_trials),
        opened=len(seen),
        validation=(default[1] if default else None, best[2] if best else None),
        reason=None if scores else _reason(chosen, ledger, best is not None),
        shipped=shipped,
    )


def _ledger(records: list[Record]) -> list[list[Record]]:
    """The complete trials of a study, from 0 on, each with its records by fold."""
    trials: dict[int, dict[int, Record]] = {}
    for record in records:
        unit = record["result"]["unit"]
        if unit["kind"] == "tune":
            trials.setdefault(unit["trial"], {})[unit["fold"]] = record
    ledger = []
    for number in range(len(trials)):
        folds = trials.get(number, {})
        if not folds or len(folds) < next(iter(folds.values()))["result"]["unit"]["data"]["split"]["folds"]:
            break
        ledger.append([folds[fold] for fold in sorted(folds)])
    return ledger


def _best(
    ledger: list[list[Record]], trials: int, finals: list[Record], primary: str, *, maximise: bool
) -> tuple[int, tuple[int, int, float] | None]:
    """How many trials count, and the (trial, epoch, value) they select.

    Where an interrupted extension of the budget has left more trials than the final models were selected from, the
    largest number of trials that selects a trial with final models counts.
    """
    have = {(r["result"]["unit"]["trial"], r["result"]["unit"]["stop_epoch"]) for r in finals}
    sign = -1 if maximise else 1
    fallback = None
    for count in range(min(trials, len(ledger)), 0, -1):
        found = [(n, *e) for n, folds in enumerate(ledger[:count]) if (e := best_epoch(folds, primary, maximise=maximise)) is not None]
        if not found:
            continue
        best = min(found, key=lambda f: (sign * f[2], f[0]))
        if (best[0], best[1]) in have:
            return count, best
        fallback = fallback or (count, best)
    return fallback or (min(trials, len(ledger)), None)


def _scores(finals: list[Record]) -> tuple[dict[str, Score], dict[str, dict[int, float]]]:
    by_seed: dict[str, dict[int, float]] = {}
    for record in sorted(finals, key=lambda r: r["result"]["unit"]["repetition"]):
        for metric, value in record["result"]["scores"].items():
            if value is not None:
                by_seed.setdefault(metric, {})[record["result"]["unit"]["repetition"]] = value
    scores = {}
    for metric, values in by_seed.items():
        interval = t_interval(list(values.values()))
        scores[metric] = Score(interval.mean, interval.half_width, len(values))
    return scores, by_seed


def _reason(finals: list[Record], ledger: Sequence[list[Record]] = (), selected: bool = False) -> str:  # noqa: FBT001, FBT002
    errors = [r["result"]["error"] for r in finals if r["result"]["state"] == "failed"]
    if errors:
        return f"every final model failed: {errors[0]}"
    if selected:
        return "no final model yet"
    failed = [r["result"]["error"] for folds in ledger for r in folds if r["result"]["state"] == "failed"]
    return f"every trial failed: {failed[0]}" if failed else "still being tuned"


def _flags(
    track: Track, unit: Mapping[str, Any], params: Mapping[str, Any], trials: int, finals: list[Record], failed_trials: int
) -> tuple[str, ...]:
    flags = []
    done = sum(r["result"]["state"] == "done" for r in finals)
    if unit["edited"]:
        flags.append("edited-space")
    full = 1 if not unit["space"] else track.budget.trials
    if trials < full or len(finals) < track.budget.seeds:
        flags.append("short-budget")
    if failed_trials:
        flags.append(f"failed-trials:{failed_trials}")
    if finals and done < len(finals):
        flags.append(f"failed-seeds:{len(finals) - done}")
    if any(where.startswith("local ") for where in unit["components"].values()):
        flags.append("local")
    if unit["revision"] != TRAINING_REVISION:
        flags.append(f"revision-{unit['revision']}")
    for name, dimension in unit["space"].items():
        if name in params and dimension_from_json(dimension).on_bound(params[name]):
            flags.append(f"on-bound:{name}")
    return tuple(sorted(flags))

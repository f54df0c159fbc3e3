"""Records → rows: one per method and baseline, with its scores, its tunings and what a reader must know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from siambench.board.costs import Costs, costs_of
from siambench.board.flags import budget_flags, tuning_flags, unit_flags
from siambench.board.material import Material, material_of
from siambench.board.scores import Model, Score, by_study, mean_of, scores_of
from siambench.board.tuning import Tuning, tunings_of
from siambench.board.unit_figures import pictured
from siambench.board.units import FinalUnit, final_units
from siambench.board.verdicts import Counts, counts_of, summed
from siambench.interfaces import Done, Failed, Outcome
from siambench.records.record import Record, row_key
from siambench.spaces import Params
from siambench.spec import Method, ScoringSpec, Unit
from siambench.tracks.rules import Track


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard.

    Args:
        method: what was compared.
        key: what its records share.
        scores: by metric; a metric that does not apply is missing.
        by_study: metric → study → mean over that study's final models.
        by_repetition: metric → study → repetition → score.
        tunings: how it was tuned, study by study; none for a baseline.
        studies: those with scores; of a row without any those begun.
        trials: of each of its studies, the fewest.
        repetitions: final models with scores of each of its studies, the fewest.
        is_comparable: whether each of its studies has exactly the track's trials and repetitions.
        is_full: whether it has the track's studies too: what ranks and their tests count.
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
        judged: how many of its final models have which verdict.
        material: what its pictures are drawn from beside all this.
        pictured: id of the unit that stands for it in pictures of a single model; None where none ended well.
        finals: the final units that its scores are of, by study and repetition.
    """

    method: Method
    key: str
    scores: Mapping[str, Score]
    by_study: Mapping[str, Mapping[int, float]]
    by_repetition: Mapping[str, Mapping[int, Mapping[int, float]]]
    tunings: tuple[Tuning, ...]
    studies: int
    trials: int
    repetitions: int
    is_comparable: bool
    is_full: bool
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
    judged: Counts = field(compare=False, default_factory=dict)
    material: Material = field(compare=False, repr=False, default_factory=Material)
    pictured: str | None = field(compare=False, default=None)
    finals: tuple[FinalUnit, ...] = field(compare=False, default=())

    @property
    def name(self) -> str:
        """The method's name, which is the row's."""
        return self.method.name

    @property
    def seeds(self) -> int:
        """Final models that gave scores, of all studies. Deprecated: see ``studies`` and ``repetitions``."""
        return max((sum(map(len, studies.values())) for studies in self.by_repetition.values()), default=0)

    @property
    def params(self) -> Params:
        """Those of the selected trial, of several studies of the one that validated best."""
        chosen = [tuning.selected for tuning in self.tunings if tuning.selected is not None and tuning.selected.value is not None]
        if not chosen:
            return {}
        sign = 1 if self.tunings[0].maximise else -1
        return max(chosen, key=lambda trial: sign * (trial.value or 0.0)).params

    @property
    def verdicts(self) -> Counts:
        """How many of its trials have which verdict."""
        return summed(tuning.verdicts for tuning in self.tunings)

    @property
    def dimension(self) -> int:
        """Number of tuned parameters."""
        return len(self.tunings[0].space) if self.tunings else 0

    @property
    def validation(self) -> tuple[float | None, float | None]:
        """Score of the default trial and of the selected one, each the mean over the studies that have it."""
        default = {tuning.study: tuning.default for tuning in self.tunings}
        selected = {tuning.study: tuning.selected.value for tuning in self.tunings if tuning.selected is not None}
        return _mean(default), _mean(selected)


def _mean(values: Mapping[int, float | None]) -> float | None:
    known = {study: value for study, value in values.items() if value is not None}
    return mean_of(known) if known else None


@dataclass(frozen=True)
class _Beside:
    """What a row is made with beside its own records: rules, the log, how many trials count, and the untrained networks."""

    track: Track
    opened: Mapping[str, set[str]]
    selected: Mapping[str, int]
    untrained: Mapping[tuple[str, str, int, int], Done]
    shipped: bool


def rows_of(
    track: Track,
    records: Iterable[Record],
    *,
    openings: Sequence[Mapping[str, Any]] = (),
    selected: Mapping[str, int] | None = None,
    shipped: bool = False,
    baselines: Iterable[Record] = (),
) -> list[Row]:
    """The rows that records of one exam give.

    Args:
        track: the rules.
        records: all of one exam, in any order.
        openings: lines of the log of test openings.
        selected: row → number of trials to count, where a run had a smaller budget than the records hold.
        shipped: whether the records came with siambench.
        baselines: further records of the exam, among which to look for the untrained networks by which failures are scored.
    """
    records = list(records)
    # By method, not by row: whoever edits a loss, a space or a track's version and looks again has looked again.
    opened: dict[str, set[str]] = {}
    for line in openings:
        opened.setdefault(str(line.get("method")), set()).add(str(line.get("unit")))
    untrained = _untrained(track, [*baselines, *records])
    beside = _Beside(track, opened, selected or {}, untrained, shipped)
    return [_row(key, members, beside) for key, members in sorted(records_by_row(records).items())]


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


def finals_of(track: Track, records: Iterable[Record], tunings: Sequence[Tuning] | None) -> list[Record]:
    """The final units of one row, by study and repetition: those of the trial and epoch that their study selected.

    Of several of one repetition, which differ in what they report, the one that reports most of what the track does.

    Args:
        track: the rules.
        records: of the row.
        tunings: of its studies; None for a baseline, of which all final units count.
    """
    finals = [r for r in records if r.unit.kind == "final"]
    if tunings is not None:
        picked = {t.study: (t.selected.number, t.selected.epoch) for t in tunings if t.selected is not None}
        finals = [r for r in finals if picked.get(r.unit.study) == (r.unit.trial, r.unit.stop_epoch)]

    def fullness(record: Record) -> tuple[int, float, int, str]:
        reported = record.unit.scoring.metrics
        # Of two that report as much the newer: a baseline that was made again takes its twin's place.
        return len(set(reported) & set(track.metrics.report)), record.started, len(reported), record.id

    fullest: dict[tuple[int, int], Record] = {}
    for record in sorted(finals, key=fullness):
        fullest[record.unit.study, record.unit.repetition] = record
    return [fullest[place] for place in sorted(fullest)]


def _untrained(track: Track, records: Iterable[Record]) -> dict[tuple[str, str, int, int], Done]:
    """What untrained networks gave, by backbone, protocol, study and repetition."""
    found: dict[tuple[str, str, int, int], Done] = {}
    baselines = [record for record in records if record.unit.method.baseline == "untrained"]
    for members in records_by_row(baselines).values():
        for record in finals_of(track, members, None):
            if isinstance(record.outcome, Done):
                found[_stand_in(track, record.unit, record.unit.study, record.unit.repetition)] = record.outcome
    return found


def _stand_in(track: Track, unit: Unit, study: int, repetition: int) -> tuple[str, str, int, int]:
    return unit.method.backbone or track.model.backbone, unit.scoring.protocol, study, repetition


def _models(beside: _Beside, unit: Unit, finals: Sequence[Record], tunings: Sequence[Tuning], limit: int | None) -> list[Model]:
    """The final models of a row, those that failed scored as the untrained network of their study and repetition."""
    models = []
    for record in finals:
        place = record.unit.study, record.unit.repetition
        outcome: Outcome = record.outcome
        if not isinstance(outcome, Done) and unit.method.baseline is None:
            outcome = beside.untrained.get(_stand_in(beside.track, unit, *place), outcome)
        models.append(Model(*place, outcome, record.outcome.error))
    for tuning in tunings:
        # A study that is over and selected nothing has no final models, and would have failed in each of them.
        asked = (limit or tuning.budget) if tuning.space else tuning.budget
        if tuning.selected is None and tuning.trials and tuning.counted >= asked and not tuning.pending:
            error = next((trial.error for trial in tuning.trials if trial.error is not None), "every trial failed")
            for repetition in range(beside.track.budget.repetitions):
                stand_in = beside.untrained.get(_stand_in(beside.track, unit, tuning.study, repetition))
                models.append(Model(tuning.study, repetition, stand_in or Failed(error=error, ended="raised"), error))
    return sorted(models, key=lambda model: (model.study, model.repetition))


def _row(key: str, found: list[Record], beside: _Beside) -> Row:
    records, others = one_make(found)
    track, first, limit = beside.track, records[0].unit, beside.selected.get(key)
    method, primary = first.method, track.metrics.primary
    is_baseline = method.baseline is not None
    closed_set = first.data.split.rule == "closed-set"
    tunings = () if is_baseline else tunings_of(records, budget=track.budget.trials, limit=limit)
    chosen = finals_of(track, records, None if is_baseline else tunings)
    models = _models(beside, first, chosen, tunings, limit)
    failed = sum(model.error is not None for model in models)
    # Of what never ended well there is nothing to say: the untrained network stands in the table already.
    scored = [] if failed == len(models) else models
    values = by_study(scored)
    scores = scores_of(track, method, scored)
    shown = values.get(primary, {})
    runs = Counter(model.study for model in models)
    counted = {tuning.study: tuning for tuning in tunings if tuning.study in runs or not runs}
    tuned = [r for r in records if r.unit.study in counted and r.unit.kind == "tune"]
    tuned = [r for r in tuned if (r.unit.trial or 0) < counted[r.unit.study].counted]
    flags, is_comparable = budget_flags(track, method, list(counted.values()), runs)
    flags |= {*tuning_flags(list(counted.values())), *unit_flags(first, is_baseline=is_baseline)}
    flags |= {f"failed-repetitions:{failed}"} if failed and not is_baseline else set()
    flags |= {"mixed-versions"} if others else set()
    flags |= {"closed-set"} if closed_set else set()
    flags |= {"unverified"} if any(not record.verified for record in (*tuned, *chosen)) else set()
    # A repetition that failed and has no untrained network to be scored by leaves a gap.
    is_whole = bool(shown) and Counter({study: len(of_study) for study, of_study in shown.items()}) == runs
    done = [model.outcome for model in models if isinstance(model.outcome, Done)]
    source = chosen[0] if chosen else records[0]
    seen = beside.opened.get(method.name, set())
    missing = _missing(track, source.unit.scoring.metrics, done, scores)
    if scores and not is_whole:
        missing[f"{primary} of a failed final model"] = "no untrained network of its study and repetition is there to score it by"
    return Row(
        method=method,
        key=key,
        scores=scores,
        by_study={metric: {study: mean_of(one) for study, one in studies.items()} for metric, studies in values.items()},
        by_repetition=values,
        tunings=tunings,
        studies=len(shown) or len(runs) or len(tunings),
        trials=min((tuning.counted for tuning in counted.values()), default=0),
        repetitions=min(map(len, shown.values()), default=0),
        is_comparable=is_whole and is_comparable,
        is_full=is_whole and is_comparable and not {"short-budget", "long-budget"} & flags,
        flags=tuple(sorted(flags)),
        opened=len({_logged_id(r, seen) for r in found if r.unit.kind == "final"} | seen),
        reason=None if scores else _reason(models, tunings),
        missing=missing,
        shipped=beside.shipped,
        closed_set=closed_set,
        scoring=source.unit.scoring,
        distributions=_distributions(source),
        directions=done[0].directions if done else {},
        libraries=source.unit.libraries,
        also_made_with=others,
        costs=costs_of(tuned, chosen),
        judged=counts_of(record.diagnosis for record in chosen),
        material=material_of(track, tuned, chosen),
        pictured=None if (standing := pictured(chosen)) is None else standing.id,
        finals=final_units(chosen, primary),
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


def _reason(models: Sequence[Model], tunings: Sequence[Tuning]) -> str:
    if any(tuning.selected is not None for tuning in tunings) or not tunings:
        errors = [model.error for model in models if model.error is not None]
        return f"every final model failed: {errors[0]}" if errors else "no final model yet"
    failed = [trial.error for tuning in tunings for trial in tuning.trials if trial.error]
    return f"every trial failed: {failed[0]}" if failed else "still being tuned"

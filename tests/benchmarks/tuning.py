"""What the rules of tuning cost and change: quasi-random trials beside TPE, races beside trials that run every fold, and length.

    python tests/benchmarks/tuning.py samplers glyphs contrastive triplet+hard --studies 5 --out OUT
    python tests/benchmarks/tuning.py racing glyphs --from leaderboards/glyphs --out OUT
    python tests/benchmarks/tuning.py length glyphs --from leaderboards/glyphs --times 1 2 4 8 --out OUT [--test] [--again N]

Units lie in OUT and are not run again: a command that was stopped goes on. Each prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from scipy.stats import kendalltau

from siambench.board.tuning import tunings_of
from siambench.components.catalogue import Catalogue
from siambench.execution.calls import local_engine
from siambench.interfaces import Engine, Lost
from siambench.records.folder import Folder
from siambench.records.record import Record
from siambench.spec import Context, Unit
from siambench.stats import RankInterval, clopper_pearson, compare_studies, expected_best, rank_intervals, t_interval
from siambench.studies.plan import StudyPlan
from siambench.studies.request import Prepared, Request, prepare
from siambench.studies.search import Study, settings
from siambench.tracks.training_rules import Search


class Runner:
    """Runs units on this machine, each once.

    Args:
        out: where records lie.
        prepared: whose exam the units sit.
        engine: that runs them.
        sampler: that proposes trials, for the record.
    """

    def __init__(self, out: Path, prepared: Prepared, engine: Engine, sampler: Search) -> None:
        self.folder = Folder.of(out, prepared.track, prepared.exam)
        self._engine = engine
        self._context = Context(
            records=str(self.folder.records.resolve()),
            openings=str(self.folder.openings.resolve()),
            local=prepared.local,
            exam=prepared.exam,
            search=settings(sampler),
        )

    def records(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, Record]]:
        """Their records, as they end; units may be added while they do, by what is sent back."""
        waiting: dict[str, Unit] = {}
        ready: list[tuple[Unit, Record]] = []
        for unit in units:
            self._put(unit, waiting, ready)
        while ready or waiting:
            while ready:
                more = yield ready.pop(0)
                for unit in more or ():
                    self._put(unit, waiting, ready)
                if more is not None:
                    yield  # the answer to `send`
            for ended in self._engine.wait(0.2) if waiting else ():
                unit = waiting.pop(ended.key)
                if isinstance(ended, Lost):
                    raise SystemExit(f"{unit.label} was lost: {ended.reason}; the same command tries again")
                self.folder.keep(unit, ended.value)
                ready.append((unit, ended.value))

    def _put(self, unit: Unit, waiting: dict[str, Unit], ready: list[tuple[Unit, Record]]) -> None:
        record = self.folder.cached(unit)
        if record is not None:
            ready.append((unit, record))
        else:
            waiting[unit.id] = unit
            self._engine.submit(unit.id, unit, self._context)


def asked(track: str, methods: Iterable[str], *, studies: int | None = None, **changes: object) -> Prepared:
    """The studies of some methods, by the names of their rows."""
    catalogue = Catalogue.load()
    found = []
    for method in methods:
        rest, _, miner = method.partition("+")
        loss, _, feed = rest.partition(":")
        request = Request(
            track=track,
            losses=(loss,),
            miners=(miner,) if miner else (),
            feed=feed or "classes",  # type: ignore[arg-type]
            studies=studies or "all",
            changes=changes,  # type: ignore[arg-type]
        )
        found.append(prepare(request, catalogue))
    return dataclasses.replace(found[0], studies=tuple(plan for prepared in found for plan in prepared.studies))


@contextlib.contextmanager
def running(out: Path, prepared: Prepared, jobs: int | None, sampler: Search = "quasi-random") -> Iterator[Runner]:
    """A runner, its folder held and its workers ended."""
    engine = local_engine(jobs)()
    runner = Runner(out, prepared, engine, sampler)
    try:
        with runner.folder.held(prepared.track):
            yield runner
    finally:
        engine.close(now=True)


def driven(runner: Runner, studies: dict[tuple[str, int], Study]) -> None:
    """Run studies to their ends, all at once."""
    records = runner.records([unit for study in studies.values() for unit in study.start()])
    for unit, record in records:
        more = studies[unit.row, unit.study].finish(unit, record)
        records.send(more)  # type: ignore[attr-defined]


def samplers(arguments: argparse.Namespace) -> None:
    """Both samplers at the track's budget: what is selected, on validation folds, and what its final models score."""
    rows = []
    prepared = asked(arguments.track, arguments.methods, studies=arguments.studies)
    kinds: tuple[Search, ...] = ("quasi-random", "tpe")
    chosen: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    scores: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for kind in kinds:
        # Final models of a study differ by the trial that was selected: units of both samplers lie in folders of their own.
        with running(arguments.out / kind, prepared, arguments.jobs, kind) as runner:
            studies = {plan.key: Study(plan, sampler=kind) for plan in prepared.studies}
            driven(runner, studies)
            for study in studies.values():
                key = study.plan.method.name, study.plan.study
                chosen[kind][key] = math.nan if study.selection is None else study.selection.value
                scores[kind][key] = score_of(runner, study)
    for method in arguments.methods:
        keys = [key for key in chosen["tpe"] if key[0] == method]
        rows.append((method, len(keys), *compared(chosen, keys), *compared(scores, keys)))
    keys = list(chosen["tpe"])
    rows.append(("all", len(keys), *compared(chosen, keys), *compared(scores, keys)))
    table(("method", "studies", "validation, quasi-random", "tpe", "tpe minus", "test, quasi-random", "tpe", "tpe minus"), rows)


def score_of(runner: Runner, study: Study) -> float:
    """Mean of the primary metric over a study's final models."""
    selection, plan = study.selection, study.plan
    if selection is None:
        return math.nan
    units = [plan.final_unit(selection.trial, selection.epoch, selection.params, number) for number in range(plan.repetitions)]
    found = [runner.folder.cached(unit) for unit in units]
    return statistics.fmean(record.outcome.scores[plan.template.scoring.primary] or 0.0 for record in found if record is not None)


def compared(values: dict[str, dict[tuple[str, int], float]], keys: list[tuple[str, int]]) -> tuple[str, str, str]:
    """Means of both, and of their difference with its standard error over studies."""
    ours, theirs = ([values[kind][key] for key in keys] for kind in ("quasi-random", "tpe"))
    differences = [b - a for a, b in zip(ours, theirs, strict=True)]
    error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.nan
    return f"{statistics.fmean(ours):.4f}", f"{statistics.fmean(theirs):.4f}", f"{statistics.fmean(differences):+.4f} ± {error:.4f} (se)"


def studies_of(arguments: argparse.Namespace) -> tuple[Prepared, dict[tuple[str, int], list[Record]]]:
    """The recorded studies of a folder that today's code would plan so, and the plans behind them."""
    records = Folder(arguments.source).read().records
    methods = sorted({record.unit.method.name for record in records if record.unit.kind == "tune"})
    prepared = asked(arguments.track, arguments.methods or methods)
    known = {plan.key for plan in prepared.studies}
    found: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        if (record.unit.row, record.unit.study) in known:
            found[record.unit.row, record.unit.study].append(record)
    return dataclasses.replace(prepared, studies=tuple(plan for plan in prepared.studies if plan.key in found)), found


def racing(arguments: argparse.Namespace) -> None:
    """The other folds of trials that lost their race, which no sampler sees: what the race cost in the fold-mean of what it selected."""
    prepared, found = studies_of(arguments)
    plans = {plan.key: plan for plan in prepared.studies}
    regrets: dict[str, list[float]] = defaultdict(list)
    full: dict[str, list[dict[int, float]]] = defaultdict(list)
    spared = total = 0
    with running(arguments.out, prepared, arguments.jobs) as runner:
        units: dict[str, Unit] = {}
        tunings = {key: tunings_of(records, budget=plans[key].trials)[0] for key, records in found.items()}
        for key, tuning in tunings.items():
            plan = plans[key]
            for trial in tuning.trials:
                if trial.state == "pruned":
                    more = [plan.tune_unit(trial.number, fold, trial.params) for fold in range(1, plan.folds)]
                    units |= {unit.id: unit for unit in more}
        others: dict[tuple[str, int, int], dict[int, float]] = defaultdict(dict)
        for unit, record in runner.records(units.values()):
            value = (record.outcome.curve[-1].validation or {}).get(unit.scoring.primary) if record.outcome.curve else None
            others[unit.row, unit.study, unit.trial or 0][unit.fold or 0] = math.nan if value is None else value
    for key, tuning in tunings.items():
        plan, means = plans[key], {}
        for trial in tuning.trials:
            values = [folds[-1] for folds in trial.folds if folds] + list(others.get((*key, trial.number), {}).values())
            total, spared = total + plan.folds, spared + (plan.folds - 1 if trial.state == "pruned" else 0)
            if len(values) == plan.folds and not any(value is None or math.isnan(value) for value in values):
                means[trial.number] = statistics.fmean(value for value in values if value is not None)
        if tuning.selected is not None and means:
            best = max(means.values()) if plan.maximise else min(means.values())
            regrets[plan.method.name].append(abs(best - means[tuning.selected.number]))
            full[plan.method.name].append(means)
    every = [value for values in regrets.values() for value in values]
    rows = []
    for name, values in (*sorted(regrets.items()), ("all", every)):
        same = sum(value == 0 for value in values)
        rows.append((name, len(values), f"{statistics.fmean(values):.4f}", f"{max(values):.4f}", same))
    table(("method", "studies", "mean regret", "largest", "same selection"), rows)
    same = sum(value == 0 for value in every)
    _, low, high = clopper_pearson(same, len(every))
    compared = sum(len(means) for studies in full.values() for means in studies)
    say(f"\n{compared} trials were run on all folds, {sum(len(tuning.trials) for tuning in tunings.values())} were asked for")
    say(f"\nsame selection in {same} of {len(every)}, 95 % [{low:.3f}, {high:.3f}]; spared {spared} of {total} tune units\n")
    best_so_far(full, next(iter(plans.values())))


def best_so_far(full: dict[str, list[dict[int, float]]], plan: StudyPlan) -> None:
    """The default, and what is to be expected of the best of it and so many trials: mean and t-interval over studies."""
    counts = [count for count in (1, 2, 3, 5, 8, 12) if count <= plan.trials]
    rows = []
    for name, studies in sorted(full.items()):
        cells = []
        for count in counts:
            found = []
            for means in studies:
                default, others = means.get(0), [value for number, value in means.items() if number]
                if default is None or len(others) < count - 1:
                    continue
                better = max if plan.maximise else min
                # The default is among the trials of every study: the rest are exchangeable.
                rest = [better(value, default) for value in others]
                found.append(default if count == 1 else expected_best(rest, count - 1, higher_is_better=plan.maximise))
            if not found:
                cells.append("")
                continue
            mean, half_width = t_interval(found)
            cells.append(f"{mean:.3f}" + ("" if half_width is None else f" ± {half_width:.3f}"))
        rows.append((name, len(studies), *cells))
    table(("method", "studies", "default", *(f"best of {count}" for count in counts[1:])), rows)


def length(arguments: argparse.Namespace) -> None:
    """The selected settings of all recorded studies trained longer: on validation folds, or with --test as final models.

    With ``--again N`` each is trained a second time, weights and batches drawn from the streams of the N-th study after its own: what
    moves between the two is chance alone, and no order of lengths can be told better than theirs.
    """
    prepared, found = studies_of(arguments)
    plans: dict[tuple[str, int], StudyPlan] = {plan.key: plan for plan in prepared.studies}
    columns = [(times, later) for times in arguments.times for later in dict.fromkeys((0, arguments.again))]
    samples: dict[str, dict[str, list[float]]] = {}
    for times, later in columns:
        epochs = prepared.track.training.epochs * times
        changed = asked(arguments.track, sorted({plan.method.name for plan in plans.values()}), **{"training.epochs": epochs})
        longer = {(plan.method.name, plan.study): plan for plan in changed.studies}
        units = []
        for key, records in found.items():
            plan, selected = plans[key], tunings_of(records, budget=plans[key].trials)[0].selected
            other = longer.get((plan.method.name, plan.study + later))
            if selected is None or other is None or plan.study >= arguments.studies:
                continue
            if arguments.test:
                units.append(other.final_unit(selected.number, epochs, selected.params, 0))
            else:
                units += [other.tune_unit(selected.number, fold, selected.params) for fold in range(other.folds)]
        values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        with running(arguments.out / f"x{times}", changed, arguments.jobs) as runner:
            for unit, record in runner.records(units):
                scores = record.outcome.scores if unit.kind == "final" else (record.outcome.curve[-1].validation or {})
                values[unit.method.name][unit.study].append(scores.get(unit.scoring.primary) or math.nan)
        samples[f"{times} ×, again" if later else f"{times} ×"] = {
            name: [statistics.fmean(of_study) for _, of_study in sorted(studies.items())] for name, studies in values.items()
        }
    last, better = list(samples.values())[-1], prepared.studies[0].maximise
    methods = sorted(last, key=lambda name: statistics.fmean(last[name]), reverse=better)
    shown = {head: scored([of_methods[name] for name in methods], better=better) for head, of_methods in samples.items()}
    table(("method", *shown), [(name, *row) for name, *row in zip(methods, *shown.values(), strict=True)])
    for (one, before), (other, after) in itertools.combinations(samples.items(), 2):
        left, right = ([statistics.fmean(each[name]) for name in methods] for each in (before, after))
        say(f"\nKendall's tau between {one} and {other}: {kendalltau(left, right).statistic:.3f}")


def scored(samples: list[list[float]], *, better: bool) -> list[str]:
    """Of each method the mean, and where there are studies enough its interval over them and its rank interval, as tables have them."""
    if len(samples) < 2 or min(map(len, samples)) < 2:
        return [f"{statistics.fmean(values):.4f}" for values in samples]
    ranks = rank_intervals(compare_studies(samples), higher_is_better=better)
    return [
        f"{statistics.fmean(values):.4f} ± {t_interval(values).half_width:.4f} ({ranked(rank)})"
        for values, rank in zip(samples, ranks, strict=True)
    ]


def ranked(rank: RankInterval) -> str:
    """A rank interval in words."""
    return f"rank {rank.low}" if rank.low == rank.high else f"rank {rank.low} to {rank.high}"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A Markdown table."""
    names = list(head)
    say(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        say(f"| {' | '.join(map(str, row))} |")


def say(text: str) -> None:
    """A line on stdout, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, call in (("samplers", samplers), ("racing", racing), ("length", length)):
        command = commands.add_parser(name)
        command.add_argument("track")
        command.add_argument("methods", nargs="*")
        command.add_argument("--studies", type=int, default=5)
        command.add_argument("--times", type=int, nargs="+", default=[1, 2, 4, 8])
        command.add_argument("--from", dest="source", type=Path)
        command.add_argument("--test", action="store_true")
        command.add_argument("--again", type=int, default=0)
        command.add_argument("--jobs", type=int)
        command.add_argument("--out", type=Path, required=True)
        command.set_defaults(call=call)
    arguments = parser.parse_args()
    arguments.call(arguments)


if __name__ == "__main__":
    main()

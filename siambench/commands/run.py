"""Tune, train and evaluate: ``run``."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from siambench.commands.model import models_told
from siambench.commands.terminal import (
    jobs_of,
    print_json,
    say_build,
    say_damaged,
    say_older,
    say_refused,
    show_table,
    stdout_for_documents,
)
from siambench.commands.waiting import Waiting
from siambench.errors import InterruptedRunError, UnfinishedError
from siambench.spec import MOST_REPETITIONS, MOST_STUDIES, MOST_TRIALS, NO_MINER, feed_asked
from siambench.wording import duration, printable, quoted, several

if TYPE_CHECKING:
    from siambench.execution.coordinator import Run
    from siambench.studies.plan import StudyPlan
    from siambench.studies.request import Prepared

log = logging.getLogger("siambench")


class Studies(click.ParamType[Any]):
    """A number of studies, or ``all``."""

    name = "studies"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["all"]:
        """The number, or the word.

        Raises:
            click.BadParameter: if it is neither.
        """
        if value == "all":
            return "all"
        try:
            return click.IntRange(min=1, max=MOST_STUDIES).convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(f"{value!r} is neither all nor a whole number from 1 to {MOST_STUDIES}", ctx, param) from error


class Fed(click.ParamType[Any]):
    """The name of a feed, or ``pairs=FILE`` or ``triplets=FILE``."""

    name = "feed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is.

        Raises:
            click.BadParameter: if it is neither.
        """
        try:
            feed_asked(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error
        return str(value)


@click.command()
@click.argument("comparison", required=False)
@click.option("--track", help="A track by its name, or the path of its TOML file or folder.  [default: glyphs]")
@click.option("--loss", "losses", multiple=True, help="A loss, or ./file.py:Class. Repeat for a grid.")
@click.option("--miner", "miners", multiple=True, help="A miner. Repeat for a grid.  [default: none]")
@click.option("--backbone", help="Replaces the track's backbone.")
@click.option("--dataset", help="A data set without a track, or folder:PATH, csv:PATH, npz:PATH, safetensors:PATH, sides:PATH.")
@click.option(
    "--feed",
    type=Fed(),
    metavar="[classes|pairs|triplets|views|pairs=FILE|triplets=FILE]",
    help="How batches are formed; a FILE lists the pairs or triplets.  [default: classes, or the first that the track admits]",
)
@click.option("--studies", type=Studies(), metavar="N|all", help="Independent tunings per method; all: the track's number.  [default: 1]")
@click.option("--trials", type=click.IntRange(min=1, max=MOST_TRIALS), help="Trials of each study.  [default: the track's]")
@click.option("--repetitions", type=click.IntRange(min=1, max=MOST_REPETITIONS), help="Final models of each study.  [default: the track's]")
@click.option("--seeds", type=click.IntRange(min=1, max=MOST_REPETITIONS), hidden=True)
@click.option(
    "--space",
    "spaces",
    multiple=True,
    metavar="NAME|PARAMETER=RANGE",
    help="Tune in another space that a loss brings (reality-check), or in a part of it (loss.margin=0.05..0.5); repeatable.",
)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Fix a parameter (loss.margin=0.2) or change a rule.")
@click.option("--jobs", default="auto", show_default=True, help="Units at once: a number, or auto.")
@click.option("--engine", default="local", show_default=True, help="Where units run: an installed engine.")
@click.option("--engine-option", "engine_options", multiple=True, metavar="KEY=VALUE", help="An option of the engine's own; repeatable.")
@click.option("--address", help="Of a cluster, for an engine that has one: tcp://host:port, or local.")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), help="Seconds after which a unit is ended; twice: lost.")
@click.option("--memory-limit", type=click.FloatRange(min=0, min_open=True), metavar="MB", help="Likewise, by its worker's memory.")
@click.option("--observe", "observers", multiple=True, metavar="NAME[:ARGUMENT]", help="Tell an observer what happens; repeatable.")
@click.option("--init", metavar="FILE", help="Start training from a model of another exam, that siambench model wrote.")
@click.option("--keep-models", is_flag=True, help="Keep the final models beside their records, for siambench model.")
@click.option("--out", default="siambench-runs", show_default=True, type=click.Path(path_type=Path), help="Folder of the records.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would run, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def run(
    comparison: str | None,
    track: str | None,
    losses: tuple[str, ...],
    miners: tuple[str, ...],
    backbone: str | None,
    dataset: str | None,
    feed: str | None,
    studies: int | Literal["all"] | None,
    trials: int | None,
    repetitions: int | None,
    seeds: int | None,
    spaces: tuple[str, ...],
    changes: tuple[str, ...],
    jobs: str,
    engine: str,
    engine_options: tuple[str, ...],
    address: str | None,
    time_limit: float | None,
    memory_limit: float | None,
    observers: tuple[str, ...],
    init: str | None,
    keep_models: bool,  # noqa: FBT001
    out: Path,
    only_plan: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Tune, train and evaluate methods, and show their rows among the shipped ones.

    COMPARISON is a TOML file (or the name of one that ships or comes with a plugin, such as glyphs); without it the options say what to
    run. Finished units are kept in the output folder: the same command goes on where it stopped.
    """
    from siambench.components.catalogue import Catalogue
    from siambench.errors import RecordError
    from siambench.execution.calls import engine_for
    from siambench.execution.engines.choice import choose
    from siambench.records.folder import Folder, folders_of
    from siambench.records.record import older, read_all, reason_of
    from siambench.studies.request import Request, prepare, repetitions_of
    from siambench.tracks.files import parse_set

    request = Request(
        comparison=comparison,
        track=track,
        losses=losses,
        miners=miners,
        backbone=backbone,
        dataset=dataset,
        feed=feed,
        studies=studies,
        trials=trials,
        repetitions=repetitions_of(repetitions, seeds, said="--seeds"),
        space=spaces,
        changes=parse_set(changes),
        observers=observers,
        keep_models=keep_models,
        init=init,
    )
    workers = jobs_of(jobs)
    options = {"jobs": workers, "address": address, "time_limit": time_limit, "memory_limit": memory_limit}
    # Data sets are found, decoded and hashed here: of a large one that takes minutes.
    with Waiting("reading what the track and its data set hold", silent=as_json), stdout_for_documents():
        catalogue = Catalogue.load()
        chosen = choose(catalogue, engine, options, engine_options)
        prepared = prepare(request, catalogue)
    folder = Folder.of(out, prepared.track, prepared.exam)
    for place in folders_of(out, prepared.track):
        say_older(place, older(Folder(place).records))
    damaged = (
        {path: reason_of(record, path) for path, record in read_all(folder.records) if isinstance(record, RecordError)} if only_plan else {}
    )
    say_damaged(damaged)
    say_build()
    if only_plan:
        _show_plan(prepared, out, workers, as_json=as_json)
        return
    _run(prepared, out, engine_for(chosen, prepared), as_json=as_json)


def _show_plan(prepared: Prepared, out: Path, jobs: int | None, *, as_json: bool) -> None:
    """What would run, on stdout: as text or as one document."""
    from siambench.board.files import estimate
    from siambench.data.features import size_told
    from siambench.execution import coordinator
    from siambench.execution.engines.local import automatic_jobs
    from siambench.records.folder import Folder
    from siambench.spaces import dimension_text, dimension_to_json
    from siambench.studies.kept_features import features_kept

    say_refused(prepared)
    folder = Folder.of(out, prepared.track, prepared.exam).path
    _say_data(prepared, err=as_json)
    cached = coordinator.cached_units(prepared, out)
    workers = jobs or automatic_jobs()
    tune, final = sum(plan.tune_units for plan in prepared.studies), sum(plan.repetitions for plan in prepared.studies)
    seconds = estimate(prepared.track, tune=tune, final=final, own=folder)
    share = 1 - cached / prepared.planned
    wall = None if seconds is None else seconds * share / workers
    rows, kept = _rows(prepared), features_kept(prepared)
    if as_json:
        studies = [
            {
                "method": plan.method.name,
                "studies": number,
                "trials": plan.trials,
                "folds": plan.folds,
                "repetitions": plan.repetitions,
                "dimension": len(plan.space),
                "edited": list(plan.edited),
                "space": {name: dimension_to_json(dimension) for name, dimension in plan.space.items()},
                "sampler": None if plan.template.training is None else plan.template.training.sampler,
            }
            for plan, number in rows
        ]
        track = {"name": prepared.track.name, "version": prepared.track.version}
        lists = [kept.to_json() for kept in prepared.lists]
        units = {"planned": prepared.planned, "cached": cached}
        exam = {"id": prepared.exam.id}
        data = None if prepared.data is None else prepared.data.to_json()
        found = {"data": data, "lists": lists, "studies": studies, "units": units, "jobs": workers, "estimated_seconds": wall}
        found |= {} if kept is None else {"features": kept.to_json()}
        print_json({"schema": 1, "track": track, "exam": exam, "folder": str(folder), **found})
        return
    click.echo(printable(f"track {prepared.track.name} {prepared.track.version}, exam {prepared.exam.short}, records in {folder}"))
    for plan, number in rows:
        times = several(number, "study", "studies")
        raced = ", the best 2 of 4 beyond the first fold" if plan.races else ""
        trials = f"{several(plan.trials, 'trial', 'trials')} × {several(plan.folds, 'fold', 'folds')}{raced}"
        repetitions = several(plan.repetitions, "repetition", "repetitions")
        budget = f"{trials} + {repetitions}, {several(len(plan.space), 'parameter', 'parameters')}"
        budget += "".join(f", {name} in {dimension_text(plan.space[name])}" for name in plan.edited if name in plan.space)
        budget += f", batches by the sampler {_sampler(plan)}" if _sampler(plan) else ""
        click.echo(printable(f"  {plan.method.name}: {times} of {budget}"))
    click.echo(f"  baselines: {len(prepared.baselines)} units")
    if kept is not None:
        each = f"{size_told(kept.bytes_per_number)} for each number that the trunk gives of an item"
        click.echo(printable(f"  features of {kept.items} items are computed once and kept in {kept.folder}: {each}"))
    guess = "no estimate: no unit of this track was timed yet" if wall is None else f"about {duration(wall)} with {workers} workers"
    at_most = "at most " if any(plan.races for plan in prepared.studies) else ""
    click.echo(f"{at_most}{prepared.planned} units, {cached} cached; {guess}")


def _rows(prepared: Prepared) -> list[tuple[StudyPlan, int]]:
    """One study of each row, and how many it has."""
    numbers = Counter(plan.row for plan in prepared.studies)
    return [(plan, numbers[plan.row]) for plan in prepared.studies if not plan.study]


def _sampler(plan: StudyPlan) -> str | None:
    """The sampler that was asked for instead of a method's own; None: its own."""
    from siambench.studies.methods import SAMPLER

    return plan.template.training.sampler if plan.template.training is not None and SAMPLER in plan.edited else None


def _say_data(prepared: Prepared, *, err: bool) -> None:
    """What the data set holds, before anything runs on it: images left out, and folders taken for classes that are none, show here.

    And what its parts keep of the lists that methods are fed from.
    """
    if prepared.data is not None:
        click.echo(printable(f"data {prepared.track.dataset.name}: {prepared.data}"), err=err)
    for kept in prepared.lists:
        click.echo(printable(f"list {kept}"), err=err)


def _say_found(prepared: Prepared, out: Path) -> None:
    """What need not run again, before the first unit that does ends: its line counts on from there."""
    from siambench.execution.coordinator import cached_units

    found = cached_units(prepared, out, with_shipped=True)
    if found:
        click.echo(f"{found} of {prepared.planned} units were found, and are not run again", err=True)


def _run(prepared: Prepared, out: Path, engine: Any, *, as_json: bool) -> None:
    from rich.console import Console

    from siambench.board.view import to_json
    from siambench.commands.progress import Progress
    from siambench.execution import coordinator
    from siambench.records.folder import Folder

    console = Console(stderr=True)
    say_refused(prepared)
    _say_data(prepared, err=True)
    _say_found(prepared, out)
    running = Folder.of(out, prepared.track, prepared.exam).running
    with _logged(out / "siambench.log"), stdout_for_documents(), Progress(console, prepared, running) as progress:
        outcome = coordinator.run(prepared, out=out, engine=engine, notify=progress.notify)
    assert outcome.table is not None
    if as_json:
        print_json({**to_json(outcome.table), "data": None if prepared.data is None else prepared.data.to_json()})
    else:
        show_table(outcome.table)
    for name, reason in outcome.dropped_observers.items():
        click.echo(printable(f"the observer {name} was dropped: {reason}"), err=True)
    for name, seconds in outcome.observer_seconds.items():
        click.echo(printable(f"the observer {name} took {seconds:.2f} s over all units"), err=True)
    for damage in outcome.damaged:
        click.echo(printable(f"run again, for it held no intact record: {damage}"), err=True)
    for line in models_told(prepared, outcome, out) if prepared.keep_models else ():
        click.echo(printable(line), err=True)
    rest = _rest(prepared, outcome)
    if rest:
        click.echo(printable(rest), err=True)
    units = outcome.units
    click.echo(f"{units['done']} done · {units['cached']} cached · {units['failed']} failed · {units['lost']} lost", err=True)
    told = _failed(outcome, out)
    if told:
        click.echo(printable(told), err=True)
    if outcome.interrupted:
        raise InterruptedRunError("interrupted; finished units are kept, the same command goes on from here")
    if units["lost"] or outcome.unfinished:
        raise UnfinishedError(
            f"{units['lost']} units were lost, so {', '.join(outcome.unfinished) or 'a baseline'} is not finished; "
            f"the same command tries again (reasons above and in {out / 'siambench.log'})"
        )


def _failed(outcome: Run, out: Path) -> str:
    """Where the first method of which something failed is looked into; nothing where none failed."""
    from siambench.board.details import loss_word

    first = next((one.unit for one in outcome.records if one.outcome.error is not None and one.unit.method.baseline is None), None)
    if first is None or outcome.table is None:
        return ""
    method, found = first.method, ["siambench", "diagnose", "--loss", loss_word(first.method.loss)]
    found += ["--miner", method.miner] if method.miner != NO_MINER else []
    found += ["--feed", str(method.feed)] if method.feed in ("pairs", "triplets") and method.listed is None else []
    shown = ["siambench", "show", "study", outcome.table.reference, method.name, "--from", str(out)]
    study, diagnosis = (" ".join(map(quoted, words)) for words in (shown, found))
    return f"what failed, and how: {study}; why: {diagnosis}"


def _rest(prepared: Prepared, outcome: Run) -> str:
    """What the studies that were not asked for would cost, by those that ran; nothing where none is left."""
    ran = max((plan.study for plan in prepared.studies), default=0) + 1
    left = prepared.track.budget.studies - ran
    if left < 1 or outcome.interrupted or outcome.unfinished:
        return ""
    rows = {plan.row for plan in prepared.studies}
    took = [record.seconds for record in outcome.records if record.unit.row in rows and record.seconds is not None]
    cost = duration(sum(took) / ran * left / max(1, outcome.jobs)) if took else "as long again each"
    others = several(left, "study", "studies")
    budget = prepared.track.budget
    asked = "the same command with --studies all"
    if any(plan.trials != budget.trials or plan.repetitions != budget.repetitions for plan in prepared.studies):
        whole = several(budget.trials, "trial", "trials"), several(budget.repetitions, "repetition", "repetitions")
        asked += f" and without --trials and --repetitions: ranked are rows of {' and '.join(whole)}, whose tuning takes longer"
    return f"{ran} of {ran + left} studies, so not ranked yet; the other {others} would take about {cost}: {asked}"


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Append what happens to a file, where it can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError:
        yield
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()

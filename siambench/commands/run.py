"""Tune, train and evaluate: ``run``."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from siambench.commands.terminal import jobs_of, print_json, say_older, say_refused, show_plan, show_table
from siambench.errors import InterruptedRunError, UnfinishedError

if TYPE_CHECKING:
    from siambench.spec import Feed
    from siambench.studies.request import Prepared

log = logging.getLogger("siambench")


@click.command()
@click.argument("comparison", required=False)
@click.option("--track", help="A shipped track, or the path of a track's TOML file or folder.  [default: glyphs]")
@click.option("--loss", "losses", multiple=True, help="A loss, or ./file.py:Class. Repeat for a grid.")
@click.option("--miner", "miners", multiple=True, help="A miner. Repeat for a grid.  [default: none]")
@click.option("--backbone", help="Replaces the track's backbone.")
@click.option("--dataset", help="A data set without a track, or folder:PATH.")
@click.option("--feed", type=click.Choice(["classes", "pairs"]), default="classes", show_default=True, help="How batches are formed.")
@click.option("--trials", type=click.IntRange(min=1), help="Tuning budget per method.  [default: the track's]")
@click.option("--seeds", type=click.IntRange(min=1), help="Final models per method.  [default: the track's]")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Fix a parameter (loss.margin=0.2) or change a rule.")
@click.option("--jobs", default="auto", show_default=True, help="Units at once: a number, or auto.")
@click.option("--engine", default="local", show_default=True, help="Where units run: an installed engine.")
@click.option("--address", help="Of a cluster, for an engine that has one: tcp://host:port, or local.")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), help="Seconds after which a unit is ended; twice: lost.")
@click.option("--memory-limit", type=click.FloatRange(min=0, min_open=True), metavar="MB", help="Likewise, by its worker's memory.")
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
    feed: str,
    trials: int | None,
    seeds: int | None,
    changes: tuple[str, ...],
    jobs: str,
    engine: str,
    address: str | None,
    time_limit: float | None,
    memory_limit: float | None,
    out: Path,
    only_plan: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Tune, train and evaluate methods, and show their rows among the shipped ones.

    COMPARISON is a TOML file (or the name of a shipped one, such as glyphs.toml); without it the options say what to
    run. Finished units are kept in the output folder: the same command goes on where it stopped.
    """
    from siambench.api import engine_for
    from siambench.components.catalogue import Catalogue
    from siambench.execution.engines.choice import choose
    from siambench.records.record import older
    from siambench.studies.request import Request, prepare
    from siambench.tracks import rules as config

    request = Request(comparison, track, losses, miners, backbone, dataset, cast("Feed", feed), trials, seeds, config.parse_set(changes))
    workers = jobs_of(jobs)
    options = {"jobs": workers, "address": address, "time_limit": time_limit, "memory_limit": memory_limit}
    with _stdout_for_documents():
        catalogue = Catalogue.load()
        chosen = choose(catalogue, engine, options)
        prepared = prepare(request, catalogue)
    folder = out / prepared.track.name
    say_older(folder, older(folder / "records"))
    if only_plan:
        show_plan(prepared, out, workers, as_json=as_json)
        return
    _run(prepared, out, engine_for(chosen, prepared), as_json=as_json)


def _stdout_for_documents() -> contextlib.AbstractContextManager[object]:
    # Loaders, losses and libraries print what they like; on stdout it would spoil a JSON document.
    return contextlib.redirect_stdout(sys.stderr)


def _run(prepared: Prepared, out: Path, engine: Any, *, as_json: bool) -> None:
    from rich.console import Console

    from siambench.board.table import to_json
    from siambench.commands.progress import Progress
    from siambench.execution import coordinator as benchmark
    from siambench.records.running import RUNNING

    console = Console(stderr=True)
    say_refused(prepared)
    _log_to(out / "siambench.log")
    with _stdout_for_documents(), Progress(console, prepared, out / prepared.track.name / RUNNING) as progress:
        outcome = benchmark.run(prepared, out=out, engine=engine, notify=progress.notify)
    assert outcome.table is not None
    if as_json:
        print_json(to_json(outcome.table))
    else:
        show_table(outcome.table)
    units = outcome.units
    click.echo(f"{units['done']} done · {units['cached']} cached · {units['failed']} failed · {units['lost']} lost", err=True)
    if outcome.interrupted:
        raise InterruptedRunError("interrupted; finished units are kept, the same command goes on from here")
    if units["lost"] or outcome.unfinished:
        raise UnfinishedError(
            f"{units['lost']} units were lost, so {', '.join(outcome.unfinished) or 'an anchor'} is not finished; "
            f"the same command tries again (reasons above and in {out / 'siambench.log'})"
        )


def _log_to(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False

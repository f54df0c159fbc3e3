"""The command line: parse, call one function, print. Documents go to stdout, everything for people to stderr."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from siambench.commands.checking import check
from siambench.commands.evaluating import evaluate
from siambench.commands.inspecting import doctor
from siambench.commands.listing import list_components, plugins, show, tracks
from siambench.commands.reproducing import reproduce
from siambench.commands.upgrading import upgrade
from siambench.commands.watching import status
from siambench.errors import InterruptedRunError, SiambenchError, UnfinishedError
from siambench.printing import jobs_of, print_grid, print_json, say_refused, show_plan, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siambench.request import Prepared
    from siambench.spec import Feed

log = logging.getLogger("siambench")

INTERNAL = 3
USAGE = 4
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its documented code."""
    args = sys.argv[1:] if arguments is None else arguments
    with_traceback = "--traceback" in args
    try:
        cli.main([a for a in args if a != "--traceback"], prog_name="siambench", standalone_mode=False)
        code = 0
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        code = _say(f"{error.format_message().rstrip('.')}", USAGE)
    except SiambenchError as error:
        code = _say(str(error), error.exit_code)
        _trace(with_traceback)
    except (KeyboardInterrupt, click.Abort):
        code = _say("interrupted; finished units are kept, the same command goes on from here", InterruptedRunError.exit_code)
    except (BrokenPipeError, SystemExit):
        # The reader of a pipe has seen enough (click turns that into its own exit): no error, and nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001  the last door: whatever comes is reported and logged
        where = _trace(with_traceback)
        code = _say(f"internal error, please report it: {type(error).__name__}: {error}{where}", INTERNAL)
    sys.exit(code)


def _say(text: str, code: int) -> int:
    from siambench.progress import printable

    # One sentence, whatever a library put into its message.
    click.echo(f"siambench: {printable(' '.join(text.split()))}", err=True)
    return code


def _trace(shown: bool) -> str:  # noqa: FBT001
    from siambench.data.locate import cache_folder

    text = traceback.format_exc()
    if shown:
        click.echo(text, err=True)
    try:
        path = cache_folder() / "siambench.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{' '.join(sys.argv)}\n{text}\n")
    except OSError:
        return ""
    return f" (traceback in {path})"


@click.group(context_settings=_HELP, invoke_without_command=True)
@click.version_option(package_name="siambench", message="siambench %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    r"""The exam room of metric learning: every method sits the same exam, with the same tuning budget.

    \b
    siambench run --loss triplet --miner hard      tune, train and place a method among the shipped baselines
    siambench leaderboard                          the shipped table
    siambench list losses                          what is installed

    Exit codes: 0 all done, 1 a unit was lost, 2 interrupted, 3 internal error, 4 usage, 5 nothing to run,
    6 a difference or a broken contract.
    `--traceback`, anywhere, shows where an error came from.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
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
    from siambench import config
    from siambench.api import engine_for
    from siambench.catalogue import Catalogue
    from siambench.engine.choice import choose
    from siambench.record import older
    from siambench.request import Request, prepare

    request = Request(comparison, track, losses, miners, backbone, dataset, cast("Feed", feed), trials, seeds, config.parse_set(changes))
    workers = jobs_of(jobs)
    options = {"jobs": workers, "address": address, "time_limit": time_limit, "memory_limit": memory_limit}
    with _stdout_for_documents():
        catalogue = Catalogue.load()
        chosen = choose(catalogue, engine, options)
        prepared = prepare(request, catalogue)
    folder = out / prepared.track.name
    _say_older(folder, older(folder / "records"))
    if only_plan:
        show_plan(prepared, out, workers, as_json=as_json)
        return
    _run(prepared, out, engine_for(chosen, prepared), as_json=as_json)


def _stdout_for_documents() -> contextlib.AbstractContextManager[object]:
    # Loaders, losses and libraries print what they like; on stdout it would spoil a JSON document.
    return contextlib.redirect_stdout(sys.stderr)


def _run(prepared: Prepared, out: Path, engine: Any, *, as_json: bool) -> None:
    from rich.console import Console

    from siambench import benchmark
    from siambench.board.table import to_json
    from siambench.progress import Progress

    console = Console(stderr=True)
    say_refused(prepared)
    _log_to(out / "siambench.log")
    with _stdout_for_documents(), Progress(console, prepared) as progress:
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


@cli.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose rows join.")
@click.option("--format", "form", default="table", show_default=True, type=click.Choice(["table", "md", "csv", "json"]))
@click.option("--write", is_flag=True, help="Adopt the records of --from and write README.md, table.csv, costs.csv in the track's folder.")
@click.option("--check", is_flag=True, help="Exit 6 where page and table differ from what the records give.")
def leaderboard(tracks: tuple[str, ...], more: tuple[Path, ...], form: str, write: bool, check: bool) -> None:  # noqa: FBT001
    """Show the table of TRACK (default: glyphs), from the records that ship with siambench.

    With two tracks or more: the mean rank of each method that has a score on all of them.
    """
    if write and check:
        raise click.UsageError("give one of --write and --check")
    if len(tracks) < 2:
        _leaderboard(tracks[0] if tracks else "glyphs", more, form, write=write, check=check)
    elif write or check:
        raise click.UsageError(f"--write and --check take one track, got {len(tracks)}: {', '.join(tracks)}")
    else:
        _across(tracks, more, form)


def _leaderboard(track: str, more: tuple[Path, ...], form: str, *, write: bool, check: bool) -> None:
    from siambench.board import page, shelf, text
    from siambench.board.table import to_json
    from siambench.config import load_track, track_folder

    if write and more:
        new = shelf.adopt(track_folder(track), load_track(track), more)
        click.echo(f"{new} records adopted", err=True)
        more = ()
    table, found = shelf.leaderboard(track, more)
    _say_damaged(found.damaged)
    if write:
        for path in shelf.write(track_folder(track), table):
            click.echo(f"wrote {path}", err=True)
    elif check:
        shelf.check(track_folder(track), table)
        click.echo(f"{track}: the generated files are what {len(found.records)} records give", err=True)
    elif form == "json":
        print_json(to_json(table))
    elif form == "csv":
        click.echo(text.csv_text(table), nl=False)
    elif form == "md":
        click.echo(page.markdown(table, title=text.title_of(table), command=f"siambench leaderboard {track} --write"), nl=False)
    else:
        show_table(table)


def _across(tracks: tuple[str, ...], more: tuple[Path, ...], form: str) -> None:
    from siambench.board import across, shelf
    from siambench.board.show import across_table

    found, damaged = shelf.leaderboards(tracks, more)
    _say_damaged(damaged)
    if form == "json":
        print_json(across.to_json(found))
    elif form == "csv":
        click.echo(across.csv_text(found), nl=False)
    elif form == "md":
        click.echo(across.markdown(found), nl=False)
    else:
        print_grid(across_table(found))
        for caption in across.captions(found):
            click.echo(caption, err=True)


def _say_damaged(paths: Sequence[Path]) -> None:
    from siambench.record import schema_of

    shown = 5
    old = {path: path.parent.parent for path in paths if schema_of(path) is not None}
    for folder in sorted(set(old.values())):
        _say_older(folder, list(old.values()).count(folder))
    damaged = [path for path in paths if path not in old]
    for path in damaged[:shown]:
        click.echo(f"passed over {path}: no intact record", err=True)
    if len(damaged) > shown:
        click.echo(f"passed over {len(damaged) - shown} more files: no intact records", err=True)


def _say_older(folder: Path, number: int) -> None:
    if number:
        click.echo(f"passed over {number} records of another layout: siambench upgrade {folder}", err=True)


for _command in (list_components, show, tracks, plugins, evaluate, reproduce, check, upgrade, status, doctor):
    cli.add_command(_command)


if __name__ == "__main__":
    main()

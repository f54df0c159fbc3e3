"""The command line: parse, call one function, print. Documents go to stdout, everything for people to stderr."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from typing import NoReturn

import click

from siambench.errors import InterruptedRunError, SiambenchError, UsageError, left_by, named, suggestion
from siambench.wording import in_its_encoding, printable

COMPLETE = "_SIAMBENCH_COMPLETE"
"""The variable by which a shell asks what completes its words; click's own name for it."""

INTERNAL = 3
USAGE = 4
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

COMMANDS = {
    "check": "check:check",
    "compare": "compare:compare",
    "diagnose": "diagnose:diagnose",
    "doctor": "doctor:doctor",
    "embed": "embed:embed",
    "evaluate": "evaluate:evaluate",
    "leaderboard": "leaderboard:leaderboard",
    "list": "list:list_components",
    "model": "model:model",
    "new-plugin": "new_plugin:new_plugin",
    "plot": "plot:plot",
    "plugins": "plugins:plugins",
    "reproduce": "reproduce:reproduce",
    "run": "run:run",
    "schema": "schema:schema",
    "show": "show:show",
    "status": "status:status",
    "tracks": "tracks:tracks",
    "upgrade": "upgrade:upgrade",
}
"""Where each command stands in `siambench.commands`: only the one that is called is imported."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002  the same
        if cmd_name not in COMMANDS:
            raise UsageError(f"no such command: {cmd_name!r}{suggestion(cmd_name, COMMANDS)}; commands: {', '.join(COMMANDS)}")
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"siambench.commands.{module}"), name)
        return command


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its documented code."""
    sys.stdout, sys.stderr = in_its_encoding(sys.stdout), in_its_encoding(sys.stderr)
    args = sys.argv[1:] if arguments is None else arguments
    _complete_where_asked()
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
    except (BrokenPipeError, SystemExit) as error:
        if _reader_left(error):
            # The reader of a pipe has seen enough: no error, and nothing more to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        else:
            # Nothing here exits: whatever code it says, a component has ended a command that had not ended.
            code = _say(f"the command was ended by code that is not siambench's: {left_by(error)}", USAGE)
            _trace(with_traceback)
    except OSError as error:
        # A name that is too long, a disk that is full, a place that cannot be written: the machine's, wherever it was met.
        called = error.filename if isinstance(error.filename, str) else "standard output" if error.errno == errno.ENOSPC else "a file"
        code = _say(f"{called[:200]} cannot be used: {error.strerror or error}", USAGE)
        _trace(with_traceback)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        if error.errno == errno.ENOSPC:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except BaseException as error:  # noqa: BLE001  the last door: whatever comes is reported and logged
        where = _trace(with_traceback)
        code = _say(f"internal error, please report it: {named(error)}{where}", INTERNAL)
    sys.exit(code)


def _complete_where_asked() -> None:
    """Answer a shell that asks what completes its words, and leave."""
    if asked := os.environ.get(COMPLETE):
        sys.exit(importlib.import_module("siambench.commands.completing").answer(cli, "siambench", asked))


def _reader_left(error: BaseException) -> bool:
    """Whether a pipe was closed that was written to; click turns that into an exit of its own, and marks the streams."""
    marked = type(sys.stdout).__name__ == "_PacifyFlushWrapper"
    return marked or isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError)


def _say(text: str, code: int) -> int:
    # One sentence, whatever a library put into its message.
    click.echo(f"siambench: {printable(' '.join(text.split()))}", err=True)
    return code


def _trace(shown: bool) -> str:  # noqa: FBT001
    import traceback

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


@click.group(cls=_Commands, context_settings=_HELP, invoke_without_command=True)
@click.version_option(package_name="siambench", message="siambench %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """The exam room of metric learning: every method sits the same exam, with the same tuning budget.

    \b
    siambench run --loss triplet --miner hard      tune, train and place a method among the shipped baselines
    siambench leaderboard                          the shipped table
    siambench list losses                          what is installed

    Exit codes: 0 all done, 1 a unit was lost, 2 interrupted, 3 internal error, 4 usage, 5 nothing to run,
    6 a difference, a broken contract, or a verdict other than ok.
    `--traceback`, anywhere, shows where an error came from.
    """  # noqa: D301  the \b is click's mark of lines that stay as they are
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


if __name__ == "__main__":
    main()

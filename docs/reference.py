"""Writes the pages of docs/reference/: every command with its options, every exit code and variable, every hook with its entry.

    python docs/reference.py            write them
    python docs/reference.py --check    exit 6 where a page is another

All of it is read off the code: the command line's own help, `siambench.errors`, `siambench.machine`, the hooks and their entries.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from written_pages import cell, write_or_check

from siambench.cli import cli
from siambench.components import hookspecs
from siambench.components.hookspecs import ENTRY_OF, KINDS
from siambench.errors import EXIT_CODES
from siambench.machine import VARIABLES
from siambench.wording import arguments_told

FOLDER = Path(__file__).with_suffix("")
NUMBERS = {"INTEGER": "N", "INTEGER RANGE": "N", "FLOAT": "X", "FLOAT RANGE": "X"}
NOTE = "<!-- Written by `python docs/reference.py`: do not edit it. -->"


def in_markdown(text: str) -> str:
    """What a docstring says, with its marks of code as Markdown has them."""
    return re.sub(r"``(.+?)``", r"`\1`", text)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command by its name."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None:
            yield name, command


def told(command: click.Command) -> str:
    """What a command's help says; lines that click leaves as they are stand in a block."""
    parts = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        kept = paragraph.startswith("\b")
        text = paragraph.removeprefix("\b").strip("\n")
        parts.append(f"```text\n{inspect.cleandoc(text)}\n```" if kept else " ".join(in_markdown(text).split()))
    return "\n\n".join(parts)


def asked(option: click.Option, context: click.Context) -> str:
    """An option as it is written: its names, and what stands for its value."""
    metavar = "" if option.is_flag else option.make_metavar(context)
    # Of a number its range is no name.
    value = f" {NUMBERS.get(metavar, metavar)}" if metavar else ""
    return f"`{', '.join(option.opts)}{value}`".replace("|", "\\|")


def meaning(option: click.Option, context: click.Context) -> str:
    """What an option does, whether it may come more than once, and its default."""
    extra = option.get_help_extra(context)
    notes = ["repeatable"] if option.multiple and "epeat" not in (option.help or "") else []
    notes += [f"default: {extra['default']}"] if "default" in extra else []
    return cell(re.sub(r"\s+", " ", option.help or "") + (f" ({'; '.join(notes)})" if notes else ""))


def of_command(name: str, command: click.Command) -> list[str]:
    """The part of a page that tells of one command."""
    context = click.Context(command, info_name=f"siambench {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## siambench {name}", "", "```text", usage, "```", "", told(command), ""]
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden]
    lines += ["| option | meaning |", "|---|---|", *(f"| {asked(one, context)} | {meaning(one, context)} |" for one in options), ""]
    return lines


def commands_page() -> str:
    """All commands with their options."""
    lines = [
        "# Commands and options",
        "",
        NOTE,
        "",
        "As `siambench COMMAND --help` tells them; [commands in use](../running.md) says more of some. `--traceback`, anywhere, shows",
        "where an error came from; `--version` and `--help` do what they say.",
        "",
    ]
    for name, command in commands():
        lines += of_command(name, command)
    return "\n".join(lines)


def codes_page() -> str:
    """Exit codes, and variables of the environment."""
    lines = ["# Exit codes and environment", "", NOTE, "", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {cell(text)} |" for code, text in EXIT_CODES.items()]
    lines += ["", "## Environment", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {cell(text)} |" for name, text in VARIABLES.items()]
    return "\n".join(lines) + "\n"


def fields_of(entry: type) -> Iterator[tuple[str, str, str]]:
    """Each field of an entry: its name, its default, and what its docstring says of it."""
    texts: dict[str, str] = {}
    for base in reversed(entry.__mro__):
        texts |= arguments_told(base.__doc__ or "")
    for field in dataclasses.fields(entry):
        if not field.init:
            continue
        if field.default_factory is not dataclasses.MISSING:
            default = "empty"
        elif field.default is dataclasses.MISSING:
            default = ""
        else:
            default = "none" if field.default in (None, "") else f"`{_value(field.default)}`"
        yield field.name, default, texts.get(field.name, "")


def _value(given: Any) -> str:
    return str(given).lower() if isinstance(given, bool) else ", ".join(map(str, given)) if isinstance(given, tuple) else str(given)


def hooks_page() -> str:
    """All hooks, and what the entries that they give hold."""
    lines = [
        "# Hooks and entries",
        "",
        NOTE,
        "",
        "One hook for each kind, found by the entry points of the group `siambench`; each gives a mapping from names to entries.",
        "[Writing a plugin](../../plugins/README.md) shows each of them at work.",
        "",
    ]
    for kind in KINDS:
        entry, hook = ENTRY_OF[kind], getattr(hookspecs, f"siambench_{kind}")
        lines += [f"## siambench_{kind}", "", in_markdown(" ".join((hook.__doc__ or "").split())), ""]
        lines += [f"`siambench.plugin.{entry.__name__}`:", "", "| field | default | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | {default} | {cell(in_markdown(text))} |" for name, default, text in fields_of(entry)]
        lines += [""]
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "codes_and_environment.md": codes_page,
    "hooks.md": hooks_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    FOLDER.mkdir(exist_ok=True)
    return max(write_or_check(FOLDER / name, page(), arguments, source="the code") for name, page in PAGES.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

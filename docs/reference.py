"""Writes the pages of docs/reference/: every command with its options, every exit code and variable, every hook with its entry.

    python docs/reference.py            write them
    python docs/reference.py --check    exit 6 where a page is another

All of it is read off the code: the command line's own help, `siambench.errors`, `siambench.machine`, the hooks and their entries.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from written_pages import cell, write_or_check

from siambench.cli import cli
from siambench.commands.schema import FORMS, INSTALLED, places, schema_of
from siambench.components import hookspecs
from siambench.components.hookspecs import ENTRY_OF, KINDS
from siambench.errors import EXIT_CODES
from siambench.machine import VARIABLES
from siambench.tracks.rule_texts import RANGE, TRACK
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
    options = [one for one in command.get_params(context) if isinstance(one, click.Option) and not one.hidden and "--help" not in one.opts]
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


BOUNDS = (("minimum", "from {}"), ("exclusiveMinimum", "above {}"), ("maximum", "to {}"), ("exclusiveMaximum", "below {}"))


def allowed(place: dict[str, Any], parts: dict[str, Any]) -> str:  # noqa: PLR0911  one line for each form of a schema
    """What a schema allows, in words."""
    if "$ref" in place:
        name = place["$ref"].rpartition("/")[2]
        inner = parts[name]
        return allowed(inner, parts) if "anyOf" in inner else f"[{name}](#{name.lower()})"
    if "const" in place:
        return f"`{json.dumps(place['const'])}`"
    if "enum" in place:
        return ", ".join(f"`{one}`" for one in place["enum"])
    if "anyOf" in place:
        found = dict.fromkeys(allowed(one, parts) for one in place["anyOf"])
        numbers = {"a number", "a whole number"}
        return " or ".join(one for one in found if not (one == "a whole number" and numbers <= {*found}))
    kind = place.get("type")
    if kind == "array":
        each = place.get("items", place.get("prefixItems", [{}]))
        inner = allowed(each[0] if isinstance(each, list) else each, parts)
        return f"[{inner}, {inner}]" if "prefixItems" in place else f"a list: {inner}"
    if kind == "object" and isinstance(place.get("additionalProperties"), dict):
        inner = allowed(place["additionalProperties"], parts)
        return f"a table: {inner}" if inner else "a table"
    names = {
        "integer": "a whole number",
        "number": "a number",
        "string": "text",
        "boolean": "true, false",
        "null": "null",
        "object": "a table",
    }
    bounds = [text.format(f"{place[word]:g}") for word, text in BOUNDS if word in place and abs(place[word]) < LARGE]
    return " ".join([names.get(kind or "", ""), *bounds]).strip()


LARGE = 1e5
"""A bound from which on it is only a guard against slips."""


def default(place: dict[str, Any]) -> str:
    """The default of a key, as TOML has it."""
    given = place.get("default")
    if isinstance(given, dict) and "low" in given:
        return f"{given['low']:g} to {given['high']:g}{', log' if given['log'] else ''}; {given['default']:g}"
    return "" if given in (None, "", {}, []) or isinstance(given, dict) else f"`{json.dumps(given)}`"


def keys_of(form: str) -> list[str]:
    """A table of the keys of a track or a comparison."""
    made = schema_of(form)
    lines = ["| key | meaning | allowed | default |", "|---|---|---|---|"]
    for key, place in places(made):
        is_table = (
            key in ("methods", "seeds")
            or place.get("deprecated")
            or "$ref" in place
            or any("$ref" in one for one in place.get("anyOf", ()))
        )
        if not is_table or key == "methods" or key.startswith("space."):
            told = "a list of tables" if key == "methods" else allowed(place, made["$defs"])
            if key.startswith("space."):
                told = "a number, or a table"
            lines.append(f"| `{key}` | {cell(place['description'])} | {cell(told)} | {default(place)} |")
    return lines


def keys_page() -> str:
    """All keys of tracks and comparisons."""
    lines = [
        "# Keys of tracks and comparisons",
        "",
        NOTE,
        "",
        "[Tracks and comparisons](../../configs/README.md) says how they go together,",
        "",
    ]
    lines[4] += " and how an editor completes them."
    lines += ["## A track", "", *keys_of("track")]
    lines += [f"| `augment.NAME` | {cell(TRACK['augment.NAME'])} | a table | |", ""]
    lines += ["A range of `[space]` has the keys " + ", ".join(f"`{key}` ({text})" for key, text in RANGE.items()) + ".", ""]
    return "\n".join([*lines, "## A comparison", "", *keys_of("comparison"), ""])


def json_page() -> str:
    """The forms of JSON documents: each value with its type and what it is."""
    lines = ["# JSON forms", "", NOTE, "", "`siambench schema FORM` prints each as a JSON schema. Other commands' documents stand", ""]
    lines[4] += " [with the tables](../../leaderboards/README.md#json). Keys may be added without another number of the layout."
    seen: set[str] = set()
    for form, about in FORMS.items():
        if form in INSTALLED:
            continue
        made = schema_of(form)
        lines += [f"## {form}", "", f"{about[:1].upper()}{about[1:]}.", "", *_values(made, made.get("$defs", {}))]
        for name, part in made.get("$defs", {}).items():
            if name not in seen and "properties" in part:
                seen.add(name)
                lines += [f"### {name}", "", in_markdown(part["description"]), "", *_values(part, made["$defs"])]
    return "\n".join(lines)


def _values(made: dict[str, Any], parts: dict[str, Any]) -> list[str]:
    needed = made.get("required", ())
    lines = ["| key | what it is | meaning |", "|---|---|---|"]
    for key, place in made["properties"].items():
        extra = "" if key in needed else "; may be absent"
        lines.append(f"| `{key}` | {cell(allowed(place, parts) or 'anything')}{extra} | {cell(place.get('description', ''))} |")
    return [*lines, ""]


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "codes_and_environment.md": codes_page,
    "hooks.md": hooks_page,
    "keys.md": keys_page,
    "json.md": json_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    FOLDER.mkdir(exist_ok=True)
    return max(write_or_check(FOLDER / name, page(), arguments, source="the code") for name, page in PAGES.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

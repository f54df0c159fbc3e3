"""What a shell offers at the tabulator: names of components, tracks, rows and keys, without torch; and bash's own way of asking.

Nothing here raises, prints or runs code of somebody's file: a shell that asks in vain gets nothing.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, shell_complete, split_arg_string

VARIABLE = "_SIAMBENCH_COMPLETE"
"""Set by the function that a shell calls; click knows it by this name."""

MOST_RECORDS = 2_000
"""Of a run's records, so many are looked into for the names of rows: a shell waits for an answer."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offering(find: Callable[[click.Context, str], Iterable[CompletionItem | str]]) -> Completer:
    """A completer that offers what begins with the letters that are there, and nothing where something is wrong."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        logging.disable()
        with contextlib.suppress(Exception):
            found = [one if isinstance(one, CompletionItem) else CompletionItem(one) for one in find(context, incomplete)]
            return [one for one in found if one.type != "plain" or str(one.value).startswith(incomplete)]
        return []

    return complete


def _components(kind: str) -> list[CompletionItem]:
    """The names of what is installed, with where each is from."""
    from siambench.components.catalogue import Catalogue

    return [CompletionItem(one.name, help=" ".join(one.entry.source.split())[:60]) for one in Catalogue.load().components(kind)]


def _named(kind: str) -> Completer:
    return _offering(lambda _, __: _components(kind))


def _classes_of(path: str) -> Iterator[str]:
    """``./mine.py:MyLoss`` for each class of a file, which is read and not run."""
    for node in ast.parse(Path(path).expanduser().read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and any(isinstance(one, ast.FunctionDef) and one.name == "forward" for one in node.body):
            yield f"{path}:{node.name}"


def _files(kind: str = "file") -> list[CompletionItem]:
    """The shell's own way to complete a path."""
    return [CompletionItem("", type=kind)]


def _losses(_: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """A loss, one within losses put together, a class of a file, or a file."""
    # Of ``sum(contrastive,0.1*tri`` the last name is completed.
    before, name = re.fullmatch(r"((?:.*[(,*])?)([^(,*]*)", incomplete).groups()  # type: ignore[union-attr]
    path, colon, _name = name.rpartition(":")
    if colon and path.endswith(".py"):
        return (f"{before}{one}" for one in _classes_of(path))
    if not before and name.startswith((".", "/", "~")):
        return _files()
    return (CompletionItem(f"{before}{one.value}", help=one.help) for one in _components("losses"))


def _backbones(_: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """A backbone, or of two for items of two sides the second."""
    before = incomplete[: incomplete.rfind("|") + 1]
    return (CompletionItem(f"{before}{one.value}", help=one.help) for one in _components("backbones"))


def _datasets(_: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """A data set, or one that is named by a path, whose folders and files are offered."""
    from siambench.components.catalogue import Catalogue

    found = Catalogue.load().components("datasets")
    by_path = {one.name for one in found if one.entry.takes_path}
    name, colon, path = incomplete.partition(":")
    if colon and name in by_path:
        return (f"{name}:{one}" for one in _paths(path, folders=name == "folder"))
    return (f"{one.name}:" if one.name in by_path else CompletionItem(one.name, help=one.entry.source[:60]) for one in found)


def _paths(begun: str, *, folders: bool) -> Iterator[str]:
    """Folders, with a slash behind them, and files that a path may go on to."""
    parent = begun[: begun.rfind("/") + 1]
    for one in sorted(Path(parent or ".").expanduser().iterdir()):
        if one.is_dir() and not one.name.startswith("."):
            yield f"{parent}{one.name}/"
        elif not folders and one.is_file():
            yield f"{parent}{one.name}"


def _tracks(context: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """A track that is installed, one of an output folder that is named, or a path."""
    from siambench.tracks.files import known_tracks

    if "/" in incomplete or incomplete.startswith((".", "~")):
        return _files()
    own = (json.loads((folder / "track.json").read_text(encoding="utf-8"))["name"] for folder in _folders_of_runs(context))
    return sorted({*known_tracks(), *own})


def _folders_of_runs(context: click.Context) -> Iterator[Path]:
    """The folders of exams in the output folders that ``--from`` names."""
    for out in context.params.get("more") or ():
        yield from (path.parent for path in [*Path(out).glob("track.json"), *sorted(Path(out).glob("*/track.json"))])


def _rows(context: click.Context, incomplete: str) -> Iterable[str]:
    """The rows of the track that is named: those of its page, and those of output folders."""
    track = next((named for one in ("track", "name", "target") if (named := context.params.get(one))), None)
    # Of several that commas part the last is completed.
    before = incomplete[: incomplete.rfind(",") + 1]
    return [f"{before}{name}" for name in sorted(set(_rows_of(str(track), context)))]


def _rows_of(track: str, context: click.Context) -> Iterator[str]:
    import csv

    from siambench.spec import BASELINES
    from siambench.tracks.files import track_folder

    with contextlib.suppress(Exception), (track_folder(track) / "table.csv").open(encoding="utf-8", newline="") as file:
        yield from (row["method"] for row in csv.DictReader(file) if row["method"] not in BASELINES)
    for folder in _folders_of_runs(context):
        for path in sorted((folder / "records").glob("*.json"))[:MOST_RECORDS]:
            name = _method_of(path)
            if name is not None and name not in BASELINES:
                yield name


def _method_of(path: Path) -> str | None:
    """The name of a record's row, told by a look at its unit."""
    from siambench.identity import from_json
    from siambench.spec import Method

    text = path.read_text(encoding="utf-8")
    begun = text.find('"method":{')
    if begun < 0:
        return None
    found, _ = json.JSONDecoder().raw_decode(text, begun + len('"method":'))
    return from_json(Method, json.dumps(found), where="method").name


def _study_or_component(context: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """The second word of ``show``: a track of ``show study``, else a component of the kind that the first word says."""
    from siambench.components.catalogue import plural

    kind = str(context.params.get("kind"))
    return _tracks(context, incomplete) if kind == "study" else _components(plural(kind))


def _kinds(*more: str) -> Completer:
    def kinds(_: click.Context, __: str) -> Iterable[str]:
        from siambench.components.hookspecs import KINDS

        return [*(kind.replace("_", "-") for kind in KINDS), *more]

    return _offering(kinds)


def _new_kinds(_: click.Context, __: str) -> Iterable[str]:
    from siambench.components.catalogue import singular
    from siambench.components.hookspecs import KINDS

    return [singular(kind).replace("data set", "dataset").replace(" ", "-") for kind in KINDS]


def _metrics(_: click.Context, incomplete: str) -> Iterable[CompletionItem]:
    """The last of the metrics that commas part; of a family its usual members are offered."""
    from siambench.tracks.rules import DEFAULT_METRICS

    before = incomplete[: incomplete.rfind(",") + 1]
    found = dict.fromkeys(DEFAULT_METRICS, "")
    for one in _components("metrics"):
        # Of ``knn@k`` a number stands in the place of the letter: what comes before it is offered.
        name = str(one.value)
        lettered = re.fullmatch(r"(.+?[@-])(?:k|d|far)(?![a-z])(.*)", name)
        if lettered is None or not lettered[2]:
            found[name if lettered is None else lettered[1]] = one.help or ""
    return (CompletionItem(f"{before}{name}", help=about or None) for name, about in sorted(found.items()))


def _comparisons(_: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """A comparison that ships or comes with a plugin, or a file."""
    if "/" in incomplete or incomplete.startswith((".", "~")):
        return _files()
    return [*_components("configs"), *(path.name for path in sorted(Path().glob("*.toml")))]


def _settings(context: click.Context, _: str) -> Iterable[CompletionItem]:
    """``KEY=`` of each rule of a track, and of each parameter and option of the loss, the miner and the optimiser that are named."""
    from siambench.components.catalogue import Catalogue
    from siambench.tracks.rule_texts import TRACK

    rules = [CompletionItem(f"{key}=", help=text.replace("`", "")[:60]) for key, text in TRACK.items() if "." in key and "NAME" not in key]
    catalogue, own = Catalogue.load(), ["optimiser.lr=", "optimiser.weight_decay="]
    for part, kind, asked in (("loss", "losses", "losses"), ("miner", "miners", "miners")):
        named = context.params.get(asked) or context.params.get(part) or ()
        for name in (named,) if isinstance(named, str) else named:
            with contextlib.suppress(Exception):
                entry = catalogue.get(kind, name).entry
                own += [f"{part}.{one}=" for one in {**entry.defaults, **getattr(entry, "options", {})}]
                own += [f"{part}.warmup="] if getattr(entry, "warmup", None) is not None else []
    return [*map(CompletionItem, dict.fromkeys(own)), *rules]


def _spaces(context: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """Further spaces that losses bring, and ``PARAMETER=`` of those that are named."""
    from siambench.components.catalogue import Catalogue

    named = {space for one in Catalogue.load().components("losses") for space in getattr(one.entry, "spaces", {})}
    own = [one for one in _settings(context, incomplete) if str(one.value).partition(".")[0] in ("loss", "miner", "optimiser")]
    return [*sorted(named), *own]


def _feeds(_: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    from siambench.spec import FEEDS, LIST_FEEDS

    feed, equals, path = incomplete.partition("=")
    if equals:
        return (f"{feed}={one}" for one in _paths(path, folders=False))
    return [*FEEDS, *(f"{one}=" for one in LIST_FEEDS)]


def _observers(_: click.Context, __: str) -> Iterable[CompletionItem]:
    return _components("observers")


def _checked(context: click.Context, incomplete: str) -> Iterable[CompletionItem | str]:
    """What ``check`` examines: a plugin, a component, a kind before its name, or a loss in a file."""
    from siambench.components.catalogue import Catalogue, plural
    from siambench.components.hookspecs import KINDS

    words = context.params.get("names") or ()
    if words:
        return _components(plural(str(words[0])))
    if incomplete.startswith((".", "/", "~")):
        return _losses(context, incomplete)
    catalogue = Catalogue.load()
    kinds = [kind.replace("_", "-") for kind in KINDS]
    return [*(one.plugin for one in catalogue.plugins), *kinds, *dict.fromkeys(one.name for one in catalogue.components())]


def _named_in(module: str, names: str) -> Completer:
    """What a module of siambench has by these names, which is imported when somebody asks."""
    return _offering(lambda _, __: getattr(importlib.import_module(f"siambench.{module}"), names))


BY_NAME: dict[str, Completer] = {
    "backbone": _offering(_backbones),
    "changes": _offering(_settings),
    "comparison": _offering(_comparisons),
    "dataset": _offering(_datasets),
    "engine": _named("engines"),
    "feed": _offering(_feeds),
    "form": _named("formats"),
    "loss": _offering(_losses),
    "losses": _offering(_losses),
    "metrics": _offering(_metrics),
    "miner": _named("miners"),
    "miners": _named("miners"),
    "observers": _offering(_observers),
    "row": _offering(_rows),
    "spaces": _offering(_spaces),
    "track": _offering(_tracks),
    "tracks": _offering(_tracks),
}
"""What completes a parameter of any command, by what its function calls it."""

BY_COMMAND: dict[tuple[str, str], Completer] = {
    ("check", "names"): _offering(_checked),
    ("embed", "data"): _offering(_datasets),
    ("list", "kind"): _kinds(),
    ("new-plugin", "kinds"): _offering(_new_kinds),
    ("plot", "kind"): _named_in("board.pictures", "KINDS"),
    ("plot", "rows"): _offering(_rows),
    ("plot", "target"): _offering(_tracks),
    ("schema", "form"): _named_in("commands.schema", "FORMS"),
    ("show", "kind"): _kinds("study"),
    ("show", "name"): _offering(_study_or_component),
}
"""What completes a parameter of one command, by the names of both."""


class Offering(click.Group):
    """The command line as a shell is answered from it: the same commands, whose parameters know what to offer.

    Args:
        cli: the command line.
    """

    def __init__(self, cli: click.Group) -> None:
        super().__init__(cli.name, params=cli.params, context_settings=cli.context_settings)
        self._cli = cli

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return self._cli.list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, with what completes its parameters."""
        command = self._cli.get_command(ctx, cmd_name)
        for parameter in command.params if command is not None else ():
            known = BY_COMMAND.get((cmd_name, str(parameter.name))) or BY_NAME.get(str(parameter.name))
            if known is not None:
                parameter.shell_complete = functools.partial(_of, parameter, known)  # type: ignore[method-assign]
        return command


def _of(parameter: click.Parameter, completer: Completer, context: click.Context, incomplete: str) -> list[CompletionItem]:
    return completer(context, parameter, incomplete)


_ASKING = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local response

    response=$(env COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_BREAKS="$COMP_WORDBREAKS" %(complete_var)s=bash_complete $1)

    for completion in $response; do
        IFS=',' read type value <<< "$completion"

        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            [[ $value == *[=:/@-] ]] && compopt -o nospace
        fi
    done

    return 0
}

%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}

%(complete_func)s_setup;
"""


class Bash(BashComplete):
    """Completion for bash, which takes ``folder:faces`` and ``loss.margin=0.2`` for several words, and puts back the last alone."""

    source_template = _ASKING

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, parted by spaces alone, and the one that it stands in."""
        line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
        words = split_arg_string(line)
        last = words.pop() if words and not line[-1].isspace() else ""
        return words[1:], last

    def format_completion(self, item: CompletionItem) -> str:
        """What bash puts in the place of the last of its own words."""
        _, incomplete = self.get_completion_args()
        line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
        # Within quotes nothing parts a word.
        breaks = set() if line.endswith((f"'{incomplete}", f'"{incomplete}')) else set(os.environ.get("COMP_BREAKS", ""))
        last = max((place for place, letter in enumerate(incomplete) if letter in breaks), default=-1)
        value = str(item.value)
        return f"{item.type},{value[last + 1 :] if value.startswith(incomplete) else value}"


def answer(cli: click.Group, name: str, instruction: str) -> int:
    """Answer a shell: print what completes the words that it has, or the function that asks.

    Args:
        cli: the command line.
        name: by which it is called.
        instruction: what the shell's function, or whoever switches it on, has put into `VARIABLE`.

    Returns:
        The exit code.
    """
    add_completion_class(Bash, "bash")
    with contextlib.suppress(Exception):
        return shell_complete(Offering(cli), {}, name, VARIABLE, instruction)
    # A command that there is not, a shell that says nothing: nothing completes that.
    return 0

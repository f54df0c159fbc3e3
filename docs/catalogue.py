"""Writes docs/catalogue.md, a table of all that ships for each kind: `python docs/catalogue.py`; `--check` exits 6 where it is another.

What is said of a component is what its entry and the docstring of its factory say. Installed plugins are left out.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

from siambench.components.catalogue import Catalogue, singular
from siambench.components.component import Component
from siambench.components.hookspecs import KINDS
from siambench.errors import DifferenceError
from siambench.plugin import Choice, Dimension, about
from siambench.wording import in_markdown, in_markdown_code

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# What ships with siambench

All components, kind by kind. `siambench list KIND` names them and those of installed plugins, `siambench show KIND NAME` tells more of
each: its further spaces, where they are from, and where a loss's form is not its paper's.
This page is written by `python docs/catalogue.py`.
"""


def sentence(component: Component) -> str:
    """The first sentence of what its factory says of it."""
    text = " ".join((about(component.entry) or "").partition("\n\n")[0].split())
    return in_markdown(text.rstrip("."))


def value(given: object) -> str:
    """A value as TOML and ``--set`` have it."""
    if isinstance(given, bool):
        return str(given).lower()
    return f'"{given}"' if isinstance(given, str) else f"{given:g}" if isinstance(given, float) else str(given)


def dimension(space: Dimension) -> str:
    """Where a parameter is searched."""
    if isinstance(space, Choice):
        return " or ".join(map(value, space.options))
    return f"{value(space.low)} to {value(space.high)}{', log' if space.log else ''}"


def parameters(component: Component) -> str:
    """Each parameter or option: its default, and in brackets where it is searched; then further spaces, and options of a loss, by name."""
    entry = component.entry
    space, defaults = getattr(entry, "space", {}), getattr(entry, "defaults", {})
    lines = [in_markdown_code(f"{name} = {value(default)}") for name, default in defaults.items()]
    told = [f"{line} [{dimension(space[name])}]" if name in space else line for line, name in zip(lines, defaults, strict=True)]
    if (warmup := getattr(entry, "warmup", None)) is not None:
        told.append(in_markdown_code(f"warmup = {value(warmup)}"))
    further = [in_markdown_code(name) for name in getattr(entry, "spaces", {})]
    options = [in_markdown_code(name) for name in getattr(entry, "options", {})]
    more = [f"{what}: {', '.join(names)}" for what, names in (("further spaces", further), ("options", options)) if names]
    return "; ".join([*told, *more])


def fed(component: Component) -> str:
    """The feeds of a loss, and whether it can be given a miner."""
    entry = component.entry
    return ", ".join([*entry.feeds, *(["miners"] if entry.takes != "none" else [])])


def bounds(component: Component) -> str:
    """The range of a metric, and which way is better."""
    entry = component.entry
    low, high = ("" if bound is None else value(bound) for bound in (entry.low, entry.high))
    return f"{low} … {high}, {'higher' if entry.direction == 'max' else 'lower'} is better".strip()


Column = tuple[str, Callable[[Component], str]]
NAME: Column = ("name", lambda component: in_markdown_code(component.name))
ABOUT: Column = ("what it is", sentence)
SOURCE: Column = ("source", lambda component: in_markdown(component.entry.source))
AMONG: Column = ("chooses from", lambda component: {"batch": "a batch", "training-set": "the training set"}[component.entry.scope])
EQUATION: Column = ("equation", lambda component: in_markdown_code(component.entry.equation))

OWN: dict[str, tuple[Column, ...]] = {
    "datasets": (("options", parameters),),
    "backbones": (("takes", lambda component: ", ".join(component.entry.takes)), ("options", parameters)),
    "losses": (("defaults and [space]", parameters), ("fed by", fed), EQUATION),
    "miners": (("defaults and [space]", parameters), ("gives", lambda component: component.entry.gives), AMONG),
    "metrics": (("range", bounds),),
    "augmentations": (("takes", lambda component: ", ".join(component.entry.takes)), ("options", parameters)),
    "optimisers": (("options", parameters),),
    "schedules": (("anneals", lambda component: "yes" if component.entry.anneals else "no"), ("options", parameters)),
}
"""What a kind's table has between what a component is and its source."""


def table(kind: str, components: tuple[Component, ...]) -> str:
    """The table of one kind, without columns that none of it fills."""
    columns = [NAME, ABOUT, *OWN.get(kind, ()), SOURCE]
    cells = [[cell(component) for _, cell in columns] for component in components]
    kept = [place for place, _ in enumerate(columns) if any(row[place] for row in cells)]
    lines = [[columns[place][0] for place in kept], ["---"] * len(kept), *([row[place] for place in kept] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def page() -> str:
    """The whole page."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    parts = []
    for kind in KINDS:
        found = catalogue.components(kind)
        title = singular(kind) if len(found) == 1 else {"datasets": "data sets"}.get(kind, kind.replace("_", " "))
        parts.append(f"## {len(found)} {title}\n\n{table(kind, found)}\n")
    return "\n".join([HEAD, *parts])


def check() -> None:
    """Compare the page with what it should be.

    Raises:
        DifferenceError: if it is another, with the first line that is.
    """
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    changed = [line for line in difflib.ndiff(written.splitlines(), page().splitlines()) if line[0] in "+-"]
    if changed:
        text = f"{PAGE.name} is not what the catalogue gives, {len(changed)} lines, among them {changed[0][:100]!r}"
        raise DifferenceError(f"{text}; write it anew: python docs/catalogue.py")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        try:
            check()
        except DifferenceError as error:
            print(error, file=sys.stderr)  # noqa: T201  a script's own word
            sys.exit(error.exit_code)
    else:
        PAGE.write_text(page(), encoding="utf-8")

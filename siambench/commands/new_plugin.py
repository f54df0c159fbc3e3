"""The package of a plugin, ready to be installed, tested and changed: ``new-plugin``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from siambench.errors import UsageError, suggestion
from siambench.wording import printable, quoted

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_LONGEST = 60
_PREFIX = re.compile(r"siambench[-_]")
_IMPORTS = re.compile(r"from siambench\.plugin import (.*)\n+")
_LIBRARIES = ("numpy", "torch")
"""What a template's module may import beside siambench, and the package must then ask for."""

_FILES = {"tracks": "tracks/{name}/track.toml", "configs": "configs/{name}.toml"}
"""Of the kinds that are files and no code: where such a file is in the package."""

_SMALL = "--trials 1 --repetitions 1 --set training.epochs=1"
_NO_EXAM = " and is no exam: without the options from `--trials` on\nsiambench tunes as its tracks demand"


@click.command("new-plugin")
@click.argument("name")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="What it provides: loss, miner, metric, …; repeat for several.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The folder of the package.  [default: ./NAME]")
def new_plugin(name: str, kinds: tuple[str, ...], out: Path | None) -> None:
    """Write the package of a plugin: with a component of each KIND that works, tests that pass, and a page that says how to go on.

    KIND is one of those that `siambench list` shows, in the singular or the plural. Nothing is downloaded, and nothing overwritten.

    \b
    siambench new-plugin soft --kind loss --kind miner
    """  # noqa: D301  the \b is click's mark of lines that stay as they are
    from siambench.components.catalogue import Catalogue

    chosen = _kinds(kinds)
    # Plugins are left alone: what one of them is called is no reason against a name, and one that breaks none to stop here.
    component = _component_name(name, Catalogue.load({"SIAMBENCH_PLUGINS": ""}))
    folder = Path(name) if out is None else out
    written = package(component, chosen)
    _write(folder, written)
    for path in written:
        click.echo(printable(str(folder / path)))
    click.echo("\ngo on with")
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    for command in (f"pip install -e {quoted(f'{place}[test]')}", f"siambench check {component}", try_out(component, chosen)):
        click.echo(printable(f"  {command}"))
    click.echo("without a network, where hatchling is installed, the first is")
    click.echo(printable(f"  pip install --no-deps --no-build-isolation -e {quoted(place)}"))


def package(name: str, kinds: Sequence[str]) -> dict[str, str]:
    """The files of a package, by their paths within its folder.

    Args:
        name: of the plugin and of each of its components.
        kinds: what it provides, at least one.
    """
    from siambench.plugin import API

    run = try_out(name, kinds)
    version = _own_version()
    siambench = "siambench" if version is None else f"siambench>={'.'.join(version.split('.')[:2])}"
    entries = {kind: _template(kind, "entry.py") for kind in kinds}
    modules = {kind: _template(kind, "module.toml" if kind in _FILES else "module.py") for kind in kinds}
    libraries = [library for library in _LIBRARIES if any(_imports(text, library) for text in modules.values())]
    words = {
        "name": name,
        "module": f"siambench_{name.replace('-', '_')}",
        "Class": "".join(part.capitalize() for part in re.split("[-_]", name)),
        "what": _listed([_one(kind) for kind in kinds]),
        "dependencies": ", ".join(f'"{needed}"' for needed in sorted([*libraries, siambench])),
        "imports": _merged(entries.values()),
        # Its sampler is what a package with both shows its loss with.
        "sampler": f'            sampler="{name}",\n' if "samplers" in kinds else "",
        # And its track what it compares on.
        "track": name if "tracks" in kinds else "glyphs",
        "run": run,
        "small": _NO_EXAM if run.endswith(_SMALL) else "",
        "api": str(API),
        "version": version or "from a checkout",
    }
    sections = "".join(_template(kind, "readme.md") for kind in kinds)
    head = _template("package", "init.py")
    body = "".join(f"\n\n{_IMPORTS.sub('', text, count=1)}" for text in entries.values())
    found = {
        "pyproject.toml": _template("package", "pyproject.toml"),
        "README.md": _template("package", "README.md").replace("$sections", sections),
        ".gitignore": _template("package", "gitignore"),
        f"src/{words['module']}/__init__.py": head + body,
    }
    found |= {f"src/{words['module']}/{_FILES.get(kind, f'{_file(kind)}.py').format(name=name)}": text for kind, text in modules.items()}
    found["tests/test_plugin.py"] = _template("package", "test_plugin.py")
    found |= {f"tests/test_{_file(kind)}.py": _template(kind, "test.py") for kind in kinds}
    return {path: Template(text).substitute(words) for path, text in found.items()}


def _own_version() -> str | None:
    """Of the siambench that is installed; a checkout that never was has none to ask for."""
    try:
        return importlib.metadata.version("siambench")
    except importlib.metadata.PackageNotFoundError:
        return None


def try_out(name: str, kinds: Sequence[str]) -> str:
    """One command that uses what the package provides, as far as a run can, in the smallest budget."""
    tries = {kind: Template(_template(kind, "try").strip()).substitute(name=name) for kind in kinds}
    options = {kind: text for kind, text in tries.items() if text.startswith("--")}
    if not options:
        return next(iter(tries.values()))
    # A track fixes the data set.
    given = {"losses": "--loss triplet"} | ({} if "tracks" in kinds else {"datasets": "--dataset digits"})
    if "tracks" in kinds:
        options.pop("datasets", None)
    return " ".join(["siambench run", *{**given, **options}.values(), _SMALL])


def _template(kind: str, what: str) -> str:
    """One of the texts under ``siambench/testing/scaffold``, where each kind has a folder; read without importing that room."""
    place = files("siambench").joinpath("testing", "scaffold", kind, f"{what}.txt")
    return place.read_text(encoding="utf-8")


def _imports(text: str, library: str) -> bool:
    return re.search(rf"^(import|from) {library}\b", text, flags=re.MULTILINE) is not None


def _merged(entries: Iterable[str]) -> str:
    """What all entries import, once each; on lines of their own where there are many."""
    found = [_IMPORTS.match(text) for text in entries]
    names = sorted({name for line in found if line is not None for name in line[1].split(", ")})
    few = 4
    return ", ".join(names) if len(names) <= few else "(\n" + "".join(f"    {name},\n" for name in names) + ")"


def _one(kind: str) -> str:
    """``a loss``, ``an engine``."""
    from siambench.components.catalogue import article, singular

    return article(singular(kind))


def _file(kind: str) -> str:
    from siambench.components.catalogue import singular

    return singular(kind).replace(" ", "")


def _listed(words: Sequence[str]) -> str:
    text = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return text[0].upper() + text[1:]


def _kinds(given: Sequence[str]) -> list[str]:
    """The kinds in the plural, each once.

    Raises:
        UsageError: for none, or one that does not exist.
    """
    from siambench.components.catalogue import plural
    from siambench.components.hookspecs import KINDS

    known = [*KINDS, *(_file(kind) for kind in KINDS)]
    for kind in given:
        if plural(kind) not in KINDS:
            raise UsageError(f"unknown kind {kind!r}{suggestion(kind, known)}; kinds: {', '.join(map(_file, KINDS))}")
    if not given:
        raise UsageError(f"new-plugin takes at least one --kind; kinds: {', '.join(map(_file, KINDS))}")
    return list(dict.fromkeys(plural(kind) for kind in given))


def _component_name(name: str, catalogue: Catalogue) -> str:
    """What the plugin and its components are called: the name of the package without ``siambench-``.

    Raises:
        UsageError: if it is no such name, or stands for something else.
    """
    from siambench.spec import RESERVED

    component = _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name
    if len(name) > _LONGEST or _NAME.fullmatch(component) is None:
        near = re.sub(r"[^a-z0-9]+", "-", component.lower()).strip("-0123456789")[:_LONGEST].strip("-")
        like = f", such as {near!r}" if _NAME.fullmatch(near) else ""
        raise UsageError(
            f"{name[:_LONGEST]!r} is no name for a package: at most {_LONGEST} small letters and digits from a letter on, with single "
            f"- or _ between them{like}; where it is written says --out"
        )
    if component in (*RESERVED, "siambench"):
        raise UsageError(f"{component!r} means something to siambench: the plugin needs another name")
    taken = [c.kind for c in catalogue.components() if c.name == component]
    if taken:
        raise UsageError(f"{component!r} is {_one(taken[0])} that ships with siambench: the plugin needs another name")
    return component


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a folder that is empty or not there; where one cannot be written, the others are taken back.

    Raises:
        UsageError: if the folder holds something, or is none.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: nothing is overwritten; choose another name or --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty: nothing is overwritten; choose another name or --out")
    written: list[Path] = []
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        for place in sorted({place for name in texts for place in (folder / name).parents if folder in place.parents}, reverse=True):
            with contextlib.suppress(OSError):
                place.rmdir()
        raise

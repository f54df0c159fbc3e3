"""The code behind a component, as its identity knows it: the same from a wheel, a checkout and an editable install.

Counted are the factory of an entry and the modules of the same distribution that it imports, directly or not, found in the source: imports
inside functions too, and nothing is executed. Of a function that uses nothing of its module but what that imports, it alone counts and not
the module: what stands beside it, such as another component's factory or an entry's text, says nothing of what it does. Of any other
factory its module counts. siambench's own doors are left out of its components: what they do is the
harness's, which `siambench.spec.TRAINING_REVISION` stands for.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import symtable
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siambench.identity import digest
from siambench.plugin import Lazy

OWN = "siambench"
_COUNTED_OF_OWN = f"{OWN}.builtin"


@dataclass(frozen=True)
class _Module:
    name: str
    path: Path
    is_package: bool


def code_digest(factory: Callable[..., Any], entry_module: str, distribution: importlib.metadata.Distribution | None) -> str:
    """A digest of the code of a component, 64 hexadecimal digits.

    Args:
        factory: of its entry.
        entry_module: the module of the plugin's hooks.
        distribution: that it came in; None: not installed.
    """
    module, name = _place(factory)
    tops = {entry_module.partition(".")[0], *_top_levels(distribution)}
    if module.partition(".")[0] not in tops:
        # A class of another library: which one, says its name, and which version, the unit's libraries.
        return digest(["of another distribution", module, name])
    found = _closure(module, tops)
    if not found:
        return digest(["without source", *_release(distribution), module, name])
    alone = _function(found[0], name)
    if alone is None:
        return digest(sorted((one.name, _text_digest(one.path)) for one in found))
    reached = _reached(_imported(alone.imports, found[0], tops), tops)
    return digest([module, name, alone.text, *sorted((one.name, _text_digest(one.path)) for one in reached)])


def file_digest(path: Path) -> str:
    """A digest of the code of a component in a file, and of those of its neighbours that it imports."""
    beside = {other.stem for other in path.parent.glob("*.py")} | {one.parent.name for one in path.parent.glob("*/__init__.py")}
    start = _Module(path.stem, path, is_package=False)
    found = _followed(start, lambda name: _found_in([path.parent], name) if name.partition(".")[0] in beside else None)
    # What the file is called says nothing of what it does; what it imports is imported by name.
    return digest([_text_digest(path), *sorted((one.name, _text_digest(one.path)) for one in found if one.path != path)])


def _place(factory: Callable[..., Any]) -> tuple[str, str]:
    """The module and the name of what a factory stands for."""
    if isinstance(factory, Lazy):
        module, _, name = factory.place.partition(":")
        return module, name
    if isinstance(factory, functools.partial):
        return _place(factory.func)
    inner = getattr(factory, "__wrapped__", None) or getattr(factory, "__func__", None)
    if callable(inner):
        return _place(inner)
    if not hasattr(factory, "__qualname__"):
        return _place(type(factory))
    return str(factory.__module__), str(factory.__qualname__)


def _top_levels(distribution: importlib.metadata.Distribution | None) -> list[str]:
    text = None if distribution is None else distribution.read_text("top_level.txt")
    return (text or "").split()


def _release(distribution: importlib.metadata.Distribution | None) -> tuple[str, str]:
    """What tells two builds of a distribution apart that has no source to be read."""
    if distribution is None:
        return "", ""
    return distribution.version, hashlib.sha256((distribution.read_text("RECORD") or "").encode()).hexdigest()


@dataclass(frozen=True)
class _Function:
    """A function that uses nothing of its module but what that imports: its source, and the imports that it uses."""

    text: str
    imports: list[ast.stmt]


def _function(module: _Module, name: str) -> _Function | None:
    """The function of that name at the top of a module; None where it is none, or uses something else that stands there."""
    text = _text(module.path)
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]
    if len(found) != 1 or found[0].decorator_list:
        return None
    table = symtable.symtable(text, str(module.path), "exec")
    there = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()}
    scopes = [child for child in table.get_children() if child.get_name() == name and child.get_type() == "function"]
    used = {symbol.get_name() for scope in scopes for one in _scopes(scope) for symbol in one.get_symbols() if symbol.is_global()}
    # Defaults are read in the module, not in the function.
    defaults = [default for default in (*found[0].args.defaults, *found[0].args.kw_defaults) if default is not None]
    used |= {node.id for default in defaults for node in ast.walk(default) if isinstance(node, ast.Name)}
    used &= there
    outer = [one for node in body if isinstance(node, ast.Import | ast.ImportFrom) for one in _each(node) if used & _bound(one)]
    if used - {bound for node in outer for bound in _bound(node)}:
        return None
    inner = [node for node in ast.walk(found[0]) if isinstance(node, ast.Import | ast.ImportFrom)]
    segment = ast.get_source_segment(text, found[0])
    return None if segment is None else _Function(segment, [*inner, *outer])


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """A function's names, and those of all that is defined inside it."""
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _each(node: ast.Import | ast.ImportFrom) -> Iterator[ast.Import | ast.ImportFrom]:
    """An import, name by name."""
    for alias in node.names:
        yield ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)


def _bound(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names that an import gives."""
    return {alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]) for alias in node.names}


def _imported(imports: Sequence[ast.stmt], module: _Module, tops: set[str]) -> list[_Module]:
    return list(_named(imports, module, functools.partial(_counted, tops=tops)))


def _counted(name: str, *, tops: set[str]) -> _Module | None:
    return _located(name) if _is_counted(name, tops) else None


def _reached(starts: Sequence[_Module], tops: set[str]) -> list[_Module]:
    """Some modules, and all that they import."""
    found: dict[Path, _Module] = {}
    for start in starts:
        found |= {one.path: one for one in _followed(start, functools.partial(_counted, tops=tops))}
    return list(found.values())


def _closure(module: str, tops: set[str]) -> list[_Module]:
    start = _located(module)
    if start is None or not start.path.is_file():
        return []
    return _followed(start, functools.partial(_counted, tops=tops))


def _is_counted(name: str, tops: set[str]) -> bool:
    top = name.partition(".")[0]
    if top == OWN:
        return OWN in tops and (name == _COUNTED_OF_OWN or name.startswith(f"{_COUNTED_OF_OWN}."))
    return top in tops


def _followed(start: _Module, locate: Callable[[str], _Module | None]) -> list[_Module]:
    found: dict[Path, _Module] = {start.path: start}
    waiting = [start]
    while waiting:
        for imported in _imports(waiting.pop(), locate):
            if imported.path not in found:
                found[imported.path] = imported
                waiting.append(imported)
    return list(found.values())


def _imports(module: _Module, locate: Callable[[str], _Module | None]) -> Iterator[_Module]:
    try:
        tree = ast.parse(_text(module.path))
    except (SyntaxError, ValueError, RecursionError):
        return
    yield from _named(ast.walk(tree), module, locate)


def _named(nodes: Iterable[ast.AST], module: _Module, locate: Callable[[str], _Module | None]) -> Iterator[_Module]:
    """The modules that imports among some nodes name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            named = [[alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            # What is imported from a package is a module of it, or else stands in the package itself.
            named = [[f"{base}.{alias.name}", base] if base else [alias.name] for alias in node.names]
        else:
            continue
        for names in named:
            imported = next((one for one in map(locate, names) if one is not None), None)
            if imported is not None:
                yield imported


def _base(module: _Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - node.level + int(module.is_package)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _located(name: str) -> _Module | None:
    """A module's file, found without importing it or its packages."""
    top, _, rest = name.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        loaded = getattr(sys.modules.get(name), "__file__", None)
        return None if loaded is None else _Module(name, Path(loaded), Path(loaded).stem == "__init__")
    if not rest:
        is_source = spec.has_location and spec.origin is not None and spec.origin.endswith(".py")
        return _Module(name, Path(str(spec.origin)), spec.submodule_search_locations is not None) if is_source else None
    return _found_in([Path(place) for place in spec.submodule_search_locations or ()], rest, top)


def _found_in(folders: list[Path], name: str, above: str = "") -> _Module | None:
    whole = f"{above}.{name}" if above else name
    for folder in folders:
        path = folder.joinpath(*name.split("."))
        if (path / "__init__.py").is_file():
            return _Module(whole, path / "__init__.py", is_package=True)
        if path.with_name(f"{path.name}.py").is_file():
            return _Module(whole, path.with_name(f"{path.name}.py"), is_package=False)
    return None


def _text(path: Path) -> str:
    """Source as it is read by Python, with line feeds; what cannot be read so, byte for byte."""
    content = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text_digest(path: Path) -> str:
    return hashlib.sha256(_text(path).encode("utf-8", "surrogatepass")).hexdigest()

"""What is installed: (kind, name) → component and where it comes from.

Plugins are loaded one by one, each behind its own ``try``: a broken one is listed with its reason and takes
nothing down but its own components.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from siambench.components import hookspecs
from siambench.components.component import Component, PluginStatus, Provenance
from siambench.components.expression import is_composed, parsed
from siambench.components.families import check_dimensions, check_members, family_of
from siambench.components.hookspecs import ENTRY_OF, KINDS, PREFIX
from siambench.components.meant import meant
from siambench.components.two_sided import two_sided
from siambench.data.forms import AUGMENT_OF_FORM, UNCLASSED_RULES
from siambench.errors import (
    ConfigError,
    DataError,
    DataMissingError,
    DuplicateNameError,
    PluginError,
    SiambenchError,
    UnknownNameError,
    UsageError,
    named,
    suggestion,
)
from siambench.machine import own_version, remember_surroundings
from siambench.plugin import FileEntry, MetricEntry, call_factory, valid_name
from siambench.spaces import Value, fits, kind_of
from siambench.spec import NO_MINER, RESERVED, forward_of, is_two_sided

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

GROUP = "siambench"
_UNKNOWN = "0+unknown"
OWN_FIRST = ("tracks", "configs", "augmentations", "optimisers", "schedules", "split_rules")
"""The kinds of which what ships is found without looking at plugins: none of theirs may bear such a name."""

_MEANT = {"augmentations": {name for names in AUGMENT_OF_FORM.values() for name in names}, "split_rules": set(UNCLASSED_RULES)}
"""What else a track says in the place of a component's name."""

BUILTINS = tuple(f"siambench.builtin.{kind}" for kind in KINDS)


class Catalogue:
    """All components that could be loaded. Use `Catalogue.load`.

    Args:
        components: every component, two of one name included.
        plugins: how each plugin fared.
    """

    def __init__(self, components: tuple[Component, ...], plugins: tuple[PluginStatus, ...]) -> None:
        self._components = components
        self.plugins = plugins

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, *, distributions: Collection[str] | None = None, again: bool = False
    ) -> Catalogue:
        """Load the built-ins and every plugin that `SIAMBENCH_PLUGINS` lets in (unset: all; empty: none).

        Args:
            environ: where that is looked up; None: this process's.
            distributions: those whose plugins are loaded, no other is imported; None: all that are installed.
            again: whether plugins may have been imported here before, so that what surrounds the process now says nothing.
        """
        allowed = (os.environ if environ is None else environ).get("SIAMBENCH_PLUGINS")
        wanted = None if allowed is None else {name.strip() for name in allowed.split(",") if name.strip()}
        if distributions is None and not again:
            remember_surroundings()
        manager = pluggy.PluginManager("siambench")
        manager.add_hookspecs(hookspecs)
        components: list[Component] = []
        plugins: list[PluginStatus] = []
        for plugin, module, distribution in _sources(wanted, distributions):
            taken = {(c.kind, c.name) for c in components if c.provenance.plugin == "siambench"}
            found, status = _load_one(manager, plugin, module, distribution, taken)
            components += found
            if not isinstance(module, str):
                plugins.append(status)
            elif status.error is not None:
                raise PluginError(f"the built-in {module} is broken: {status.error}")
        own = tuple(f"{c.kind}:{c.name}" for c in components if c.provenance.plugin == "siambench")
        builtin = PluginStatus("siambench", "siambench", own_version() or _UNKNOWN, None, own)
        return cls(tuple(components), (builtin, *plugins))

    def components(self, kind: str | None = None) -> tuple[Component, ...]:
        """Every component of a kind (or of all), sorted by kind and name; two providers of one name are both there."""
        chosen = [c for c in self._components if kind in (None, c.kind)]
        return tuple(sorted(chosen, key=lambda c: (KINDS.index(c.kind), c.name, c.provenance.distribution)))

    def names(self, kind: str) -> list[str]:
        """The names of one kind, sorted."""
        return sorted({c.name for c in self._components if c.kind == kind})

    @property
    def failed(self) -> list[str]:
        """The plugins that did not load."""
        return [p.plugin for p in self.plugins if p.error is not None]

    @property
    def twice(self) -> dict[tuple[str, str], tuple[Component, ...]]:
        """Kind and name of what several plugins provide, and none can be asked for by that name: the components."""
        found: dict[tuple[str, str], tuple[Component, ...]] = {}
        for one in self.components():
            found[one.kind, one.name] = (*found.get((one.kind, one.name), ()), one)
        return {key: components for key, components in found.items() if len(components) > 1}

    def get(self, kind: str, name: str) -> Component:
        """The component of that name.

        A loss may also be ``./file.py:Name``, or made of others: ``sum(contrastive,0.1*npair)``; a data set may be
        ``folder:PATH``; a metric ``recall@10`` finds ``recall@k``, as `siambench.components.families` tells, and so does
        ``reversed:recall@10``; a backbone may be two, ``conv4|bag``, for items of two sides.

        Raises:
            UnknownNameError: if nothing provides it.
            DuplicateNameError: if two plugins do.
            PluginError: if a component in a file does not keep its contract.
        """
        check_kind(kind)
        if kind == "losses" and ".py:" in name and not is_composed(name):
            from siambench.components.local_file import component_in_file

            return component_in_file(name)
        if kind == "losses" and is_composed(name):
            from siambench.components.composed import composed

            return composed(parsed(name), lambda part: self.get("losses", part))
        if kind == "backbones" and is_two_sided(name):
            return two_sided(name, lambda part: self.get("backbones", part))
        lookup, takes_path = name, False
        if kind == "datasets" and ":" in name:
            lookup, takes_path = name.split(":", 1)[0], True
        if kind == "metrics":
            lookup = forward_of(name)
            known = any(c.name == lookup for c in self._components if c.kind == kind)
            lookup = lookup if known else family_of(lookup)
        found = [c for c in self._components if (c.kind, c.name) == (kind, lookup)]
        if not found or (takes_path and not found[0].entry.takes_path):
            names = self.names(kind)
            guess = meant(kind, name, names)
            raise UnknownNameError(singular(kind), name, names, self.failed, lists=f"siambench list {kind}", meant=guess)
        if len(found) > 1:
            raise DuplicateNameError(f"{provided_twice(found)}; uninstall one or restrict loading with SIAMBENCH_PLUGINS")
        return found[0]

    def metrics(self, names: Iterable[str], *, dimensions: int | None = None) -> dict[str, MetricEntry]:
        """Entries by the full names of metrics, ``recall@4`` included; ``dimensions``: of embeddings, where that is known.

        Raises:
            UnknownNameError: if nothing provides one.
            ConfigError: for a family without its number, or with one that no member can have, or embeddings have not.
        """
        names = tuple(names)
        check_members(names, self.names("metrics"))
        if dimensions is not None:
            check_dimensions(names, dimensions)
        return {name: self.get("metrics", name).entry for name in names}

    def split_rule(self, name: str) -> Callable[[Mapping[str, Any]], Any] | None:
        """What calls a plugin's split rule; None for one that `siambench.tracks.split` knows itself.

        Raises:
            UnknownNameError: if nothing provides it.
        """
        if name in UNCLASSED_RULES:
            return None
        component = self.get("split_rules", name)
        return None if component.provenance.plugin == "siambench" else functools.partial(call_factory, component.entry.build)

    def dataset(self, name: str, options: Mapping[str, Value]) -> Dataset:
        """Load a data set by name, ``folder:PATH`` included.

        Raises:
            UnknownNameError: if nothing provides it.
            ConfigError: if it has no such option.
            DataError: if its loader gives something else than a `Dataset`, or one that does not hold.
        """
        # numpy comes with these, and a list of what is installed does without it.
        from siambench.data.checked import checked
        from siambench.data.files import meant_by
        from siambench.data.names import as_path
        from siambench.interfaces import Dataset

        component = self.get("datasets", name)
        entry = component.entry
        check_options(component, name, options)
        path = {"path": name.partition(":")[2]} if entry.takes_path else {}
        if entry.takes_path and not path["path"].strip():
            raise ConfigError(f"data set {name!r} needs a path: {component.name}:PATH")
        try:
            dataset = call_factory(entry.build, {**entry.defaults, **options, **path})
        except DataMissingError as error:
            near = meant_by(as_path(path["path"])) if path else ""
            if not near or near in str(error):
                raise
            raise type(error)(f"{error}{near}") from error
        except (SiambenchError, MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:
            text = f"data set {name!r} of {component.provenance} cannot be loaded: {named(error)}"
            raise DataError(text) from error
        if not isinstance(dataset, Dataset):
            raise DataError(f"data set {name!r} must give a siambench.interfaces.Dataset, got {type(dataset).__name__}")
        try:
            return checked(dataset, name)
        except (SiambenchError, MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:
            text = f"data set {name!r} of {component.provenance} cannot be read: {named(error)}"
            raise DataError(text) from error


def provided_twice(found: Sequence[Component]) -> str:
    """Who provides several components of one name, in a sentence."""
    providers = " and ".join(f"{c.provenance.plugin} ({c.provenance.distribution} {c.provenance.version})" for c in found)
    return f"{singular(found[0].kind)} {found[0].name!r} is provided twice, by {providers}"


def check_kind(kind: str) -> None:
    """Raise `UsageError` for a kind that does not exist."""
    if kind not in KINDS:
        raise UsageError(f"unknown kind {kind!r}{suggestion(kind, KINDS)}; kinds: {', '.join(KINDS)}")


def check_options(component: Component, name: str, options: Mapping[str, Value]) -> None:
    """Raise `ConfigError` for an option that a data set or a backbone does not have, or that is of another kind than its default."""
    defaults = component.entry.defaults
    for option in options:
        if option not in defaults:
            known = ", ".join(sorted(defaults)) or "none"
            raise ConfigError(
                f"{singular(component.kind)} {name!r} has no option {option!r}{suggestion(option, defaults)}; options: {known}"
            )
        if not fits(options[option], defaults[option]):
            raise ConfigError(
                f"{singular(component.kind)} {name!r}: the option {option} must be {kind_of(defaults[option])}, as its default "
                f"{defaults[option]!r} is, got {kind_of(options[option])}: {str(options[option])[:60]!r}"
            )


def plural(kind: str) -> str:
    """``losses`` of ``loss`` or ``losses``, ``split_rules`` of ``split-rule``, ``split rules`` and the like: people say either."""
    said = re.sub(r"[-_ ]", "", kind)
    known = {form: one for one in KINDS for form in (one.replace("_", ""), singular(one).replace(" ", ""))}
    return known.get(said, kind)


def singular(kind: str) -> str:
    """``loss`` of ``losses``, ``data set`` of ``datasets``: as sentences say it."""
    return {"losses": "loss", "datasets": "data set"}.get(kind, kind[:-1].replace("_", " "))


def article(word: str) -> str:
    """``a loss``, ``an engine``."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _sources(
    wanted: set[str] | None, distributions: Collection[str] | None
) -> Iterator[tuple[str, Any, importlib.metadata.Distribution | None]]:
    own = None
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        own = importlib.metadata.distribution("siambench")
    for module in BUILTINS:
        yield "siambench", module, own
    if distributions is not None and not distributions:
        return
    entry_points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: (e.name, e.value))
    seen: set[tuple[str, str]] = set()
    for entry_point in entry_points:
        # An editable install beside a stale build can list one entry point twice.
        if (entry_point.name, entry_point.value) in seen or (wanted is not None and entry_point.name not in wanted):
            continue
        if distributions is not None and _name(entry_point.dist) not in distributions:
            continue
        seen.add((entry_point.name, entry_point.value))
        yield entry_point.name, entry_point, entry_point.dist


def _name(distribution: importlib.metadata.Distribution | None) -> str:
    return "unknown" if distribution is None else distribution.name


def _load_one(
    manager: pluggy.PluginManager,
    plugin: str,
    source: Any,
    distribution: importlib.metadata.Distribution | None,
    taken: Collection[tuple[str, str]],
) -> tuple[list[Component], PluginStatus]:
    name, version = _name(distribution), distribution.version if distribution else own_version() or _UNKNOWN
    if distribution is None and isinstance(source, str):
        name = "siambench"
    try:
        # A plugin that prints while it is imported must not spoil a JSON document on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(source) if isinstance(source, str) else source.load()
            if not isinstance(module, ModuleType):
                raise PluginError(f"the entry point must name a module, got {type(module).__name__}")  # noqa: TRY301
            registered = manager.register(module, name=f"{plugin}:{module.__name__}")
            if registered is None:
                raise PluginError("registered twice")  # noqa: TRY301
            found = list(_components_of(manager, module, Provenance(plugin, name, version), distribution))
            _check_taken(found, taken)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  whatever a plugin raises, the host goes on
        return [], PluginStatus(plugin, name, version, named(error), ())
    return found, PluginStatus(plugin, name, version, None, tuple(f"{c.kind}:{c.name}" for c in found))


def _check_taken(found: Sequence[Component], taken: Collection[tuple[str, str]]) -> None:
    """Raise `PluginError` for a component that siambench would never look for, as one that ships bears its name."""
    for component in found:
        if component.kind in OWN_FIRST and (component.kind, component.name) in taken:
            kind = singular(component.kind)
            raise PluginError(f"{component.name!r} is {article(kind)} that ships with siambench: the {kind} needs another name")


def _components_of(
    manager: pluggy.PluginManager, module: ModuleType, provenance: Provenance, distribution: importlib.metadata.Distribution | None
) -> Iterator[Component]:
    known = {f"{PREFIX}{kind}" for kind in KINDS}
    for caller in manager.get_hookcallers(module) or []:
        if caller.name not in known:
            raise PluginError(f"unknown hook {caller.name!r}{suggestion(caller.name, known)}")
        kind = caller.name.removeprefix(PREFIX)
        for implementation in caller.get_hookimpls():
            if implementation.plugin is not module:
                continue
            entries = implementation.function()
            if not isinstance(entries, Mapping):
                raise PluginError(f"{caller.name} must return a mapping from names to entries, got {type(entries).__name__}")
            for name, entry in entries.items():
                if not valid_name(name):
                    raise PluginError(f"{name!r} is no name for a component: letters, digits, '.', '_' and '-' only")
                is_meant = name in RESERVED or name in _MEANT.get(kind, ())
                if is_meant and (kind, name, provenance.plugin) != ("miners", NO_MINER, "siambench"):
                    raise PluginError(f"{name!r} means something to siambench: {singular(kind)} {name!r} needs another name")
                if not isinstance(entry, ENTRY_OF[kind]):
                    raise PluginError(f"{caller.name} must map {name!r} to a {ENTRY_OF[kind].__name__}, got {type(entry).__name__}")
                whole = entry.within(Path(str(module.__file__)).parent) if isinstance(entry, FileEntry) else entry
                yield Component(kind, name, whole, provenance, module=module.__name__, installed=distribution)

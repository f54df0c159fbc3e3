"""From a name to outcomes: which contracts hold for a component, a plugin, a loss in a file."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from siambench.components.catalogue import Catalogue, plural
from siambench.components.component import Component, PluginStatus, Provenance
from siambench.components.hookspecs import KINDS
from siambench.errors import PluginError, UnknownNameError, UsageError
from siambench.testing.contracts import (
    augmentations,
    backbones,
    configs,
    datasets,
    engines,
    formats,
    imports,
    losses,
    metrics,
    miners,
    observers,
    optimisers,
    samplers,
    schedules,
    split_rules,
    tracks,
)
from siambench.testing.contracts.blame import origin, sentence
from siambench.testing.contracts.calls import as_in_a_unit
from siambench.testing.contracts.process import kept
from siambench.testing.contracts.terms import Contract, Outcome

CONTRACTS: Mapping[str, tuple[Contract, ...]] = {
    "plugin": imports.CONTRACTS,
    "losses": losses.CONTRACTS,
    "miners": miners.CONTRACTS,
    "samplers": samplers.CONTRACTS,
    "metrics": metrics.CONTRACTS,
    "backbones": backbones.CONTRACTS,
    "datasets": datasets.CONTRACTS,
    "engines": engines.CONTRACTS,
    "observers": observers.CONTRACTS,
    "formats": formats.CONTRACTS,
    "tracks": tracks.CONTRACTS,
    "configs": configs.CONTRACTS,
    "augmentations": augmentations.CONTRACTS,
    "optimisers": optimisers.CONTRACTS,
    "schedules": schedules.CONTRACTS,
    "split_rules": split_rules.CONTRACTS,
}
"""Every contract, by what makes it: a plugin as a whole, or a component of a kind."""


@dataclass(frozen=True)
class Subjects:
    """What a name stands for.

    Args:
        plugins: the plugins that are examined as a whole, or the file.
        examined: the components.
    """

    plugins: tuple[str, ...]
    examined: tuple[Component, ...]


WRAPPED = "contrastive"
"""The loss that one which wraps others is examined around."""


@dataclass(frozen=True)
class Case:
    """One contract of one component, to be examined by itself: a test of a plugin author's has one of these as its parameter.

    Args:
        name: ``losses:NAME`` and so on, or ``plugin:NAME``.
        contract: what is examined.
        component: of what; of a plugin as a whole, any component of it.
        known: what came of the contracts that come first, by name: they are examined once for all cases that share this.
    """

    name: str
    contract: Contract
    component: Component
    known: dict[str, Outcome] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        """``losses:soft-triplet-scalar``, the id of a test."""
        return f"{self.name}-{self.contract.name}"

    def examine(self) -> Outcome:
        """What comes of it; skipped where a contract that comes first does not hold."""
        before = [c for c in CONTRACTS[self.name.partition(":")[0]] if c.first and c is not self.contract]
        # What is asked for is always examined anew.
        self.known.pop(self.contract.name, None)
        return _examined(self.component, [*before, self.contract], self.name, self.known)[-1]


def check(
    target: str, catalogue: Catalogue | None = None, *, kind: str | None = None, begins: Callable[[str, int, int], None] | None = None
) -> list[Outcome]:
    """Examine a plugin with all its components, one component, or one loss in a file. On the CPU, in one thread.

    Args:
        target: a plugin's name, left of the ``=`` in its entry point; the name of its distribution; ``siambench`` for what ships with
            it; the name of a component; or ``./file.py:Name``.
        catalogue: what is installed; None: look.
        kind: of the component, where kinds share a name; None: any.
        begins: is told of each component that is examined next: its kind and name, which it is, from 1, and of how many.

    Returns:
        One outcome per component and contract; nothing that a component raises comes through.

    Raises:
        UsageError: if nothing is called that, the plugin did not load, or the file holds no such loss.
    """
    catalogue = Catalogue.load() if catalogue is None else catalogue
    chosen = subjects(target, catalogue, kind=kind)
    whole = [o for plugin in chosen.plugins for o in _whole(plugin, _any_of(plugin, chosen, catalogue))]
    found, components = list(whole), list(chosen.examined)
    for number, component in enumerate(components, start=1):
        if begins is not None:
            begins(f"{component.kind}:{component.name}", number, len(components))
        found += check_component(component)
    return found


def cases(target: str, catalogue: Catalogue | None = None, *, kind: str | None = None) -> list[Case]:
    """The same as `check`, one by one and not yet examined: the parameters of a test.

    Args:
        target: as in `check`.
        catalogue: as in `check`.
        kind: as in `check`.

    Raises:
        UsageError: as in `check`.
    """
    catalogue = Catalogue.load() if catalogue is None else catalogue
    chosen = subjects(target, catalogue, kind=kind)
    found = [case for plugin in chosen.plugins for case in _cases("plugin", plugin, _any_of(plugin, chosen, catalogue))]
    return [*found, *(case for component in chosen.examined for case in _cases(component.kind, component.name, component))]


def _cases(kind: str, name: str, component: Component) -> list[Case]:
    known: dict[str, Outcome] = {}
    return [Case(f"{kind}:{name}", contract, component, known) for contract in CONTRACTS[kind]]


def check_component(component: Component) -> list[Outcome]:
    """Examine one component.

    Args:
        component: of a catalogue, or made around an entry.

    Raises:
        UsageError: if there is no such kind.
    """
    if component.kind not in KINDS:
        raise UsageError(f"there are contracts for {', '.join(KINDS)}, got a component of kind {component.kind!r}")
    return _examined(component, CONTRACTS[component.kind], f"{component.kind}:{component.name}")


def subjects(target: str, catalogue: Catalogue, *, kind: str | None = None) -> Subjects:
    """What a name stands for: a plugin, a distribution, or components of that name, in this order.

    Args:
        target: as in `check`.
        catalogue: what is installed.
        kind: as in `check`, singular or plural.

    Raises:
        UsageError: as in `check`.
    """
    found = _subjects(target, catalogue, kind=kind)
    return dataclasses.replace(found, examined=tuple(as_used(component, catalogue) for component in found.examined))


def as_used(component: Component, catalogue: Catalogue) -> Component:
    """A loss that wraps another, around one; everything else as it is."""
    if component.kind != "losses" or not component.entry.wraps:
        return component
    return dataclasses.replace(catalogue.get("losses", f"{component.name}({WRAPPED})"), provenance=component.provenance)


def _subjects(target: str, catalogue: Catalogue, *, kind: str | None) -> Subjects:
    if kind is not None:
        component = catalogue.get(plural(kind), target)
        return Subjects((component.provenance.plugin,) if component.path is not None else (), (component,))
    if ".py:" in target:
        loss = catalogue.get("losses", target)
        return Subjects((loss.provenance.plugin,), (loss,))
    named = [plugin for plugin in catalogue.plugins if plugin.plugin == target]
    named = named or [plugin for plugin in catalogue.plugins if _normal(plugin.distribution) == _normal(target)]
    if named:
        return _of_plugins(named, catalogue)
    found = tuple(component for known in KINDS for component in _named(known, target, catalogue))
    if not found:
        distributions = {plugin.distribution for plugin in catalogue.plugins if plugin.error is None}
        known_names = {*(plugin.plugin for plugin in catalogue.plugins), *distributions}
        raise UnknownNameError("plugin or component", target, known_names, catalogue.failed)
    return Subjects((), found)


def _of_plugins(named: Sequence[PluginStatus], catalogue: Catalogue) -> Subjects:
    for plugin in named:
        if plugin.error is not None:
            raise PluginError(f"plugin {plugin.plugin!r} of {plugin.distribution} {plugin.version} failed to load: {plugin.error}")
    names = tuple(dict.fromkeys(plugin.plugin for plugin in named))
    return Subjects(names, tuple(component for component in catalogue.components() if component.provenance.plugin in names))


def _named(kind: str, name: str, catalogue: Catalogue) -> Iterable[Component]:
    # `recall@4` and `folder:PATH` are found by the catalogue; a name that two plugins provide is its error.
    with contextlib.suppress(UnknownNameError):
        yield catalogue.get(kind, name)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _any_of(plugin: str, chosen: Subjects, catalogue: Catalogue) -> Component:
    everything = (*chosen.examined, *catalogue.components())
    # A plugin that provides nothing yet is examined all the same: this stands for what it has none of.
    nothing = Component("plugin", plugin, None, Provenance(plugin, plugin, "0"))
    return next((component for component in everything if component.provenance.plugin == plugin), nothing)


def _whole(plugin: str, component: Component) -> list[Outcome]:
    return _examined(component, CONTRACTS["plugin"], f"plugin:{plugin}")


def _examined(component: Component, contracts: Sequence[Contract], name: str, known: dict[str, Outcome] | None = None) -> list[Outcome]:
    known = {} if known is None else known
    outcomes: list[Outcome] = []
    with kept() as snapshot:
        for place, contract in enumerate(contracts):
            outcome = known[contract.name] if contract.name in known else _outcome(component, contract, name)
            outcomes.append(outcome)
            if contract.first:
                known[contract.name] = outcome
            # What one contract has left changed must not decide the next.
            snapshot.restore()
            if contract.first and outcome.state != "passed":
                why = outcome.reason if outcome.state == "skipped" else f"not examined, for {contract.name} failed"
                return [*outcomes, *(Outcome(name, other.name, "skipped", why) for other in contracts[place + 1 :])]
    return outcomes


def _outcome(component: Component, contract: Contract, name: str) -> Outcome:
    try:
        # What a library deprecates is not what is examined; and a filter that makes errors of warnings must not decide.
        with as_in_a_unit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reason = contract.examine(component)
    except (Exception, SystemExit, GeneratorExit, asyncio.CancelledError) as error:  # noqa: BLE001  what it raises is what we want to know
        where = origin(error, component)
        told = ("", "") if where is None else (where.place, where.trace)
        return Outcome(name, contract.name, "failed", sentence(error), *told)
    return Outcome(name, contract.name, "passed") if reason is None else Outcome(name, contract.name, "skipped", reason)

"""From a name to outcomes: which contracts hold for a component, a plugin, a loss in a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component
from siambench.errors import PluginError, UnknownNameError, UsageError
from siambench.testing.contracts import imports, losses, miners
from siambench.testing.contracts.blame import sentence
from siambench.testing.contracts.calls import as_in_a_unit
from siambench.testing.contracts.terms import Contract, Outcome

CONTRACTS: Mapping[str, tuple[Contract, ...]] = {
    "plugin": imports.CONTRACTS,
    "losses": losses.CONTRACTS,
    "miners": miners.CONTRACTS,
}
"""Every contract, by what makes it: a plugin as a whole, a loss, a miner."""


@dataclass(frozen=True)
class Subjects:
    """What a name stands for.

    Args:
        plugin: the plugin's name, or that of the file.
        examined: its losses and miners.
        left_out: its components of kinds that have no contracts yet.
    """

    plugin: str
    examined: tuple[Component, ...]
    left_out: tuple[Component, ...]


def check(target: str, catalogue: Catalogue | None = None) -> list[Outcome]:
    """Examine a plugin with all its losses and miners, or one loss in a file. On the CPU, in one thread.

    Args:
        target: a plugin's name, left of the ``=`` in its entry point; ``siambench`` for what ships with it;
            or ``./file.py:Name``.
        catalogue: what is installed; None: look.

    Returns:
        One outcome per component and contract; nothing that a component raises comes through.

    Raises:
        UsageError: if nothing is called that, the plugin did not load, or the file holds no such loss.
    """
    chosen = subjects(target, Catalogue.load() if catalogue is None else catalogue)
    found = [outcome for component in chosen.examined for outcome in check_component(component)]
    anyone = next(iter((*chosen.examined, *chosen.left_out)), None)
    whole = [] if anyone is None else _examined(anyone, CONTRACTS["plugin"], f"plugin:{chosen.plugin}")
    return [*whole, *found]


def check_component(component: Component) -> list[Outcome]:
    """Examine one loss or miner.

    Args:
        component: of a catalogue, or made around an entry.

    Raises:
        UsageError: if its kind has no contracts.
    """
    if component.kind not in ("losses", "miners"):
        raise UsageError(f"there are contracts for losses and miners, got a component of kind {component.kind!r}")
    return _examined(component, CONTRACTS[component.kind], f"{component.kind}:{component.name}")


def subjects(target: str, catalogue: Catalogue) -> Subjects:
    """What a name stands for.

    Args:
        target: as in `check`.
        catalogue: what is installed.

    Raises:
        UsageError: as in `check`.
    """
    if ".py:" in target:
        loss = catalogue.get("losses", target)
        return Subjects(loss.provenance.plugin, (loss,), ())
    named = [plugin for plugin in catalogue.plugins if plugin.plugin == target]
    if not named:
        for component in catalogue.components():
            if component.name == target and component.kind in CONTRACTS:
                where = component.provenance.plugin
                kind = {"losses": "loss", "miners": "miner"}[component.kind]
                raise UsageError(f"{target!r} is a {kind}, and check takes the plugin that provides it: siambench check {where}")
        raise UnknownNameError("plugin", target, (plugin.plugin for plugin in catalogue.plugins), catalogue.failed)
    for plugin in named:
        if plugin.error is not None:
            raise PluginError(f"plugin {target!r} of {plugin.distribution} {plugin.version} failed to load: {plugin.error}")
    own = [component for component in catalogue.components() if component.provenance.plugin == target]
    return Subjects(target, tuple(c for c in own if c.kind in CONTRACTS), tuple(c for c in own if c.kind not in CONTRACTS))


def _examined(component: Component, contracts: Sequence[Contract], name: str) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for contract in contracts:
        outcome = _outcome(component, contract, name)
        outcomes.append(outcome)
        if contract.first and outcome.state != "passed":
            why = outcome.reason if outcome.state == "skipped" else f"not examined, for {contract.name} failed"
            return [*outcomes, *(Outcome(name, other.name, "skipped", why) for other in contracts if other is not contract)]
    return outcomes


def _outcome(component: Component, contract: Contract, name: str) -> Outcome:
    try:
        # What a library deprecates is not what is examined; and a filter that makes errors of warnings must not decide.
        with as_in_a_unit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reason = contract.examine(component)
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a component raises is what we want to know
        return Outcome(name, contract.name, "failed", sentence(error))
    return Outcome(name, contract.name, "passed") if reason is None else Outcome(name, contract.name, "skipped", reason)

"""Whether a backbone can be made with its options and for a data set's items, seen before anything runs: else every unit would fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from siambench.components.two_sided import OF_SIDE, TwoBackbones
from siambench.data.locate import NotLookedForError, nothing_looked_for
from siambench.errors import ConfigError, DataMissingError
from siambench.plugin import BackboneEntry, call_factory
from siambench.spaces import Params

if TYPE_CHECKING:
    from siambench.interfaces import Dataset, Side

_OPTION = "model.options."


def check_networks(asked: Mapping[str, tuple[BackboneEntry, Params, Mapping[str, str]]], dataset: Dataset) -> None:
    """Look at each network that methods ask for, once; see `check_network`.

    Args:
        asked: by the name of the backbone its entry, options and paths.
        dataset: whose items they are given.
    """
    for backbone, options, paths in asked.values():
        check_network(backbone, options, paths, dataset)


def check_network(backbone: BackboneEntry, options: Params, paths: Mapping[str, str], dataset: Dataset) -> None:
    """Make a backbone that can start from weights once, as it is asked for; of items of two sides each of the two.

    Published weights, which may be a download away, are looked for where they are needed: here it is seen that there are some of that
    name, and with random ones in their place that the network takes the items. What else a factory may raise is a unit's to tell: there it
    is that method's result.

    Args:
        backbone: its entry; one that can start from no weights is not looked at.
        options: resolved; of files the content.
        paths: where files lie, by ``model.options.NAME``.
        dataset: whose items it is given.

    Raises:
        ConfigError: if there are no weights of that name, a file holds none of this network, or the network cannot take the items.
        DataMissingError: if what it needs beside published weights is not here, such as a model of that name.
    """
    named = {name: paths.get(f"{_OPTION}{name}", value) for name, value in options.items()}
    if not isinstance(backbone, TwoBackbones):
        _check(backbone, named, dataset)
        return
    for number, (entry, side) in enumerate(zip(backbone.sides, dataset.sides, strict=True)):
        try:
            _check(entry, TwoBackbones.options_of(number, named), side)
        except (ConfigError, DataMissingError) as error:
            raise type(error)(f"the {OF_SIDE[number]} side, {side.name}: {error}") from error


def _check(backbone: BackboneEntry, named: Params, items: Dataset | Side) -> None:
    if not backbone.scratch:
        return
    try:
        _make(backbone, named, items)
    except NotLookedForError:
        _make(backbone, {**named, **backbone.scratch}, items)


def _make(backbone: BackboneEntry, named: Params, items: Dataset | Side) -> None:
    available = {**named, "input_shape": items.shape}
    if items.vocabulary is not None:
        available["vocabulary"] = items.vocabulary
    try:
        with nothing_looked_for():
            call_factory(backbone.build, available)
    except (ConfigError, DataMissingError):
        raise
    except (Exception, SystemExit):  # noqa: BLE001  whatever a factory raises beside a sentence for its user
        return

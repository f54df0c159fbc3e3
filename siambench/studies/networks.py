"""Whether a backbone can be made of a user's file and for a data set's items, seen before anything runs: else every unit would fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from siambench.errors import ConfigError
from siambench.plugin import BackboneEntry, call_factory
from siambench.spaces import Params

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

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
    """Make a backbone that can start from weights once, with random ones or those of the user's file.

    Published weights, which may be a download away, are looked for where they are needed. What else a factory may raise is a unit's to
    tell: there it is that method's result.

    Args:
        backbone: its entry; one that can start from no weights is not looked at.
        options: resolved; of files the content.
        paths: where files lie, by ``model.options.NAME``.
        dataset: whose items it is given.

    Raises:
        ConfigError: if a file holds no weights of this network, or the network cannot take the items.
    """
    named = {name: paths.get(f"{_OPTION}{name}", value) for name, value in options.items()}
    of_name = [name for name, value in backbone.scratch.items() if named.get(name) != value and f"{_OPTION}{name}" not in paths]
    if not backbone.scratch or of_name:
        return
    available = {**named, "input_shape": dataset.shape}
    if dataset.vocabulary is not None:
        available["vocabulary"] = dataset.vocabulary
    try:
        call_factory(backbone.build, available)
    except ConfigError:
        raise
    except (Exception, SystemExit):  # noqa: BLE001  whatever a factory raises beside a sentence for its user
        return

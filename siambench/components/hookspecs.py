"""The plugin contract: one hook per kind. Each returns a mapping from component names to entries of `siambench.plugin`.

This is the one list of kinds: `ENTRY_OF` is read off the hooks below.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import pluggy

from siambench import plugin

hookspec = pluggy.HookspecMarker("siambench")


@hookspec
def siambench_datasets() -> Mapping[str, plugin.DatasetEntry]:
    """Data sets, by the name that ``--dataset`` and a track's ``[dataset]`` use."""
    return {}


@hookspec
def siambench_backbones() -> Mapping[str, plugin.BackboneEntry]:
    """Trunks, by the name that ``--backbone`` uses."""
    return {}


@hookspec
def siambench_losses() -> Mapping[str, plugin.LossEntry]:
    """Losses, by the name that ``--loss`` uses."""
    return {}


@hookspec
def siambench_miners() -> Mapping[str, plugin.MinerEntry]:
    """Miners, by the name that ``--miner`` uses."""
    return {}


@hookspec
def siambench_samplers() -> Mapping[str, plugin.SamplerEntry]:
    """Batch samplers, by the name that a `LossEntry` asks for."""
    return {}


@hookspec
def siambench_metrics() -> Mapping[str, plugin.MetricEntry]:
    """Metrics, by the name that a track reports; a family bears the letters of its numbers, such as ``recall@k``."""
    return {}


@hookspec
def siambench_engines() -> Mapping[str, plugin.EngineEntry]:
    """Engines, by the name that ``--engine`` uses."""
    return {}


@hookspec
def siambench_observers() -> Mapping[str, plugin.ObserverEntry]:
    """Observers, by the name that ``--observe`` uses."""
    return {}


@hookspec
def siambench_formats() -> Mapping[str, plugin.FormatEntry]:
    """Formats, by the name that ``--format`` uses."""
    return {}


@hookspec
def siambench_tracks() -> Mapping[str, plugin.TrackEntry]:
    """Tracks, by the name that ``--track``, ``leaderboard`` and a comparison use."""
    return {}


@hookspec
def siambench_configs() -> Mapping[str, plugin.ConfigEntry]:
    """Comparisons, by the name that ``siambench run NAME`` uses."""
    return {}


@hookspec
def siambench_augmentations() -> Mapping[str, plugin.AugmentationEntry]:
    """Augmentations, by the name that a table ``[augment.NAME]`` of a track uses."""
    return {}


@hookspec
def siambench_optimisers() -> Mapping[str, plugin.OptimiserEntry]:
    """Optimisers, by the name that a track's ``[training]`` uses."""
    return {}


@hookspec
def siambench_schedules() -> Mapping[str, plugin.ScheduleEntry]:
    """Schedules of the learning rate, by the name that a track's ``[training]`` uses."""
    return {}


@hookspec
def siambench_split_rules() -> Mapping[str, plugin.SplitRuleEntry]:
    """Split rules, by the name that a track's ``[split]`` uses."""
    return {}


PREFIX = "siambench_"


def _entries() -> dict[str, type[Any]]:
    hooks = {name: hook for name, hook in vars(sys.modules[__name__]).items() if name.startswith(PREFIX)}
    return {name.removeprefix(PREFIX): get_args(get_type_hints(hook)["return"])[1] for name, hook in hooks.items()}


ENTRY_OF: Mapping[str, type[Any]] = _entries()
"""Which entry each kind's hook returns, in the order in which kinds are listed."""

KINDS: tuple[str, ...] = tuple(ENTRY_OF)
"""What a plugin can provide."""

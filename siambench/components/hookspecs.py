"""The plugin contract: one hook per kind. Each returns a mapping from component names to entries of `siambench.plugin`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Metrics, by the name that a track reports; a family such as ``recall@k`` ends in ``@k``."""
    return {}


@hookspec
def siambench_engines() -> Mapping[str, plugin.EngineEntry]:
    """Engines, by the name that ``--engine`` uses."""
    return {}

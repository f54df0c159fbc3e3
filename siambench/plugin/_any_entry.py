"""What all entries have in common: a factory or a file, and what that says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from siambench.plugin._around_entries import EngineEntry, FormatEntry, ObserverEntry
from siambench.plugin._entries import (
    BackboneEntry,
    DatasetEntry,
    LossEntry,
    MetricEntry,
    MinerEntry,
    SamplerEntry,
)
from siambench.plugin._exam_entries import AugmentationEntry, OptimiserEntry, ScheduleEntry, SplitRuleEntry
from siambench.plugin._factories import Lazy
from siambench.plugin._file_entries import ConfigEntry, FileEntry, TrackEntry

CodeEntry = (
    DatasetEntry
    | BackboneEntry
    | LossEntry
    | MinerEntry
    | SamplerEntry
    | MetricEntry
    | EngineEntry
    | ObserverEntry
    | FormatEntry
    | AugmentationEntry
    | OptimiserEntry
    | ScheduleEntry
    | SplitRuleEntry
)
Entry = CodeEntry | TrackEntry | ConfigEntry


def factory_of(entry: CodeEntry) -> Callable[..., Any]:
    """What an entry calls: its factory, a metric's function, a format's."""
    if isinstance(entry, MetricEntry):
        return entry.compute
    return entry.render if isinstance(entry, FormatEntry) else entry.build


def about(entry: Entry) -> str | None:
    """What the factory of an entry, or its file, says of itself."""
    if isinstance(entry, FileEntry):
        return entry.about
    build = factory_of(entry)
    return (build.found if isinstance(build, Lazy) else build).__doc__

"""The one door for plugin authors; what is named in ``__all__`` stays stable within one `API` number.

A plugin is a module, light to import, registered under the entry-point group ``siambench``::

    from siambench.plugin import Float, LossEntry, hookimpl

    def build(margin: float):
        from .losses import MyLoss          # torch is imported when the loss is built, not before
        return MyLoss(margin)

    @hookimpl
    def siambench_losses():
        return {"my-loss": LossEntry(build, space={"margin": Float(0.0, 1.0)}, defaults={"margin": 0.1},
                                     source="Author, Title, Venue, eq. 3")}

Each hook returns a mapping from names to entries. Factories are given just those of ``num_classes``,
``embedding_size``, ``input_shape``, ``vocabulary`` and the entry's parameters that their signature names.
"""

import pluggy

from siambench.plugin._any_entry import Entry, about, factory_of
from siambench.plugin._around_entries import EngineEntry, FormatEntry, ObserverEntry
from siambench.plugin._entries import (
    RATE,
    WARMUP,
    BackboneEntry,
    DatasetEntry,
    LossEntry,
    MetricEntry,
    MinerEntry,
    SamplerEntry,
    valid_name,
)
from siambench.plugin._exam_entries import AugmentationEntry, OptimiserEntry, ScheduleEntry, SplitRuleEntry
from siambench.plugin._factories import Lazy, accepted_by, call_factory
from siambench.plugin._file_entries import ConfigEntry, FileEntry, TrackEntry
from siambench.plugin._fingerprint import Fingerprint, Margin
from siambench.plugin._harness import CHUNK, EVERY, PER_CHUNK_BATCHNORM, PROJECTOR, projector_text, projector_widths
from siambench.plugin._options import Option
from siambench.spaces import Choice, Dimension, Float, Int, Space, Value
from siambench.spec import API

hookimpl = pluggy.HookimplMarker("siambench")

NAMED_BY_FORWARD = ("progress", "groups")
"""What a loss's ``forward`` may name beside embeddings, labels and indices; see `LossEntry`."""

__all__ = [
    "API",
    "CHUNK",
    "EVERY",
    "NAMED_BY_FORWARD",
    "PER_CHUNK_BATCHNORM",
    "PROJECTOR",
    "RATE",
    "WARMUP",
    "AugmentationEntry",
    "BackboneEntry",
    "Choice",
    "ConfigEntry",
    "DatasetEntry",
    "Dimension",
    "EngineEntry",
    "Entry",
    "FileEntry",
    "Fingerprint",
    "Float",
    "FormatEntry",
    "Int",
    "Lazy",
    "LossEntry",
    "Margin",
    "MetricEntry",
    "MinerEntry",
    "ObserverEntry",
    "OptimiserEntry",
    "Option",
    "SamplerEntry",
    "ScheduleEntry",
    "Space",
    "SplitRuleEntry",
    "TrackEntry",
    "Value",
    "about",
    "accepted_by",
    "call_factory",
    "factory_of",
    "hookimpl",
    "projector_text",
    "projector_widths",
    "valid_name",
]

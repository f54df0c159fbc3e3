"""The metrics, by what they are for. torch is imported when one is computed."""

from __future__ import annotations

from siambench.builtin.metrics import (
    agreement,
    clustering,
    corruptions,
    dimensions,
    enrolment,
    episodes,
    few_labels,
    geometry,
    retrieval,
    transfer,
    verification,
)
from siambench.plugin import MetricEntry, hookimpl


@hookimpl
def siambench_metrics() -> dict[str, MetricEntry]:
    """Retrieval, clustering, verification, episodes, transfer, geometry, and what is left with few labels, dimensions or good images."""
    concepts = (
        retrieval,
        clustering,
        verification,
        enrolment,
        episodes,
        transfer,
        few_labels,
        geometry,
        dimensions,
        corruptions,
        agreement,
    )
    return {name: entry for concept in concepts for name, entry in concept.ENTRIES.items()}

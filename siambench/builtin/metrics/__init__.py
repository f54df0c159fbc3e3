"""The metrics, by what they are for. torch is imported when one is computed."""

from __future__ import annotations

from siambench.builtin.metrics import clustering, episodes, geometry, retrieval, transfer, verification
from siambench.plugin import MetricEntry, hookimpl


@hookimpl
def siambench_metrics() -> dict[str, MetricEntry]:
    """Retrieval, clustering, verification, episodes, transfer and geometry."""
    concepts = (retrieval, clustering, verification, episodes, transfer, geometry)
    return {name: entry for concept in concepts for name, entry in concept.ENTRIES.items()}

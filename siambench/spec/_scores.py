"""The names of scores: what stands before the name of a metric, and the metric itself."""

from __future__ import annotations

from typing import Final

CONCATENATED: Final = "concatenated:"
OWN_SIMILARITY: Final = "own:"
"""Before the name of a metric: its score for the concatenated embeddings of the fold-models; by a loss's own similarity."""

REVERSED: Final = "reversed:"
"""Before the name of a metric: the gallery asks, and the queries are what it is compared with."""


def metric_of(score: str) -> str:
    """The metric of a score, whose name may say what it is of: ``own:recall@1`` is of ``recall@1``."""
    return score.removeprefix(CONCATENATED).removeprefix(OWN_SIMILARITY)


def forward_of(metric: str) -> str:
    """The metric itself of one that may be of the way back: ``reversed:recall@1`` is ``recall@1`` with the sides exchanged."""
    return metric.removeprefix(REVERSED)

"""Queries among what they are compared with: who is near, and whether it shares the label. Searched once, when it is first asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench import metrics

_LEAST_DEPTH = 8


class Searched:
    """The `siambench.interfaces.Neighbours` of embedded items.

    Args:
        embeddings: of the items, queries first: any real type, [N, D].
        labels: of the items, int64 [N].
        queries: Q, where the items from Q on are a gallery of their own; None: all are compared with all others.
        distance: what near means.
        depth: how deep a list of neighbours some metric will want; deeper ones are made when asked for.
        asking: embeddings of the queries, [Q, D], where these are others than those of the items; query i is still item i, and is not
            compared with it.
    """

    def __init__(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        queries: int | None = None,
        distance: metrics.Distance = "cosine",
        depth: int = _LEAST_DEPTH,
        asking: Tensor | None = None,
    ) -> None:
        self.labels = labels
        self.distance: metrics.Distance = distance
        self.queries = len(labels) if queries is None else queries
        self.has_gallery = queries is not None
        self.relevant = metrics.relevant_counts(labels[: self.queries], self._references(labels), exclude_self=not self.has_gallery)
        self._given = embeddings
        self._asking = embeddings[: self.queries] if asking is None else asking
        self._deepest = max(depth, _LEAST_DEPTH)
        self._matches: Tensor | None = None

    @property
    def depth(self) -> int:
        """How many items a query is compared with."""
        return len(self.labels) - (self.queries if self.has_gallery else 1)

    def given(self, rows: Tensor | slice) -> Tensor:
        """Embeddings of some items as they were given, [K, D], whatever the metrics see of them."""
        return self._given[rows.to(self._given.device) if isinstance(rows, Tensor) else rows]

    def _references(self, values: Tensor) -> Tensor:
        return values[self.queries :] if self.has_gallery else values

    def _nearest(self, depth: int) -> Tensor:
        """The nearest references of each query, int64 [Q, depth]."""
        references = self._references(self._given)
        return metrics.nearest(self._asking, references, depth, exclude_self=not self.has_gallery, distance=self.distance)

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest shares the label, bool [Q, k]; False beyond the last that there is."""
        wanted = min(k, self.depth)
        if self._matches is None or self._matches.shape[1] < wanted:
            # The deepest list that retrieval metrics usually want is computed at once.
            wanted = min(max(wanted, int(self.relevant.max()), self._deepest), self.depth)
            self._matches = metrics.matches(self.labels[: self.queries], self._references(self.labels), self._nearest(wanted))
        return torch.nn.functional.pad(self._matches[:, :k], (0, max(0, k - self._matches.shape[1])))

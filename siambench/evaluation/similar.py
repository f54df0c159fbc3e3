"""Embedded items compared by a similarity that a loss has learnt or defined, in the place of the track's distance."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NoReturn

import torch
from torch import Tensor

from siambench import metrics
from siambench.errors import MetricError
from siambench.evaluation.view import Evaluated

Similarity = Callable[[Tensor, Tensor], Tensor]
"""From embeddings fp32 [N, D] and [M, D] to how similar they are, fp [N, M]; higher is nearer."""

_ROWS = 256
"""Queries that are compared at once."""


class BySimilarity(Evaluated):
    """What metrics of neighbours and of pairs may ask for, by another similarity; those that ask for more have no score.

    Args:
        evaluated: the items.
        embeddings: as the model gives them, fp32 [N, D].
        similarity: of the loss.
        name: of the loss, for people.
    """

    def __init__(self, evaluated: Evaluated, embeddings: Tensor, similarity: Similarity, name: str) -> None:
        self.__dict__.update(vars(evaluated))
        # What was computed by the distance is not taken over.
        for kept in ("similarities", "every_pair"):
            self.__dict__.pop(kept, None)
        self.notes = {}
        self._rows, self._similarity, self._name = embeddings, similarity, name
        self._nearest: Tensor | None = None
        del self.__dict__["embeddings"]

    def matches(self, k: int) -> Tensor:
        """Whether each of the k most similar shares the label, bool [Q, k]; of equals the lower index comes first."""
        if self._nearest is None:
            depth = min(max(int(self.relevant.max()), self._deepest), self.depth)
            self._nearest = self._found(depth)
        if self._nearest.shape[1] < min(k, self.depth):
            self._nearest = self._found(min(k, self.depth))
        return torch.nn.functional.pad(self._nearest[:, :k], (0, max(0, k - self._nearest.shape[1])))

    def _found(self, depth: int) -> Tensor:
        references, labels = self._references(self._rows), self._references(self.labels)
        found = []
        for places in torch.split(torch.arange(self.queries, device=self._rows.device), _ROWS):
            near = self._compared(self._rows[places], references)
            if not self.has_gallery:
                near[torch.arange(len(places), device=near.device), places] = -torch.inf
            order = near.sort(dim=1, descending=True, stable=True).indices[:, :depth]
            found.append(labels[order] == self.labels[places, None])
        return torch.cat(found)

    def _compared(self, left: Tensor, right: Tensor) -> Tensor:
        with torch.no_grad():
            near = self._similarity(left, right)
        if not isinstance(near, Tensor) or near.shape != (len(left), len(right)):
            got = f"shape {list(near.shape)}" if isinstance(near, Tensor) else type(near).__name__
            raise MetricError(f"the similarity of loss {self._name} must be [{len(left)}, {len(right)}], got {got}")
        if not bool(torch.isfinite(near).all()):
            raise MetricError(f"the similarity of loss {self._name} is not finite")
        return near.double()

    @cached_property
    def similarities(self) -> Tensor | None:
        """How similar the items of each pair are, float64 [P]."""
        pairs = self.pairs
        if pairs is None:
            return None
        blocks = zip(torch.split(pairs.left, _ROWS), torch.split(pairs.right, _ROWS), strict=True)
        return torch.cat([self._compared(self._rows[left], self._rows[right]).diagonal() for left, right in blocks]).cpu()

    @cached_property
    def every_pair(self) -> metrics.AllPairs | None:
        """Not over every pair: a similarity has no bounds to bin it by."""
        if self._pairs == "every":
            raise MetricError("verification over every pair is by the track's distance alone")
        return None

    @property
    def embeddings(self) -> NoReturn:  # type: ignore[override]
        """They mean nothing by themselves."""
        raise MetricError("it is asked for by a metric of the embeddings themselves")

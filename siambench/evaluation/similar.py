"""Embedded items compared by a similarity that a loss has learnt or defined, in the place of the track's distance."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NoReturn

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
        embeddings: as the model gives them, fp32 [N, D].
        labels: int64 [N].
        similarity: of the loss.
        name: of the loss, for people.
        asked: what else `Evaluated` takes.
    """

    def __init__(self, embeddings: Tensor, labels: Tensor, *, similarity: Similarity, name: str, **asked: Any) -> None:
        super().__init__(embeddings, labels, **asked)
        self._similarity, self._name = similarity, name

    def _nearest(self, depth: int) -> Tensor:
        """The most similar references of each query, int64 [Q, depth]; of equals the lower index comes first."""
        references, found = self._references(self._given), []
        for places in torch.split(torch.arange(self.queries, device=self._given.device), _ROWS):
            near = self._compared(self._given[places], references)
            if not self.has_gallery:
                near[torch.arange(len(places), device=near.device), places] = -torch.inf
            found.append(near.sort(dim=1, descending=True, stable=True).indices[:, :depth])
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
        return torch.cat([self._compared(self._given[left], self._given[right]).diagonal() for left, right in blocks]).cpu()

    @cached_property
    def every_pair(self) -> metrics.AllPairs | None:
        """Not over every pair: a similarity has no bounds to bin it by."""
        if self._pairs == "every":
            raise MetricError("verification over every pair is by the track's distance alone")
        return None

    # What has no value is noted and told; what is not asked of a similarity at all is neither, and has no place among its scores.
    def enrolled(self, k: int, template: metrics.Template) -> NoReturn:
        """Not by this similarity: of what stands for a class it is the track's distance that is asked."""
        raise NotImplementedError(f"verification against {k} enrolled references, {template}, is by the track's distance alone")

    def first_dimensions(self, d: int) -> NoReturn:
        """A similarity that has been learnt for all dimensions says nothing of some."""
        raise NotImplementedError(f"the first {d} dimensions are compared by the track's distance alone")

    def corrupted(self, corruption: str) -> NoReturn:
        """Corrupted queries are compared once, by the track's distance."""
        raise NotImplementedError(f"queries with {corruption} are compared by the track's distance alone")

    def fine_tuned(self, known: Tensor, asked: Tensor) -> NoReturn:
        """Nothing of it depends on a similarity."""
        raise NotImplementedError(f"no similarity is asked where {len(known)} items are learnt and {len(asked)} asked")

    @property
    def reversed(self) -> NoReturn:
        """The way back is by the track's distance: what a loss has learnt may be of one way."""
        raise MetricError("the way back is compared by the track's distance alone")

    @property
    def embeddings(self) -> NoReturn:
        """They mean nothing by themselves."""
        raise MetricError("it is asked for by a metric of the embeddings themselves")

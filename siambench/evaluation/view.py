"""What a metric may ask for, computed once, when it is first asked for: neighbours, pairs, episodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from siambench import metrics
from siambench.errors import DivergedError, MetricError
from siambench.identity import seed_of
from siambench.metrics.checks import unit_length
from siambench.metrics.kept import Kept

if TYPE_CHECKING:
    from siambench.metrics import AllPairs, Distance, Pairs

GivenEpisodes = Callable[[str], tuple[Tensor, Tensor, Tensor] | None]

_LEAST_DEPTH = 8

_PAIRS: Kept[metrics.Pairs] = Kept(4)
"""Drawn once a process for each part: they depend on its labels and the seed alone, and take as long as all other scores together."""


def no_episodes(name: str) -> tuple[Tensor, Tensor, Tensor] | None:  # noqa: ARG001  the signature is shared
    """For data without episodes of its own."""
    return None


class Evaluated:
    """The `siambench.interfaces.Evaluation` of embedded items.

    Args:
        embeddings: of the items, queries first: any real type, [N, D].
        labels: of the items, int64 [N].
        seed: of all that metrics draw; derived from the fingerprint of the split, never from the method.
        queries: Q, where the items from Q on are a gallery of their own; None: all are compared with all others.
        groups: of the items, int64 [N], or None.
        distance: what near means.
        depth: how deep a list of neighbours some metric will want; deeper ones are made when asked for.
        pairs: verification pairs of items; ``"every"``: every pair there is, counted into bins; None: they are drawn.
        episodes: embeds the named episodes of the data set, or gives None.

    Raises:
        DivergedError: if an embedding is not finite.
    """

    def __init__(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        seed: int,
        queries: int | None = None,
        groups: Tensor | None = None,
        distance: Distance = "cosine",
        depth: int = _LEAST_DEPTH,
        pairs: Pairs | Literal["every"] | None = None,
        episodes: GivenEpisodes = no_episodes,
    ) -> None:
        if not bool(torch.isfinite(embeddings).all()):
            raise DivergedError("the embeddings are not finite")
        self.labels = labels
        self.groups = groups
        self.distance: Distance = distance
        self.queries = len(labels) if queries is None else queries
        self.has_gallery = queries is not None
        self.notes: dict[str, float | str] = {}
        self.relevant = metrics.relevant_counts(labels[: self.queries], self._references(labels), exclude_self=not self.has_gallery)
        self._given = embeddings
        self._seed = seed
        self._episodes = episodes
        self._deepest = max(depth, _LEAST_DEPTH)
        self._matches: Tensor | None = None
        self._pairs = pairs

    def without(self, label: int) -> Evaluated:
        """The same without the items of one class, and of drawn or listed pairs without those that one of its items is in."""
        kept = self.labels != label
        pairs = self._pairs
        if pairs != "every":
            pairs = None if self.pairs is None else _kept(self.pairs, kept.cpu())
        found = Evaluated(
            self._given[kept],
            self.labels[kept],
            seed=self._seed,
            queries=int(kept[: self.queries].sum()) if self.has_gallery else None,
            groups=None if self.groups is None else self.groups[kept],
            distance=self.distance,
            depth=self._deepest,
            pairs=pairs,
        )
        if pairs == "every":
            found.every_pair = self._without_each.get(label)
        return found

    @cached_property
    def _without_each(self) -> dict[int, AllPairs | None]:
        return metrics.all_pairs_without_each_class(self._given, self.labels, queries=self.queries if self.has_gallery else None)

    @cached_property
    def embeddings(self) -> Tensor:
        """As metrics of the embeddings themselves see them, fp [N, D]."""
        return _as_seen(self._given, self.distance)

    @property
    def depth(self) -> int:
        """How many items a query is compared with."""
        return len(self.labels) - (self.queries if self.has_gallery else 1)

    def _references(self, values: Tensor) -> Tensor:
        return values[self.queries :] if self.has_gallery else values

    def _nearest(self, depth: int) -> Tensor:
        """The nearest references of each query, int64 [Q, depth]."""
        queries, references = self._given[: self.queries], self._references(self._given)
        return metrics.nearest(queries, references, depth, exclude_self=not self.has_gallery, distance=self.distance)

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest shares the label, bool [Q, k]; False beyond the last that there is."""
        wanted = min(k, self.depth)
        if self._matches is None or self._matches.shape[1] < wanted:
            # The deepest list that retrieval metrics usually want is computed at once.
            wanted = min(max(wanted, int(self.relevant.max()), self._deepest), self.depth)
            self._matches = metrics.matches(self.labels[: self.queries], self._references(self.labels), self._nearest(wanted))
        return torch.nn.functional.pad(self._matches[:, :k], (0, max(0, k - self._matches.shape[1])))

    @cached_property
    def pairs(self) -> Pairs | None:
        """The verification pairs, or None where classes are too few; the reason goes to the notes."""
        if isinstance(self._pairs, metrics.Pairs):
            return self._pairs
        try:
            labels, seed = self.labels.cpu(), self.seed("pairs")
            queries = self.queries if self.has_gallery else None
            drawn_from = [labels, None if queries is None else torch.tensor([queries])]
            return _PAIRS.of(drawn_from, seed, lambda: metrics.draw_pairs(labels, seed=seed, queries=queries))
        except MetricError as error:
            self.note("verification", str(error))
            return None

    @cached_property
    def every_pair(self) -> AllPairs | None:
        """Verification over every pair of items, where that is wanted; None: over `pairs`."""
        if self._pairs != "every":
            return None
        try:
            return metrics.all_pairs_verification(self._given, self.labels, queries=self.queries if self.has_gallery else None)
        except MetricError as error:
            self.pairs = None  # nor are there any to draw
            self.note("verification", str(error))
            return None

    @cached_property
    def similarities(self) -> Tensor | None:
        """How similar the items of each pair are, float64 [P]."""
        return None if self.pairs is None else metrics.pair_similarity(self._given.cpu(), self.pairs, distance=self.distance)

    def episodes(self, name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        """The embedded episodes of that name, or None."""
        return self._episodes(name)

    def seed(self, purpose: str) -> int:
        """A seed for what a metric draws."""
        return seed_of(self._seed, purpose)

    def note(self, name: str, value: float | str) -> None:
        """Leave a fact beside the scores; a number that is not finite, which no JSON can hold, as text."""
        self.notes[name] = value if isinstance(value, str) or math.isfinite(value) else str(value)


def _kept(pairs: Pairs, kept: Tensor) -> Pairs:
    """The pairs both items of which are kept, by their new positions; kept: bool [N]."""
    place = kept.cumsum(0) - 1
    whole = kept[pairs.left] & kept[pairs.right]
    return metrics.Pairs(place[pairs.left[whole]], place[pairs.right[whole]], pairs.same[whole], pairs.fold[whole])


def _as_seen(embeddings: Tensor, distance: Distance) -> Tensor:
    exact = embeddings.to(metrics.search_precision(len(embeddings), 0))
    return exact if distance == "euclidean" else unit_length(exact)

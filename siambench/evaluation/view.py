"""What a metric may ask for, computed once, when it is first asked for: neighbours, pairs, episodes, and what needs the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from siambench import metrics
from siambench.errors import DivergedError, MetricError
from siambench.evaluation.of_model import NO_MODEL, OfModel
from siambench.evaluation.searched import Searched
from siambench.identity import seed_of
from siambench.metrics.checks import unit_length
from siambench.metrics.kept import Kept

if TYPE_CHECKING:
    from siambench.metrics import AllPairs, Distance, EnrolledVerification, Pairs, Template

GivenEpisodes = Callable[[str], tuple[Tensor, Tensor, Tensor] | None]

_PAIRS: Kept[metrics.Pairs] = Kept(4)
"""Drawn once a process for each part: they depend on its labels and the seed alone, and take as long as all other scores together."""


def no_episodes(name: str) -> tuple[Tensor, Tensor, Tensor] | None:  # noqa: ARG001  the signature is shared
    """For data without episodes of its own."""
    return None


class Evaluated(Searched):
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
        model: embeds corrupted queries, and is fine-tuned; without it neither is to be had.

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
        depth: int = 1,
        pairs: Pairs | Literal["every"] | None = None,
        episodes: GivenEpisodes = no_episodes,
        model: OfModel = NO_MODEL,
    ) -> None:
        if not bool(torch.isfinite(embeddings).all()):
            raise DivergedError("the embeddings are not finite")
        super().__init__(embeddings, labels, queries=queries, distance=distance, depth=depth)
        self.groups = groups
        self.notes: dict[str, float | str] = {}
        self._seed = seed
        self._episodes = episodes
        self._model = model
        self._pairs = pairs
        self._others: dict[str, Searched] = {}
        self._enrolled: dict[tuple[int, Template], dict[int, EnrolledVerification | None]] = {}
        self._whole: tuple[Evaluated, int] | None = None

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
        found._whole = (self, label)
        return found

    @cached_property
    def _without_each(self) -> dict[int, AllPairs | None]:
        return metrics.all_pairs_without_each_class(self._given, self.labels, queries=self.queries if self.has_gallery else None)

    @cached_property
    def embeddings(self) -> Tensor:
        """As metrics of the embeddings themselves see them, fp [N, D]."""
        return _as_seen(self._given, self.distance)

    @property
    def kind_of_pairs(self) -> Literal["drawn", "listed", "every"]:
        """Which pairs verification is about."""
        return "listed" if isinstance(self._pairs, metrics.Pairs) else ("drawn" if self._pairs is None else "every")

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

    def enrolled(self, k: int, template: Template) -> EnrolledVerification:
        """Verification against classes that k items each are enrolled of; of what is left of a whole, with the references of the whole.

        Raises:
            MetricError: where there are too few items for it.
        """
        if self._whole is not None:
            whole, label = self._whole
            found = whole._enrolled_without_each(k, template).get(label)  # noqa: SLF001  of the same class
            if found is None:
                raise MetricError("without that class one kind of comparisons is missing")
            return found
        return metrics.enrolled_verification(self._given, self.labels, **self._asked_of_enrolled(k, template))

    def _enrolled_without_each(self, k: int, template: Template) -> dict[int, EnrolledVerification | None]:
        if (k, template) not in self._enrolled:
            self._enrolled[k, template] = metrics.enrolled_without_each_class(
                self._given, self.labels, **self._asked_of_enrolled(k, template)
            )
        return self._enrolled[k, template]

    def _asked_of_enrolled(self, k: int, template: Template) -> dict[str, Any]:
        return {
            "k": k,
            "seeds": [self.seed(f"enrolment {k} {draw}") for draw in range(metrics.DRAWS)],
            "template": template,
            "queries": self.queries if self.has_gallery else None,
            "distance": self.distance,
        }

    def first_dimensions(self, d: int) -> Searched:
        """Neighbours by the first d dimensions alone.

        Raises:
            MetricError: if there are fewer, or they are those of several models side by side.
        """
        key = f"first {d}"
        if key not in self._others:
            size = self._given.shape[1]
            if not 1 <= d <= size:
                raise MetricError(f"the first {d} dimensions are asked for, and an embedding has {size}")
            if self._model.side_by_side:
                raise MetricError("of the embeddings of several models side by side the first dimensions are those of one model")
            self._others[key] = self._other(self._given[:, :d], None)
        return self._others[key]

    def corrupted(self, corruption: str) -> Searched:
        """Neighbours of corrupted queries among the clean items.

        Raises:
            DivergedError: if an embedding is not finite.
            MetricError: if there are no images or no model to embed them with, or no such corruption.
        """
        if corruption not in self._others:
            asking = self._model.corrupted_queries(corruption, self.seed(f"corruption {corruption}"))
            if not bool(torch.isfinite(asking).all()):
                raise DivergedError("the embeddings of corrupted queries are not finite")
            self._others[corruption] = self._other(self._given, asking)
        return self._others[corruption]

    @cached_property
    def reversed(self) -> Evaluated:
        """The way back: the gallery asks, and the queries are what it is compared with.

        Raises:
            MetricError: if queries and gallery are the same items, as then both ways are one.
        """
        if not self.has_gallery:
            raise MetricError("the way back is asked for, and queries and gallery are the same items: both ways are one")
        order = torch.arange(len(self.labels), device=self.labels.device).roll(-self.queries)
        pairs = self._pairs
        if isinstance(pairs, metrics.Pairs):
            # Those that are drawn are drawn of both anew; what a file lists is the same either way.
            place = order.argsort().cpu()
            pairs = metrics.Pairs(place[pairs.left], place[pairs.right], pairs.same, pairs.fold, pairs.score)
        return Evaluated(
            self._given[order],
            self.labels[order],
            seed=self._seed,
            queries=len(self.labels) - self.queries,
            groups=None if self.groups is None else self.groups[order],
            distance=self.distance,
            depth=self._deepest,
            pairs=pairs,
        )

    def _other(self, given: Tensor, asking: Tensor | None) -> Searched:
        queries = self.queries if self.has_gallery else None
        return Searched(given, self.labels, queries=queries, distance=self.distance, depth=self._deepest, asking=asking)

    def fine_tuned(self, known: Tensor, asked: Tensor) -> Tensor:
        """The labels that a copy of the network, fine-tuned on some items, gives to others, int64 [A].

        Raises:
            MetricError: if there is no network to train.
        """
        return self._model.fine_tuned(known, self.labels[known], asked)

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
    score = None if pairs.score is None else pairs.score[whole]
    return metrics.Pairs(place[pairs.left[whole]], place[pairs.right[whole]], pairs.same[whole], pairs.fold[whole], score)


def _as_seen(embeddings: Tensor, distance: Distance) -> Tensor:
    exact = embeddings.to(metrics.search_precision(len(embeddings), 0))
    return exact if distance == "euclidean" else unit_length(exact)

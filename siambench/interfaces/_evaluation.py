"""What a metric may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.metrics import AllPairs, EnrolledVerification, Pairs, Template


class Neighbours(Protocol):
    """Queries and what is near them, where something else than the embeddings of the items themselves is compared."""

    @property
    def queries(self) -> int:
        """Q, as many as the evaluation has."""

    @property
    def relevant(self) -> Tensor:
        """For each query, how many of those it is compared with share its label, int64 [Q]."""

    @property
    def depth(self) -> int:
        """How many items a query is compared with."""

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest shares the query's label, bool [Q, k]; False beyond `depth`."""


class Evaluation(Protocol):
    """What a metric may ask for; each item is computed once, when it is first asked for.

    Where queries are compared with a gallery of its own, ``items`` are the queries and then the gallery; otherwise
    queries, gallery and items are the same, and no query is compared with itself.
    """

    @property
    def distance(self) -> Literal["cosine", "euclidean"]:
        """What near means."""

    @property
    def embeddings(self) -> Tensor:
        """Of the items, as the distance sees them: of unit length under ``"cosine"``; float64 [N, D], fp32 above 20,000 items."""

    @property
    def labels(self) -> Tensor:
        """Of the items, int64 [N]."""

    @property
    def groups(self) -> Tensor | None:
        """The group of each item (alphabet, script), int64 [N]; None where classes have none."""

    @property
    def queries(self) -> int:
        """Q: the first so many items are the queries."""

    @property
    def has_gallery(self) -> bool:
        """Whether queries are compared with a gallery of its own: then Q < N."""

    @property
    def relevant(self) -> Tensor:
        """For each query, how many of those it is compared with share its label, int64 [Q]; metrics leave out queries with none."""

    @property
    def depth(self) -> int:
        """How many items a query is compared with."""

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest shares the query's label, bool [Q, k]; False beyond `depth`."""

    @property
    def pairs(self) -> Pairs | None:
        """Verification pairs of items, from a file or drawn by the fingerprint of the split; None where classes are too few."""

    @property
    def every_pair(self) -> AllPairs | None:
        """Verification over every pair of items, where the track wants that; None: over `pairs`."""

    @property
    def similarities(self) -> Tensor | None:
        """How similar the items of each pair are, larger is more similar, float64 [P]; None where there are no pairs."""

    def episodes(self, name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        """Support embeddings [E, N, D], query embeddings [E, Q, D] and answers int64 [E, Q]; None where the data set has none."""

    def enrolled(self, k: int, template: Template) -> EnrolledVerification:
        """Verification against classes that k items each are enrolled of, ``"mean"`` or ``"nearest"`` of them standing for the class.

        Raises:
            MetricError: where there are too few items for it.
        """

    def first_dimensions(self, d: int) -> Neighbours:
        """Neighbours by the first d dimensions of the embeddings alone, brought to unit length anew under ``"cosine"``.

        Raises:
            MetricError: if there are fewer, or they are those of several models side by side.
        """

    def corrupted(self, corruption: str) -> Neighbours:
        """Neighbours of corrupted queries (``"noise"``, ``"blur"``, ``"occlusion"``, ``"rotation"``) among the clean items.

        The clean image of the query itself is left out.

        Raises:
            MetricError: if there are no images or no model to embed them with, or no such corruption.
        """

    def fine_tuned(self, known: Tensor, asked: Tensor) -> Tensor:
        """The labels that a copy of the network, fine-tuned with a linear classifier on some items, gives to others, int64 [A].

        Args:
            known: indices of the items whose labels it is told, int64 [R].
            asked: of those it is asked for, int64 [A].

        Raises:
            MetricError: if there is no network to train.
        """

    def seed(self, purpose: str) -> int:
        """A seed for what a metric draws, the same for every method."""

    def note(self, name: str, value: float | str) -> None:
        """Leave a fact for the reader beside the scores: a standard error, or why a metric does not apply."""

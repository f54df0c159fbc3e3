"""The shapes in which components meet. Arrays of a data set are numpy, all that is trained or scored is torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from siambench.metrics import AllPairs, Pairs

ReadImages = Callable[["NDArray[np.int64]"], "NDArray[np.uint8]"]
Indices = tuple["Tensor", ...]


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """Classification tasks with their own images, such as Omniglot's official one-shot runs.

    Args:
        support: images to compare with, uint8 [E, N, C, H, W]: one per way and episode.
        query: images to classify, uint8 [E, Q, C, H, W].
        answer: which of the N support images has the query's class, int64 [E, Q].
    """

    support: NDArray[np.uint8]
    query: NDArray[np.uint8]
    answer: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled images.

    Args:
        labels: class of every image, int64 [N], in 0 … K - 1.
        read: images by their indices, int64 [B] → uint8 [B, C, H, W].
        shape: (C, H, W).
        class_names: one per class, K of them, distinct.
        class_attributes: further facts about each class, e.g. ``{"alphabet": (…)}``, K values each; folds and splits may follow one.
        parts: the official split, where there is one: part name (``"trainval"``, ``"test"``) → indices int64. Where queries
            are compared with a gallery of its own, ``"query"`` and ``"gallery"`` stand in the place of ``"test"``.
        digests: SHA-256 of the content of each image, 32 bytes each, N of them; None: of the pixels that `read` gives.
        item_names: one per image, distinct, by which a file of verification pairs names them; None: they have none.
        episodes: evaluations with images of their own, by name; read only when a final model is evaluated.
        colour: what the file's values mean, for people: ``"white ink on black"``.
    """

    labels: NDArray[np.int64]
    read: ReadImages
    shape: tuple[int, int, int]
    class_names: Sequence[str]
    class_attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    digests: Sequence[bytes] | None = None
    item_names: Sequence[str] | None = None
    episodes: Mapping[str, Callable[[], Episodes]] = field(default_factory=dict)
    colour: str = ""


class Loss(Protocol):
    """A differentiable score of a batch, lower is better."""

    def __call__(self, embeddings: Tensor, labels: Tensor, indices: Indices | None = None) -> Tensor:
        """From embeddings [B, D], labels int64 [B] and indices (3: triplets, 4: pairs, None: all) to a scalar."""
        ...


class Miner(Protocol):
    """A choice among the tuples of a batch."""

    def __call__(self, embeddings: Tensor, labels: Tensor) -> Indices:
        """From embeddings [B, D] and labels int64 [B] to three (triplets) or four (pairs) index tensors int64 [T]."""
        ...


class Sampler(Protocol):
    """The batches of one training run."""

    def __iter__(self) -> Iterator[Tensor]:
        """Index tensors int64 [batch_size] into the labels it was built with."""
        ...


class Evaluation(Protocol):
    """What a metric may ask for; each item is computed once, when it is first asked for.

    Where queries are compared with a gallery of its own, ``items`` are the queries and then the gallery; otherwise
    queries, gallery and items are the same, and no query is compared with itself.
    """

    @property
    def distance(self) -> Literal["cosine", "euclidean"]:
        """What near means."""
        ...

    @property
    def embeddings(self) -> Tensor:
        """Of the items, as the distance sees them: of unit length under ``"cosine"``; float64 [N, D], fp32 above 20,000 items."""
        ...

    @property
    def labels(self) -> Tensor:
        """Of the items, int64 [N]."""
        ...

    @property
    def groups(self) -> Tensor | None:
        """The group of each item (alphabet, script), int64 [N]; None where classes have none."""
        ...

    @property
    def queries(self) -> int:
        """Q: the first so many items are the queries."""
        ...

    @property
    def has_gallery(self) -> bool:
        """Whether queries are compared with a gallery of its own: then Q < N."""
        ...

    @property
    def relevant(self) -> Tensor:
        """For each query, how many of those it is compared with share its label, int64 [Q]; metrics leave out queries with none."""
        ...

    @property
    def depth(self) -> int:
        """How many items a query is compared with."""
        ...

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest shares the query's label, bool [Q, k]; False beyond `depth`."""
        ...

    @property
    def pairs(self) -> Pairs | None:
        """Verification pairs of items, from a file or drawn by the fingerprint of the split; None where classes are too few."""
        ...

    @property
    def every_pair(self) -> AllPairs | None:
        """Verification over every pair of items, where the track wants that; None: over `pairs`."""
        ...

    @property
    def similarities(self) -> Tensor | None:
        """How similar the items of each pair are, larger is more similar, float64 [P]; None where there are no pairs."""
        ...

    def episodes(self, name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        """Support embeddings [E, N, D], query embeddings [E, Q, D] and answers int64 [E, Q]; None where the data set has none."""
        ...

    def seed(self, purpose: str) -> int:
        """A seed for what a metric draws, the same for every method."""
        ...

    def note(self, name: str, value: float | str) -> None:
        """Leave a fact for the reader beside the scores: a standard error, or why a metric does not apply."""
        ...


@dataclass(frozen=True)
class Finished:
    """How one call that was submitted to an engine ended.

    Args:
        key: as it was submitted.
        value: what the function returned; None if it was lost.
        reason: why it was lost, half a sentence for people; None if it was not.
    """

    key: str
    value: Any
    reason: str | None


@runtime_checkable
class Engine(Protocol):
    """Runs calls of one function somewhere and reports each exactly once, in any order."""

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call. The arguments and the result must survive pickling: no memory is shared."""
        ...

    def wait(self, seconds: float) -> list[Finished]:
        """The calls that ended since the last wait; blocks up to ``seconds`` for the first."""
        ...

    def cancel(self) -> list[str]:
        """Drop the calls that have not started; their keys, which are then never reported."""
        ...

    def close(self, *, now: bool) -> None:
        """End the workers: after their current call, or ``now``."""
        ...

    def describe(self) -> str:
        """For people: what this engine is, e.g. ``local, 2 workers``."""
        ...

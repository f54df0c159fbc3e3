"""The shapes in which components meet. Arrays of a data set are numpy, all that is trained or scored is torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from siambench.metrics import Pairs

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
        parts: the official split, where there is one: part name (``"trainval"``, ``"test"``) → indices int64.
        digests: SHA-256 of the content of each image, 32 bytes each, N of them; None: of the pixels that `read` gives.
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
    """What a metric may ask for; each item is computed once, when it is first asked for."""

    @property
    def embeddings(self) -> Tensor:
        """L2-normalised, fp32 [N, D]."""
        ...

    @property
    def labels(self) -> Tensor:
        """int64 [N]."""
        ...

    @property
    def relevant(self) -> Tensor:
        """For each item, how many others share its label, int64 [N]; metrics leave out those with none."""
        ...

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest others shares the item's label, bool [N, min(k, N - 1)]."""
        ...

    @property
    def pairs(self) -> Pairs | None:
        """Verification pairs, drawn from the fingerprint of the split; None where classes are too few."""
        ...

    @property
    def similarities(self) -> Tensor | None:
        """Cosine similarity of each pair, float64 [P]; None where there are no pairs."""
        ...

    def episodes(self, name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        """Support embeddings [E, N, D], query embeddings [E, Q, D] and answers int64 [E, Q]; None where the data set has none."""
        ...

"""Data sets, losses, miners, samplers and engines: the shapes in which components meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from siambench.interfaces._sides import ReadItems, Side, joined_read, joined_shape
from siambench.spec import SIDES, Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Indices = tuple["Tensor", ...]
"""Three index tensors int64 [T] are triplets, four are pairs; in what siambench's own miners and feeds give, -1 marks an empty place."""


@dataclass(frozen=True, kw_only=True)
class SortedTriplets:
    """Triplets by anchor and positive: their negatives are neighbours among the anchor's negatives in order of distance.

    As many as B³ / 4 triplets in matrices [B, B], whatever their number is. A third-party loss is given them as three index tensors.

    Args:
        order: for each anchor the items by rising distance, its negatives first, int64 [B, B].
        distances: those distances, fp [B, B]; infinite for what is no negative.
        start: where the negatives of anchor and positive begin in the anchor's order, int64 [B, B].
        stop: where they end, int64 [B, B]; not above ``start`` where there are none.
    """

    order: Tensor
    distances: Tensor
    start: Tensor
    stop: Tensor


Mined = Indices | SortedTriplets
"""What a miner may give."""


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """Classification tasks with items of their own, such as Omniglot's official one-shot runs.

    Args:
        support: items to compare with, in the form of the data set's, such as uint8 [E, N, C, H, W]: one per way and episode.
        query: items to classify, such as uint8 [E, Q, C, H, W].
        answer: which of the N support items has the query's class, int64 [E, Q].
    """

    support: NDArray[Any]
    query: NDArray[Any]
    answer: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class OfficialPairs:
    """The verification pairs that a data set brings, such as the ten folds of LFW.

    Args:
        left: index of one item of each pair, int64 [P].
        right: index of the other, int64 [P].
        same: whether both are of one class: same = 1, bool [P]; what the labels say.
        fold: of each pair, from 0, int64 [P].
        score: how alike people find the two, float64 [P], higher is more alike; None where nobody was asked.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]
    score: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled items.

    Args:
        labels: class of every item, int64 [N], in 0 … K - 1.
        read: items by their indices, int64 [B] → images uint8 [B, C, H, W]; arrays float32 [B, …], finite, which are used as they
            are; tokens int64 [B, T] in 0 … vocabulary - 1, padded with 0 at the end.
        shape: of an item: (C, H, W), the shape of an array, (T,).
        class_names: one per class, K of them, distinct.
        form: what the items are.
        vocabulary: of tokens, one more than the largest id there can be; the id of a token depends on no other item.
        class_attributes: further facts about each class, e.g. ``{"alphabet": (…)}``, K values each; folds and splits may follow one.
        parts: the official split, where there is one: part name (``"trainval"``, ``"test"``) → indices int64. Where queries
            are compared with a gallery of its own, ``"query"`` and ``"gallery"`` stand in the place of ``"test"``, and
            ``"trainval-gallery"`` may say which of trainval are compared with in validation.
        digests: SHA-256 of the content of each item, 32 bytes each, N of them; None: of what `read` gives.
        item_names: one per item, distinct, by which a file of verification pairs names them; None: they have none.
        pairs: its official verification pairs, which a track with ``evaluation.pairs = "official"`` is scored by, those of the test part;
            None: it brings none.
        episodes: evaluations with items of their own, by name; read only when a final model is evaluated.
        whole: of images one of them before it is cut to ``shape``, by its index: uint8 [C, h, w], h and w of its own. A track that asks
            for crops (``augment.crop``) takes them from it to train; None: from what `read` gives.
        colour: what the file's values mean, for people: ``"white ink on black"``.
        notes: what else its loader has to say, for people, each half a sentence: ``"passed over: 1 file (README)"``. Commands that run
            something say it before they do.
        sides: of items that have two, such as an image and its name: the one that asks, and the one that is asked. Such a data set is made
            by `of_sides`; empty where items have one.
    """

    labels: NDArray[np.int64]
    read: ReadItems
    shape: tuple[int, ...]
    class_names: Sequence[str]
    form: Form = "images"
    vocabulary: int | None = None
    class_attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    digests: Sequence[bytes] | None = None
    item_names: Sequence[str] | None = None
    pairs: OfficialPairs | None = None
    episodes: Mapping[str, Callable[[], Episodes]] = field(default_factory=dict)
    colour: str = ""
    notes: Sequence[str] = ()
    whole: Callable[[int], NDArray[np.uint8]] | None = None
    sides: Sequence[Side] = ()

    @classmethod
    def of_sides(cls, sides: Sequence[Side], **others: Any) -> Dataset:
        """A data set whose items have two sides, each of which has an encoder of its own.

        In evaluation the first side of every item of a part asks, and the second sides are what it is compared with: those of its
        class, its own among them, are what is to be found. A class may have a single item.

        Args:
            sides: two of them.
            others: what else a data set has: ``labels``, ``class_names``, … but for ``read``, ``shape``, ``form`` and ``vocabulary``.
        """
        return cls(read=joined_read(sides), shape=joined_shape(sides), form=SIDES, sides=tuple(sides), **others)


class Loss(Protocol):
    """A differentiable score of a batch, lower is better; what its ``forward`` may name beyond these is told in `LossEntry`."""

    def __call__(self, embeddings: Tensor, labels: Tensor, indices: Indices | None = None) -> Tensor:
        """From embeddings [B, D], labels int64 [B] and indices (3: triplets, 4: pairs, None: all) to a scalar."""


class Miner(Protocol):
    """A choice among the tuples of a batch."""

    def __call__(self, embeddings: Tensor, labels: Tensor) -> Mined:
        """From embeddings [B, D] and labels int64 [B] to three (triplets) or four (pairs) index tensors int64 [T]."""


class Sampler(Protocol):
    """The batches of one training run."""

    def __iter__(self) -> Iterator[Tensor]:
        """Index tensors int64 [batch_size] into the labels it was built with."""


@dataclass(frozen=True)
class Place:
    """Where a call may run: in a process that has served no other place.

    Args:
        key: what calls have in common that may share a process, one after the other; ``()`` of those that run no foreign code.
        ahead: a function and its arguments that only read what such calls will need, to be called in a process that others are
            forked from; None: there is nothing to read.
    """

    key: tuple[str, ...] = ()
    ahead: tuple[Callable[..., Any], tuple[Any, ...]] | None = None


@dataclass(frozen=True)
class Finished:
    """A call that was submitted to an engine has returned.

    Args:
        key: as it was submitted.
        value: what the function returned.
    """

    key: str
    value: Any


@dataclass(frozen=True)
class Lost:
    """A call that was submitted to an engine has no result: its worker was killed, or it raised.

    Args:
        key: as it was submitted.
        reason: half a sentence for people.
    """

    key: str
    reason: str


@runtime_checkable
class Engine(Protocol):
    """Runs calls of one function somewhere and reports each exactly once, in any order."""

    def submit(self, key: str, *arguments: Any) -> None:
        """Queue one call. The arguments and the result must survive pickling: no memory is shared."""

    def wait(self, seconds: float) -> list[Finished | Lost]:
        """The calls that ended since the last wait; blocks up to ``seconds`` for the first."""

    def cancel(self) -> list[str]:
        """Drop the calls that have not started; their keys, which are then never reported."""

    def close(self, *, now: bool) -> None:
        """End the workers: after their current call, or ``now``."""

    def describe(self) -> str:
        """For people: what this engine is, e.g. ``local, 2 workers``."""

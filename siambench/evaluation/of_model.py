"""What metrics ask of the model itself: to embed corrupted queries, and to have a copy of it fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from siambench.errors import MetricError, suggestion
from siambench.evaluation.corruptions import CORRUPTIONS, corrupted
from siambench.evaluation.embedding import Concatenated, embed
from siambench.evaluation.tuned import fine_tuned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from siambench.clock import Clock
    from siambench.evaluation.tuned import Read
    from siambench.spec import Form
    from siambench.tracks.parts import Items


class OfModel(Protocol):
    """What an evaluation may ask of a model; items are told by their place among the evaluated ones, queries first."""

    @property
    def side_by_side(self) -> bool:
        """Whether the embeddings are those of several models, one beside the other."""

    def corrupted_queries(self, corruption: str, seed: int) -> Tensor:
        """Embeddings of the queries, each corrupted by a draw of its own, [Q, D].

        Raises:
            MetricError: if it cannot be.
        """

    def fine_tuned(self, known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
        """The labels of the asked items, int64 [A], by a copy that was fine-tuned on the known ones and their labels.

        Raises:
            MetricError: if it cannot be.
        """


class NoModel:
    """Embeddings alone, as somebody brings them."""

    side_by_side = False

    def corrupted_queries(self, corruption: str, seed: int) -> Tensor:  # noqa: ARG002  the signature is shared
        """There is nothing to corrupt."""
        raise MetricError(f"queries with {corruption} are images and a model, and here are embeddings alone")

    def fine_tuned(self, known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:  # noqa: ARG002  the signature is shared
        """There is nothing to train."""
        raise MetricError("fine-tuning needs a network, which raw input and embeddings alone have not")


NO_MODEL = NoModel()


class TwoEncodersAsked(NoModel):
    """Two encoders, of which neither alone is the model."""

    def corrupted_queries(self, corruption: str, seed: int) -> Tensor:  # noqa: ARG002  the signature is shared
        """What a corruption does to one side, it does not do to the other."""
        raise MetricError(f"queries with {corruption} are images of one encoder, and here each side of an item has its own")

    def fine_tuned(self, known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:  # noqa: ARG002  the signature is shared
        """There is no one network to train."""
        raise MetricError("fine-tuning trains one network, and here each side of an item has its own")


TWO_ENCODERS = TwoEncodersAsked()


@dataclass(frozen=True)
class Imagined:
    """What a model of these items could be asked, before there is one: no network, since raw input is to have a score too.

    Args:
        points: embeddings in the place of those of corrupted queries, [N, D].
        form: of the items.
    """

    points: Tensor
    form: Form
    side_by_side: bool = False

    def corrupted_queries(self, corruption: str, seed: int) -> Tensor:  # noqa: ARG002  the signature is shared
        """The points, where there are images to corrupt."""
        check_form(corruption, self.form)
        return self.points

    def fine_tuned(self, known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
        """There is nothing to train."""
        return NO_MODEL.fine_tuned(known, labels, asked)


def check_form(corruption: str, form: Form) -> None:
    """Refuse items that are no images, and a corruption that there is not.

    Raises:
        MetricError: in one sentence.
    """
    if form != "images":
        raise MetricError(f"{corruption} is done to images, the items are {form}")
    if corruption not in CORRUPTIONS:
        raise MetricError(f"no corruption {corruption!r}{suggestion(corruption, CORRUPTIONS)}; there are {', '.join(CORRUPTIONS)}")


@dataclass(frozen=True)
class OfItems:
    """A model and the items that it is evaluated on.

    Args:
        model: from items to embeddings.
        items: the part that is evaluated.
        order: which of them stands at each place, queries first, int64 [N] on the CPU.
        queries: Q.
        device: where the model is.
        clock: counts the time of both as its phase ``embed``.
    """

    model: torch.nn.Module
    items: Items
    order: Tensor
    queries: int
    device: torch.device
    clock: Clock

    @property
    def side_by_side(self) -> bool:
        """Whether the embeddings are those of several models, one beside the other."""
        return isinstance(self.model, Concatenated)

    def corrupted_queries(self, corruption: str, seed: int) -> Tensor:
        """Embeddings of the queries, each corrupted by a draw of its own, fp32 [Q, D].

        Raises:
            MetricError: if the items are no images, or there is no such corruption.
        """
        check_form(corruption, self.items.dataset.form)
        order = self.order.numpy()

        def read(places: NDArray[np.int64]) -> NDArray[np.uint8]:
            return corrupted(self.items.read(order[places]), corruption, seed=seed, items=order[places])

        with self.clock.phase("embed"):
            return embed(self.model, read, self.queries, device=self.device)

    def fine_tuned(self, known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
        """The labels of the asked items, int64 [A], by a copy that was fine-tuned on the known ones and their labels.

        Raises:
            MetricError: if the model has nothing to train.
        """
        if not any(parameter.requires_grad for parameter in self.model.parameters()):
            return NO_MODEL.fine_tuned(known, labels, asked)
        learnt, others = self._reader(known), self._reader(asked)
        form = self.items.dataset.form
        with self.clock.phase("embed"):
            return fine_tuned(self.model, learnt, labels, others, len(asked), form=form, device=self.device)

    def _reader(self, chosen: Tensor) -> Read:
        positions = self.order[chosen.cpu()].numpy()
        return lambda places: self.items.read(positions[places])

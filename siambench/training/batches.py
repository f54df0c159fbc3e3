"""What each step of training is given: items, labels and tuples on the device, drawn and sent there many steps at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from siambench.data.crops import CROP
from siambench.data.supply import Supply, supply
from siambench.data.transforms import Draws, changed, drawn, numbers_drawn
from siambench.tracks.parts import Items
from siambench.training.components import fed_indices
from siambench.training.cropped import CroppedItems
from siambench.training.drawing import Tuples

if TYPE_CHECKING:
    from siambench.interfaces import Indices
    from siambench.spec import Feed

MOST_DRAWN = 1 << 22
"""Random numbers that augmentation keeps at once: an epoch is drawn in one piece, or where that takes more, in pieces of equal length."""


@dataclass(frozen=True)
class Batch:
    """What one step is given, all of it on the device.

    Args:
        items: augmented, as models take them, [B, …].
        labels: int64 [B]; of ``views`` the places of the items in the batch: which of them share a class is not known. Of the rows of a
            list what that says of them: see `siambench.training.drawing.Tuples.labels`.
        groups: of the items' classes, int64 [B], or None.
        indices: the tuples that the feed itself says, or None.
        places: of the items among those that are trained on, int64 [B] on the CPU; of ``views``, which hold each twice, [B / 2].
    """

    items: Tensor
    labels: Tensor
    groups: Tensor | None
    indices: Indices | None
    places: Tensor


class Batches:
    """The batches of one training run, in the order of a sampler.

    Args:
        items: what is trained on.
        order: places in ``items``, int64 [B] for each step; where they have rows of a list, the numbers of rows.
        feed: of the method.
        augment: rules of augmentation.
        generator: a CPU generator, from which augmentation draws.
        device: where batches are wanted.
    """

    def __init__(
        self, items: Items, order: Iterator[Tensor], *, feed: Feed, augment: Mapping[str, Any], generator: Generator, device: torch.device
    ) -> None:
        self._items, self._order, self._feed, self._augment, self._generator, self._device = items, order, feed, augment, generator, device
        self._labels = torch.from_numpy(items.labels)
        self._groups = None if items.groups is None or feed == "views" else torch.from_numpy(items.groups)
        self._tuples = None if items.rows is None else Tuples(items.rows)
        self._numbers = numbers_drawn(items.dataset.form, augment, items.dataset.shape) if augment else 0
        self._crops = CroppedItems(items, augment, device) if augment.get(CROP) is not None else None
        self._supply: Supply | None = None if self._crops is not None else supply(items.read, len(items), items.dataset.form, device)

    def fed(self, order: Iterator[Tensor], feed: Feed) -> Batches:
        """The same items in another order and fed in another way; augmentation goes on drawing from the one generator.

        Args:
            order: as these were made with.
            feed: as these were made with.
        """
        other = copy.copy(self)
        other._order, other._feed = order, feed  # noqa: SLF001  it is one of these
        return other

    @property
    def feed(self) -> Feed:
        """How they are fed."""
        return self._feed

    def epoch(self, steps: int) -> Iterator[Batch]:
        """The batches of so many further steps.

        The order of the items and what augmentation draws are those of all steps of a piece, and sent to the device as one. A batch is
        drawn anew whatever was drawn for those before it, and the pieces of an epoch are the same wherever it is trained.
        """
        left, piece = steps, 0
        while left:
            first = next(self._order)
            size = len(first) * (2 if self._feed == "views" else 1 if self._tuples is None else self._tuples.branches)
            piece = piece or max(1, min(steps, MOST_DRAWN // max(1, size * self._numbers)))
            places = [first, *(next(self._order) for _ in range(min(piece, left) - 1))]
            yield from self._piece(places, size)
            left -= len(places)

    def _piece(self, places: list[Tensor], size: int) -> Iterator[Batch]:
        form = self._items.dataset.form
        draws = drawn(
            form,
            self._augment,
            (len(places), size, *self._items.dataset.shape),
            generator=self._generator,
            device=self._device,
        )
        labels = torch.stack([self._labels_of(each) for each in places])
        places = places if self._tuples is None else [self._tuples.places(each) for each in places]
        indices = [fed_indices(self._feed, each) for each in labels]
        groups = None if self._groups is None else self._groups[torch.stack(places)].to(self._device)
        labels = labels.to(self._device)
        changes = [{name: drawn for name, drawn in draws.of(step).items() if name != CROP} for step in range(len(places))]
        for step, items in enumerate(self._given(places, draws)):
            found = indices[step]
            yield Batch(
                items=changed(items, form, self._augment, changes[step]),
                labels=labels[step],
                groups=None if groups is None else groups[step],
                # What says nothing of the items' values is found on the processor: a mask would have it wait for the device.
                indices=None if found is None else tuple(index.to(self._device, non_blocking=True) for index in found),
                places=places[step],
            )

    def _given(self, places: list[Tensor], draws: Draws) -> Iterator[Tensor]:
        """The items of each batch, [B, …], of ``views`` twice; where crops are drawn, these."""
        if self._crops is not None:
            twice = [torch.cat([each, each]) for each in places] if self._feed == "views" else places
            return self._crops.batches(twice, draws.changes[CROP])
        assert self._supply is not None
        batches = self._supply.batches(places)
        return (torch.cat([items, items]) for items in batches) if self._feed == "views" else batches

    def _labels_of(self, places: Tensor) -> Tensor:
        if self._tuples is not None:
            return self._tuples.labels(places)
        return torch.arange(len(places)).repeat(2) if self._feed == "views" else self._labels[places]

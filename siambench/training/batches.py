"""What each step of training is given: items, labels and tuples on the device, drawn and sent there many steps at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from siambench.data.crops import CROP
from siambench.data.sides import changed_by, draws_of, numbers_of
from siambench.data.supply import Supply, supply
from siambench.data.transforms import Draws
from siambench.tracks.parts import Items
from siambench.training.components import fed_indices
from siambench.training.cropped import CroppedItems
from siambench.training.drawing import Tuples

if TYPE_CHECKING:
    from siambench.interfaces import Indices
    from siambench.spec import Feed

BRANCHES: Mapping[Feed, int] = {"classes": 1, "pairs": 2, "views": 2, "triplets": 3}
"""Of how many parts of equal length a batch consists, one after the other."""

MOST_DRAWN = 1 << 22
"""Random numbers that augmentation keeps at once: an epoch is drawn in one piece, or where that takes more, in pieces of equal length."""


@dataclass(frozen=True)
class Batch:
    """What one step is given, all of it on the device.

    Args:
        items: augmented, as models take them, [B, …].
        labels: int64 [B]; of ``views`` the places of the items in the batch: which of them share a class is not known. Of the rows of a
            list what that says of them: see `siambench.training.drawing.Tuples.labels`. Of items with two sides those of the first
            sides and then those of the second, int64 [2 B].
        groups: of the items' classes, int64 [B], or None; of items with two sides as their labels.
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
        self._numbers = numbers_of(items.dataset, augment) if augment else 0
        self._crops = CroppedItems(items, augment, device) if augment.get(CROP) is not None and not items.dataset.sides else None
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
    def branches(self) -> int:
        """How many parts of equal length, one after the other, a batch is embedded as: two branches, three, or two sides."""
        return 2 if self._items.dataset.sides else BRANCHES[self._feed]

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
        dataset = self._items.dataset
        draws = draws_of(dataset, self._augment, (len(places), size), generator=self._generator, device=self._device)
        labels = torch.stack([self._labels_of(each) for each in places])
        places = places if self._tuples is None else [self._tuples.places(each) for each in places]
        indices = [fed_indices(self._feed, each) for each in labels]
        groups = None if self._groups is None else self._groups[torch.stack(places)].to(self._device)
        labels = labels.to(self._device)
        if dataset.sides:
            # Both sides of an item are of its class.
            labels, groups = labels.repeat(1, 2), None if groups is None else groups.repeat(1, 2)
        # What was cut out as it was read is not cut once more; of two sides each is, from what was read.
        done = () if self._crops is None else (CROP,)
        for step, items in enumerate(self._given(places, draws[0])):
            found = indices[step]
            changes = [{name: drawn for name, drawn in each.of(step).items() if name not in done} for each in draws]
            yield Batch(
                items=changed_by(items, dataset, self._augment, changes),
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

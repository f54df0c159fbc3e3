"""Batches, drawn from an explicit generator; torch's and numpy's global states are neither read nor moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from siambench.errors import DataError


class _Counted:
    """Counts how many of the drawn items stood in their batch already."""

    def __init__(self) -> None:
        self.drawn = 0
        self.repeated = 0

    def _count(self, batch: Tensor) -> Tensor:
        self.drawn += len(batch)
        self.repeated += len(batch) - len(torch.unique(batch))
        return batch

    @property
    def repeat_rate(self) -> float:
        """Share of the drawn items that stood in their batch already, in [0, 1]; duplicates are positives at distance 0."""
        return self.repeated / self.drawn if self.drawn else 0.0


class MPerClass(_Counted):
    """``batch_size // images_per_class`` classes a batch, ``images_per_class`` images of each.

    Classes are taken from shuffled rounds, so that all are seen equally often, and none stands in a batch twice unless
    there are fewer classes than slots; a class's images are drawn without replacement, and repeated in a batch only where
    the class has fewer than its slots there hold.

    Args:
        labels: int64 [N].
        batch_size: images in a batch; a multiple of ``images_per_class``.
        images_per_class: images of one class in its slot.
        steps: number of batches.
        generator: the source of all randomness.

    Raises:
        DataError: if the batch cannot be cut into such slots, or there are fewer than two classes.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, images_per_class: int, steps: int, generator: Generator) -> None:
        super().__init__()
        if batch_size % images_per_class:
            raise DataError(f"a batch of {batch_size} images cannot be cut into slots of {images_per_class} images per class")
        self.members = [torch.nonzero(labels == c).flatten() for c in torch.unique(labels)]
        if len(self.members) < 2:
            raise DataError(f"training needs at least two classes, got {len(self.members)}")
        self.slots = batch_size // images_per_class
        self.images_per_class = images_per_class
        self.steps = steps
        self.generator = generator

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [batch_size]; images of one class stand together."""
        queue: list[int] = []
        for _ in range(self.steps):
            while len(queue) < self.slots:
                # At the seam of two rounds, classes that are in the batch already stand behind the others.
                waiting = Counter(queue)
                queue += sorted(torch.randperm(len(self.members), generator=self.generator).tolist(), key=waiting.__getitem__)
            chosen, queue = queue[: self.slots], queue[self.slots :]
            drawn = {c: iter(self._draw(self.members[c], times).view(-1, self.images_per_class)) for c, times in Counter(chosen).items()}
            batch = torch.cat([next(drawn[c]) for c in chosen])
            yield self._count(batch)

    def _draw(self, members: Tensor, slots: int) -> Tensor:
        order = torch.randperm(len(members), generator=self.generator)
        wanted = slots * self.images_per_class
        if wanted > len(members):
            order = order.repeat(-(-wanted // len(members)))
        return members[order[:wanted]]


class RandomBatches(_Counted):
    """All images in random order, again and again; the last incomplete batch of a round runs on into the next.

    Arguments and attributes as in `MPerClass`.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        super().__init__()
        self.size = len(labels)
        self.batch_size = batch_size
        self.steps = steps
        self.generator = generator

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [batch_size]."""
        queue = torch.empty(0, dtype=torch.int64)
        for _ in range(self.steps):
            while len(queue) < self.batch_size:
                queue = torch.cat([queue, torch.randperm(self.size, generator=self.generator)])
            batch, queue = queue[: self.batch_size], queue[self.batch_size :]
            yield self._count(batch)


class BalancedPairs(_Counted):
    """Labelled pairs, half of them genuine (``same = 1``), half impostors.

    A batch holds the left images first, then the right ones: pair i is (batch[i], batch[P + i]) with P = batch_size // 2.
    Genuine pairs come from a class drawn uniformly among those with two images, impostors from two distinct classes.

    Raises:
        DataError: if no class has two images, or there are fewer than two classes.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        super().__init__()
        self.members = [torch.nonzero(labels == c).flatten() for c in torch.unique(labels)]
        self.multiple = [m for m in self.members if len(m) > 1]
        if len(self.members) < 2 or not self.multiple:
            raise DataError("pairs need two classes, and a class with two images")
        if batch_size % 2:
            raise DataError(f"a batch of pairs holds an even number of images, got {batch_size}")
        self.pairs = batch_size // 2
        self.steps = steps
        self.generator = generator

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [2 P]: P left images, then their P right partners."""
        genuine = self.pairs // 2
        for _ in range(self.steps):
            pairs = [self._genuine() for _ in range(genuine)] + [self._impostor() for _ in range(self.pairs - genuine)]
            batch = torch.tensor(pairs, dtype=torch.int64).T.reshape(-1)
            yield self._count(batch)

    def _below(self, bound: int) -> int:
        return int(torch.randint(bound, (), generator=self.generator))

    def _genuine(self) -> tuple[int, int]:
        members = self.multiple[self._below(len(self.multiple))]
        left = self._below(len(members))
        right = self._below(len(members) - 1)
        right += right >= left
        return int(members[left]), int(members[right])

    def _impostor(self) -> tuple[int, int]:
        left = self._below(len(self.members))
        right = self._below(len(self.members) - 1)
        right += right >= left
        a, b = self.members[left], self.members[right]
        return int(a[self._below(len(a))]), int(b[self._below(len(b))])


class RandomTriplets(_Counted):
    """Triplets: an anchor, another item of its class, and one of another class.

    A batch holds the anchors first, then their positives, then their negatives: triplet i is (batch[i], batch[P + i], batch[2 P + i])
    with P = batch_size // 3. The anchor's class is drawn uniformly among those with two items, the negative's among all others.

    Raises:
        DataError: if no class has two items, there are fewer than two classes, or a batch holds fewer than three items.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        super().__init__()
        self.members = [torch.nonzero(labels == c).flatten() for c in torch.unique(labels)]
        self.multiple = torch.tensor([place for place, members in enumerate(self.members) if len(members) > 1], dtype=torch.int64)
        if len(self.members) < 2 or len(self.multiple) == 0:
            raise DataError("triplets need two classes, and a class with two items")
        if batch_size < 3:
            raise DataError(f"a batch of triplets holds at least three items, got {batch_size}")
        self.sizes = torch.tensor([len(members) for members in self.members])
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.order = torch.cat(self.members)
        self.triplets = batch_size // 3
        self.steps = steps
        self.generator = generator

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [3 P]: anchors, positives, negatives."""
        for _ in range(self.steps):
            own = self.multiple[self._below(torch.full((self.triplets,), len(self.multiple)))]
            anchor = self._below(self.sizes[own])
            positive = self._below(self.sizes[own] - 1)
            positive += positive >= anchor
            other = self._below(torch.full((self.triplets,), len(self.members) - 1))
            other += other >= own
            negative = self._below(self.sizes[other])
            places = [self.starts[own] + anchor, self.starts[own] + positive, self.starts[other] + negative]
            yield self._count(self.order[torch.cat(places)])

    def _below(self, bounds: Tensor) -> Tensor:
        """A whole number in [0, bound) for each bound, int64."""
        drawn = torch.rand(len(bounds), generator=self.generator, dtype=torch.float64)
        return (drawn * bounds).long()

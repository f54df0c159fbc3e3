"""Batches, drawn from an explicit generator; torch's and numpy's global states are neither read nor moved."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from itertools import cycle, islice

import torch
from torch import Generator, Tensor

from siambench.errors import DataError


class _Counted:
    """Counts how many of the drawn items stood in their batch already."""

    def __init__(self) -> None:
        self.drawn = 0
        self.repeated = 0

    def _count(self, batch: list[int]) -> Tensor:
        self.drawn += len(batch)
        self.repeated += len(batch) - len(set(batch))
        return torch.tensor(batch, dtype=torch.int64)

    @property
    def repeat_rate(self) -> float:
        """Share of the drawn items that stood in their batch already, in [0, 1]; duplicates are positives at distance 0."""
        return self.repeated / self.drawn if self.drawn else 0.0


class _ByClass:
    """Items in order of their classes: those of class c are ``order[starts[c]]`` … ``order[starts[c] + sizes[c] - 1]``.

    Args:
        labels: int64 [N]; any numbers, class c is the c-th of them in order.
    """

    def __init__(self, labels: Tensor) -> None:
        # One sort, instead of a look at all labels for each class.
        ordered, self.order = torch.sort(labels, stable=True)
        _, self.sizes = torch.unique_consecutive(ordered, return_counts=True)
        self.starts = self.sizes.cumsum(0) - self.sizes

    def __len__(self) -> int:
        return len(self.sizes)


def _below(bounds: Tensor, generator: Generator) -> Tensor:
    """A whole number in [0, bound) for each bound, int64."""
    return (torch.rand(len(bounds), generator=generator, dtype=torch.float64) * bounds).long()


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
        classes = _ByClass(labels)
        if len(classes) < 2:
            raise DataError(f"training needs at least two classes, got {len(classes)}")
        # Lists: what is looked up one number at a time is found there in a tenth of the time.
        self.order, self.starts, self.sizes = classes.order.tolist(), classes.starts.tolist(), classes.sizes.tolist()
        self.slots = batch_size // images_per_class
        self.images_per_class = images_per_class
        self.steps = steps
        self.generator = generator

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [batch_size]; images of one class stand together."""
        queue: deque[int] = deque()
        for _ in range(self.steps):
            while len(queue) < self.slots:
                # At the seam of two rounds, classes that are in the batch already stand behind the others.
                waiting = Counter(queue)
                queue += sorted(torch.randperm(len(self.sizes), generator=self.generator).tolist(), key=waiting.__getitem__)
            chosen = [queue.popleft() for _ in range(self.slots)]
            draws = torch.rand(self.slots * self.images_per_class, generator=self.generator, dtype=torch.float64).tolist()
            times = Counter(chosen)
            if len(times) == self.slots:
                yield self._count([image for c in chosen for image in self._draw(c, self.images_per_class, draws)])
                continue
            drawn = {c: iter(self._draw(c, slots * self.images_per_class, draws)) for c, slots in times.items()}
            yield self._count([image for c in chosen for image in islice(drawn[c], self.images_per_class)])

    def _draw(self, c: int, wanted: int, draws: list[float]) -> list[int]:
        """So many images of a class, without replacement as far as there are as many; beyond that the same ones again, in turn."""
        order, start, size = self.order, self.starts[c], self.sizes[c]
        found: list[int] = []
        # Fisher and Yates's shuffle as far as it is wanted; what it would swap is noted instead, so that a large class costs no more.
        swapped: dict[int, int] = {}
        for place in range(min(wanted, size)):
            other = place + int(draws.pop() * (size - place))
            found.append(order[start + swapped.get(other, other)])
            swapped[other] = swapped.get(place, place)
        return found if wanted <= size else list(islice(cycle(found), wanted))


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
            yield self._count(batch.tolist())


class BalancedPairs(_Counted):
    """Labelled pairs, half of them genuine (``same = 1``), half impostors.

    A batch holds the left images first, then the right ones: pair i is (batch[i], batch[P + i]) with P = batch_size // 2.
    Genuine pairs come from a class drawn uniformly among those with two images, impostors from two distinct classes.

    Raises:
        DataError: if no class has two images, or there are fewer than two classes.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        super().__init__()
        self.classes = _ByClass(labels)
        self.multiple = torch.nonzero(self.classes.sizes > 1).flatten()
        if len(self.classes) < 2 or len(self.multiple) == 0:
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
            (left, right), (one, other) = self._genuine(genuine), self._impostors(self.pairs - genuine)
            yield self._count(self.classes.order[torch.cat([left, one, right, other])].tolist())

    def _genuine(self, count: int) -> tuple[Tensor, Tensor]:
        own = self.multiple[_below(torch.full((count,), len(self.multiple)), self.generator)]
        start, size = self.classes.starts[own], self.classes.sizes[own]
        left = _below(size, self.generator)
        right = _below(size - 1, self.generator)
        right += right >= left
        return start + left, start + right

    def _impostors(self, count: int) -> tuple[Tensor, Tensor]:
        left = _below(torch.full((count,), len(self.classes)), self.generator)
        right = _below(torch.full((count,), len(self.classes) - 1), self.generator)
        right += right >= left
        starts, sizes = self.classes.starts, self.classes.sizes
        return starts[left] + _below(sizes[left], self.generator), starts[right] + _below(sizes[right], self.generator)


class RandomTriplets(_Counted):
    """Triplets: an anchor, another item of its class, and one of another class.

    A batch holds the anchors first, then their positives, then their negatives: triplet i is (batch[i], batch[P + i], batch[2 P + i])
    with P = batch_size // 3. The anchor's class is drawn uniformly among those with two items, the negative's among all others.

    Raises:
        DataError: if no class has two items, there are fewer than two classes, or a batch holds fewer than three items.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        super().__init__()
        self.classes = _ByClass(labels)
        self.multiple = torch.nonzero(self.classes.sizes > 1).flatten()
        if len(self.classes) < 2 or len(self.multiple) == 0:
            raise DataError("triplets need two classes, and a class with two items")
        if batch_size < 3:
            raise DataError(f"a batch of triplets holds at least three items, got {batch_size}")
        self.triplets = batch_size // 3
        self.steps = steps
        self.generator = generator

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [3 P]: anchors, positives, negatives."""
        starts, sizes = self.classes.starts, self.classes.sizes
        for _ in range(self.steps):
            own = self.multiple[self._below(torch.full((self.triplets,), len(self.multiple)))]
            anchor = self._below(sizes[own])
            positive = self._below(sizes[own] - 1)
            positive += positive >= anchor
            other = self._below(torch.full((self.triplets,), len(self.classes) - 1))
            other += other >= own
            negative = self._below(sizes[other])
            places = [starts[own] + anchor, starts[own] + positive, starts[other] + negative]
            yield self._count(self.classes.order[torch.cat(places)].tolist())

    def _below(self, bounds: Tensor) -> Tensor:
        return _below(bounds, self.generator)

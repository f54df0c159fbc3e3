"""Batches, drawn from an explicit generator; torch's and numpy's global states are neither read nor moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from siambench.errors import DataError


class MPerClass:
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
        if batch_size % images_per_class:
            raise DataError(f"a batch of {batch_size} images cannot be cut into slots of {images_per_class} images per class")
        self.members = [torch.nonzero(labels == c).flatten() for c in torch.unique(labels)]
        if len(self.members) < 2:
            raise DataError(f"training needs at least two classes, got {len(self.members)}")
        self.slots = batch_size // images_per_class
        self.images_per_class = images_per_class
        self.steps = steps
        self.generator = generator
        self.drawn = 0
        self.repeated = 0

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
            self.drawn += len(batch)
            self.repeated += len(batch) - len(torch.unique(batch))
            yield batch

    def _draw(self, members: Tensor, slots: int) -> Tensor:
        order = torch.randperm(len(members), generator=self.generator)
        wanted = slots * self.images_per_class
        if wanted > len(members):
            order = order.repeat(-(-wanted // len(members)))
        return members[order[:wanted]]

    @property
    def repeat_rate(self) -> float:
        """Share of the drawn images that stood in their batch already, in [0, 1]; duplicates are positives at distance 0."""
        return self.repeated / self.drawn if self.drawn else 0.0


class RandomBatches:
    """All images in random order, again and again; the last incomplete batch of a round runs on into the next.

    Arguments and attributes as in `MPerClass`.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        self.size = len(labels)
        self.batch_size = batch_size
        self.steps = steps
        self.generator = generator
        self.drawn = 0
        self.repeated = 0

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [batch_size]."""
        queue = torch.empty(0, dtype=torch.int64)
        for _ in range(self.steps):
            while len(queue) < self.batch_size:
                queue = torch.cat([queue, torch.randperm(self.size, generator=self.generator)])
            batch, queue = queue[: self.batch_size], queue[self.batch_size :]
            self.drawn += len(batch)
            self.repeated += len(batch) - len(torch.unique(batch))
            yield batch

    @property
    def repeat_rate(self) -> float:
        """As in `MPerClass`."""
        return self.repeated / self.drawn if self.drawn else 0.0


class BalancedPairs:
    """Labelled pairs, half of them genuine (``same = 1``), half impostors.

    A batch holds the left images first, then the right ones: pair i is (batch[i], batch[P + i]) with P = batch_size // 2.
    Genuine pairs come from a class drawn uniformly among those with two images, impostors from two distinct classes.

    Raises:
        DataError: if no class has two images, or there are fewer than two classes.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        self.members = [torch.nonzero(labels == c).flatten() for c in torch.unique(labels)]
        self.multiple = [m for m in self.members if len(m) > 1]
        if len(self.members) < 2 or not self.multiple:
            raise DataError("pairs need two classes, and a class with two images")
        if batch_size % 2:
            raise DataError(f"a batch of pairs holds an even number of images, got {batch_size}")
        self.pairs = batch_size // 2
        self.steps = steps
        self.generator = generator
        self.drawn = 0
        self.repeated = 0

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [2 P]: P left images, then their P right partners."""
        genuine = self.pairs // 2
        for _ in range(self.steps):
            pairs = [self._genuine() for _ in range(genuine)] + [self._impostor() for _ in range(self.pairs - genuine)]
            batch = torch.tensor(pairs, dtype=torch.int64).T.reshape(-1)
            self.drawn += len(batch)
            self.repeated += len(batch) - len(torch.unique(batch))
            yield batch

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

    @property
    def repeat_rate(self) -> float:
        """As in `MPerClass`."""
        return self.repeated / self.drawn if self.drawn else 0.0

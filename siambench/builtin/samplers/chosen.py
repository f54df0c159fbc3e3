"""Batches whose classes are chosen otherwise than in turn: by the groups that they come in, or each as often as any other."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from siambench.builtin.samplers.sampling import MPerClass, _ByClass
from siambench.errors import DataError


class _Rounds:
    """Members taken from shuffled rounds, so that all are taken equally often."""

    def __init__(self, members: list[int], generator: Generator) -> None:
        self._members, self._generator = members, generator
        self._queue: deque[int] = deque()

    def take(self, wanted: int) -> list[int]:
        """So many of them, none twice unless there are fewer."""
        while len(self._queue) < wanted:
            # At the seam of two rounds, those that are taken already stand behind the others.
            waiting = Counter(self._queue)
            order = torch.randperm(len(self._members), generator=self._generator).tolist()
            self._queue += sorted((self._members[place] for place in order), key=waiting.__getitem__)
        return [self._queue.popleft() for _ in range(wanted)]


class ByGroup(MPerClass):
    """Batches of the classes of few groups: as `MPerClass`, but that first so many groups are taken, and then classes of each.

    Groups are taken from shuffled rounds, and the classes of a group from rounds of its own. A class stands in a batch twice only where
    its group has fewer classes than slots there. Of an odd number of slots the first group has one more.

    Args:
        labels: int64 [N].
        groups: of the items' classes, int64 [N], or None.
        together: groups in a batch: of one, those with a single class are left out, as a batch of one class would teach nothing.
        batch_size: images in a batch; a multiple of ``images_per_class``.
        images_per_class: images of one class in its slot.
        steps: number of batches.
        generator: the source of all randomness.

    Raises:
        DataError: if classes come in no groups, or there are too few, or a batch cannot be cut into so many slots.
    """

    def __init__(
        self,
        labels: Tensor,
        groups: Tensor | None,
        *,
        together: int,
        batch_size: int,
        images_per_class: int,
        steps: int,
        generator: Generator,
    ) -> None:
        super().__init__(labels, batch_size=batch_size, images_per_class=images_per_class, steps=steps, generator=generator)
        if groups is None:
            raise DataError("batches by group need classes that come in groups: name their attribute, split.group")
        if self.slots < 2:
            raise DataError(f"a batch by group holds at least two classes, got {batch_size} images with {images_per_class} of each class")
        classes = _ByClass(labels)
        of_group = _ByClass(groups[classes.order[classes.starts]])
        order, sizes = of_group.order.tolist(), of_group.sizes.tolist()
        members = [order[start : start + size] for start, size in zip(of_group.starts.tolist(), sizes, strict=True)]
        kept = [part for part in members if together > 1 or len(part) > 1]
        if len(kept) < together:
            needed = f"classes of {together} groups" if together > 1 else "a group with two classes"
            come = f"{len(classes)} classes of {len(members)} group{'s' * (len(members) != 1)}"
            raise DataError(f"batches of {together} group{'s' * (together > 1)} need {needed}, got {come}")
        self.together = together
        self.classes = [_Rounds(part, generator) for part in kept]
        self.groups = _Rounds(list(range(len(kept))), generator)

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [batch_size]; images of one class stand together, and classes of one group."""
        for _ in range(self.steps):
            chosen = []
            for place, group in enumerate(self.groups.take(self.together)):
                chosen += self.classes[group].take((self.slots + self.together - 1 - place) // self.together)
            yield self._fill(chosen)

    def _fill(self, chosen: list[int]) -> Tensor:
        """A batch, int64 [slots × images_per_class]: images of one class stand together, none twice unless the class has too few."""
        draws = torch.rand(len(chosen) * self.images_per_class, generator=self.generator, dtype=torch.float64).tolist()
        found: list[int] = []
        for c, slots in Counter(chosen).items():
            found += self._draw(c, slots * self.images_per_class, draws)
        return self._count(found)


class ClassBalanced(MPerClass):
    """Batches of items each of which is drawn by drawing a class first, every class as likely as any other.

    Of a class the items are drawn uniformly, and none stands in a batch twice unless its class was drawn more often than it has items.
    Arguments as of `MPerClass`.
    """

    def __init__(self, labels: Tensor, *, batch_size: int, steps: int, generator: Generator) -> None:
        super().__init__(labels, batch_size=batch_size, images_per_class=1, steps=steps, generator=generator)

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of indices, int64 [batch_size]; images of one class stand together."""
        order, starts, sizes = self.order, self.starts, self.sizes
        for _ in range(self.steps):
            chosen = Counter(torch.randint(len(sizes), (self.slots,), generator=self.generator).tolist())
            draws = torch.rand(self.slots, generator=self.generator, dtype=torch.float64).tolist()
            found: list[int] = []
            for c, wanted in chosen.items():
                # Most classes are drawn once where there are many.
                found += [order[starts[c] + int(draws.pop() * sizes[c])]] if wanted == 1 else self._draw(c, wanted, draws)
            yield self._count(found)

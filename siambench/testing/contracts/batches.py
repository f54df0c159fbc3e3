"""The batches that losses and miners are examined on: ordinary ones, and those at the edge of what training meets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CLASSES = 16
"""What a factory is told as ``num_classes``; the labels of a batch are some of 0 … 15."""

SIZE = 8
"""What a factory is told as ``embedding_size``."""

_IN_A_BATCH = 6
_NOISES = (0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Batch:
    """One batch, before the harness normalises it.

    Args:
        name: for people, as it stands in a reason: ``a batch of one class``.
        points: what the model's head gives, fp32 [B, SIZE].
        labels: int64 [B].
    """

    name: str
    points: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        assert len(self.points) == len(self.labels)


def ordinary_batches(images_per_class: int) -> list[Batch]:
    """Six classes with as many images of each, class after class as the samplers give them, from well parted to mingled.

    Args:
        images_per_class: of the loss's entry.
    """
    generator = torch.Generator().manual_seed(1)
    batches = []
    for noise in _NOISES:
        labels = torch.randperm(CLASSES, generator=generator)[:_IN_A_BATCH].repeat_interleave(images_per_class)
        centres = torch.randn(CLASSES, SIZE, generator=generator)
        points = centres[labels] + noise * torch.randn(len(labels), SIZE, generator=generator)
        batches.append(Batch("an ordinary batch", points, labels))
    return batches


def edge_batches(images_per_class: int) -> list[Batch]:
    """One class only, all singletons, duplicates of three sorts, and one class of one image.

    Args:
        images_per_class: of the loss's entry.
    """
    usual = ordinary_batches(max(2, images_per_class))[1]
    points, labels = usual.points, usual.labels
    distinct = torch.arange(CLASSES)
    drawn = torch.randn(CLASSES, SIZE, generator=torch.Generator().manual_seed(2))
    unused = next(c for c in range(CLASSES) if c not in labels.tolist())
    first_of_class = (labels[:, None] == labels).int().argmax(dim=1)
    one_single = labels.clone()
    one_single[-1] = unused
    place_in_class = torch.arange(len(labels)) - first_of_class
    return [
        Batch("a batch of one class", drawn, torch.zeros_like(distinct)),
        Batch("a batch of singletons", drawn, distinct),
        Batch("a batch whose images of one class are duplicates", points[first_of_class], labels),
        Batch("a batch with the same images in every class", points[place_in_class], labels),
        Batch("a batch of one image, over and over", points[:1].expand(len(labels), -1).clone(), labels),
        Batch("a batch with one class of one image", points, one_single),
    ]


def both_sides(batch: Batch) -> Batch:
    """A batch of items that have two sides, as a loss of both is given it: the points of a batch, and behind them others near them."""
    moved = torch.randn(batch.points.shape, generator=torch.Generator().manual_seed(4))
    # What is equal on the one side is so on the other: of duplicates both sides are.
    _, same = torch.unique(batch.points, dim=0, return_inverse=True)
    points = torch.cat([batch.points, batch.points + 0.5 * moved[same]])
    return Batch(batch.name, points, batch.labels.repeat(2))


def shuffled(batch: Batch, order: Tensor) -> Batch:
    """The same images in another order.

    Args:
        batch: any batch.
        order: a permutation int64 [B]; place i is taken by image ``order[i]``.
    """
    return Batch(batch.name, batch.points[order], batch.labels[order])


def orders(labels: Tensor, *, within_classes: bool) -> list[Tensor]:
    """Three permutations of a batch.

    Args:
        labels: int64 [B].
        within_classes: whether images of one class may change their order among themselves too.
    """
    generator = torch.Generator().manual_seed(3)
    found = [torch.randperm(len(labels), generator=generator) for _ in range(3)]
    if not within_classes:
        for order in found:
            moved = labels[order]
            for label in set(moved.tolist()):
                order[moved == label] = order[moved == label].sort().values
    return found


def all_triplets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every (anchor, positive, negative) of a batch, int64 [T] each."""
    same = labels[:, None] == labels
    others = ~torch.eye(len(labels), dtype=torch.bool)
    anchor, positive, negative = ((same & others)[:, :, None] & ~same[:, None, :]).nonzero(as_tuple=True)
    return anchor, positive, negative


def all_pairs(labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Every (anchor, positive) and every (anchor, negative) of a batch, int64 [P] and [N]."""
    same = labels[:, None] == labels
    others = ~torch.eye(len(labels), dtype=torch.bool)
    anchor, positive = (same & others).nonzero(as_tuple=True)
    other_anchor, negative = (~same).nonzero(as_tuple=True)
    return anchor, positive, other_anchor, negative

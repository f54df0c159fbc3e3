"""A few labelled items of each class, and all the others: who is enrolled, and who is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from siambench.errors import MetricError
from siambench.metrics.checks import check_labels


@dataclass(frozen=True, eq=False)
class References:
    """k items of each class that has enough of them, and the others.

    Args:
        classes: labels of the classes that have references, in rising order, int64 [C].
        items: their references, int64 [C, k].
        others: every item that is no reference, of classes without references too; where there is a gallery, every query. int64 [P].
    """

    classes: Tensor
    items: Tensor
    others: Tensor


def draw_references(labels: Tensor, *, k: int, seed: int, queries: int | None = None) -> References:
    """Draw k items of each class that has more than k; with a gallery, of each that has k there.

    Each class is drawn from by a generator of its own, made of the seed and its label: without another class the draw is the same.

    Args:
        labels: int64 [N], not negative.
        k: references of a class, at least 1.
        seed: the same seed and labels give the same references.
        queries: Q, where the items from Q on are a gallery of their own, which the references are drawn from. None: all items are both.

    Returns:
        Indices into the items, on the device of ``labels``.

    Raises:
        MetricError: if k is below 1, a label is negative, or no class has enough items.
    """
    check_labels(labels)
    if k < 1 or seed < 0 or (len(labels) and int(labels.min()) < 0):
        raise MetricError(f"k must be at least 1, seed and labels not negative, got k = {k}, seed {seed}")
    first, needed = (0, k + 1) if queries is None else (queries, k)
    places = labels[first:].cpu()
    classes, counts = torch.unique(places, return_counts=True)
    members = torch.split(places.argsort(stable=True) + first, counts.tolist())
    enough = (counts >= needed).nonzero()[:, 0].tolist()
    if not enough:
        where = "" if queries is None else " in the gallery"
        raise MetricError(f"{needed} items of a class are needed{where}, the largest has {int(counts.max()) if len(counts) else 0}")
    drawn = [members[place][_permutation(len(members[place]), seed, int(classes[place]))[:k]] for place in enough]
    items = torch.stack(drawn)
    asked = torch.ones(len(labels), dtype=torch.bool)
    asked[items.flatten() if queries is None else slice(queries, None)] = False
    on = labels.device
    return References(classes[enough].to(on), items.to(on), asked.nonzero()[:, 0].to(on))


def _permutation(size: int, seed: int, label: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng([seed, label]).permutation(size))

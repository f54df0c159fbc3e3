"""What a sampler draws from: the items of a part, or the rows of a list; and what the rows that it has drawn are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from siambench.plugin import SamplerEntry
from siambench.spec import Feed, TrainingSpec
from siambench.tracks.lists import Rows
from siambench.tracks.parts import Items, turned
from siambench.training.components import Layout, build_batches


@dataclass(frozen=True)
class Pool:
    """What a sampler is given.

    Args:
        labels: of the items their classes, int64 [N]; of the rows of a list of pairs whether they are the same, 1 or 0, and of a list of
            triplets 0, int64 [R].
        groups: of the items' classes, int64 [N], or None.
        layout: of its batches.
    """

    labels: Tensor
    groups: Tensor | None
    layout: Layout


def pool_of(items: Items, rules: TrainingSpec, feed: Feed, groups: np.ndarray | None) -> Pool:
    """What the sampler of a training run is given.

    Args:
        items: what is trained on, turned into further classes where the rules say so.
        rules: of training.
        feed: of the method.
        groups: of the items' classes, of those that were not turned, int64, or None.
    """
    if items.rows is not None:
        labels = np.zeros(len(items.rows), dtype=np.int64) if items.rows.same is None else items.rows.same.astype(np.int64)
        size = rules.batch_size // items.rows.branches
        return Pool(torch.from_numpy(labels), None, Layout(batch_size=size, images_per_class=1, steps=rules.steps))
    layout = Layout(
        batch_size=rules.batch_size // 2 if feed == "views" else rules.batch_size,
        images_per_class=rules.images_per_class,
        steps=rules.steps,
        branches=3 if feed == "triplets" else 1,
    )
    # Views know no classes, and so no groups of them. An item that was turned is of the group that it was of.
    known = None if groups is None or feed == "views" else torch.from_numpy(np.resize(groups, len(items)))
    return Pool(torch.from_numpy(items.labels), known, layout)


def draw_first(entry: SamplerEntry, items: Items, rules: TrainingSpec, feed: Feed, *, name: str) -> None:
    """Draw the first batch of a training run, to see that it can be drawn.

    Args:
        entry: of the sampler.
        items: of the part that is trained on, with rows where a list says them.
        rules: of training.
        feed: of the method.
        name: of the sampler, for people.

    Raises:
        DataError: with the sampler's own reason, if these items make no such batches.
        PluginError: if the sampler breaks.
    """
    pool = pool_of(turned(items) if rules.rotate_classes else items, rules, feed, items.groups)
    next(build_batches(entry, pool.labels, pool.layout, name=name, seed=0, groups=pool.groups)[0])


class Tuples:
    """The rows of a list, as batches hold them: one branch after the other.

    Args:
        rows: of the list, by the positions of the items that are trained on.
    """

    def __init__(self, rows: Rows) -> None:
        self._items = torch.from_numpy(rows.items)
        self._same = None if rows.same is None else torch.from_numpy(rows.same)
        self.branches = rows.branches

    def places(self, chosen: Tensor) -> Tensor:
        """The positions of the items of some rows, int64 [branches P].

        Args:
            chosen: numbers of P rows, int64 [P].
        """
        return self._items[chosen].T.reshape(-1)

    def labels(self, chosen: Tensor) -> Tensor:
        """Which items of those rows are of one class by the list, whatever the data set says, int64 [branches P].

        Those of a triplet's anchor and positive, and of a pair with same = 1, share their row's number; each other item has one of its own.
        """
        first = torch.arange(len(chosen))
        own = first + len(chosen)
        if self._same is None:
            return torch.cat([first, first, own])
        return torch.cat([first, torch.where(self._same[chosen], first, own)])

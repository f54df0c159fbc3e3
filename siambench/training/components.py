"""Losses, miners and samplers, built and called. Training and the contract kit do it through these functions alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.components.loss_call import LossCall, plain
from siambench.errors import PluginError, SiambenchError, said
from siambench.interfaces import Indices, Mined, SortedTriplets
from siambench.plugin import (
    WARMUP,
    AugmentationEntry,
    BackboneEntry,
    LossEntry,
    MinerEntry,
    OptimiserEntry,
    SamplerEntry,
    ScheduleEntry,
    call_factory,
)
from siambench.spaces import Dimension, Params, Space
from siambench.spec import Feed
from siambench.training.state import seed_globals

__all__ = [
    "Entries",
    "Layout",
    "LossCall",
    "as_seen",
    "build_batches",
    "build_loss",
    "build_miner",
    "check_tuples",
    "fed_indices",
    "mine",
    "number_of",
    "own_similarity",
    "pair_indices",
    "plain",
    "triplet_indices",
]


@dataclass(frozen=True)
class Entries:
    """The entries a unit is built from; ``miner`` is None where there is none, the next two where they are siambench's.

    ``started`` are the weights that its network starts from, by the names of its state; None: it starts as its backbone does.
    """

    backbone: BackboneEntry
    loss: LossEntry
    miner: MinerEntry | None
    sampler: SamplerEntry
    optimiser: OptimiserEntry | None = None
    schedule: ScheduleEntry | None = None
    augmentations: Mapping[str, AugmentationEntry] = field(default_factory=dict)
    started: Mapping[str, Tensor] | None = None

    @property
    def own_space(self) -> Space:
        """What may be tuned of the loss and of the miner, by flat names, whatever of it is fixed by hand."""
        found: dict[str, Dimension] = {f"loss.{name}": dimension for name, dimension in self.loss.space.items()}
        if self.miner is not None:
            found |= {f"miner.{name}": dimension for name, dimension in self.miner.space.items()}
            found |= {} if self.miner.warmup is None else {"miner.warmup": WARMUP}
        return found


def as_seen(embeddings: Tensor, *, normalise: bool) -> Tensor:
    """What a loss is given of what the head gives: fp32 [B, D], of unit length where it wants them so."""
    embeddings = embeddings.float()
    return functional.normalize(embeddings) if normalise else embeddings


def build_loss(entry: LossEntry, params: Params, *, name: str, num_classes: int, embedding_size: int, seed: int) -> nn.Module:
    """The loss with these parameters, those of its own drawn from a seed.

    Raises:
        PluginError: if it is no module.
    """
    seed_globals(seed)
    available = {"num_classes": num_classes, "embedding_size": embedding_size, **params, "options": entry.options_among(params)}
    loss = call_factory(entry.build, available)
    if not isinstance(loss, nn.Module):
        raise PluginError(f"loss {name!r} must be a torch.nn.Module, got {type(loss).__name__}")
    return loss.train()


def own_similarity(loss: nn.Module | None, *, normalise: bool) -> Callable[[Tensor, Tensor], Tensor] | None:
    """How a loss itself compares embeddings as the model gives them, where it says so by a method ``similarity``; else None.

    Args:
        loss: after training, or None.
        normalise: whether it wants embeddings of unit length.
    """
    compare = getattr(loss, "similarity", None)
    if loss is None or not callable(compare):
        return None
    loss.eval()
    return lambda left, right: compare(as_seen(left, normalise=normalise), as_seen(right, normalise=normalise))


def build_miner(entry: MinerEntry, params: Params, *, name: str) -> Callable[..., Any]:
    """The miner with these parameters.

    Raises:
        PluginError: if it cannot be called.
    """
    miner = call_factory(entry.build, params)
    if not callable(miner):
        raise PluginError(f"miner {name!r} must be something to call, got {type(miner).__name__}")
    found: Callable[..., Any] = miner
    return found


def mine(miner: Callable[..., Any], embeddings: Tensor, labels: Tensor, *, name: str) -> Mined:
    """What a miner chooses of a batch, without a gradient: three index tensors (triplets), four (pairs), or `SortedTriplets`.

    siambench's own miners mark a place without a tuple by -1 rather than wait for the device to count them; see `plain` and `number_of`.

    Raises:
        PluginError: if it gives another number of them.
    """
    with torch.no_grad():
        found = miner(embeddings.detach(), labels)
    if isinstance(found, SortedTriplets):
        return found
    indices = tuple(found)
    if len(indices) not in (3, 4):
        raise PluginError(f"miner {name!r} must return three index tensors (triplets) or four (pairs), got {len(indices)}")
    return indices


def number_of(mined: Mined) -> Tensor:
    """How many tuples a miner chose, int64 scalar on its device: triplets, or positive pairs."""
    if isinstance(mined, SortedTriplets):
        return (mined.stop - mined.start).clamp(min=0).sum()
    return (torch.as_tensor(mined[0]) >= 0).sum()


_INDEX_TENSORS = {"triplets": 3, "pairs": 4}


def check_tuples(indices: Sequence[Any], labels: Tensor, *, gives: str) -> None:
    """See that a miner's tuples are what its entry says: of items that there are, genuine where they are called so.

    Args:
        indices: what it gave, without empty places.
        labels: of the items that it chose among, int64 [N].
        gives: of its entry, ``"triplets"`` or ``"pairs"``.

    Raises:
        PluginError: naming what does not hold.
    """
    expected = _INDEX_TENSORS[gives]
    if len(indices) != expected:
        raise PluginError(f"gives is {gives!r}, which takes {expected} index tensors, got {len(indices)}")
    for part in indices:
        if not isinstance(part, Tensor) or part.dtype != torch.int64 or part.ndim != 1:
            got = f"{part.dtype} {tuple(part.shape)}" if isinstance(part, Tensor) else type(part).__name__
            raise PluginError(f"index tensors must be int64 [T], got {got}")
        if len(part) and not (int(part.min()) >= 0 and int(part.max()) < len(labels)):
            raise PluginError(f"indices must lie in 0 … {len(labels) - 1}, got {int(part.min())} … {int(part.max())}")
    anchor, positive, other_anchor, negative = (*indices[:2], indices[0], indices[2]) if expected == 3 else indices
    if len(anchor) != len(positive) or len(other_anchor) != len(negative):
        raise PluginError(f"the index tensors of one tuple must be of one length, got {', '.join(str(len(part)) for part in indices)}")
    if not torch.equal(labels[anchor], labels[positive]):
        raise PluginError("an anchor and its positive are of two classes")
    if bool((anchor == positive).any()):
        raise PluginError("an anchor is its own positive")
    if bool((labels[other_anchor] == labels[negative]).any()):
        raise PluginError("an anchor and its negative are of one class")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the batches of one training run look like.

    Args:
        batch_size: items in a batch, B.
        images_per_class: items of one class that stand together, where the sampler forms such slots.
        steps: number of batches.
        branches: 3 where a batch holds triplets, three branches of equal length one after the other; else 1.
    """

    batch_size: int
    images_per_class: int
    steps: int
    branches: int = 1

    @property
    def size(self) -> int:
        """Items that a batch must hold: as many as fit the branches."""
        return self.batch_size - self.batch_size % self.branches


def build_batches(
    entry: SamplerEntry, labels: Tensor, layout: Layout, *, name: str, seed: int, groups: Tensor | None = None
) -> tuple[Iterator[Tensor], object]:
    """The batches of one training run, index tensors int64 [B], each looked at, and the sampler that makes them.

    Args:
        entry: of the sampler.
        labels: int64 [N]; the sampler is given a copy.
        layout: of the batches.
        name: of the sampler, for people.
        seed: of the generator that it draws from.
        groups: of the items' classes, int64 [N], a copy likewise; None where they have none.

    Raises:
        PluginError: if the sampler breaks, or once it gives a batch too few, or something that is no batch.
        SiambenchError: of the sampler's own, as `siambench.errors.DataError` for labels that it cannot make batches of.
    """
    available = {
        "labels": labels.clone(),
        "groups": None if groups is None else groups.clone(),
        "batch_size": layout.batch_size,
        "images_per_class": layout.images_per_class,
        "steps": layout.steps,
        "generator": torch.Generator().manual_seed(seed),
    }
    with _blamed_on(name):
        sampler = call_factory(entry.build, available)
        given = iter(sampler)
    return _checked_batches(given, layout, items=len(labels), name=name), sampler


def _checked_batches(given: Iterator[Any], layout: Layout, *, items: int, name: str) -> Iterator[Tensor]:
    for step in range(layout.steps):
        with _blamed_on(name):
            batch = next(given, None)
        if batch is None:
            raise PluginError(f"sampler {name!r} gave {step} batches, training takes {layout.steps}")
        if not isinstance(batch, Tensor):
            raise PluginError(f"sampler {name!r} must give index tensors int64 [{layout.size}], got {type(batch).__name__}")
        if batch.dtype != torch.int64 or batch.shape != (layout.size,):
            got = f"{str(batch.dtype).removeprefix('torch.')} {list(batch.shape)}"
            raise PluginError(f"sampler {name!r} must give index tensors int64 [{layout.size}], got {got} as batch {step + 1}")
        low, high = int(batch.min()), int(batch.max())
        if low < 0 or high >= items:
            raise PluginError(f"sampler {name!r} must give indices in 0 … {items - 1}, got {low if low < 0 else high} in batch {step + 1}")
        yield batch


@contextlib.contextmanager
def _blamed_on(name: str) -> Iterator[None]:
    try:
        yield
    except (SiambenchError, MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"sampler {name!r} raised {said(error)}") from error


def fed_indices(feed: Feed, labels: Tensor) -> Indices | None:
    """The tuples that a feed itself says: labelled pairs, triplets, or None where the loss or a miner forms them.

    Args:
        feed: of the method.
        labels: of the batch, int64 [B]; of triplets three branches one after the other.
    """
    if feed == "pairs":
        return pair_indices(labels)
    return triplet_indices(labels) if feed == "triplets" else None


def pair_indices(labels: Tensor) -> Indices:
    """The labelled pairs of a batch of left images followed by their right partners.

    Args:
        labels: int64 [2 P].

    Returns:
        Four index tensors [P]: left and right of the pairs with ``same = 1``, left and right of the others; -1 in the others' places.
    """
    half = len(labels) // 2
    left = torch.arange(half, device=labels.device)
    right, same = left + half, labels[:half] == labels[half:]
    return torch.where(same, left, -1), torch.where(same, right, -1), torch.where(same, -1, left), torch.where(same, -1, right)


def triplet_indices(labels: Tensor) -> Indices:
    """The triplets of a batch of anchors followed by their positives and then their negatives.

    Args:
        labels: int64 [3 P].

    Returns:
        Three index tensors [P]: anchors, positives, negatives.
    """
    third = len(labels) // 3
    anchor = torch.arange(third, device=labels.device)
    return anchor, anchor + third, anchor + 2 * third

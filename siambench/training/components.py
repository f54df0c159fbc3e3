"""Losses, miners and samplers, built and called. Training and the contract kit do it through these functions alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.errors import PluginError
from siambench.interfaces import Indices
from siambench.plugin import NAMED_BY_FORWARD, BackboneEntry, LossEntry, MinerEntry, SamplerEntry, call_factory
from siambench.spaces import Params
from siambench.spec import Feed
from siambench.training.state import seed_globals


@dataclass(frozen=True)
class Entries:
    """The entries a unit is built from; ``miner`` is None where there is none."""

    backbone: BackboneEntry
    loss: LossEntry
    miner: MinerEntry | None
    sampler: SamplerEntry


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
    loss = call_factory(entry.build, {"num_classes": num_classes, "embedding_size": embedding_size, **params})
    if not isinstance(loss, nn.Module):
        raise PluginError(f"loss {name!r} must be a torch.nn.Module, got {type(loss).__name__}")
    return loss.train()


class LossCall:
    """A loss, called as its ``forward`` wants it.

    Args:
        loss: from `build_loss`.
        name: for people.
    """

    def __init__(self, loss: nn.Module, name: str) -> None:
        self.loss = loss
        self._name = name
        parameters = inspect.signature(loss.forward).parameters
        self._named = tuple(extra for extra in NAMED_BY_FORWARD if extra in parameters)
        positional = [parameter for name, parameter in parameters.items() if name not in NAMED_BY_FORWARD]
        # A loss may ask for the indices without giving them a default; one that takes none is not handed any.
        third = positional[2] if len(positional) > 2 else None
        self._asks = third is not None and third.default is third.empty and third.kind is third.POSITIONAL_OR_KEYWORD

    def __call__(
        self, embeddings: Tensor, labels: Tensor, indices: Indices | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, a scalar with a gradient.

        Args:
            embeddings: fp32 [B, D].
            labels: int64 [B].
            indices: three (triplets) or four (pairs) index tensors int64 [T]; None: the loss forms its tuples itself.
            progress: the share of training that is done, in [0, 1]; passed where ``forward`` names it.
            groups: the group of each item's class, int64 [B], or None; likewise.

        Raises:
            PluginError: if it is something else.
        """
        offered: Mapping[str, Any] = {"progress": progress, "groups": groups}
        named = {extra: offered[extra] for extra in self._named}
        given = (embeddings, labels) if indices is None and not self._asks else (embeddings, labels, indices)
        value: Any = self.loss(*given, **named)
        if not isinstance(value, Tensor) or value.ndim != 0:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise PluginError(f"loss {self._name!r} must return a scalar tensor, got {got}")
        if not value.requires_grad:
            raise PluginError(f"loss {self._name!r} returned a value without a gradient")
        return value


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


def mine(miner: Callable[..., Any], embeddings: Tensor, labels: Tensor, *, name: str) -> Indices:
    """What a miner chooses of a batch, without a gradient: three index tensors (triplets) or four (pairs).

    Raises:
        PluginError: if it gives another number of them.
    """
    with torch.no_grad():
        indices = tuple(miner(embeddings.detach(), labels))
    if len(indices) not in (3, 4):
        raise PluginError(f"miner {name!r} must return three index tensors (triplets) or four (pairs), got {len(indices)}")
    return indices


def build_batches(
    entry: SamplerEntry, labels: Tensor, *, batch_size: int, images_per_class: int, steps: int, seed: int
) -> tuple[Iterator[Tensor], object]:
    """The batches of one training run, index tensors int64 [batch_size], and the sampler that makes them."""
    available = {
        "labels": labels,
        "batch_size": batch_size,
        "images_per_class": images_per_class,
        "steps": steps,
        "generator": torch.Generator().manual_seed(seed),
    }
    sampler = call_factory(entry.build, available)
    return iter(sampler), sampler


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
        Four index tensors: left and right of the pairs with ``same = 1``, left and right of the others.
    """
    half = len(labels) // 2
    left = torch.arange(half, device=labels.device)
    same = labels[:half] == labels[half:]
    return left[same], left[same] + half, left[~same], left[~same] + half


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

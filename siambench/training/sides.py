"""Two encoders, one for each side of an item, into one space; and both sides' embeddings, beside each other or one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, cast

import torch
from torch import Tensor, nn

from siambench.components.two_sided import OF_SIDE, TwoBackbones
from siambench.data.sides import parted
from siambench.errors import PluginError
from siambench.identity import seed_of

if TYPE_CHECKING:
    from siambench.interfaces import Side
    from siambench.plugin import BackboneEntry
    from siambench.training.model import EmbeddingModel

SIDES = 2


def side_entries(entry: BackboneEntry, name: str) -> tuple[BackboneEntry, ...]:
    """The entries of the backbones of both sides.

    Raises:
        PluginError: if it is one backbone alone.
    """
    if not isinstance(entry, TwoBackbones):
        raise PluginError(f"items of two sides take two backbones, such as 'conv4|bag', got {name!r}")
    return entry.sides


def seed_of_side(seed: int, side: int) -> int:
    """What the weights of a side's encoder are drawn from: of the first the seed itself, as of a single encoder."""
    return seed if side == 0 else seed_of(seed, OF_SIDE[side])


class TwoEncoders(nn.Module):
    """A trunk and a linear head for each side of an item.

    Args:
        encoders: of the first side and of the second, both into D dimensions.
        sides: what they are given.
    """

    memory_format = torch.contiguous_format
    """Of a batch: both sides are one array until they are parted."""

    def __init__(self, encoders: Sequence[EmbeddingModel], sides: Sequence[Side]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        # What they are like, without what reads them: a copy of a model is no copy of its data.
        self._sides = tuple(dataclasses.replace(side, read=_unread) for side in sides)
        self._formats = tuple(encoder.memory_format for encoder in encoders)

    @property
    def each(self) -> tuple[EmbeddingModel, ...]:
        """The encoder of the first side and of the second."""
        first, second = self.encoders
        return cast("EmbeddingModel", first), cast("EmbeddingModel", second)

    @property
    def trunk(self) -> nn.ModuleList:
        """Both trunks."""
        return nn.ModuleList(encoder.trunk for encoder in self.each)

    @property
    def modules_by_part(self) -> dict[str, nn.Module]:
        """What a unit trains of it, by the names that its measures bear: ``first.trunk``, ``second.head``."""
        named = zip(OF_SIDE, self.each, strict=True)
        return {f"{side}.{part}": getattr(encoder, part) for side, encoder in named for part in ("trunk", "head")}

    def forward(self, items: Tensor) -> Tensor:
        """The embeddings of both sides beside each other, [B, 2 D], not normalised.

        Args:
            items: fp32 [B, F], as `siambench.data.sides.joined` gives them.
        """
        given = zip(self.encoders, parted(items, self._sides), self._formats, strict=True)
        return torch.cat([encoder(part.contiguous(memory_format=wanted)) for encoder, part, wanted in given], dim=1)


def _unread(indices: object) -> NoReturn:
    raise TypeError(f"a model reads no items, asked for {indices!r}")


class OfEachSide(nn.Module):
    """A module that is given the embeddings of each side, [B, 2 D] to [B, 2 W]: what stands behind both encoders is one.

    Args:
        module: from [B, D] to [B, W].
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, embeddings: Tensor) -> Tensor:
        """Both sides beside each other."""
        return beside(self.module(one_after_the_other(embeddings)))


def one_after_the_other(embeddings: Tensor) -> Tensor:
    """The first sides and then the second, [2 B, D], of both beside each other, [B, 2 D]."""
    return torch.cat(embeddings.chunk(SIDES, dim=1))


def beside(embeddings: Tensor) -> Tensor:
    """Both sides of an item beside each other, [B, 2 D], of the first sides and then the second, [2 B, D]."""
    return torch.cat(embeddings.chunk(SIDES), dim=1)

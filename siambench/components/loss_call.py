"""A loss, called as its ``forward`` wants it: by training, by the contract kit, and by a loss that is made of others."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, arange, nn

from siambench.errors import PluginError
from siambench.interfaces import Indices, Mined, SortedTriplets
from siambench.plugin import NAMED_BY_FORWARD


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
        # siambench's own losses pass over empty places themselves, so that nobody waits for the device to count the others.
        self._as_mined = bool(getattr(loss, "takes_empty_places", False))

    def __call__(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, a scalar with a gradient.

        Args:
            embeddings: fp32 [B, D].
            labels: int64 [B].
            indices: three (triplets) or four (pairs) index tensors int64 [T], or what `mine` and `fed_indices` give, of which a loss that
                does not say ``takes_empty_places`` is handed `plain` index tensors; None: the loss forms its tuples itself.
            progress: the share of training that is done, in [0, 1]; passed where ``forward`` names it.
            groups: the group of each item's class, int64 [B], or None; likewise.

        Raises:
            PluginError: if it is something else.
        """
        offered: Mapping[str, Any] = {"progress": progress, "groups": groups}
        named = {extra: offered[extra] for extra in self._named}
        if indices is not None and not self._as_mined:
            indices = plain(indices)
        given = (embeddings, labels) if indices is None and not self._asks else (embeddings, labels, indices)
        value: Any = self.loss(*given, **named)
        if not isinstance(value, Tensor) or value.ndim != 0:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise PluginError(f"loss {self._name!r} must return a scalar tensor, got {got}")
        if not value.requires_grad:
            raise PluginError(f"loss {self._name!r} returned a value without a gradient")
        return value


def plain(mined: Mined) -> Indices:
    """Index tensors int64 [T] without empty places, as a loss by anybody takes them: three of triplets, four of pairs.

    Args:
        mined: what a miner or a feed gave.
    """
    if isinstance(mined, SortedTriplets):
        taken = (mined.stop - mined.start).clamp(min=0)
        row, column = taken.nonzero(as_tuple=True)
        number = taken[row, column]
        anchor, positive = row.repeat_interleave(number), column.repeat_interleave(number)
        first = (mined.start[row, column] - number.cumsum(dim=0) + number).repeat_interleave(number)
        return anchor, positive, mined.order[anchor, first + arange(len(anchor), device=anchor.device)]
    return tuple(_without_empty(part) for part in mined)


def _without_empty(part: Tensor) -> Tensor:
    # What a miner by anybody gives is handed on as it is: what it should be, is for its contract to say.
    if not isinstance(part, Tensor) or bool((part >= 0).all()):
        return part
    return part[part >= 0]

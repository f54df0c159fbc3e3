"""Both sides of items as one batch, and parted again: what has two sides is read, kept and sent to a device as one array.

Everything else, from the supply of batches to embedding in chunks, need not know that there are two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from siambench.data.transforms import Draws, changed, drawn, numbers_drawn

if TYPE_CHECKING:
    from siambench.interfaces import Dataset, Side


def parted(items: Tensor, sides: Sequence[Side]) -> tuple[Tensor, ...]:
    """The sides of a batch, each as models take it.

    Args:
        items: fp32 [B, F].
        sides: what the F numbers are of.

    Returns:
        Of images fp32 [B, C, H, W], of arrays fp32 [B, …], of tokens int64 [B, T].
    """
    pieces = torch.split(items, [side.size for side in sides], dim=1)
    whole = (piece.reshape(len(items), *side.shape) for piece, side in zip(pieces, sides, strict=True))
    return tuple(each.long() if side.form == "tokens" else each for each, side in zip(whole, sides, strict=True))


def joined(parts: Sequence[Tensor]) -> Tensor:
    """What `parted` parts: fp32 [B, F]."""
    return torch.cat([part.flatten(1).float() for part in parts], dim=1)


def numbers_of(dataset: Dataset, rules: Mapping[str, Any]) -> int:
    """How many numbers augmentation keeps for one item of a data set."""
    if not dataset.sides:
        return numbers_drawn(dataset.form, rules, dataset.shape)
    return sum(numbers_drawn(side.form, rules, side.shape) for side in dataset.sides)


def draws_of(
    dataset: Dataset, rules: Mapping[str, Any], batches: tuple[int, int], *, generator: Generator, device: torch.device
) -> tuple[Draws, ...]:
    """Random changes of the items of a data set, of each side by the rules for its form; see `siambench.data.transforms.drawn`.

    Args:
        dataset: whose items they are.
        rules: as a track's ``[augment]``.
        batches: how many, and how many items each holds.
        generator: a CPU generator, the source of all randomness.
        device: where the draws are wanted.
    """
    wanted = [(side.form, side.shape) for side in dataset.sides] or [(dataset.form, dataset.shape)]
    return tuple(drawn(form, rules, (*batches, *shape), generator=generator, device=device) for form, shape in wanted)


def changed_by(items: Tensor, dataset: Dataset, rules: Mapping[str, Any], draws: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """The items of one batch, each changed as was drawn for it.

    Args:
        items: as models take them.
        dataset: whose items they are.
        rules: that were drawn for.
        draws: of that batch, one for each side.
    """
    if not dataset.sides:
        return changed(items, dataset.form, rules, draws[0])
    if not any(draws):
        return items
    parts = zip(parted(items, dataset.sides), dataset.sides, draws, strict=True)
    return joined([changed(part, side.form, rules, draw) for part, side, draw in parts])

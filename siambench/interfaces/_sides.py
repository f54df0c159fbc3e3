"""Items of two sides, such as an image and its name: what each side is, and both as one array."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siambench.spec import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ReadItems = Callable[["NDArray[np.int64]"], "NDArray[Any]"]

LARGEST_VOCABULARY = 1 << 24
"""Of the tokens of a side: larger numbers are not all told apart in fp32, in which both sides are kept."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of items that have two; it has an encoder of its own.

    Args:
        name: of the side, for people: ``"image"``.
        form: what that side of an item is: ``"images"``, ``"arrays"`` or ``"tokens"``.
        shape: of one: (C, H, W), the shape of an array, (T,).
        read: that side of items by the indices of the items, int64 [B] → uint8 [B, C, H, W], float32 [B, …] or int64 [B, T], as of a
            data set of that form.
        vocabulary: of tokens, one more than the largest id there can be, at most 2^24.
    """

    name: str
    form: Form
    shape: tuple[int, ...]
    read: ReadItems
    vocabulary: int | None = None

    @property
    def size(self) -> int:
        """How many numbers one has."""
        return math.prod(self.shape)


def joined_shape(sides: Sequence[Side]) -> tuple[int, ...]:
    """The shape of an item of these sides: (F,), the numbers of the first and then those of the second."""
    return (sum(side.size for side in sides),)


def joined_read(sides: Sequence[Side]) -> ReadItems:
    """What reads the sides of items as one array float32 [B, F]: images in [0, 1], arrays as they are, tokens by their ids."""

    def read(indices: NDArray[np.int64]) -> NDArray[Any]:
        import numpy as np

        return np.concatenate([_numbers(side, side.read(indices)) for side in sides], axis=1)

    return read


def _numbers(side: Side, found: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    numbers = found.reshape(len(found), -1).astype(np.float32)
    return numbers / np.float32(255) if side.form == "images" else numbers

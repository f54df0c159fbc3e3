"""Images of anybody's files as items of data sets whose own are cut out and placed: what models trained on these are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.builtin.datasets.signatures import Look
from siambench.data.images import decode, fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EDGE, _INK = 24, 18
"""Of an item of glyphs, and of the larger side of its ink: they were drawn 15 to 21 pixels large."""


def glyph(file: Any, name: str) -> NDArray[np.uint8]:
    """Dark ink on light paper, one character, as an item of glyphs: uint8 [1, 24, 24], bright on black, cut out and in the middle.

    Args:
        file: a path or an open file.
        name: what errors call it.

    Raises:
        DataError: if it cannot be read as an image.
    """
    ink = 255 - decode(file, size=None, mode="grey", name=name)[0]
    rows, columns = np.flatnonzero((ink >= 128).any(axis=1)), np.flatnonzero((ink >= 128).any(axis=0))
    found = np.zeros((1, _EDGE, _EDGE), dtype=np.uint8)
    if len(rows):
        edge = (_EDGE - _INK) // 2
        cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        found[0, edge:-edge, edge:-edge] = fitted(cut, height=_INK, width=_INK)
    return found


def signature(file: Any, name: str, shown: tuple[int, int, float]) -> NDArray[np.uint8]:
    """Dark ink on light paper as an item of signatures: uint8 [1, height, width], see `siambench.builtin.datasets.signatures.Look`.

    Args:
        file: a path or an open file.
        name: what errors call it.
        shown: height, width, and what strokes are widened to.

    Raises:
        DataError: if it cannot be read as an image.
    """
    height, width, stroke = shown
    return Look(height, width, stroke).shown(decode(file, size=None, mode="grey", name=name)[0])

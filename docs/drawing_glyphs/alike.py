"""How alike two undistorted glyphs look, and which of several look-alikes stays.

Likeness is the cosine between two blurred renderings, each cropped and scaled by its larger side, maximised over small
shifts and stretches of one of them. Letters are compared face by face (the same face, or the same style of the same
superfamily for two scripts), once with all their ink and once without their small detached pieces (dots and other
marks); the largest of these values counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIDE = 32
INK = 24
BLUR = 1.0
SMALL_PIECE = 0.3
HALF_INK = 128
SHIFTS = (-2, -1, 0, 1, 2)
STRETCHES = (0.88, 1.0, 1.12)
WORTH_ALIGNING = 0.6

Floats = NDArray[np.float32]


def without_marks(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The glyph without detached pieces that hold less than `SMALL_PIECE` of the largest piece's ink."""
    pieces, count = ndimage.label(ink >= HALF_INK, structure=np.ones((3, 3)))
    if count <= 1:
        return ink
    weights = np.bincount(pieces.ravel())[1:]
    kept = np.isin(pieces, 1 + np.flatnonzero(weights >= SMALL_PIECE * weights.max()))
    rows, columns = np.nonzero(kept)
    return np.where(kept, ink, 0).astype(np.uint8)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def portrait(ink: NDArray[np.uint8], stretch: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Centred, blurred rendering of cropped ink, unit norm, float32 [SIDE, SIDE]."""
    height, width = ink.shape
    scale = INK / max(height, width)
    size = (max(1, round(width * scale * stretch[0])), max(1, round(height * scale * stretch[1])))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX), dtype=np.float32)
    canvas = np.zeros((SIDE, SIDE), dtype=np.float32)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    blurred = ndimage.gaussian_filter(canvas, BLUR)
    return np.asarray(blurred / np.linalg.norm(blurred), dtype=np.float32)


def views(ink: NDArray[np.uint8]) -> Floats:
    """All shifted and stretched portraits of one glyph, float32 [views, SIDE * SIDE]."""
    stretched = [portrait(ink, (x, y)) for x in STRETCHES for y in STRETCHES]
    return np.stack([np.roll(image, (y, x), (0, 1)).ravel() for image in stretched for y in SHIFTS for x in SHIFTS])


def likeness(inks: Sequence[NDArray[np.uint8] | None]) -> Floats:
    """Pairwise likeness of glyphs drawn in one style.

    Args:
        inks: one glyph per class, None where the style does not draw it.

    Returns:
        float32 [C, C], symmetric; 0 where a glyph is missing or the pair is plainly different.
    """
    result = np.zeros((len(inks), len(inks)), dtype=np.float32)
    present = [index for index, ink in enumerate(inks) if ink is not None]
    for strip in (False, True):
        drawn = {index: without_marks(ink) if strip else ink for index, ink in enumerate(inks) if ink is not None}
        matrix = np.stack([portrait(drawn[index]).ravel() for index in present])
        rough = matrix @ matrix.T
        for row, index in enumerate(present):
            columns = np.flatnonzero(rough[row] >= WORTH_ALIGNING)
            best = (matrix[columns] @ views(drawn[index]).T).max(axis=1)
            others = np.array(present)[columns]
            result[index, others] = np.maximum(result[index, others], best)
    return np.maximum(result, result.T)


def keep_first(alike: Floats, limit: float) -> list[int]:
    """Indices that stay when each glyph is dropped that looks like one kept before it."""
    kept: list[int] = []
    for index in range(len(alike)):
        if not kept or alike[index, kept].max() < limit:
            kept.append(index)
    return kept

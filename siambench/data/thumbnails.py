"""Small pictures of images, as PNG: few greys or colours, so that some dozens of them fit into a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES = (32, 24, 16)
"""Pixels of the longer edge, from what is best to what is smallest."""

_GREYS = 16
_COLOURS = 32


def thumbnail(pixels: NDArray[Any], edge: int) -> bytes:
    """A PNG of an image, its longer edge at most so many pixels; a smaller image stays as it is.

    Args:
        pixels: uint8 [C, H, W] with one channel (grey), two (grey, opacity), three (colour) or four (colour, opacity), shown on white.
        edge: in pixels.

    Raises:
        DataError: for another shape or type.
    """
    from PIL import Image

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[0] not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise DataError(f"a thumbnail is made of uint8 [C, H, W] with 1 to 4 channels, got {pixels.dtype} {tuple(pixels.shape)}")
    if pixels.shape[0] in (2, 4):
        opacity = pixels[-1:].astype(np.float64) / 255
        pixels = np.rint(pixels[:-1] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))
    longer = max(image.size)
    if longer > edge:
        size = tuple(max(1, round(side * edge / longer)) for side in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.BOX)
    if image.mode == "L":
        image = image.point([round(round(grey * (_GREYS - 1) / 255) * 255 / (_GREYS - 1)) for grey in range(256)])
    else:
        image = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def thumbnails(images: Sequence[NDArray[Any]], *, most: int) -> list[bytes]:
    """PNGs of images that together take at most so many bytes, all made with the largest edge of `EDGES` that allows it.

    Args:
        images: as `thumbnail` takes them.
        most: bytes.

    Returns:
        One for each image; none at all where even the smallest take more.

    Raises:
        DataError: as `thumbnail`.
    """
    for edge in EDGES:
        found = [thumbnail(image, edge) for image in images]
        if sum(map(len, found)) <= most:
            return found
    return []

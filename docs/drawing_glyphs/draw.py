"""From a face and a code point to ink, and from ink to one distorted image."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from drawing_glyphs.faces import FaceFamily

IMAGE_SIDE = 24
MARGIN = 1.0
INK_SIDE = 96
SUPERSAMPLING = 8
GREY_LEVELS = 16

MAX_ROTATION = 15.0
MAX_SHEAR = 0.2
MIN_STRETCH = 0.85
SMALLEST_SIDE = 15.0
# Below an eighth of full ink a pixel of the large drawing is fringe, not stroke.
FAINTEST_INK = 32

Ink = NDArray[np.uint8]


class FontMissingError(RuntimeError):
    """A font file is not installed; the message names the Debian package that holds it."""


class Face:
    """One style of a family: what it covers and how it draws."""

    def __init__(self, family: FaceFamily, file: str) -> None:
        """Opens the file; raises `FontMissingError` where it is not installed."""
        self.family = family
        self.name = f"{family.name}/{Path(file).stem}"
        self.path = family.folder / file
        if not self.path.is_file():
            message = f"{self.path} is missing; install it with: apt-get install {' '.join(family.packages)}"
            raise FontMissingError(message)
        with TTFont(self.path, lazy=True) as font:
            self.version = str(font["name"].getDebugName(5))
            self._glyph_names: dict[int, str] = dict(font.getBestCmap() or {})
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._missing = self._draw("\U0010fffd")

    def ink(self, codepoint: int) -> Ink | None:
        """The glyph's ink, cropped, larger side about `INK_SIDE` pixels; None if the face does not draw it."""
        if codepoint in self.family.exclude or self._glyph_names.get(codepoint, ".notdef") == ".notdef":
            return None
        ink = self._draw(chr(codepoint))
        if ink is None or (self._missing is not None and np.array_equal(ink, self._missing)):
            return None
        return ink

    def _draw(self, character: str) -> Ink | None:
        first = self._draw_at(character, INK_SIDE)
        if first is None:
            return None
        return self._draw_at(character, max(8, round(INK_SIDE * INK_SIDE / max(first.shape))))

    def _draw_at(self, character: str, size: int) -> Ink | None:
        if size not in self._fonts:
            self._fonts[size] = ImageFont.truetype(str(self.path), size, layout_engine=ImageFont.Layout.BASIC)
        font = self._fonts[size]
        left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
        pad = 8
        canvas = Image.new("L", (max(1, right - left) + 2 * pad, max(1, bottom - top) + 2 * pad))
        ImageDraw.Draw(canvas).text((pad - left, pad - top), character, fill=255, font=font)
        return crop(np.asarray(canvas))


def crop(ink: Ink) -> Ink | None:
    """The smallest rectangle that holds all ink; None for a blank."""
    rows, columns = np.nonzero(ink >= FAINTEST_INK)
    if rows.size == 0:
        return None
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def generator_of(seed: int, codepoint: int, face: str) -> np.random.Generator:
    """A generator of its own for each image, so that adding a class or a face changes no other image."""
    digest = hashlib.sha256(f"{seed}/{codepoint:x}/{face}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def distort(ink: Ink, generator: np.random.Generator) -> NDArray[np.uint8]:
    """One random affine view of a glyph that keeps all ink inside the margin.

    The larger side of the *distorted* ink is what is scaled, so wide letters are neither squeezed nor cut.

    Args:
        ink: cropped glyph, uint8 [H, W].
        generator: drawn from in a fixed order.

    Returns:
        uint8 [24, 24] with 16 grey levels; the outermost pixels are 0.
    """
    angle = np.deg2rad(generator.uniform(-MAX_ROTATION, MAX_ROTATION))
    shear = generator.uniform(-MAX_SHEAR, MAX_SHEAR)
    stretch = np.array([generator.uniform(MIN_STRETCH, 1.0), 1.0])[generator.permutation(2)]
    largest = IMAGE_SIDE - 2 * MARGIN - 1.0
    target = generator.uniform(SMALLEST_SIDE, largest)
    place = generator.uniform(0.0, 1.0, size=2)

    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag(stretch)
    rows, columns = np.nonzero(ink > 0)
    corners = matrix @ np.stack([np.concatenate([columns, columns + 1]), np.concatenate([rows, rows + 1])])
    low, high = corners.min(axis=1), corners.max(axis=1)
    scale = target / (high - low).max()
    free = IMAGE_SIDE - 2 * (MARGIN + 0.5) - scale * (high - low)
    offset = MARGIN + 0.5 + place * free - scale * low

    inverse = np.linalg.inv(matrix * scale * SUPERSAMPLING)
    start = -inverse @ (offset * SUPERSAMPLING)
    side = IMAGE_SIDE * SUPERSAMPLING
    coefficients = (inverse[0, 0], inverse[0, 1], start[0], inverse[1, 0], inverse[1, 1], start[1])
    picture = Image.fromarray(ink)
    large = picture.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    small = np.asarray(large.reduce(SUPERSAMPLING), dtype=np.float64)
    step = 255 // (GREY_LEVELS - 1)
    return (np.rint(small / step) * step).astype(np.uint8)

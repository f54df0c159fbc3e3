"""Small pictures: what they show, and how small they are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from siambench.data.thumbnails import thumbnail, thumbnails
from siambench.errors import DataError


def opened(png):
    return Image.open(io.BytesIO(png))


def test_a_small_grey_image_stays_as_it_is_but_for_16_greys():
    """24 × 18 pixels stay so many; each grey moves by at most half a step of sixteen."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 18, 24), dtype=np.uint8)
    found = np.asarray(opened(thumbnail(pixels, 32)).convert("L"))
    assert found.shape == (18, 24)
    assert abs(found.astype(int) - pixels[0]).max() <= 9
    assert len(np.unique(found)) <= 16


def test_a_large_colour_image_is_made_small():
    """300 × 100 pixels become 32 × 11, a red half stays red and a blue half blue."""
    pixels = np.zeros((3, 100, 300), dtype=np.uint8)
    pixels[0, :, :150], pixels[2, :, 150:] = 255, 255
    found = np.asarray(opened(thumbnail(pixels, 32)).convert("RGB"))
    assert found.shape == (11, 32, 3)
    assert found[5, 4].tolist() == [255, 0, 0]
    assert found[5, 28].tolist() == [0, 0, 255]


def test_a_line_of_pixels_keeps_a_pixel():
    """An image that is 1,000 times as wide as high is one pixel high, not none."""
    assert opened(thumbnail(np.zeros((1, 1, 1000), dtype=np.uint8), 16)).size == (16, 1)


def test_what_is_transparent_shows_white():
    """Black of no opacity is white, of full opacity black, in grey and in colour."""
    for channels in (2, 4):
        pixels = np.zeros((channels, 4, 8), dtype=np.uint8)
        pixels[-1, :, 4:] = 255
        found = np.asarray(opened(thumbnail(pixels, 32)).convert("L"))
        assert (found[0, 0], found[0, 7]) == (255, 0)


def test_equal_images_give_equal_bytes():
    """The same pixels give the same file, whatever the layout of their memory."""
    pixels = np.random.default_rng(1).integers(0, 256, (3, 40, 40), dtype=np.uint8)
    assert thumbnail(pixels, 24) == thumbnail(np.asfortranarray(pixels), 24)


def test_together_they_take_no_more_than_is_allowed():
    """Sixty images of noise are made smaller until they fit; where even the smallest do not, there are none."""
    images = list(np.random.default_rng(2).integers(0, 256, (60, 3, 64, 64), dtype=np.uint8))
    large, small = thumbnails(images, most=10**6), thumbnails(images, most=45_000)
    assert opened(large[0]).size == (32, 32)
    assert opened(small[0]).size[0] < 32
    assert sum(map(len, small)) <= 45_000
    assert thumbnails(images, most=100) == []
    assert thumbnails([], most=100) == []


@pytest.mark.parametrize(
    "pixels", [np.zeros((5, 4, 4), np.uint8), np.zeros((1, 4, 4), np.float32), np.zeros((4, 4), np.uint8), np.zeros((1, 0, 4), np.uint8)]
)
def test_what_is_no_image_is_refused(pixels):
    """Five channels, numbers that are no bytes, a missing axis, no pixel: one sentence."""
    with pytest.raises(DataError, match=r"a thumbnail is made of uint8 \[C, H, W\] with 1 to 4 channels, got"):
        thumbnail(pixels, 32)

"""Images made worse, beside slow references."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from siambench.evaluation.corruptions import CORRUPTIONS, corrupted

SEED = 11


@pytest.fixture
def images():
    """Colour images, higher than wide, one of them all black and one all white."""
    found = np.random.default_rng(0).integers(0, 256, (6, 3, 40, 32), dtype=np.uint8)
    found[4], found[5] = 0, 255
    return found


def changed(images, name, *, seed=SEED, items=None):
    """All of them corrupted."""
    return corrupted(images, name, seed=seed, items=np.arange(len(images)) if items is None else items)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_image_is_corrupted_by_the_seed_and_its_number_alone(images, name):
    """Alone or beside others an image comes out the same; the given images stay as they are, and the form is theirs."""
    before = images.copy()
    found = changed(images, name)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    assert np.array_equal(before, images)
    assert np.array_equal(found[2:4], changed(images[2:4], name, items=np.arange(2, 4)))
    assert (found[:4] != images[:4]).any(axis=(1, 2, 3)).all()
    others = [changed(images, name, seed=seed) for seed in range(8)]
    assert name == "blur" or any(not np.array_equal(found, other) for other in others)


def test_noise_is_gaussian_of_the_stated_deviation():
    """On mid-grey the values have the stated deviation and no mean; beyond black and white they are cut."""
    grey = np.full((1, 1, 400, 400), 128, dtype=np.uint8)
    drawn = (changed(grey, "noise").astype(float) - 128) / 255
    assert drawn.std() == pytest.approx(0.18, rel=0.01)
    assert abs(drawn.mean()) < 0.002
    assert changed(grey * 0, "noise").min() == 0
    # A normal variable lies within one deviation 68.3 % of the time.
    assert (abs(drawn) < 0.18).mean() == pytest.approx(0.683, abs=0.01)


def test_blur_is_scipys(images):
    """It is scipy's Gaussian filter of a deviation of a 32nd of the shorter edge, the border going on as it ends."""
    expected = np.stack([[gaussian_filter(plane / 255, 1.0, mode="nearest", truncate=4.0) for plane in image] for image in images])
    assert np.abs(changed(images, "blur").astype(float) - 255 * expected).max() <= 0.51


def test_occlusion_covers_a_square_in_the_mean_colour(images):
    """A square of half the shorter edge, wholly inside, has the mean of each channel; all else is as it was, and places differ."""
    found, places = changed(images, "occlusion"), set()
    for place in range(4):
        different = (found[place] != images[place]).any(axis=0)
        rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
        top, left = rows[0], columns[0]
        assert (rows[-1] - top + 1, columns[-1] - left + 1) == (16, 16)
        inside = found[place, :, top : top + 16, left : left + 16]
        assert np.abs(inside - images[place].mean(axis=(1, 2))[:, None, None]).max() <= 0.51
        outside = np.ones((40, 32), dtype=bool)
        outside[top : top + 16, left : left + 16] = False
        assert np.array_equal(found[place][:, outside], images[place][:, outside])
        places.add((top, left))
    assert len(places) == 4


def test_rotation_turns_by_thirty_degrees_in_pixels():
    """A bright dot moves to where a turn about the middle puts it, in an image that is not square; both ways occur."""
    images = np.zeros((12, 1, 60, 40), dtype=np.uint8)
    images[:, 0, 10:13, 19:22] = 255
    x, y = 20 - 19.5, 11 - 29.5
    ways = []
    for image in changed(images, "rotation"):
        weights = image[0].astype(float)
        down, across = np.indices(weights.shape)
        at = ((weights * across).sum() / weights.sum() - 19.5, (weights * down).sum() / weights.sum() - 29.5)
        angle = math.degrees(math.atan2(at[1], at[0]) - math.atan2(y, x))
        assert abs(angle) == pytest.approx(30, abs=1.5)
        assert math.hypot(*at) == pytest.approx(math.hypot(x, y), abs=0.5)
        ways.append(angle > 0)
    assert {True, False} == set(ways)


def test_severities_are_those_of_the_documentation():
    """The table of the leaderboards' page has a line for each corruption, with its words and its severity."""
    page = (Path(__file__).parents[2] / "leaderboards" / "README.md").read_text()
    told = dict(re.findall(r"^\| `-(\w+)` \| (.+?) \|", page, flags=re.MULTILINE))
    severity = {"noise": "0.18", "blur": "1/32", "occlusion": "1/2", "rotation": "30"}
    assert {name: one.told.format(severity[name]) for name, one in CORRUPTIONS.items()} == told
    assert [0.18, 1 / 32, 1 / 2, 30] == [one.severity for one in CORRUPTIONS.values()]

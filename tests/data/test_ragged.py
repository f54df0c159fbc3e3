"""Images that keep their proportions, in the cache and out of it."""

import numpy as np
import pytest
import torchvision.transforms.v2.functional as reference
from PIL import Image

from siambench.data.collection import read_images
from siambench.data.images import decode
from siambench.data.ragged import Centred, middle, ragged
from siambench.errors import DataError

SIZES = [(5, 7), (9, 4), (6, 6), (4, 40)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pixels(index, channels=3):
    """Noise of that image's size."""
    return np.random.default_rng(index).integers(0, 256, (channels, *SIZES[index % len(SIZES)]), dtype=np.uint8)


def test_images_come_back_as_they_were(cache):
    """Seventy images of four sizes, more than one thread's block, are each what was read, and lie in one file."""
    found = ragged("many", 70, 3, pixels)

    assert all(np.array_equal(found.image(index), pixels(index)) for index in range(70))
    assert [path.name for path in (cache / "decoded").glob("*.hwc")] == ["many.hwc"]
    assert not found.image(0).flags.writeable


def test_what_is_there_is_not_built_again():
    """A second call decodes nothing."""
    ragged("once", 5, 1, lambda index: pixels(index, 1))

    def never(index):
        raise AssertionError(index)

    assert np.array_equal(ragged("once", 5, 1, never).image(4), pixels(4, 1))


@pytest.mark.parametrize("harm", ["a pixel", "the end", "the table", "nothing left", "another number"])
def test_what_is_damaged_is_built_anew(cache, harm):
    """A changed byte, a file that ends early, a table of sizes that does not fit: the images come from their files again."""
    ragged("hurt", 6, 3, pixels)
    path = cache / "decoded" / "hurt.hwc"
    content = bytearray(path.read_bytes())
    if harm == "a pixel":
        content[3] ^= 1
    elif harm == "the table":
        content[-40] ^= 1
    changed = {"the end": content[:-7], "nothing left": b""}.get(harm, content)
    path.write_bytes(bytes(changed))
    number = 5 if harm == "another number" else 6

    found = ragged("hurt", number, 3, pixels)

    assert all(np.array_equal(found.image(index), pixels(index)) for index in range(number))
    assert len(found) == number


def test_without_a_cache_they_are_kept_in_memory(monkeypatch, tmp_path):
    """Where the cache folder is a file, the same images come from memory."""
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "taken"))

    found = ragged("any", 4, 3, pixels)

    assert all(np.array_equal(found.image(index), pixels(index)) for index in range(4))


@pytest.mark.parametrize("edges", [(5, 7), (7, 5), (6, 9), (4, 4), (11, 4)])
def test_the_middle_is_that_of_torchvision(edges):
    """Of edges even and odd, what is cut out is torchvision's centre crop."""
    image = pixels(0)
    image = np.random.default_rng(1).integers(0, 256, (3, *edges), dtype=np.uint8)
    found = Centred(ragged(f"middle-{edges[0]}-{edges[1]}", 1, 3, lambda _: image), 4)

    import torch

    assert np.array_equal(found[np.array([0])][0], reference.center_crop(torch.from_numpy(image), [4, 4]).numpy())
    assert found.shape == (1, 3, 4, 4)
    assert middle(edges, 4) == (round((edges[0] - 4) / 2), round((edges[1] - 4) / 2))


@pytest.mark.parametrize("edges", [(90, 61), (61, 90), (40, 40), (33, 100), (24, 50)])
def test_the_shorter_edge_becomes_what_is_asked_as_torchvision_makes_it(tmp_path, edges):
    """A file of any proportions read at a shorter edge of 24 has, bit for bit, the pixels of torchvision's Resize(24)."""
    width, height = edges
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8))
    image.save(tmp_path / "one.png")

    found = decode(tmp_path / "one.png", size=24, mode="rgb", keep=True)

    assert np.array_equal(found, np.asarray(reference.resize(image, [24])).transpose(2, 0, 1))
    assert min(found.shape[1:]) == 24


def test_a_strip_is_refused(tmp_path):
    """An image that is more than sixteen times as long as it is wide would take all the memory: it is named."""
    Image.new("RGB", (340, 20)).save(tmp_path / "strip.png")
    with pytest.raises(DataError, match=r"strip\.png is 340 × 20 pixels: with its proportions kept, an edge is at most 16 times the other"):
        decode(tmp_path / "strip.png", size=8, mode="rgb", keep=True)


def test_the_cache_holds_the_resize_and_not_the_crop(tmp_path, cache):
    """Two sizes of crop of one resize share a file; each is the middle, and the whole is there for both."""
    files = []
    for number, edges in enumerate([(30, 40), (50, 30)]):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (*edges, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        files.append(tmp_path / f"{number}.png")

    small, large = (read_images(files, size=size, mode="auto", root=tmp_path, resize=20) for size in (8, 16))

    assert len(list((cache / "decoded").glob("*.hwc"))) == 1
    assert (small.images.shape, large.images.shape) == ((2, 3, 8, 8), (2, 3, 16, 16))
    assert small.whole(0).shape == (3, 20, 26)
    assert large.whole(1).shape == (3, 33, 20)
    assert np.array_equal(large.images[np.array([1, 0])][0][:, 4:12, 4:12], small.images[np.array([1])][0])
    assert read_images(files, size=8, mode="auto", root=tmp_path).whole is None


@pytest.mark.parametrize("resize", [-1, 7, 5000])
def test_a_resize_that_cannot_be_is_refused(tmp_path, resize):
    """Below the crop and beyond 4,096 there is none; the sentence says the range."""
    from siambench.data.collection import check_image_options

    with pytest.raises(DataError, match=f"birds: resize must be a number of pixels from size, 8, to 4096, or 0.*; got {resize}"):
        check_image_options(8, "auto", called="birds", resize=resize)

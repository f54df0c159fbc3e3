import os
import struct
import zlib

import pytest
from PIL import Image

from siambench.data.collection import read_images
from siambench.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


def greys(folder, *values):
    """A file of one grey each."""
    files = [folder / f"{place}.png" for place in range(len(values))]
    for file, value in zip(files, values, strict=True):
        Image.new("L", (4, 4), value).save(file)
    return files


def first_pixels(files, root, mode="auto"):
    """The first pixel of each image."""
    return read_images(files, size=4, mode=mode, root=root).images[:, :, 0, 0].tolist()


def test_images_are_read_once(tmp_path, monkeypatch):
    """The second reading opens no file: what all of them hold together is remembered, too."""
    files = greys(tmp_path, 10, 20)
    assert first_pixels(files, tmp_path) == [[10], [20]]

    monkeypatch.setattr("siambench.data.collection.look", None)
    monkeypatch.setattr("siambench.data.collection.decode", None)

    assert first_pixels(files, tmp_path) == [[10], [20]]


def test_another_content_under_the_same_time_is_read_anew(tmp_path):
    """A file of the same name, size and time of modification, but another content, is not taken from the cache."""
    files = greys(tmp_path, 10, 20)
    first_pixels(files, tmp_path)
    before = files[0].stat()
    Image.new("L", (4, 4), 11).save(files[0])
    os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files[0].stat().st_size == before.st_size

    assert first_pixels(files, tmp_path) == [[11], [20]]


def test_a_set_without_a_cache_is_read(tmp_path, monkeypatch):
    """Where nothing can be kept, images are read all the same."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))

    assert first_pixels(greys(tmp_path, 10, 20), tmp_path, mode="rgb") == [[10] * 3, [20] * 3]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_colour(path, value):
    """A PNG of 16 bits a channel, 4 × 4 pixels of one value."""
    rows = (b"\0" + struct.pack(">H", value) * 12) * 4
    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def test_colours_that_would_be_lost_are_refused(tmp_path):
    """Colours of 12 bits in a file of 16, of which Pillow reads the upper 8, are refused with file and mode; whole ones are read."""
    dark = [deep_colour(tmp_path / f"{value}.png", value) for value in (1000, 4095)]
    with pytest.raises(
        DataError, match=r"4095\.png is RGB of 16 bits a channel, of which the upper 8 are read, and no image of the data set"
    ):
        read_images(dark, size=4, mode="auto", root=tmp_path)
    bright = deep_colour(tmp_path / "bright.png", 60000)
    assert first_pixels([*dark, bright], tmp_path) == [[3], [15], [234]]


def test_one_broken_file_is_named_and_leaves_nothing(tmp_path, cache):
    """The first file that cannot be read is named, and the cache holds no half of the set."""
    files = greys(tmp_path, 1, 2, 3)
    files[1].write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"1\.png cannot be read as an image"):
        read_images(files, size=4, mode="grey", root=tmp_path)
    assert not [path for path in cache.glob("*") if path.suffix != ".lock"] if cache.is_dir() else True

import io
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from siambench.data.decoded import decode, decoded
from siambench.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


def images(number=3, edge=4):
    """Images uint8 [1, 4, 4], all different."""
    return [np.full((1, edge, edge), 10 * (i + 1), dtype=np.uint8) for i in range(number)]


def never():
    """A build that must not be called."""
    raise AssertionError("built a second time")


def left_behind(folder):
    """Files of a folder that are no locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") if folder.is_dir() else []


def test_images_are_built_once_and_then_mapped(cache):
    """The first call builds and writes; the second maps the file read-only and does not build."""
    first = decoded("key", images)
    second = decoded("key", never)

    assert np.array_equal(np.stack(images()), first)
    assert np.array_equal(first, second)
    for found in (first, second):
        assert isinstance(found, np.memmap)
        assert not found.flags.writeable
    assert left_behind(cache) == ["key.npy"]


def test_another_key_is_another_content():
    """Two keys are two arrays."""
    decoded("one", images)
    assert len(decoded("two", lambda: images(5))) == 5
    assert len(decoded("one", never)) == 3


def test_a_build_that_fails_leaves_nothing(cache):
    """An error half-way comes through, no file stays, and the next call builds anew."""

    def broken():
        yield images()[0]
        raise DataError("the second image is broken")

    with pytest.raises(DataError, match="second image"):
        decoded("key", broken)

    assert left_behind(cache) == []
    assert len(decoded("key", images)) == 3


BUILDER = """
import sys, time
import numpy as np
from siambench.data.decoded import decoded

def slow():
    yield np.zeros((1, 4, 4), dtype=np.uint8)
    print("building", flush=True)
    time.sleep(60)

decoded("key", slow)
"""


def test_a_killed_build_leaves_nothing_and_holds_nobody_up(cache):
    """After a builder is killed there is no file, and the next call gets the lock and builds."""
    process = subprocess.Popen([sys.executable, "-c", BUILDER], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "building\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert left_behind(cache) == []
    assert len(decoded("key", images)) == 3


def test_two_builders_build_once(cache):
    """A process that finds another one building waits for it and maps its array."""
    second = "import numpy as np\nfrom siambench.data.decoded import decoded\nprint(decoded('key', list).shape)\n"
    started = BUILDER.replace("time.sleep(60)", "time.sleep(1)")
    first = subprocess.Popen([sys.executable, "-c", started], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "building\n"

    found = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=True)

    assert first.wait() == 0
    first.stdout.close()
    assert found.stdout == "(1, 1, 4, 4)\n"
    assert left_behind(cache) == ["key.npy"]


def test_without_a_cache_images_stay_in_memory(tmp_path, monkeypatch):
    """Where the cache folder is a file, the images are kept in memory."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))

    assert np.array_equal(np.stack(images()), decoded("key", images))


def test_a_cache_that_cannot_be_written_is_done_without(monkeypatch):
    """On a read-only file system the images are kept in memory."""

    def read_only(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("siambench.data.decoded.Path.mkdir", read_only)

    assert np.array_equal(np.stack(images()), decoded("key", images))


def test_the_array_can_be_read_by_others(cache):
    """The file has the permissions that the user's mask gives: a cache may be shared."""
    mask = os.umask(0o022)
    try:
        decoded("key", images)
    finally:
        os.umask(mask)

    assert stat.S_IMODE((cache / "key.npy").stat().st_mode) == 0o644


def png(pixels, mode=None):
    """An open PNG file."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(file, format="PNG")
    file.seek(0)
    return file


def test_grey_and_colour_have_one_and_three_channels():
    """An image is read as [1, H, W] or [3, H, W], its pixels unchanged where the size fits."""
    grey = np.arange(16).reshape(4, 4) * 16
    colour = np.stack([grey, grey[::-1], grey.T], axis=2)

    assert np.array_equal(grey[None], decode(png(grey), size=None, mode="grey"))
    assert np.array_equal(grey[None], decode(png(grey), size=4, mode="grey"))
    assert np.array_equal(np.repeat(grey[None], 3, axis=0), decode(png(grey), size=None, mode="rgb"))
    assert np.array_equal(colour.transpose(2, 0, 1), decode(png(colour), size=None, mode="rgb"))


def test_reduction_averages_areas():
    """An image of twice the edge is reduced to the means of 2 × 2 pixels."""
    grey = np.arange(64).reshape(8, 8) * 3
    expected = grey.reshape(4, 2, 4, 2).mean(axis=(1, 3))

    found = decode(png(grey), size=4, mode="grey")[0]

    assert np.abs(found - expected).max() <= 1


def test_images_are_brought_to_a_square():
    """Enlarged or squeezed, the result is [C, size, size]."""
    for shape in ((3, 5), (20, 4), (2, 2)):
        assert decode(png(np.zeros(shape)), size=6, mode="rgb").shape == (3, 6, 6)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n cut off"])
def test_a_file_that_is_no_image_is_named(content):
    """What cannot be read as an image is a DataError with the name of the file."""
    with pytest.raises(DataError, match=r"^cat\.png cannot be read as an image"):
        decode(io.BytesIO(content), size=4, mode="grey", name="cat.png")


def test_a_truncated_image_is_named(tmp_path):
    """A file that ends too early is a DataError as well."""
    whole = png(np.random.default_rng(0).integers(0, 256, (32, 32))).getvalue()
    path = tmp_path / "cut.png"
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match=r"cut\.png cannot be read"):
        decode(path, size=8, mode="grey")

"""Digests of images, kept beside them."""

import hashlib
import os
import time

import numpy as np
import pytest

from siambench.data import decoded as decoding
from siambench.data.decoded import cache_path, decoded, was_read_over
from siambench.data.kept_digests import KeptDigests

IMAGES = np.random.default_rng(0).integers(0, 256, (70, 1, 4, 5), dtype=np.uint8)
EXPECTED = [hashlib.sha256(image.tobytes()).digest() for image in IMAGES]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path))
    return tmp_path


class Reader:
    """Reads images, and counts how many it has read."""

    def __init__(self):
        self.read = 0

    def __call__(self, indices):
        """Some images."""
        self.read += len(indices)
        return IMAGES[indices]


def test_they_are_those_of_the_content_and_found_once():
    """One by one, in order and in slices they are the SHA-256 of the images; a second process reads no image for them."""
    reader = Reader()
    found = KeptDigests("key", len(IMAGES), reader)
    assert (len(found), reader.read) == (70, 0)
    assert list(found) == EXPECTED
    assert (found[3], found[-1], found[2:4]) == (EXPECTED[3], EXPECTED[-1], EXPECTED[2:4])
    with pytest.raises(IndexError):
        found[70]

    assert list(KeptDigests("key", len(IMAGES), reader)) == EXPECTED
    assert reader.read == 70


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: b"x" + content[1:], lambda _content: b""])
def test_a_damaged_file_is_found_anew(change):
    """A file of digests that was cut, changed or emptied is not believed."""
    reader = Reader()
    list(KeptDigests("key", len(IMAGES), reader))
    path = cache_path("key.digests")
    path.write_bytes(change(path.read_bytes()))

    assert list(KeptDigests("key", len(IMAGES), reader)) == EXPECTED
    assert reader.read == 140


def test_without_a_cache_they_are_computed(monkeypatch, tmp_path):
    """Where nothing can be written they are the same, computed by each process."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))

    assert list(KeptDigests("key", len(IMAGES), Reader())) == EXPECTED


def test_a_file_that_was_found_whole_is_not_read_over_again(monkeypatch):
    """The images are read over by the first process that finds them, and by none after it until somebody touches the file."""
    hashed = []

    class Counted:
        def __init__(self, *arguments):
            self._inner = real(*arguments)

        def update(self, content):
            hashed.append(memoryview(content).nbytes)
            self._inner.update(content)

        def digest(self):
            return self._inner.digest()

        def hexdigest(self):
            return self._inner.hexdigest()

    real = hashlib.sha256
    monkeypatch.setattr(decoding, "_SETTLED", 0)
    decoded("images", len(IMAGES), lambda index: IMAGES[index])
    path = cache_path("images.npy")
    monkeypatch.setattr(decoding.hashlib, "sha256", Counted)
    assert np.array_equal(decoded("images", len(IMAGES), lambda index: IMAGES[index]), IMAGES)
    assert sum(hashed) == IMAGES.size
    hashed.clear()
    assert np.array_equal(decoded("images", len(IMAGES), lambda index: IMAGES[index]), IMAGES)
    assert hashed == []
    assert was_read_over(path)

    time.sleep(0.05)
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    status = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not was_read_over(path)
    assert np.array_equal(decoded("images", len(IMAGES), lambda index: IMAGES[index]), IMAGES)


def test_a_file_that_was_just_written_is_not_believed_by_its_times():
    """Within two seconds of its last change a file is read over by every process: its times could be those of another change."""
    for _ in range(2):
        decoded("images", len(IMAGES), lambda index: IMAGES[index])

    assert not was_read_over(cache_path("images.npy"))

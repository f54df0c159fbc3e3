"""Features that are computed once, kept in a file."""

import multiprocessing
import os
import time

import numpy as np
import pytest

from siambench.data.features import bytes_of, features_folder, kept_features, size_told
from siambench.errors import DataError

FEATURES = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path))
    return tmp_path / "features"


def counted(calls, features=FEATURES):
    """What computes the features in blocks of three rows, and counts how often it is asked."""

    def blocks():
        calls.append(1)
        for start in range(0, len(features), 3):
            yield features[start : start + 3]

    return blocks


def test_they_are_computed_once_and_mapped():
    """A second call computes nothing and gives the same bits, read-only from the file; another key is computed for itself."""
    calls = []
    first, second = (kept_features("one", (7, 5), counted(calls)) for _ in range(2))

    assert len(calls) == 1
    assert np.array_equal(first, FEATURES)
    assert np.array_equal(second, FEATURES)
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    kept_features("other", (7, 5), counted(calls))
    assert len(calls) == 2


@pytest.mark.parametrize("damage", ["cut", "bit", "longer", "folder", "shape", "empty"])
def test_a_damaged_file_is_computed_anew(cache, damage):
    """A file that was cut, changed in one bit, extended or emptied, or holds another shape, is not taken for what was written."""
    calls = []
    kept_features("one", (7, 5), counted(calls))
    path = cache / "one.npy"
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-40] ^= 1
    changed = {"cut": content[:-8], "bit": content, "longer": content + b"x", "empty": b""}.get(damage, content)
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(changed)
    shape = (7, 5)
    if damage == "shape":
        shape = (7, 4)
        found = kept_features("one", shape, counted(calls, np.ascontiguousarray(FEATURES[:, :4])))
    else:
        found = kept_features("one", shape, counted(calls))

    # A folder in the way is found out when the file is renamed, and stays: then they are computed for the memory.
    assert len(calls) == (3 if damage == "folder" else 2)
    assert np.array_equal(found, FEATURES[:, : shape[1]])


def test_a_killed_computation_leaves_nothing_that_is_taken_for_the_whole(cache):
    """What raises while it computes leaves no file; the next call computes everything."""

    def broken():
        yield FEATURES[:3]
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        kept_features("one", (7, 5), broken)
    assert not list(cache.glob("*.npy*part")) + list(cache.glob("*.npy"))
    assert np.array_equal(kept_features("one", (7, 5), counted([])), FEATURES)


def _asked(folder, where):
    os.environ["SIAMBENCH_CACHE"] = folder

    def blocks():
        with open(where, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write("computed\n")
        time.sleep(0.3)
        yield FEATURES

    found = kept_features("one", (7, 5), blocks)
    assert np.array_equal(found, FEATURES)


def test_processes_that_want_it_at_once_compute_it_once(tmp_path):
    """Of three processes that ask at the same time one computes, and all are given the same."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_asked, args=(str(tmp_path), str(tmp_path / "log"))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "log").read_text(encoding="utf-8") == "computed\n"


def test_without_a_folder_to_write_they_are_kept_in_memory(monkeypatch, tmp_path):
    """Where the cache cannot be written, the features are the same, in memory."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))

    found = kept_features("one", (7, 5), counted([]))
    assert np.array_equal(found, FEATURES)
    assert not isinstance(found, np.memmap)


def test_a_full_disk_is_one_sentence(monkeypatch):
    """Where the disk has no room the error says how much it was for, and which variable names another folder."""

    def full():
        raise OSError(28, "No space left on device")
        yield

    with pytest.raises(DataError, match=r"has no room for the features of 7 items \(140 bytes\): free some, or name .* SIAMBENCH_CACHE"):
        kept_features("one", (7, 5), full)
    assert features_folder().name == "features"


def test_sizes_are_told_for_people():
    """The features of the training images of ImageNet take 10.5 GB at 2,048 numbers each."""
    assert size_told(bytes_of(1_281_167, 2048)) == "10.5 GB"
    assert size_told(999) == "999 bytes"

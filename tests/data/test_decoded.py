import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from siambench.data.decoded import decoded, remembered
from siambench.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


def image(index):
    """Image uint8 [1, 4, 4], all different."""
    return np.full((1, 4, 4), index % 251, dtype=np.uint8)


def images(number=3):
    """The first so many, as one array."""
    return np.stack([image(index) for index in range(number)])


def never(index):
    """What must not be called."""
    raise AssertionError(f"image {index} was built a second time")


def left_behind(folder):
    """Files of a folder that are no locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") if folder.is_dir() else []


def test_images_are_built_once_and_then_mapped(cache):
    """The first call builds and writes; the second maps the file read-only and does not build."""
    first = decoded("key", 3, image)
    second = decoded("key", 3, never)

    assert np.array_equal(images(), first)
    assert np.array_equal(first, second)
    for found in (first, second):
        assert isinstance(found, np.memmap)
        assert not found.flags.writeable
    assert left_behind(cache) == ["key.npy"]


def test_another_key_is_another_content():
    """Two keys are two arrays."""
    decoded("one", 3, image)
    assert len(decoded("two", 5, image)) == 5
    assert len(decoded("one", 3, never)) == 3


def test_a_build_that_fails_leaves_nothing(cache):
    """An error half-way comes through, no file stays, and the next call builds anew."""

    def broken(index):
        if index == 70:
            raise DataError("image 70 is broken")
        return image(index)

    with pytest.raises(DataError, match="image 70 is broken"):
        decoded("key", 1000, broken)

    assert left_behind(cache) == []
    assert len(decoded("key", 3, image)) == 3


BUILDER = """
import sys, time
import numpy as np
from siambench.data.decoded import decoded

def slow(index):
    if index == 90:
        print("building", flush=True)
        time.sleep(60)
    return np.full((1, 4, 4), index % 251, dtype=np.uint8)

decoded("key", 100, slow)
"""


def test_a_killed_build_leaves_nothing_and_holds_nobody_up(cache):
    """After a builder is killed there is nothing that is taken for the whole, and the next call gets the lock and builds over it."""
    process = subprocess.Popen([sys.executable, "-c", BUILDER], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "building\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert "key.npy" not in left_behind(cache)
    assert np.array_equal(images(100), decoded("key", 100, image))
    assert left_behind(cache) == ["key.npy"]


def test_two_builders_build_once(cache):
    """A process that finds another one building waits for it and maps its array."""
    second = "import numpy as np\nfrom siambench.data.decoded import decoded\nprint(decoded('key', 100, None).shape)\n"
    started = BUILDER.replace("time.sleep(60)", "time.sleep(1)")
    first = subprocess.Popen([sys.executable, "-c", started], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "building\n"

    found = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=True)

    assert first.wait() == 0
    first.stdout.close()
    assert found.stdout == "(100, 1, 4, 4)\n"
    assert left_behind(cache) == ["key.npy"]


def test_without_a_cache_images_stay_in_memory(tmp_path, monkeypatch):
    """Where the cache folder is a file, the images are kept in memory."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))

    assert np.array_equal(images(), decoded("key", 3, image))


def test_a_cache_that_cannot_be_written_is_done_without(monkeypatch):
    """On a read-only file system the images are kept in memory."""

    def read_only(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("siambench.data.decoded.Path.mkdir", read_only)

    assert np.array_equal(images(), decoded("key", 3, image))


def test_the_array_can_be_read_by_others(cache):
    """The file has the permissions that the user's mask gives: a cache may be shared."""
    mask = os.umask(0o022)
    try:
        decoded("key", 3, image)
    finally:
        os.umask(mask)

    assert stat.S_IMODE((cache / "key.npy").stat().st_mode) == 0o644


def test_images_stand_in_order_however_long_each_takes():
    """Threads finish in any order; the array has every image in its place."""

    def uneven(index):
        time.sleep(0.002 * (index % 7 == 0))
        return image(index)

    assert np.array_equal(images(500), decoded("key", 500, uneven))


def test_images_are_decoded_by_all_cores(monkeypatch):
    """As many threads decode as there are cores, and no more is decoded ahead than keeps them busy."""
    monkeypatch.setattr("siambench.data.decoded.cores", lambda: 3)
    together, seen = threading.Barrier(3, timeout=20), set()

    def meeting(index):
        if index in (1, 33, 65):
            # Each of the first three blocks waits here for the other two.
            together.wait()
            seen.add(threading.current_thread().name)
        return image(index)

    assert np.array_equal(images(96), decoded("key", 96, meeting))
    assert len(seen) == 3


def test_images_of_two_shapes_are_refused(cache):
    """An image of another shape than the first is named with both shapes, and no file stays."""
    with pytest.raises(DataError, match=r"image 40 has the shape \(1, 5, 4\), the first one \(1, 4, 4\)"):
        decoded("key", 50, lambda index: image(index) if index != 40 else np.zeros((1, 5, 4), dtype=np.uint8))
    assert left_behind(cache) == []


def test_a_full_disk_is_told_in_one_sentence(cache, monkeypatch):
    """Where the disk of the cache is full, nothing stays, and the sentence says what can be done."""

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("siambench.data.decoded.np.lib.format.write_array_header_1_0", full)
    with pytest.raises(DataError, match="no room for 3 decoded images: free some, or name another folder in SIAMBENCH_CACHE"):
        decoded("key", 3, image)
    assert left_behind(cache) == []


# ---- a cache that others have touched


BROKEN = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"no array at all"),
    "one byte": lambda path: path.write_bytes(path.read_bytes()[:140] + b"\xff" + path.read_bytes()[141:]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "of an older version": lambda path: np.save(path, images(3)),
    "of another number": lambda path: np.save(path, images(4)),
    "of objects": lambda path: np.save(path, np.array([object()])),
    "link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "link to zeros": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_cache_is_built_anew(cache, how):
    """Whatever has become of the file, the images are those that are asked for, and the file is whole again."""
    decoded("key", 3, image)
    BROKEN[how](cache / "key.npy")

    assert np.array_equal(images(), decoded("key", 3, image))
    assert np.array_equal(images(), decoded("key", 3, never))
    assert not (cache / "key.npy").is_symlink()


def test_a_folder_in_the_place_of_the_cache_is_done_without(cache):
    """A folder that has the file's name is left alone, and the images are kept in memory."""
    (cache / "key.npy").mkdir(parents=True)
    (cache / "key.npy" / "mine").touch()

    assert np.array_equal(images(), decoded("key", 3, image))
    assert (cache / "key.npy" / "mine").exists()


def test_nothing_is_written_through_a_link(cache, tmp_path):
    """A link that lies where the cache writes is replaced, and what it leads to stays as it was."""
    cache.mkdir(parents=True)
    (tmp_path / "precious").write_text("mine")
    for name in ("key.npy", "key.npy.part"):
        (cache / name).symlink_to(tmp_path / "precious")

    assert np.array_equal(images(), decoded("key", 3, image))
    assert (tmp_path / "precious").read_text() == "mine"


def test_what_dead_builders_left_is_swept(cache):
    """Half-written files of whoever holds no lock any more are taken away by the next that builds; those of the living stay."""
    cache.mkdir(parents=True)
    (cache / "dead.npy.part").write_bytes(b"half")
    (cache / "alive.npy.part").write_bytes(b"half")
    holder = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    lock = str(cache / "alive.npy.lock")
    alive = subprocess.Popen([sys.executable, "-c", holder, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert alive.stdout.readline() == "held\n"

    decoded("key", 3, image)

    assert left_behind(cache) == ["alive.npy.part", "key.npy"]
    alive.communicate("")


def test_the_file_is_on_the_disk_before_it_has_its_name(cache, monkeypatch):
    """What is renamed has been synced: after a loss of power there is the whole file, or none."""
    steps = []
    monkeypatch.setattr("siambench.data.decoded.os.fsync", lambda number: steps.append("fsync"))
    replace = type(cache).replace
    monkeypatch.setattr("siambench.data.decoded.Path.replace", lambda one, other: (steps.append("replace"), replace(one, other)))

    decoded("key", 3, image)

    assert steps == ["fsync", "replace"]


def test_what_was_found_is_remembered(cache):
    """A document is found once, and again where its file is damaged or changed by hand."""
    found = []

    def find():
        found.append(1)
        return {"white": 4095}

    for number, content in ((1, None), (2, b"{"), (3, b'{"content": {"white": 1}, "digest": "0"}'), (4, b"[" * 100_000)):
        assert [remembered("key", find), remembered("key", find)] == [{"white": 4095}] * 2 if content is None else True
        if content is not None:
            (cache / "key.json").write_bytes(content)
            assert remembered("key", find) == {"white": 4095}
        assert len(found) == number

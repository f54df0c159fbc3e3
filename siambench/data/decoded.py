"""Images decoded and resized once, then read from a memory-mapped array that all workers share."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import filelock
import numpy as np

from siambench.data.files import open_regular, read_regular
from siambench.data.locate import cache_folder
from siambench.errors import DataError, DataMissingError
from siambench.machine import FULL, UNWRITABLE, cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

_BLOCK = 32
_IN_THE_WAY = frozenset({errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP})
"""What the system says where a folder or a link has the name of a file of the cache."""

_DIGEST_BYTES = 32
_SETTLED = 2 * 10**9
"""Nanoseconds after its last change from which on a file can be told by its times."""

_MOST_JSON_BYTES, _MOST_NOTE_BYTES = 1 << 20, 1 << 10


def decoded(key: str, number: int, read: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The images kept under ``key``, built once by all cores, memory-mapped read-only.

    Processes that want it at the same time wait for the one that builds it. A builder that is killed leaves nothing that is
    taken for the whole, and what it has left is swept by the next that builds anything. What is there and is not what was built
    is built anew: behind the array stands its digest.

    Args:
        key: names the content: whatever would change the pixels must be part of it.
        number: N.
        read: image i of 0 … N - 1, uint8 [C, H, W], all of one shape; called from several threads.

    Returns:
        uint8 [N, C, H, W]. Where the cache folder cannot be written, the images are kept in memory.

    Raises:
        DataError: if an image has another shape than the first, or the disk of the cache is full.
    """
    path = cache_path(f"{key}.npy")
    return kept_file(
        path,
        find=lambda: _whole(path, number),
        mapped=lambda: _map(path),
        fill=lambda file: _write_array(file, number, read),
        otherwise=lambda: np.concatenate(list(_blocks(number, read))),
        told=f"{number} decoded images",
    )


def kept_file(
    path: Path,
    *,
    find: Callable[[], T | None],
    mapped: Callable[[], T],
    fill: Callable[[BinaryIO], object],
    otherwise: Callable[[], T],
    told: str,
) -> T:
    """What a file of the cache holds: one process builds it, and those that want it at the same time wait.

    Args:
        path: of the file.
        find: what it holds if it is what was built, else None.
        mapped: what it holds, without a look at whether it is whole.
        fill: writes it, in order.
        otherwise: the same in memory, where the cache folder cannot be written.
        told: what there may be no room for, for people.

    Raises:
        DataError: if the disk of the cache is full.
    """
    found = find()
    if found is not None:
        return found
    try:
        with _alone(path):
            found = find()
            if found is None:
                _sweep(path.parent, but=path)
                _write(path, fill)
                found = mapped()
    except OSError as error:
        if error.errno in FULL:
            raise DataError(f"{path.parent} has no room for {told}: free some, or name another folder in SIAMBENCH_CACHE") from error
        if error.errno not in UNWRITABLE | _IN_THE_WAY:
            raise
        return otherwise()
    return found


def remembered(key: str, find: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """A small JSON document kept under ``key``; found once, and again where it is not there, damaged, or cannot be kept."""
    path = cache_path(f"{key}.json")
    with contextlib.suppress(DataError, DataMissingError, ValueError, RecursionError):
        kept = json.loads(read_regular(path, most=_MOST_JSON_BYTES))
        if isinstance(kept, dict) and kept.get("digest") == _digest_of(kept.get("content")):
            content: Mapping[str, Any] = kept["content"]
            return content
    content = find()
    text = json.dumps({"content": content, "digest": _digest_of(content)})
    with contextlib.suppress(OSError), _alone(path):
        _write(path, lambda file: file.write(text.encode()))
    return content


def _digest_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def cache_path(name: str) -> Path:
    """Where a file of decoded images lies."""
    return cache_folder() / "decoded" / name


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        yield


def _whole(path: Path, number: int) -> NDArray[np.uint8] | None:
    """The array if it is what was built; None where there is none, or another."""
    try:
        # A link is none of ours: what it leads to may be anything.
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        array = _map(path)
        if array.dtype != np.uint8 or array.ndim != 4 or len(array) != number or not array.flags.c_contiguous:
            return None
        if was_read_over(path):
            return array
        total = hashlib.sha256()
        for start in range(0, number, 1024):
            total.update(array[start : start + 1024].data)
        with open_regular(path) as file:
            file.seek(-_DIGEST_BYTES, os.SEEK_END)
            # Nothing may stand between the pixels and their digest, nor behind it.
            whole = file.tell() == getattr(array, "offset", 0) + array.nbytes and file.read() == total.digest()
    except Exception:  # noqa: BLE001  a damaged file has a dozen ways to be none, all of which end in building it anew
        return None
    if whole:
        note_read_over(path)
    return array if whole else None


def was_read_over(path: Path) -> bool:
    """Whether a file was found whole before, and nobody has touched it since: then a process need not read all of it to know.

    The time of a file's last change is beyond what copies and archives set; what a disk loses of itself shows when it is read anew.
    """
    with contextlib.suppress(DataError, DataMissingError, OSError):
        return read_regular(_note_of(path), most=_MOST_NOTE_BYTES) == _state_of(path)
    return False


def note_read_over(path: Path) -> None:
    """Note that a file was found whole as it is now; where no note can be left, it is read over again by the next."""
    # Clocks of file systems tick slowly: what was changed a moment ago may be changed again at the same time.
    if time.time_ns() - path.lstat().st_ctime_ns < _SETTLED:
        return
    with contextlib.suppress(OSError), _alone(path):
        _write(_note_of(path), lambda file: file.write(_state_of(path)))


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.whole")


def _state_of(path: Path) -> bytes:
    status = path.lstat()
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return hashlib.sha256(" ".join(map(str, state)).encode()).hexdigest().encode()


def _map(path: Path) -> NDArray[np.uint8]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def _sweep(folder: Path, *, but: Path) -> None:
    """Take away what dead builders have left: whoever still builds holds a lock."""
    for part in folder.glob("*.part"):
        whole = part.with_suffix("")
        if whole != but:
            with contextlib.suppress(OSError, filelock.Timeout), filelock.FileLock(f"{whole}.lock", timeout=0):
                part.unlink(missing_ok=True)


def _write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    # One name for all builders, of whom the lock lets in one: so a killed one leaves no second copy of everything. It is written
    # in order rather than mapped, since a full disk is an error to a writer, and the end of a process that writes to a map.
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        # Exclusively: a link that somebody put there would be written through.
        with part.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_array(file: BinaryIO, number: int, read: Callable[[int], NDArray[np.uint8]]) -> None:
    total = hashlib.sha256()
    for block in _blocks(number, read):
        if file.tell() == 0:
            shape = (number, *block.shape[1:])
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        content = block.tobytes()
        total.update(content)
        file.write(content)
    file.write(total.digest())


def _blocks(number: int, read: Callable[[int], NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """All images in order, some at a time, of one shape."""
    shape = read(0).shape

    def block(start: int, stop: int) -> NDArray[np.uint8]:
        images = [read(index) for index in range(start, stop)]
        for place, image in enumerate(images, start):
            if image.shape != shape:
                raise DataError(f"image {place} has the shape {image.shape}, the first one {shape}: give a size to bring them to")
        return np.stack(images)

    return in_blocks(number, block)


def in_blocks(number: int, block: Callable[[int, int], T]) -> Iterator[T]:
    """What is made of images, some at a time, in order, by as many threads as there are cores: decoders do not hold Python's lock.

    Args:
        number: of all images.
        block: makes it of images start … stop - 1.
    """
    workers = cores()
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start in range(0, number, _BLOCK):
                waiting.append(pool.submit(block, start, min(start + _BLOCK, number)))
                # No more is decoded ahead than keeps all threads busy: it has to fit into memory.
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

"""Images decoded and resized once, then read from a memory-mapped array that all workers share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import filelock
import numpy as np

from siambench.data.locate import cache_folder
from siambench.errors import DataError
from siambench.machine import FULL, UNWRITABLE, cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 32

Mode = Literal["grey", "rgb"]


def decode(file: str | Path | IO[bytes], *, size: int | None, mode: Mode, name: str | None = None) -> NDArray[np.uint8]:
    """One image as uint8 [C, size, size]; squeezed to a square where it is none.

    Args:
        file: a path or an open file.
        size: edge in pixels; None keeps the image's own size.
        mode: ``"grey"`` (C = 1) or ``"rgb"`` (C = 3).
        name: what an error calls the file.

    Raises:
        DataError: if it cannot be read as an image.
    """
    from PIL import Image

    try:
        with Image.open(file) as image:
            converted = image.convert("L" if mode == "grey" else "RGB")
            if size is not None and converted.size != (size, size):
                # Reduction by areas keeps thin strokes that sampling would lose.
                converted = converted.resize(
                    (size, size), Image.Resampling.BOX if min(converted.size) >= size else Image.Resampling.BICUBIC
                )
            pixels = np.asarray(converted, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{name or file} cannot be read as an image: {error}") from error
    return pixels[None] if mode == "grey" else pixels.transpose(2, 0, 1)


def decoded(key: str, number: int, read: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The images kept under ``key``, built once by all cores, memory-mapped read-only.

    Processes that want it at the same time wait for the one that builds it. A builder that is killed leaves nothing that is
    taken for the whole, and what it has left is overwritten by the next.

    Args:
        key: names the content: whatever would change the pixels must be part of it.
        number: N.
        read: image i of 0 … N - 1, uint8 [C, H, W], all of one shape; called from several threads.

    Returns:
        uint8 [N, C, H, W]. Where the cache folder cannot be written, the images are kept in memory.

    Raises:
        DataError: if an image has another shape than the first, or the disk of the cache is full.
    """
    path = cache_folder() / "decoded" / f"{key}.npy"
    if path.is_file():
        return _map(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not path.is_file():
                _write(path, number, read)
        return _map(path)
    except OSError as error:
        if error.errno in FULL:
            raise DataError(
                f"{path.parent} has no room for {number} decoded images: free some, or name another folder in SIAMBENCH_CACHE"
            ) from error
        if error.errno not in UNWRITABLE:
            raise
        return np.concatenate(list(_blocks(number, read)))


def _map(path: Path) -> NDArray[np.uint8]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def _write(path: Path, number: int, read: Callable[[int], NDArray[np.uint8]]) -> None:
    # One name for all builders, of whom the lock lets in one: so a killed one leaves no second copy of everything. It is written
    # in order rather than mapped, since a full disk is an error to a writer, and the end of a process that writes to a map.
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            for block in _blocks(number, read):
                if file.tell() == 0:
                    shape = (number, *block.shape[1:])
                    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
                file.write(block.tobytes())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _blocks(number: int, read: Callable[[int], NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """All images in order, some at a time, decoded by as many threads as there are cores: decoders do not hold Python's lock."""
    workers = cores()
    shape = read(0).shape

    def block(start: int) -> NDArray[np.uint8]:
        images = [read(index) for index in range(start, min(start + _BLOCK, number))]
        for place, image in enumerate(images, start):
            if image.shape != shape:
                raise DataError(f"image {place} has the shape {image.shape}, the first one {shape}: give a size to bring them to")
        return np.stack(images)

    waiting: deque[Future[NDArray[np.uint8]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for start in range(0, number, _BLOCK):
                waiting.append(pool.submit(block, start))
                # No more is decoded ahead than keeps all threads busy: it has to fit into memory.
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

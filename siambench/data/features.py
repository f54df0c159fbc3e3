"""What a network that is not trained makes of items, computed once and read from a memory-mapped array that all workers share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from siambench.data.decoded import kept_file, note_read_over, was_read_over
from siambench.data.files import open_regular
from siambench.data.locate import cache_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = "features"
"""Below the folder of the cache."""

_DIGEST_BYTES = 32
_AT_ONCE = 1 << 24

Blocks = Callable[[], Iterator["NDArray[np.float32]"]]


def kept_features(key: str, shape: tuple[int, int], blocks: Blocks) -> NDArray[np.float32]:
    """The features kept under ``key``, computed by one process, memory-mapped read-only.

    It is written under another name and renamed when it is whole; a process that is killed while it computes leaves nothing that is
    taken for it. Behind the array stands its SHA-256: what is there and is not what was written is computed anew.

    Args:
        key: names the content: whatever would change a number must be part of it.
        shape: N and F.
        blocks: computes them, one block of rows after the other, float32 [n, F] each.

    Returns:
        float32 [N, F]. Where the cache folder cannot be written, they are kept in memory.

    Raises:
        DataError: if the disk of the cache is full.
    """
    path = features_folder() / f"{key}.npy"
    return kept_file(
        path,
        find=lambda: _whole(path, shape),
        mapped=lambda: _map(path),
        fill=lambda file: _fill(file, shape, blocks),
        otherwise=lambda: np.concatenate(list(blocks())),
        told=f"the features of {shape[0]} items ({size_told(bytes_of(*shape))})",
    )


def features_folder() -> Path:
    """Where features are kept: any of it may be deleted, and is computed anew."""
    return cache_folder() / FOLDER


def bytes_of(number: int, width: int) -> int:
    """How much the features of so many items take on a disk, but for some hundred bytes."""
    return 4 * number * width


def size_told(size: int) -> str:
    """A number of bytes for people: ``1.2 GB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def _fill(file: BinaryIO, shape: tuple[int, int], blocks: Blocks) -> None:
    total, rows = hashlib.sha256(), 0
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    for block in blocks():
        content = np.ascontiguousarray(block, dtype="<f4").tobytes()
        total.update(content)
        file.write(content)
        rows += len(block)
    if rows != shape[0]:
        raise ValueError(f"{rows} rows of features for {shape[0]} items")
    file.write(total.digest())


def _whole(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The array if it is what was written; None where there is none, or another."""
    try:
        array = _map(path)
        if array.shape != shape or array.dtype != np.float32:
            return None
        if was_read_over(path):
            return array
        total, offset = hashlib.sha256(), int(getattr(array, "offset", 0))
        with open_regular(path) as file:
            left = os.fstat(file.fileno()).st_size - _DIGEST_BYTES - offset
            file.seek(offset)
            if left != array.nbytes:
                return None
            while left > 0:
                block = file.read(min(left, _AT_ONCE))
                total.update(block)
                left -= len(block)
            whole = file.read() == total.digest()
    except Exception:  # noqa: BLE001  a damaged file has a dozen ways to be none, all of which end in computing it anew
        return None
    if whole:
        note_read_over(path)
    return array if whole else None


def _map(path: Path) -> NDArray[np.float32]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

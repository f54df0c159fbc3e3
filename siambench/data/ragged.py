"""Images that keep their proportions, each of a size of its own, decoded once and read from one memory-mapped file.

The file holds the pixels of all images, one after the other and of each place in an image its channels, then the height and the width of
each, int64 [N, 2], then the SHA-256 of all that. With channels last a part of an image is cut out and resized faster. What a network sees
is cut out of these: to train at random, else in the middle.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from siambench.data.decoded import cache_path, in_blocks, kept_file, note_read_over, was_read_over
from siambench.data.files import open_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGEST_BYTES = 32
_AT_ONCE = 1 << 24

Read = Callable[[int], "NDArray[np.uint8]"]


@dataclass(frozen=True)
class Ragged:
    """Images of sizes of their own.

    Args:
        pixels: of all of them, one after the other, channels last, uint8 [P].
        starts: where those of each begin, and at the end P, int64 [N + 1].
        sizes: height and width of each, int64 [N, 2].
        channels: C.
    """

    pixels: NDArray[np.uint8]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    channels: int

    def __len__(self) -> int:
        return len(self.sizes)

    def image(self, index: int) -> NDArray[np.uint8]:
        """One of them, uint8 [C, h, w]; a view, read-only where it lies in a file."""
        height, width = self.sizes[index]
        return self.pixels[self.starts[index] : self.starts[index + 1]].reshape(height, width, self.channels).transpose(2, 0, 1)


class Centred:
    """The middle of each image of a `Ragged`, read as an array is: ``images[indices]``.

    Args:
        ragged: the images, no edge of which is below ``size``.
        size: edge of what is cut out, in pixels.
    """

    def __init__(self, ragged: Ragged, size: int) -> None:
        self.ragged = ragged
        self.shape = (len(ragged), ragged.channels, size, size)

    def __len__(self) -> int:
        return len(self.ragged)

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 [B, C, size, size] of indices int64 [B]."""
        found = np.empty((len(indices), *self.shape[1:]), dtype=np.uint8)
        for place, index in enumerate(indices):
            image = self.ragged.image(int(index))
            top, left = middle(image.shape[1:], self.shape[2])
            found[place] = image[:, top : top + self.shape[2], left : left + self.shape[3]]
        return found


def middle(edges: tuple[int, ...], size: int) -> tuple[int, int]:
    """Where the middle square of that size begins in an image of height and width, as torchvision's ``CenterCrop`` has it."""
    height, width = edges
    return round((height - size) / 2.0), round((width - size) / 2.0)


def ragged(key: str, number: int, channels: int, read: Read) -> Ragged:
    """The images kept under ``key``, built once by all cores; see `siambench.data.decoded.decoded`.

    Args:
        key: names the content: whatever would change the pixels must be part of it.
        number: N.
        channels: C.
        read: image i of 0 … N - 1, uint8 [C, h, w]; called from several threads.

    Returns:
        All of them. Where the cache folder cannot be written, they are kept in memory.

    Raises:
        DataError: if the disk of the cache is full.
    """
    path = cache_path(f"{key}.hwc")
    return kept_file(
        path,
        find=lambda: _whole(path, number, channels),
        mapped=lambda: _map(path, number, channels),
        fill=lambda file: _fill(file, number, read),
        otherwise=lambda: _in_memory(number, channels, read),
        told=f"{number} decoded images",
    )


def _whole(path: Path, number: int, channels: int) -> Ragged | None:
    """What is there, if it is what was built; None where there is nothing, or something else."""
    with contextlib.suppress(Exception):  # a damaged file has a dozen ways to be none, all of which end in building it anew
        found = _map(path, number, channels)
        if was_read_over(path):
            return found
        total = hashlib.sha256()
        with open_regular(path) as file:
            left = os.fstat(file.fileno()).st_size - _DIGEST_BYTES
            while left > 0:
                block = file.read(min(left, _AT_ONCE))
                total.update(block)
                left -= len(block)
            if file.read() == total.digest():
                note_read_over(path)
                return found
    return None


def _map(path: Path, number: int, channels: int) -> Ragged:
    with open_regular(path) as file:
        end = os.fstat(file.fileno()).st_size - _DIGEST_BYTES
        file.seek(end - 16 * number)
        sizes = np.frombuffer(file.read(16 * number), dtype="<i8").reshape(number, 2)
    starts = _starts(sizes, channels)
    if number < 1 or (sizes < 1).any() or starts[-1] != end - 16 * number:
        raise ValueError(f"{path} does not hold {number} images of {channels} channels")
    # As a plain array: one that knows of its file copies slowly.
    pixels = np.asarray(np.memmap(path, dtype=np.uint8, mode="r", shape=(int(starts[-1]),)))
    return Ragged(pixels, starts, sizes.astype(np.int64), channels)


def _starts(sizes: NDArray[np.int64], channels: int) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(channels * sizes[:, 0] * sizes[:, 1])]).astype(np.int64)


def _fill(file: BinaryIO, number: int, read: Read) -> None:
    total, sizes = hashlib.sha256(), []
    for images in in_blocks(number, lambda start, stop: [read(index) for index in range(start, stop)]):
        for image in images:
            sizes.append(image.shape[1:])
            content = image.transpose(1, 2, 0).tobytes()
            total.update(content)
            file.write(content)
    table = np.array(sizes, dtype="<i8").tobytes()
    total.update(table)
    file.write(table)
    file.write(total.digest())


def _in_memory(number: int, channels: int, read: Read) -> Ragged:
    images = [image for block in in_blocks(number, lambda start, stop: [read(index) for index in range(start, stop)]) for image in block]
    sizes = np.array([image.shape[1:] for image in images], dtype=np.int64).reshape(number, 2)
    return Ragged(np.concatenate([image.transpose(1, 2, 0).ravel() for image in images]), _starts(sizes, channels), sizes, channels)

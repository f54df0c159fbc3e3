"""The SHA-256 of each image of a data set, kept beside its decoded images: a split is named by them, in every process."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import numpy as np

from siambench.data.decoded import cache_path, in_blocks, kept_file
from siambench.data.files import read_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTES = 32


class KeptDigests(Sequence[bytes]):
    """SHA-256 of the content of each image, found when it is first asked for: computed by all cores once, and read from a file since.

    Args:
        key: names the content, as that of the decoded images does.
        number: N.
        read: images by their indices, int64 [B] → uint8 [B, C, H, W]; called from several threads.
    """

    def __init__(self, key: str, number: int, read: Callable[[NDArray[np.int64]], NDArray[Any]]) -> None:
        self._key, self._number, self._read = key, number, read
        self._found: bytes | None = None

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        """32 bytes of one image, or a list of those of several."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._number))]
        place = range(self._number)[index]
        return self._all[_BYTES * place : _BYTES * (place + 1)]

    def __iter__(self) -> Iterator[bytes]:
        """Those of all images, in order."""
        content = self._all
        return (content[start : start + _BYTES] for start in range(0, len(content), _BYTES))

    @property
    def _all(self) -> bytes:
        if self._found is None:
            path = cache_path(f"{self._key}.digests")

            def written(file: BinaryIO) -> None:
                content = self._computed()
                file.write(content + hashlib.sha256(content).digest())

            self._found = kept_file(
                path,
                find=lambda: _whole(path, self._number),
                mapped=lambda: _whole(path, self._number) or self._computed(),
                fill=written,
                otherwise=self._computed,
                told=f"the digests of {self._number} images",
            )
        return self._found

    def _computed(self) -> bytes:
        def block(start: int, stop: int) -> bytes:
            images = self._read(np.arange(start, stop, dtype=np.int64))
            return b"".join(hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images)

        return b"".join(in_blocks(self._number, block))


def _whole(path: Path, number: int) -> bytes | None:
    with contextlib.suppress(Exception):  # a damaged file has a dozen ways to be none, all of which end in finding them anew
        found = read_regular(path, most=_BYTES * (number + 1))
        content = found[:-_BYTES]
        if len(content) == _BYTES * number and hashlib.sha256(content).digest() == found[-_BYTES:]:
            return content
    return None

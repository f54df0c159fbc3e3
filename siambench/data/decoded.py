"""Images decoded and resized once, then read from a memory-mapped array that all workers share."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import filelock
import numpy as np

from siambench.data.files import share
from siambench.data.locate import cache_folder
from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)

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


def decoded(key: str, build: Callable[[], Iterable[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """The array kept under ``key``, built once, memory-mapped read-only.

    Args:
        key: names the content: whatever would change the pixels must be part of it.
        build: gives the images, uint8 [C, H, W] each, all of one shape.

    Where the cache folder cannot be written, the images are kept in memory.
    """
    path = cache_folder() / "decoded" / f"{key}.npy"
    if path.is_file():
        return _map(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not path.is_file():
                _write(path, np.stack(list(build())))
        return _map(path)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        return np.stack(list(build()))


def _map(path: Path) -> NDArray[np.uint8]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def _write(path: Path, images: NDArray[np.uint8]) -> None:
    # A killed builder must leave either nothing or the whole file.
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, images, allow_pickle=False)
        share(Path(temporary))
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)

"""The images of one data set, looked over as a whole before any is read: its depth, whether it is grey, what only counts together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from siambench.data.decoded import decoded, remembered
from siambench.data.images import DEEPEST, Look, Mode, decode, look, white_of
from siambench.data.kept_digests import KeptDigests
from siambench.data.names import as_text
from siambench.data.ragged import Centred, ragged
from siambench.errors import DataError
from siambench.machine import cores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODES = ("auto", "grey", "rgb")
LARGEST_SIZE = 4096
_DIMMEST = 1 / 16
"""Real numbers that nowhere reach this would keep fewer than sixteen levels."""
_HALF = 128


class Depth(str):
    """The note that images are deeper than 8 bits: what it says, and the value that is shown white.

    Args:
        text: for people.
        white: see `siambench.data.images.white_of`.
    """

    __slots__ = ("white",)
    white: int

    def __new__(cls, text: str, white: int) -> Self:
        """The text with the number."""
        found = super().__new__(cls, text)
        found.white = white
        return found


@dataclass(frozen=True)
class Collection:
    """The images of a data set.

    Args:
        images: uint8 [N, C, size, size], mapped from the cache; where proportions are kept, the middle of each, read as an array is.
        mode: that they were read in.
        notes: what there is to say of them, for people.
        digests: SHA-256 of each image, found when it is first asked for and kept beside the images.
    """

    images: NDArray[np.uint8] | Centred
    mode: Mode
    notes: tuple[str, ...]
    digests: Sequence[bytes]

    @property
    def whole(self) -> Callable[[int], NDArray[np.uint8]] | None:
        """One image before it is cut, uint8 [C, h, w], by its index; None where nothing is cut off."""
        return self.images.ragged.image if isinstance(self.images, Centred) else None


def check_image_options(size: int, mode: str, *, called: str, resize: int = 0) -> None:
    """Raise `DataError` for a size, a mode or a resize that cannot be."""
    if mode not in MODES:
        raise DataError(f"{called}: mode must be auto, grey or rgb, got {mode!r}")
    if not 1 <= size <= LARGEST_SIZE:
        raise DataError(f"{called}: size must be a number of pixels from 1 to {LARGEST_SIZE}, got {size}")
    if resize != 0 and not size <= resize <= LARGEST_SIZE:
        squeezed = "or 0, which squeezes an image to a square"
        raise DataError(f"{called}: resize must be a number of pixels from size, {size}, to {LARGEST_SIZE}, {squeezed}; got {resize}")


def read_images(files: Sequence[Path], *, size: int, mode: str, root: Path, resize: int = 0) -> Collection:
    """Read the images of a data set, or map those that were read before.

    Args:
        files: N of them, in order.
        size: edge in pixels that all are brought to.
        mode: ``"grey"``, ``"rgb"``, or ``"auto"``: grey where every pixel of every image is.
        root: the folder that errors and the cache leave out of their names.
        resize: what the shorter edge of each is brought to, its proportions kept, before the middle is cut out; 0: all are squeezed to a
            square. The cache holds what was resized, and not what is cut out.

    Raises:
        DataError: if one cannot be read, or they cannot be kept faithfully, naming the file.
    """
    key = _key(files, root)
    found = remembered(f"images-{key}-{mode}", lambda: _survey(files, colours=mode == "auto"))
    chosen: Mode = ("grey" if found["grey"] else "rgb") if mode == "auto" else cast("Mode", mode)
    white = int(found["white"])
    if resize:
        name, channels = f"images-{key}-short{resize}-{chosen}-{white}", 1 if chosen == "grey" else 3
        whole = ragged(name, len(files), channels, lambda index: decode(files[index], size=resize, mode=chosen, white=white, keep=True))
        # What counts as an image's content is what is read of it: the middle.
        return _collection(Centred(whole, size), f"{name}-{size}", chosen, _notes(found, files, root))
    name = f"images-{key}-{size}-{chosen}-{white}"
    images = decoded(name, len(files), lambda index: decode(files[index], size=size, mode=chosen, white=white))
    return _collection(images, name, chosen, _notes(found, files, root))


def _collection(images: NDArray[np.uint8] | Centred, key: str, mode: Mode, notes: tuple[str, ...]) -> Collection:
    return Collection(images, mode, notes, KeptDigests(key, len(images), lambda indices: images[indices]))


def _key(files: Sequence[Path], root: Path) -> str:
    import PIL

    # Pillow's decoders differ from version to version. The time of a file's last change is beyond what copies and archives set.
    total = hashlib.sha256(f"{PIL.__version__} v2\n".encode())
    for file in files:
        status = file.stat()
        name = as_text(file.relative_to(root) if file.is_relative_to(root) else file)
        total.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n".encode())
    return total.hexdigest()[:32]


def _survey(files: Sequence[Path], *, colours: bool) -> Mapping[str, Any]:
    """What all files hold together, as a document for the cache."""
    coloured: list[int] = []

    def one(index: int) -> Look:
        # One coloured image settles it.
        found = look(files[index], colours=colours and not coloured)
        if found.grey is False:
            coloured.append(index)
        return found

    with ThreadPoolExecutor(cores()) as pool:
        looks = list(pool.map(one, range(len(files))))
    _check_kept(looks, files)
    deep = [found.largest for found in looks if found.largest and found.mode != "F"]
    paged = [index for index, found in enumerate(looks) if found.frames > 1]
    return {
        "grey": colours and all(found.grey for found in looks),
        "white": white_of(max(deep)) if deep else DEEPEST,
        "deep": len(deep),
        "paged": len(paged),
        "first_paged": paged[0] if paged else None,
    }


def _check_kept(looks: Sequence[Look], files: Sequence[Path]) -> None:
    """Refuse what 8 bits would not keep; one image may be dark, a whole data set is not."""
    real = [(found.largest, index) for index, found in enumerate(looks) if found.mode == "F"]
    if real and max(real)[0] < _DIMMEST:
        file, largest = as_text(files[max(real)[1]]), max(real)[0]
        raise DataError(
            f"{file} is of mode F, and no image of the data set has a value above {largest:g}: 8 bits would lose it, scale all to 0 … 1"
        )
    upper = [(found.upper, index) for index, found in enumerate(looks) if found.upper is not None]
    if upper and max(upper)[0] < _HALF:
        index = max(upper)[1]
        raise DataError(
            f"{as_text(files[index])} is {looks[index].mode} of 16 bits a channel, of which the upper 8 are read, and no image of the data "
            f"set uses the upper half: save them with 8 bits"
        )


def _notes(found: Mapping[str, Any], files: Sequence[Path], root: Path) -> tuple[str, ...]:
    notes: list[str] = []
    if found["deep"]:
        notes.append(Depth(f"{found['deep']} images deeper than 8 bits, white is {found['white']}", int(found["white"])))
    if found["paged"]:
        file = files[int(found["first_paged"])]
        name = as_text(file.relative_to(root) if file.is_relative_to(root) else file)
        notes.append(f"of {found['paged']} files with several pages or frames the first is read ({name})")
    return tuple(notes)

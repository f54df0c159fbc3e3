"""The loaders of the MNIST family: images and labels in IDX files, an archive of them for EMNIST."""

from __future__ import annotations

import dataclasses
import gzip
import math
import string
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siambench.data.locate import Remote, locate
from siambench.data.names import as_text, reason
from siambench.errors import DataError, suggestion
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 31
_BYTES_TYPE = 8
_FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def _four(root: str, folder: str, checksums: Sequence[str]) -> tuple[Remote, ...]:
    return tuple(Remote(name, f"{root}/{name}", "", folder, md5=md5) for name, md5 in zip(_FILES, checksums, strict=True))


MNIST = _four(
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "mnist",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
)
KMNIST = _four(
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist",
    "kmnist",
    (
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
)
EMNIST = Remote(
    "gzip.zip", "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", "", "emnist", md5="58c8d27c78d21e728a6bc7b3cc06412e", by_hand=True
)

_MERGED = set("cijklmopsuvwxyz")
_LETTERS = sorted(string.digits + string.ascii_letters)
SPLITS = {
    "byclass": _LETTERS,
    "bymerge": [letter for letter in _LETTERS if letter not in _MERGED],
    "balanced": [letter for letter in _LETTERS if letter not in _MERGED],
    "letters": list(string.ascii_lowercase),
    "digits": list(string.digits),
    "mnist": list(string.digits),
}
"""Of EMNIST, and the classes of each in the order of their labels; those of ``letters`` are numbered from 1."""

KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def read_idx(content: bytes, dimensions: int, called: str) -> NDArray[np.uint8]:
    """The array of an IDX file of bytes: two zeros, the type 8, the number of dimensions, each in 32 bits with the high byte first.

    Raises:
        DataError: if it holds anything else, or more or less than it says.
    """
    if len(content) < 4 + 4 * dimensions or content[:4] != bytes([0, 0, _BYTES_TYPE, dimensions]):
        raise DataError(f"{called} is no IDX file of bytes in {dimensions} dimensions: it begins with {content[:4].hex(' ') or 'nothing'}")
    shape = struct.unpack_from(f">{dimensions}i", content, 4)
    size = len(content) - 4 - 4 * dimensions
    if min(shape) < 1 or math.prod(shape) != size:
        raise DataError(f"{called} says that it holds {' × '.join(map(str, shape))} bytes, and holds {size}")
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def gunzipped(path: Path) -> bytes:
    """The content of a gzip file.

    Raises:
        DataError: if it is damaged, or larger than any that there are.
    """
    try:
        with gzip.open(path) as file:
            return _some(file.read(_MOST_BYTES + 1), as_text(path))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{as_text(path)} cannot be read as gzip: {reason(error)}") from error


def _some(content: bytes, called: str) -> bytes:
    if len(content) > _MOST_BYTES:
        raise DataError(f"{called} holds more than {_MOST_BYTES:,} bytes")
    return content


def written(files: Sequence[tuple[bytes, str]], *, names: Sequence[str], first: int = 0, colour: str) -> Dataset:
    """Small grey images, uint8 [N, 1, H, W], in the order of the files: images and labels to train, then to test.

    Its parts share their classes, which the split rule closed-set alone allows: under any other they are not taken.

    Args:
        files: four contents, and what each is called.
        names: of the classes.
        first: label of the first of them.
        colour: what the values mean.

    Raises:
        DataError: if a file does not hold, or its labels are not those of the classes.
    """
    images, labels = [], []
    for place in (0, 2):
        pixels = read_idx(*files[place][:1], 3, files[place][1])
        found = read_idx(*files[place + 1][:1], 1, files[place + 1][1])
        if len(found) != len(pixels):
            raise DataError(f"{files[place + 1][1]} holds {len(found)} labels, {files[place][1]} {len(pixels)} images")
        if found.min() < first or found.max() >= first + len(names):
            raise DataError(
                f"{files[place + 1][1]} holds labels in {found.min()} … {found.max()}, expected {first} … {first + len(names) - 1}"
            )
        images.append(pixels)
        labels.append(found)
    if images[0].shape[1:] != images[1].shape[1:]:
        raise DataError(f"{files[0][1]} holds images of {images[0].shape[1:]}, {files[2][1]} of {images[1].shape[1:]}")
    together = np.concatenate(images)[:, None]
    trained = len(labels[0])
    return Dataset(
        labels=np.concatenate(labels).astype(np.int64) - first,
        read=lambda indices: together[indices],
        shape=(1, *together.shape[2:]),
        class_names=list(names),
        parts={"trainval": np.arange(trained), "test": np.arange(trained, len(together))},
        colour=colour,
    )


def four_files(remotes: Sequence[Remote]) -> list[tuple[bytes, str]]:
    """The contents of gzip files, located, and what each is called."""
    places = [locate(remote) for remote in remotes]
    return [(gunzipped(place), as_text(place)) for place in places]


def mnist() -> Dataset:
    """MNIST, uint8 [70000, 1, 28, 28]."""
    return written(four_files(MNIST), names=string.digits, colour="bright ink on black")


def kmnist() -> Dataset:
    """Kuzushiji-MNIST, uint8 [70000, 1, 28, 28]."""
    return written(four_files(KMNIST), names=KANA, colour="bright ink on black")


def emnist(*, split: str) -> Dataset:
    """EMNIST, uint8 [N, 1, 28, 28], upright: its files hold the images on their side.

    Raises:
        DataMissingError: if the archive is nowhere.
        DataError: if it does not hold, or there is no such split.
    """
    if split not in SPLITS:
        raise DataError(f"emnist: split must be one of {', '.join(SPLITS)}, got {split!r}{suggestion(split, SPLITS)}")
    path = locate(EMNIST)
    called = as_text(path)
    files = []
    try:
        with zipfile.ZipFile(path) as archive:
            held = {Path(name).name: name for name in archive.namelist()}
            for part in ("train", "test"):
                for kind in ("images-idx3", "labels-idx1"):
                    name = f"emnist-{split}-{part}-{kind}-ubyte.gz"
                    if name not in held:
                        raise DataError(f"{called} holds no {name}")
                    with archive.open(held[name]) as packed, gzip.open(packed) as file:
                        files.append((_some(file.read(_MOST_BYTES + 1), name), f"{name} of {called}"))
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{called} cannot be read as a zip of gzip files: {reason(error)}") from error
    found = written(files, names=SPLITS[split], first=1 if split == "letters" else 0, colour="bright ink on black")
    lying = found.read(np.arange(len(found.labels)))
    upright = np.ascontiguousarray(lying.transpose(0, 1, 3, 2))
    return dataclasses.replace(found, read=lambda indices: upright[indices], shape=upright.shape[1:])

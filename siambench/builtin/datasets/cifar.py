"""The loaders of CIFAR-10 and CIFAR-100: batches of pixels in pickles, of which nothing is executed."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siambench.builtin.datasets.parts import one_per_class
from siambench.data.files import read_regular
from siambench.data.locate import Remote, locate
from siambench.data.names import as_text, reason
from siambench.data.published import Published
from siambench.data.unpickle import parse_pickle
from siambench.errors import DataError, DataMissingError
from siambench.interfaces import Dataset

_PAGE = "https://www.cs.toronto.edu/~kriz"
_MOST_BYTES = 1 << 28
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Batches:
    """How one of the two is packed.

    Args:
        name: of the data set.
        archive: that holds it.
        folder: in the archive.
        train: names of the files to train, with their MD5.
        test: of the file to test.
        meta: of the file with the names of the classes.
        keys: of the labels, of the names, and where there are superclasses of their labels and names.
    """

    name: str
    archive: Remote
    folder: str
    train: Mapping[str, str]
    test: Mapping[str, str]
    meta: Mapping[str, str]
    keys: tuple[str, ...]

    @property
    def published(self) -> Published:
        """The folder that it unpacks to."""
        return Published(self.name, self.archive.url, tuple({**self.train, **self.test, **self.meta}), self.folder)


CIFAR_10 = Batches(
    "cifar-10",
    Remote("cifar-10-python.tar.gz", f"{_PAGE}/cifar-10-python.tar.gz", "", "cifar-10", md5="c58f30108f718f92721af3b95e74349a"),
    "cifar-10-batches-py",
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    {"test_batch": "40351d587109b95175f43aff81a1287e"},
    {"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"},
    ("labels", "label_names"),
)
CIFAR_100 = Batches(
    "cifar-100",
    Remote("cifar-100-python.tar.gz", f"{_PAGE}/cifar-100-python.tar.gz", "", "cifar-100", md5="eb9058c3a382ffc7106e4002c42a8d85"),
    "cifar-100-python",
    {"train": "16019d7e3df5f24257cddd939b257f8d"},
    {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    {"meta": "7973b15100ade9c7d40fb424638fde48"},
    ("fine_labels", "fine_label_names", "coarse_labels", "coarse_label_names"),
)


def cifar(packed: Batches) -> Dataset:
    """Small colour images, uint8 [60000, 3, 32, 32], those to train first; where there are superclasses, classes carry them.

    Its parts share their classes, which the split rule closed-set alone allows: under any other they are not taken.

    Raises:
        DataMissingError: if neither its archive nor its folder is there, or a checksum is another.
        DataError: if a batch does not hold.
    """
    files = _contents(packed)
    meta = _Batch(*files[-1])
    batches = [_Batch(*file) for file in files[:-1]]
    trained = len(packed.train)
    names = meta.names(packed.keys[1])
    labels = [batch.labels(packed.keys[0], len(names)) for batch in batches]
    pixels = [batch.pixels(len(found)) for batch, found in zip(batches, labels, strict=True)]
    images, of_item = np.concatenate(pixels), np.concatenate(labels)
    attributes: dict[str, list[str]] = {}
    if len(packed.keys) > 2:
        groups = meta.names(packed.keys[3])
        coarse = np.concatenate([batch.labels(packed.keys[2], len(groups)) for batch in batches])
        if len(coarse) != len(of_item):
            raise DataError(f"{packed.name} holds {len(coarse)} labels of superclasses for {len(of_item)} images")
        class_of = [names[label] for label in of_item]
        there = sorted(set(class_of))
        found = one_per_class([groups[label] for label in coarse], class_of, there, f"superclasses of {packed.name}")
        by_class = dict(zip(there, found, strict=True))
        attributes = {"superclass": [by_class.get(name, "") for name in names]}
    first = sum(len(found) for found in labels[:trained])
    return Dataset(
        labels=of_item,
        read=lambda indices: images[indices],
        shape=(3, 32, 32),
        class_names=names,
        class_attributes=attributes,
        parts={"trainval": np.arange(first), "test": np.arange(first, len(of_item))},
        colour="as in the files",
    )


def remotes(packed: Batches) -> tuple[Remote, ...]:
    """What it is found by: its files where they are unpacked, else its archive."""
    home = packed.published.home
    if home is None:
        return (packed.archive,)
    return tuple(
        Remote(name, packed.archive.url, "", packed.name, also=(home,), md5=md5, by_hand=True)
        for name, md5 in {**packed.train, **packed.test, **packed.meta}.items()
    )


def _contents(packed: Batches) -> list[tuple[bytes, str]]:
    """The content of each file and what it is called, in order: to train, to test, the names."""
    wanted = {**packed.train, **packed.test, **packed.meta}
    home = packed.published.home
    if home is not None:
        found = []
        for name, md5 in wanted.items():
            content, called = read_regular(home / name, most=_MOST_BYTES), as_text(home / name)
            here = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if here != md5:
                raise DataMissingError(f"{called} has MD5 {here[:16]}…, expected {md5[:16]}…: unpack {packed.archive.name} anew")
            found.append((content, called))
        return found
    return _of_archive(locate(packed.archive), packed.folder, list(wanted))


def _of_archive(path: Path, folder: str, names: list[str]) -> list[tuple[bytes, str]]:
    called = as_text(path)
    try:
        with tarfile.open(path) as archive:
            found = []
            for name in names:
                member = archive.extractfile(f"{folder}/{name}")
                if member is None:
                    raise DataError(f"{folder}/{name} of {called} is no file")
                found.append((member.read(_MOST_BYTES), f"{folder}/{name} of {called}"))
            return found
    except KeyError as error:
        raise DataError(f"{called}: {str(error).strip(chr(34))}") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{called} cannot be read as a tar file: {reason(error)}") from error


class _Batch:
    """One pickle: a mapping with keys of bytes, or of text where Python 3 has written it."""

    def __init__(self, content: bytes, called: str) -> None:
        self._called = called
        held = parse_pickle(content, called)
        if not isinstance(held, dict):
            raise DataError(f"{called} must hold a dictionary, got {type(held).__name__}")
        self._held = {key.decode("ascii", "replace") if isinstance(key, bytes) else str(key): value for key, value in held.items()}

    def _value(self, key: str) -> Any:
        if key not in self._held:
            raise DataError(f"{self._called} has no {key}, it has {', '.join(sorted(self._held))[:200] or 'nothing'}")
        return self._held[key]

    def names(self, key: str) -> list[str]:
        given = self._value(key)
        if not isinstance(given, list) or not given or not all(isinstance(name, bytes | str) for name in given):
            raise DataError(f"{key} of {self._called} must be a list of names")
        return [name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name for name in given]

    def labels(self, key: str, classes: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        given = self._value(key)
        values = given.tolist() if isinstance(given, np.ndarray) else given
        if not isinstance(values, list) or not all(isinstance(value, int) and 0 <= value < classes for value in values):
            raise DataError(f"{key} of {self._called} must be a list of labels in 0 … {classes - 1}")
        return np.array(values, dtype=np.int64)

    def pixels(self, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        given = self._value("data")
        if not isinstance(given, np.ndarray) or given.dtype != np.uint8 or given.shape != (number, _PIXELS):
            got = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
            raise DataError(f"data of {self._called} must be uint8 ({number}, {_PIXELS}), got {got}")
        return given.reshape(number, 3, 32, 32)

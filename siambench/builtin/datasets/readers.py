"""The loaders behind the data sets' names."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from siambench.data.decoded import decode, decoded
from siambench.data.locate import Remote, locate
from siambench.errors import DataError, DataMissingError
from siambench.interfaces import Dataset, Episodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OMNIGLOT = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
SMALL1 = Remote(
    "images_background_small1.zip",
    f"{_OMNIGLOT}/images_background_small1.zip",
    "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    "omniglot",
)
SMALL2 = Remote(
    "images_background_small2.zip",
    f"{_OMNIGLOT}/images_background_small2.zip",
    "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
    "omniglot",
)
ALL_RUNS = Remote(
    "all_runs.zip",
    f"{_OMNIGLOT}/one-shot-classification/all_runs.zip",
    "437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
    "omniglot",
)

_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_FASHION_FILES = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FASHION = {name: Remote(name, f"{_FASHION}/{name}", checksum, "fashion-mnist", unpacked=True) for name, checksum in _FASHION_FILES.items()}
_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")

FILES: Mapping[str, Sequence[tuple[Remote, Sequence[Path]]]] = {
    "glyphs": (),
    "digits": (),
    "omniglot-minimal": tuple((remote, ()) for remote in (SMALL1, SMALL2, ALL_RUNS)),
    "fashion-mnist": tuple((remote, (_DEBIAN_FASHION,)) for remote in FASHION.values()),
}
"""Data set → the published files it needs, and the folders in which a system may keep each; nothing where all is installed."""

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def _ink(file: zipfile.ZipFile, member: str, size: int) -> NDArray[np.uint8]:
    # Omniglot is black ink on white; ink is made bright so that the zeros that augmentation pads with are paper.
    return 255 - decode(io.BytesIO(file.read(member)), size=size, mode="grey", name=member)


def _drawings(archive: Path) -> list[tuple[str, str, str]]:
    """(alphabet, character, member) of every drawing, sorted."""
    with zipfile.ZipFile(archive) as file:
        members = [name for name in file.namelist() if name.endswith(".png")]
    return sorted((name.split("/")[-3], name.split("/")[-2], name) for name in members)


def omniglot_minimal(*, size: int) -> Dataset:
    """White ink on black, uint8 [N, 1, size, size].

    ``trainval`` is small1; ``test`` is those alphabets of small2 that small1 lacks. The official within-alphabet runs
    are the episodes ``one-shot``.

    Raises:
        DataMissingError: if one of the three official files cannot be had.
    """
    small1, small2, runs = locate(SMALL1), locate(SMALL2), locate(ALL_RUNS)
    trainval = _drawings(small1)
    known = {alphabet for alphabet, _, _ in trainval}
    test = [drawing for drawing in _drawings(small2) if drawing[0] not in known]
    classes = sorted({(a, c) for a, c, _ in trainval}) + sorted({(a, c) for a, c, _ in test})
    number = {name: index for index, name in enumerate(classes)}

    with zipfile.ZipFile(small1) as first, zipfile.ZipFile(small2) as second:
        members = [(first, name) for _, _, name in trainval] + [(second, name) for _, _, name in test]
        key = f"omniglot-minimal-{size}-{SMALL1.sha256_prefix[:8]}{SMALL2.sha256_prefix[:8]}-v1"
        images = decoded(key, len(members), lambda index: _ink(*members[index], size))
    return Dataset(
        labels=np.array([number[a, c] for a, c, _ in trainval + test], dtype=np.int64),
        read=lambda indices: np.asarray(images[indices]),
        shape=(1, size, size),
        class_names=[f"{alphabet}/{character}" for alphabet, character in classes],
        class_attributes={"alphabet": [alphabet for alphabet, _ in classes]},
        parts={"trainval": np.arange(len(trainval)), "test": np.arange(len(trainval), len(trainval) + len(test))},
        episodes={"one-shot": lambda: one_shot_runs(runs, size=size)},
        colour="white ink on black",
    )


def one_shot_runs(archive: Path, *, size: int) -> Episodes:
    """The official runs: 20 of them, 20 characters of one alphabet each, one image to learn from and one to classify."""
    support, query, answer = [], [], []
    with zipfile.ZipFile(archive) as file:
        tables = sorted(name for name in file.namelist() if name.endswith("class_labels.txt"))
        for table in tables:
            root = table.removesuffix("class_labels.txt")
            rows = [line.split() for line in file.read(table).decode().splitlines() if line.strip()]
            ways = sorted(learn for _, learn in rows)
            # The file's paths begin at the archive's root, which an outer folder may precede.
            outer = root.removesuffix(rows[0][0].split("/")[0] + "/")
            support.append(np.stack([_ink(file, outer + name, size) for name in ways]))
            query.append(np.stack([_ink(file, outer + name, size) for name, _ in rows]))
            answer.append([ways.index(learn) for _, learn in rows])
    return Episodes(support=np.stack(support), query=np.stack(query), answer=np.array(answer, dtype=np.int64))


def digits() -> Dataset:
    """scikit-learn's digits, uint8 [1797, 1, 8, 8]."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    return Dataset(
        labels=bunch.target.astype(np.int64),
        read=lambda indices: images[indices],
        shape=(1, 8, 8),
        class_names=[str(digit) for digit in range(10)],
        colour="bright ink on black",
    )


def _idx(path: Path) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def fashion_mnist() -> Dataset:
    """Fashion-MNIST, uint8 [70000, 1, 28, 28]; its own parts are closed-set, so it has none here.

    Raises:
        DataMissingError: if one of the four files cannot be had.
    """
    paths = [locate(remote, also=[_DEBIAN_FASHION]) for remote in FASHION.values()]
    train_images, train_labels, test_images, test_labels = map(_idx, paths)
    images = np.concatenate([train_images, test_images])[:, None]
    names = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
    return Dataset(
        labels=np.concatenate([train_labels, test_labels]).astype(np.int64),
        read=lambda indices: images[indices],
        shape=(1, 28, 28),
        class_names=names,
        colour="bright garment on black",
    )


def folder(path: str, *, size: int, mode: str) -> Dataset:
    """One folder per class, uint8 [N, 1 or 3, size, size]; hidden files and files that are no images are passed over.

    Raises:
        DataMissingError: if there is no such folder.
        DataError: if there are fewer than two classes, or a file cannot be read.
    """
    if mode not in ("grey", "rgb"):
        raise DataError(f"folder: mode must be grey or rgb, got {mode!r}")
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataMissingError(f"no such folder: {path}")
    files = [
        (sub.name, file)
        for sub in sorted(root.iterdir())
        if sub.is_dir() and not sub.name.startswith(".")
        for file in sorted(sub.rglob("*"))
        if file.suffix.lower() in IMAGE_SUFFIXES and not any(p.startswith(".") for p in file.relative_to(sub).parts) and file.is_file()
    ]
    classes = sorted({name for name, _ in files})
    if len(classes) < 2:
        raise DataError(f"{path} holds {len(classes)} folders with images; an exam needs at least two classes, one folder each")
    listing = hashlib.sha256(f"{size} {mode} v1\n".encode())
    for name, file in files:
        status = file.stat()
        listing.update(f"{name}\0{file.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    picture = cast("Literal['grey', 'rgb']", mode)
    images = decoded(f"folder-{listing.hexdigest()[:32]}", len(files), lambda index: decode(files[index][1], size=size, mode=picture))
    number = {name: index for index, name in enumerate(classes)}
    return Dataset(
        labels=np.array([number[name] for name, _ in files], dtype=np.int64),
        read=lambda indices: np.asarray(images[indices]),
        shape=cast("tuple[int, int, int]", images.shape[1:]),
        class_names=classes,
        item_names=[file.relative_to(root).as_posix() for _, file in files],
        colour="as in the files",
    )

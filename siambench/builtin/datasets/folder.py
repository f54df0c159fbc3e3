"""The loader of a folder of images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, cast

import numpy as np

from siambench.data.decoded import decode, decoded
from siambench.errors import DataError, DataMissingError
from siambench.interfaces import Dataset

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


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

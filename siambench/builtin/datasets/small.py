"""The loaders of small published sets: scikit-learn's digits, and Fashion-MNIST."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siambench.data.locate import Remote, locate
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_FASHION_FILES = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION = tuple(
    Remote(name, f"{_FASHION}/{name}", checksum, "fashion-mnist", unpacked=True, also=(_DEBIAN_FASHION,))
    for name, checksum in _FASHION_FILES.items()
)
"""The files of `fashion_mnist`, images and labels to train, then to test."""


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
    train_images, train_labels, test_images, test_labels = (_idx(locate(remote)) for remote in FASHION)
    images = np.concatenate([train_images, test_images])[:, None]
    names = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
    return Dataset(
        labels=np.concatenate([train_labels, test_labels]).astype(np.int64),
        read=lambda indices: images[indices],
        shape=(1, 28, 28),
        class_names=names,
        colour="bright garment on black",
    )

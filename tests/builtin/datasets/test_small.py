import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from siambench.builtin.datasets import small
from siambench.data.locate import Remote

PUBLISHED = small.FASHION


# ---- Fashion-MNIST in the layout of its files, small


def idx(array):
    """An IDX file of bytes, packed: two zeros, type 8, number of dimensions, dimensions as big-endian 32 bits, content."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def small_fashion(tmp_path, monkeypatch):
    """The four files, small; images and labels as they were written."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (23, 28, 28), dtype=np.uint8)
    labels = np.array([*range(10), *range(10), 3, 4, 5], dtype=np.uint8)
    remotes = []
    (tmp_path / "fashion-mnist").mkdir()
    for remote, content in zip(small.FASHION, map(idx, (images[:15], labels[:15], images[15:], labels[15:])), strict=True):
        (tmp_path / "fashion-mnist" / remote.name).write_bytes(content)
        checksum = hashlib.sha256(gzip.decompress(content)).hexdigest()
        also = (tmp_path / "not installed",)
        remotes.append(Remote(remote.name, "http://127.0.0.1:9/", checksum, "fashion-mnist", unpacked=True, also=also))
    monkeypatch.setattr(small, "FASHION", tuple(remotes))
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    return images, labels


def test_fashion_mnist_joins_its_two_parts(build, every, check_contract, small_fashion):
    """Images of the train files come first, then those of the test files, with the ten published names."""
    images, labels = small_fashion
    dataset = build("fashion-mnist")

    check_contract(dataset)
    assert np.array_equal(images[:, None], every(dataset))
    assert np.array_equal(labels, dataset.labels)
    assert dataset.class_names[9] == "ankle boot"
    assert dataset.parts == {}


def test_fashion_mnist_is_found_where_debian_puts_it(build, small_fashion, tmp_path, monkeypatch):
    """The files of a distribution's package are taken where SIAMBENCH_DATA does not have them."""
    monkeypatch.delenv("SIAMBENCH_DATA")
    assert {remote.also for remote in PUBLISHED} == {(Path("/usr/share/datasets/fashion-mnist"),)}
    installed = tuple(dataclasses.replace(remote, also=(tmp_path / "fashion-mnist",)) for remote in small.FASHION)
    monkeypatch.setattr(small, "FASHION", installed)

    assert len(build("fashion-mnist").labels) == 23


# ---- digits


def test_digits_are_scikit_learns(build, every, check_contract):
    """All 1,797 digits, their 17 grey levels spread over 0 … 255."""
    dataset, bunch = build("digits"), load_digits()

    check_contract(dataset)
    assert np.array_equal(bunch.target, dataset.labels)
    assert np.array_equal(np.round(bunch.images * 255 / 16), every(dataset)[:, 0])
    assert every(dataset).max() == 255

"""The MNIST family in the layout of its files, small."""

import dataclasses
import gzip

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.builtin.datasets import idx
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

FAMILY = [("mnist", "MNIST"), ("kmnist", "KMNIST")]


@pytest.fixture
def four(tmp_path, monkeypatch):
    """Write the four files of one of the family, with their checksums."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))

    def make(name, constant):
        remotes = getattr(idx, constant)
        images, labels, digests = layouts.digits_in(tmp_path / name, [remote.name for remote in remotes])
        monkeypatch.setattr(
            idx,
            constant,
            tuple(dataclasses.replace(r, md5=md5, url="http://127.0.0.1:9/") for r, md5 in zip(remotes, digests, strict=True)),
        )
        return images, labels

    return make


@pytest.mark.parametrize(("name", "constant"), FAMILY)
def test_images_to_train_come_before_those_to_test(build, every, check_contract, four, name, constant):
    """Images and labels are those of the files, in their order; the parts are those of the files."""
    images, labels = four(name, constant)
    dataset = build(name)

    check_contract(dataset)
    assert np.array_equal(images[:, None], every(dataset))
    assert np.array_equal(labels, dataset.labels)
    assert dataset.parts["test"].tolist() == [8, 9, 10, 11]
    assert len(dataset.class_names) == 10


def test_parts_of_the_same_classes_are_for_closed_set(build, tmp_path, four):
    """The official parts share their classes: closed-set takes them, official refuses them."""
    four("mnist", "MNIST")
    dataset = build("mnist")

    with pytest.raises(DataError, match="classes are in trainval and in test"):
        cut(dataset, SplitRules(rule="official").spec)


def test_a_file_with_another_checksum_is_refused(build, four, tmp_path):
    """The published MD5 is demanded."""
    four("mnist", "MNIST")
    (tmp_path / "mnist/t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(layouts.idx(np.arange(4, dtype=np.uint8)), mtime=3))

    with pytest.raises(DataMissingError, match=r"t10k-labels-idx1-ubyte\.gz has MD5 [0-9a-f]{16}…, expected"):
        build("mnist")


ONE = np.arange(8, dtype=np.uint8)


@pytest.mark.parametrize(
    ("place", "content", "message"),
    [
        (0, b"", r"cannot be read as gzip|begins with nothing"),
        (0, gzip.compress(layouts.idx(np.zeros((8, 28, 28), np.uint8)))[:40], r"train-images-idx3-ubyte\.gz cannot be read as gzip"),
        (0, gzip.compress(layouts.idx(ONE)), r"is no IDX file of bytes in 3 dimensions: it begins with 00 00 08 01"),
        (0, gzip.compress(layouts.idx(np.zeros((8, 28, 28), np.uint8))[:-1]), r"says that it holds 8 × 28 × 28 bytes, and holds 6271"),
        (0, gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), r"says that it holds -1 × -1 × -1 bytes"),
        (1, gzip.compress(layouts.idx(np.arange(7, dtype=np.uint8))), r"train-labels.* holds 7 labels, .*train-images.* 8 images"),
        (1, gzip.compress(layouts.idx(ONE + 9)), r"train-labels.* holds labels in 9 … 16, expected 0 … 9"),
        (2, gzip.compress(layouts.idx(np.zeros((4, 20, 28), np.uint8))), r"holds images of \(28, 28\), .*t10k-images.* of \(20, 28\)"),
    ],
    # What gzip writes holds the time: a name made of it is another in each process of a run.
    ids=["empty", "cut", "labels", "short", "negative", "fewer-labels", "strange-labels", "another-size"],
)
def test_files_that_do_not_hold_are_one_sentence(build, four, tmp_path, monkeypatch, place, content, message):
    """Cut files, other dimensions, labels that are none, numbers that differ."""
    four("mnist", "MNIST")
    (tmp_path / "mnist" / idx.MNIST[place].name).write_bytes(content)
    monkeypatch.setattr(idx, "MNIST", tuple(dataclasses.replace(remote, md5="", sha256_prefix="") for remote in idx.MNIST))

    with pytest.raises(DataError, match=message):
        build("mnist")


def test_numbers_of_classes_are_those_of_torchvision():
    """The names of EMNIST's splits are those of torchvision, in order of their labels."""
    from torchvision.datasets import EMNIST

    for split, names in EMNIST.classes_split_dict.items():
        assert idx.SPLITS[split] == [name for name in names if name != "N/A"]


def emnist_zip(path, split, first=0):
    images = np.random.default_rng(4).integers(0, 256, (10, 28, 28), dtype=np.uint8)
    labels = np.array([3, 0, 9, 3, 1, 2, 0, 5, 9, 4], dtype=np.uint8) + first
    files = {}
    for part, span in (("train", slice(0, 6)), ("test", slice(6, 10))):
        files[f"gzip/emnist-{split}-{part}-images-idx3-ubyte.gz"] = gzip.compress(layouts.idx(images[span]))
        files[f"gzip/emnist-{split}-{part}-labels-idx1-ubyte.gz"] = gzip.compress(layouts.idx(labels[span]))
    return images, labels, layouts.zip_of(path, files)


@pytest.mark.parametrize(("split", "first"), [("balanced", 0), ("letters", 1)])
def test_emnist_is_turned_upright(build, every, tmp_path, monkeypatch, split, first):
    """The files hold images on their side: rows and columns change places; letters are numbered from 1."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    images, labels, md5 = emnist_zip(tmp_path / "emnist/gzip.zip", split, first)
    monkeypatch.setattr(idx, "EMNIST", dataclasses.replace(idx.EMNIST, md5=md5))
    dataset = build("emnist", split=split)

    assert np.array_equal(images.transpose(0, 2, 1)[:, None], every(dataset))
    assert (labels - first).tolist() == dataset.labels.tolist()
    assert dataset.class_names == idx.SPLITS[split]
    with pytest.raises(DataError, match=r"gzip\.zip holds no emnist-digits-train-images-idx3-ubyte\.gz"):
        build("emnist", split="digits")
    with pytest.raises(DataError, match=r"split must be one of byclass, .*got 'letter', did you mean 'letters'\?"):
        build("emnist", split="letter")


def test_an_archive_that_is_cut_is_one_sentence(build, tmp_path, monkeypatch):
    """Half a zip is refused, and one whose checksum is another, too."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    path = tmp_path / "emnist/gzip.zip"
    emnist_zip(path, "balanced")
    with pytest.raises(DataMissingError, match=r"gzip\.zip has MD5 .*expected 58c8d27c78d21e72"):
        build("emnist")
    path.write_bytes(path.read_bytes()[:200])
    monkeypatch.setattr(idx, "EMNIST", dataclasses.replace(idx.EMNIST, md5=""))
    with pytest.raises(DataError, match=r"gzip\.zip cannot be read as a zip of gzip files"):
        build("emnist")


def test_emnist_is_not_downloaded(build, tmp_path, monkeypatch):
    """Half a gigabyte is fetched by hand: the sentence says from where."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))

    with pytest.raises(
        DataMissingError, match=r"^gzip\.zip is missing: get it from https://biometrics\.nist\.gov/\S+ and put it into .*/emnist$"
    ):
        build("emnist")

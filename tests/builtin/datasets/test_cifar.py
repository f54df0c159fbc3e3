"""CIFAR-10 and CIFAR-100 as they are packed, small."""

import dataclasses
import hashlib
import os
import pickle

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.builtin.datasets import cifar, entries_of_others
from siambench.errors import DataError, DataMissingError


class Harmful:
    """Whoever unpickles it runs a command."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


SETS = [("cifar-10", "CIFAR_10"), ("cifar-100", "CIFAR_100")]


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Write one of them, as an archive or unpacked, with its checksums; the images and labels."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))

    def make(name, constant, *, unpacked=False, changed=None, **options):
        files, images, labels = layouts.cifar_files(coarse=name == "cifar-100", **options)
        files |= changed or {}
        batches = getattr(cifar, constant)
        md5 = {key: hashlib.md5(content).hexdigest() for key, content in files.items()}
        archive = dataclasses.replace(batches.archive, url="http://127.0.0.1:9/")
        if unpacked:
            for key, content in files.items():
                (tmp_path / name / batches.folder).mkdir(parents=True, exist_ok=True)
                (tmp_path / name / batches.folder / key).write_bytes(content)
        else:
            digest = layouts.tar_of(tmp_path / name / archive.name, {f"{batches.folder}/{key}": content for key, content in files.items()})
            archive = dataclasses.replace(archive, md5=digest)
        parts = {part: {key: md5[key] for key in getattr(batches, part) if key in md5} for part in ("train", "test", "meta")}
        monkeypatch.setattr(cifar, constant, dataclasses.replace(batches, archive=archive, **parts))
        return images, labels

    return make


@pytest.mark.parametrize(("name", "constant"), SETS)
@pytest.mark.parametrize("options", [{}, {"unpacked": True}, {"as_text": True, "protocol": 4}], ids=["archive", "folder", "python 3"])
def test_images_and_labels_are_those_of_the_batches(build, every, check_contract, packed, name, constant, options):
    """Archive or folder, Python 2's keys or Python 3's: images in order of the batches, channels first, those to test last."""
    images, labels = packed(name, constant, **options)
    dataset = build(name)

    check_contract(dataset)
    assert np.array_equal(images, every(dataset))
    assert labels == dataset.labels.tolist()
    assert dataset.class_names == [f"thing {n}" for n in range(4)]
    assert len(dataset.parts["test"]) == (4 if name == "cifar-100" else 3)
    expected = {"superclass": ["soft", "soft", "hard", "hard"]} if name == "cifar-100" else {}
    assert dataset.class_attributes == expected


def test_a_batch_that_runs_something_is_refused(build, packed, tmp_path, monkeypatch):
    """A batch with os.system in it is one sentence that names file and archive, and nothing runs."""
    monkeypatch.chdir(tmp_path)
    packed("cifar-10", "CIFAR_10", changed={"data_batch_2": pickle.dumps({b"data": Harmful()}, protocol=2)})

    with pytest.raises(DataError, match=r"data_batch_2 of .*cifar-10-python\.tar\.gz is a pickle that asks for posix\.system: "):
        build("cifar-10")
    assert not (tmp_path / "pwned").exists()


PIXELS = np.zeros((2, 3072), dtype=np.uint8)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([1], r"data_batch_2 of .* must hold a dictionary, got list"),
        ({b"labels": [0, 1]}, r"data_batch_2 of .* has no data, it has labels"),
        ({b"data": PIXELS}, r"data_batch_2 of .* has no labels, it has data"),
        ({b"data": PIXELS, b"labels": [0, 4]}, r"labels of data_batch_2|labels of .*data_batch_2 of .* must be a list of labels in 0 … 3"),
        ({b"data": PIXELS[:, :5], b"labels": [0, 1]}, r"must be uint8 \(2, 3072\), got uint8 \(2, 5\)"),
        ({b"data": PIXELS.astype(np.int32), b"labels": [0, 1]}, r"must be uint8 \(2, 3072\), got int32"),
        ({b"data": b"abc", b"labels": [0, 1]}, r"must be uint8 \(2, 3072\), got bytes"),
    ],
)
def test_batches_that_do_not_hold_are_one_sentence(build, packed, held, message):
    """Other keys, shapes and labels."""
    packed("cifar-10", "CIFAR_10", changed={"data_batch_2": pickle.dumps(held, protocol=2)})

    with pytest.raises(DataError, match=message):
        build("cifar-10")


def test_classes_of_two_superclasses_are_refused(build, packed):
    """The fine classes of CIFAR-100 have one superclass each."""
    files, _, _ = layouts.cifar_files(coarse=True)
    held = pickle.loads(files["train"], encoding="bytes")
    held[b"coarse_labels"][0] = 1
    packed("cifar-100", "CIFAR_100", changed={"train": pickle.dumps(held, protocol=2)})

    with pytest.raises(DataError, match="superclasses of cifar-100 must be the same for all items of a class, class 'thing 0'"):
        build("cifar-100")


def test_checksums_are_demanded(build, packed, tmp_path):
    """Of the archive, and of each file where it is unpacked."""
    packed("cifar-10", "CIFAR_10", unpacked=True)
    path = tmp_path / "cifar-10/cifar-10-batches-py/data_batch_3"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataMissingError, match=r"data_batch_3 has MD5 .*: unpack cifar-10-python\.tar\.gz anew"):
        build("cifar-10")
    path.unlink()
    (tmp_path / "cifar-10/cifar-10-python.tar.gz").write_bytes(b"half")
    with pytest.raises(DataMissingError, match=r"cifar-10-python\.tar\.gz has MD5"):
        build("cifar-10")


def test_a_truncated_archive_is_one_sentence(build, packed, tmp_path, monkeypatch):
    """Half an archive, and one that lacks a batch."""
    packed("cifar-10", "CIFAR_10")
    path = tmp_path / "cifar-10/cifar-10-python.tar.gz"
    whole = path.read_bytes()
    free = dataclasses.replace(cifar.CIFAR_10, archive=dataclasses.replace(cifar.CIFAR_10.archive, md5=""))
    monkeypatch.setattr(cifar, "CIFAR_10", free)
    for part in (0, 10, len(whole) // 2):
        path.write_bytes(whole[:part])
        with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz"):
            build("cifar-10")
    layouts.tar_of(path, {"cifar-10-batches-py/data_batch_1": b""})
    with pytest.raises(DataError, match=r"filename 'cifar-10-batches-py/data_batch_2' not found"):
        build("cifar-10")


def test_files_are_named_as_they_are_found(packed, tmp_path):
    """`doctor` is told of the archive, and of the files where that is unpacked."""
    entry = entries_of_others.ENTRIES["cifar-10"]
    assert [remote.name for remote in entry.files()] == ["cifar-10-python.tar.gz"]
    packed("cifar-10", "CIFAR_10", unpacked=True)
    assert [remote.name for remote in entry.files()][:2] == ["data_batch_1", "data_batch_2"]

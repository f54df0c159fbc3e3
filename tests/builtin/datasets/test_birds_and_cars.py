"""CUB-200-2011 and Cars-196 in their real layouts, small."""

import dataclasses
import os
import shutil

import dataset_layouts as made
import numpy as np
import pytest
from scipy.io import savemat

from siambench.builtin.datasets import birds_and_cars
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut


@pytest.fixture
def birds(tmp_path, monkeypatch):
    """Four classes of three or four birds."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(birds_and_cars, "BIRDS", (4, 14))
    return made.cub(tmp_path / "data")


def test_cub_is_read_as_its_lists_say(build, every, check_contract, birds):
    """Images come in order of images.txt with the class of image_class_labels.txt; the first half of the classes trains."""
    _, pixels = birds
    dataset = build("cub-200", size=12)

    check_contract(dataset)
    assert dataset.item_names == list(pixels)
    assert np.array_equal(np.stack(list(pixels.values())), every(dataset))
    assert dataset.class_names == [f"{n:03d}.Bird_{n}" for n in range(1, 5)]
    assert [dataset.item_names[i][:3] for i in dataset.parts["test"]] == ["003"] * 4 + ["004"] * 3
    assert dataset.labels.tolist() == [int(name[:3]) - 1 for name in pixels]
    assert len(dataset.parts["trainval"]) == 7


def test_cubs_official_split_can_be_sat(build, tmp_path, monkeypatch):
    """The parts are disjoint by class, so that an official split is cut from them, with folds by class."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(birds_and_cars, "BIRDS", (8, 28))
    made.cub(tmp_path / "data", classes=8)
    dataset = build("cub-200", size=12)

    split = cut(dataset, SplitRules(rule="official").spec)

    assert set(dataset.labels[split.test].tolist()) == {4, 5, 6, 7}
    assert [set(dataset.labels[held].tolist()) for _, held in split.folds] == [{0, 1}, {2, 3}]


def test_images_are_read_at_the_size_that_is_asked(build, birds):
    """Size 8 gives 3 × 8 × 8, and a size that cannot be is refused by name."""
    assert build("cub-200", size=8).shape == (3, 8, 8)
    with pytest.raises(DataError, match="cub-200: size must be a number of pixels from 1 to 4096, got 0"):
        build("cub-200", size=0)


def test_cub_that_is_absent_says_what_belongs_where(build, tmp_path, monkeypatch):
    """Without a file the sentence names the archive, the page, and the file that has to be there."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))

    with pytest.raises(
        DataMissingError,
        match=r"^data set cub-200 is missing: get CUB_200_2011\.tgz from https://data\.caltech\.edu/records/65de6-vp158 and put it into "
        r".*/data/cub-200, or unpack it there, so that .*/data/cub-200/CUB_200_2011/images\.txt is there$",
    ):
        build("cub-200")


def test_a_folder_that_lacks_a_list_is_told(build, birds):
    """Where some of a data set is there, the sentence names what is and what is not."""
    (birds[0] / "classes.txt").unlink()

    with pytest.raises(DataMissingError, match=r"cub-200 is not whole: .*CUB_200_2011 has images\.txt and lacks classes\.txt"):
        build("cub-200")


@pytest.mark.parametrize("place", ["CUB_200_2011", "cub-200"])
def test_the_folder_may_lie_elsewhere(build, birds, tmp_path, monkeypatch, place):
    """The folder is found at the top of SIAMBENCH_DATA, and its files in the folder of the data set."""
    target = tmp_path / "other" / place
    shutil.move(birds[0], target)
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "other"))

    assert len(build("cub-200", size=12).labels) == 14


def test_an_archive_is_unpacked_once(build, birds, tmp_path, monkeypatch, cache):
    """Where the archive alone is there, its checksum is looked at and it is unpacked into the cache; the second time it is found there."""
    folder = birds[0]
    digest = made.tar_of(folder.parent / "CUB_200_2011.tgz", {f"CUB_200_2011/{k}": v for k, v in made.folder_files(folder).items()})
    shutil.rmtree(folder)
    remote = dataclasses.replace(birds_and_cars.CUB.archives[0], md5=digest)
    monkeypatch.setattr(birds_and_cars, "CUB", dataclasses.replace(birds_and_cars.CUB, archives=(remote,)))

    first = build("cub-200", size=12)
    assert len(first.labels) == 14
    inside = list((cache / "unpacked").glob("cub-200-*/CUB_200_2011"))
    assert len(inside) == 1
    (inside[0] / "mark").write_text("kept")
    build("cub-200", size=12)
    assert (inside[0] / "mark").is_file()
    assert [remote.name for remote in birds_and_cars.CUB.files] == ["CUB_200_2011.tgz"]


def test_an_archive_with_another_checksum_is_refused(build, birds):
    """The published MD5 of CUB's archive is demanded, with what is there and what was expected."""
    made.tar_of(birds[0].parent / "CUB_200_2011.tgz", {"CUB_200_2011/images.txt": b"1 a.png\n"})
    shutil.rmtree(birds[0])

    with pytest.raises(DataMissingError, match=r"CUB_200_2011\.tgz has MD5 [0-9a-f]{16}…, expected 97eceeb196236b17…: replace it"):
        build("cub-200")


def test_a_truncated_archive_is_refused_and_leaves_nothing(build, birds, monkeypatch, cache):
    """Half an archive is damaged, in a sentence, and no half of it is taken for the whole afterwards."""
    folder = birds[0]
    path = folder.parent / "CUB_200_2011.tgz"
    made.tar_of(path, {f"CUB_200_2011/{k}": v for k, v in made.folder_files(folder).items()})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    shutil.rmtree(folder)
    remote = dataclasses.replace(birds_and_cars.CUB.archives[0], md5="", sha256_prefix="")
    monkeypatch.setattr(birds_and_cars, "CUB", dataclasses.replace(birds_and_cars.CUB, archives=(remote,)))

    for _ in range(2):
        with pytest.raises(DataError, match=r"CUB_200_2011\.tgz is damaged \(.*\): replace it by CUB_200_2011\.tgz from https"):
            build("cub-200")
    assert [path for path in (cache / "unpacked").iterdir() if path.suffix != ".lock"] == []


ATTACKS = [
    (
        "images.txt",
        b"1 001.Bird_1/none.png\n",
        r"images\.txt: 1 of the 1 files that it names are not in .*images, the first in line 1: 001",
    ),
    ("images.txt", b"", r"images\.txt lists nothing"),
    ("images.txt", b"1\n", r"images\.txt: line 1 has 1 fields, expected 2: '1'"),
    ("images.txt", b"x a.png\n", r"images\.txt: line 1: the number of an image must be a whole number, got 'x'"),
    ("image_class_labels.txt", b"1 9\n", r"image_class_labels\.txt: line 1 says class 9, classes are 1 to 4"),
    ("image_class_labels.txt", b"1 1\n", r"image_class_labels\.txt must give each image of .*images\.txt one class: image 2 has none"),
    ("classes.txt", b"\x00\x00 \x00\n", r"classes\.txt: line 1 holds a zero byte"),
]


@pytest.mark.parametrize(("name", "content", "message"), ATTACKS)
def test_lists_that_do_not_hold_are_one_sentence(build, birds, monkeypatch, name, content, message):
    """A list that is empty, cut, contradictory, or names files that are not there is told with its line."""
    (birds[0] / name).write_bytes(content)
    if message.startswith("images") and "files that" in message:
        (birds[0] / "image_class_labels.txt").write_bytes(b"1 1\n")
        monkeypatch.setattr(birds_and_cars, "BIRDS", (4, 1))

    with pytest.raises(DataError, match=message):
        build("cub-200")


def test_names_that_lead_out_of_the_folder_are_refused(build, birds):
    """A list cannot name a file elsewhere, nor one twice."""
    lines = (birds[0] / "images.txt").read_text().splitlines()
    made.text(birds[0] / "images.txt", ["1 ../../../etc/passwd", *lines[1:]])
    with pytest.raises(DataError, match=r"line 1 names '\.\./\.\./\.\./etc/passwd', which is no place below"):
        build("cub-200")
    made.text(birds[0] / "images.txt", [*lines[:-1], f"14 {lines[0].split()[1]}"])
    with pytest.raises(DataError, match=r"line 14 names the same file as line 1: 001\.Bird_1"):
        build("cub-200")


def test_line_ends_of_windows_and_a_mark_of_bytes_are_no_part_of_names(build, birds):
    """Lists with CRLF and a BOM are read like those without."""
    plain = build("cub-200", size=12)
    for name in ("images.txt", "image_class_labels.txt", "classes.txt"):
        path = birds[0] / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    again = build("cub-200", size=12)
    assert again.item_names == plain.item_names
    assert again.class_names == plain.class_names


def test_names_of_odd_bytes_work(build, birds, check_contract):
    """A class and a file whose names are no UTF-8 are read, and their names can stand in any document."""
    folder = os.fsencode(birds[0])
    (birds[0] / "images/001.Bird_1").rename(os.fsdecode(folder + b"/images/001.V\xf6gel"))
    for name in ("images.txt", "classes.txt"):
        path = birds[0] / name
        path.write_bytes(path.read_bytes().replace(b"001.Bird_1", b"001.V\xf6gel"))

    dataset = build("cub-200", size=12)
    check_contract(dataset)
    assert dataset.class_names[0] == r"001.V\xf6gel"
    assert dataset.item_names[0].startswith(r"001.V\xf6gel/")


def test_another_number_of_images_is_refused(build, birds, monkeypatch):
    """What is published has so many images, and a part of it is no CUB."""
    monkeypatch.setattr(birds_and_cars, "BIRDS", (4, 15))

    with pytest.raises(DataError, match="cub-200 has 15 images, here are 14: it is not what is published; a part of it is read by csv or"):
        build("cub-200")


# ---- Cars-196


@pytest.fixture
def small_cars(tmp_path, monkeypatch):
    """Nine images of four cars."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(birds_and_cars, "CARS", (4, 9))
    return tmp_path / "data"


def test_cars_of_one_folder(build, check_contract, small_cars):
    """The layout of metric learning is read from cars_annos.mat; the digest that was seen is noted."""
    _, rows = made.cars_in_one(small_cars)
    dataset = build("cars-196", size=12)

    check_contract(dataset)
    assert dataset.item_names == [name for name, _ in rows]
    assert dataset.labels.tolist() == [label - 1 for _, label in rows]
    assert dataset.class_names == made.CAR_NAMES
    assert set(dataset.labels[dataset.parts["test"]].tolist()) == {2, 3}
    assert any(note.startswith("no checksum is published; SHA-256 of what was read: cars_annos.mat ") for note in dataset.notes)


def test_cars_of_the_development_kit(build, check_contract, small_cars, monkeypatch):
    """The devkit's layout is read, too, and the published checksum of its table of the test demanded."""
    _, rows, digest = made.cars_in_two(small_cars)
    with pytest.raises(DataMissingError, match=r"cars_test_annos_withlabels\.mat has MD5 .*expected b0a2b23655a3edd1"):
        build("cars-196", size=12)
    monkeypatch.setattr(birds_and_cars, "CARS_TEST", dataclasses.replace(birds_and_cars.CARS_TEST, md5=digest))

    dataset = build("cars-196", size=12)
    check_contract(dataset)
    assert dataset.item_names == [name for name, _ in rows]
    assert dataset.labels.tolist() == [label - 1 for _, label in rows]


def test_tables_that_do_not_hold_are_one_sentence(build, small_cars):
    """A table that is none, lacks a variable or a field, or names a class beyond the names is told with its name."""
    folder, rows = made.cars_in_one(small_cars)
    path = folder / "cars_annos.mat"
    whole = path.read_bytes()
    for content, message in (
        (whole[: len(whole) // 2], r"cars_annos\.mat cannot be read as a file of MATLAB's"),
        (b"", r"cars_annos\.mat cannot be read as a file of MATLAB's"),
        (b"<html>", r"cars_annos\.mat cannot be read as a file of MATLAB's"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            build("cars-196", size=12)
    for held, message in (
        ({"annotations": made._annotations(rows, "relative_im_path")}, r"cars_annos\.mat holds no class_names"),
        ({"annotations": made._annotations(rows, "fname"), "class_names": made._cells(made.CAR_NAMES)}, r"have no relative_im_path"),
        ({"annotations": np.arange(3), "class_names": made._cells(made.CAR_NAMES)}, r"have no relative_im_path"),
        (
            {
                "annotations": made._annotations([*rows[:-1], (rows[-1][0], 7)], "relative_im_path"),
                "class_names": made._cells(made.CAR_NAMES),
            },
            r"car_ims/000009\.png has class 7, classes are 1 to 4",
        ),
    ):
        savemat(path, held)
        with pytest.raises(DataError, match=message):
            build("cars-196", size=12)


def test_with_resize_the_middle_is_read_and_the_whole_is_there(build, every, check_contract, tmp_path, monkeypatch):
    """Of birds that are no squares the shorter edge becomes ``resize``, items are its middle, and crops find the whole image."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(birds_and_cars, "BIRDS", (4, 14))
    folder, pixels = made.cub(tmp_path / "data")
    name = next(iter(pixels))
    made.picture(7, size=30).resize((30, 18)).save(folder / "images" / name)

    dataset = build("cub-200", size=8, resize=10)

    check_contract(dataset)
    whole = dataset.whole(0)
    assert (whole.shape, dataset.whole(1).shape, dataset.shape) == ((3, 10, 16), (3, 10, 10), (3, 8, 8))
    assert np.array_equal(every(dataset)[0], whole[:, 1:9, 4:12])
    with pytest.raises(DataError, match=r"cub-200: resize must be a number of pixels from size, 12, to 4096, or 0.*; got 10"):
        build("cub-200", size=12, resize=10)
    assert build("cub-200", size=8).whole is None

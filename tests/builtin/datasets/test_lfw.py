"""Labeled Faces in the Wild in its real layout, small: both views, and the official pairs."""

import dataclasses
import shutil

import dataset_layouts as layouts
import pytest

from siambench.builtin.datasets import lfw
from siambench.errors import DataError, DataMissingError
from siambench.metrics import parse_pairs


@pytest.fixture
def wild(tmp_path, monkeypatch):
    """Six people, and the checksums of the lists as they are."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(lfw, "COUNTS", (6, 13))
    place, digests = layouts.lfw(tmp_path / "data")
    for name, md5 in digests.items():
        monkeypatch.setitem(lfw.LISTS, name, dataclasses.replace(lfw.LISTS[name], md5=md5))
    return place


def names_of(dataset, part):
    return {dataset.class_names[label] for label in dataset.labels[dataset.parts[part]]}


def pairs_of(dataset):
    names, pairs = dataset.item_names, dataset.pairs
    return [
        (names[one], names[other], bool(same), int(fold))
        for one, other, same, fold in zip(pairs.left, pairs.right, pairs.same, pairs.fold, strict=True)
    ]


def test_view_one_has_its_official_split_and_pairs(build, check_contract, wild):
    """Who is in peopleDevTrain.txt trains, who is in peopleDevTest.txt is the test, with the pairs of pairsDevTest.txt."""
    dataset = build("lfw", size=12)

    check_contract(dataset)
    assert names_of(dataset, "trainval") == set(list(layouts.PEOPLE)[:3])
    assert names_of(dataset, "test") == set(list(layouts.PEOPLE)[3:])
    assert dataset.item_names[:4] == [
        "Aaron_Eckhart/Aaron_Eckhart_0001",
        "Aaron_Eckhart/Aaron_Eckhart_0002",
        "Aaron_Eckhart/Aaron_Eckhart_0003",
        "Bela_Karolyi/Bela_Karolyi_0001",
    ]
    assert pairs_of(dataset)[0] == ("Eva_Amurri/Eva_Amurri_0001", "Eva_Amurri/Eva_Amurri_0002", True, 0)
    assert [remote.name for remote in lfw.remotes()] == ["peopleDevTrain.txt", "peopleDevTest.txt", "pairsDevTest.txt"]
    assert pairs_of(dataset)[2] == ("Dai_Bachtiar/Dai_Bachtiar_0001", "Eva_Amurri/Eva_Amurri_0002", False, 0)


def test_the_ten_folds_test_whom_they_pair(build, check_contract, wild):
    """Of view 2 those in pairs.txt are the test, all others train; the folds are those of the list, as siambench reads it everywhere."""
    dataset = build("lfw", size=12, view="ten-folds")

    check_contract(dataset)
    assert names_of(dataset, "test") == {"Aaron_Eckhart", "Bela_Karolyi", "Fujio_Cho"}
    named = parse_pairs((wild / "pairs.txt").read_text())
    assert pairs_of(dataset) == list(zip(named.left, named.right, named.same, named.fold, strict=True))
    assert sorted(set(named.fold)) == [0, 1]


def test_other_alignments_lie_in_folders_of_their_own(build, wild):
    """Images are those of the folder of the alignment that is asked for, or of its archive; else it is said which is missing."""
    with pytest.raises(DataMissingError, match=r"lfw: .*/lfw holds neither lfw_funneled nor lfw-funneled\.tgz: get that from http"):
        build("lfw", size=12, images="funneled")
    shutil.copytree(wild / "lfw", wild / "lfw_funneled")
    assert len(build("lfw", size=12, images="funneled").labels) == 13


def test_the_archive_of_the_images_is_unpacked(build, wild, monkeypatch):
    """lfw.tgz alone is enough, and its published checksum is demanded."""
    digest = layouts.tar_of(wild / "lfw.tgz", {f"lfw/{name}": content for name, content in layouts.folder_files(wild / "lfw").items()})
    shutil.rmtree(wild / "lfw")
    with pytest.raises(DataMissingError, match=r"lfw\.tgz has MD5 .*expected a17d05bd522c52d8"):
        build("lfw", size=12)
    folder, remote = lfw.IMAGES["original"]
    monkeypatch.setitem(lfw.IMAGES, "original", (folder, dataclasses.replace(remote, md5=digest)))

    assert len(build("lfw", size=12).labels) == 13


def test_options_that_cannot_be_are_refused(build, wild):
    """An unknown view or alignment is one sentence with the nearest that there is."""
    with pytest.raises(DataError, match=r"view must be one of development, ten-folds, got 'ten-fold', did you mean 'ten-folds'\?"):
        build("lfw", view="ten-fold")
    with pytest.raises(DataError, match="images must be one of original, funneled, deepfunneled, got 'x'"):
        build("lfw", images="x")


def allow(monkeypatch, name):
    monkeypatch.setitem(lfw.LISTS, name, dataclasses.replace(lfw.LISTS[name], md5="", sha256_prefix=""))


def test_a_list_with_another_checksum_is_refused(build, wild):
    """The MD5 of each list is published, and demanded."""
    (wild / "pairsDevTest.txt").write_text("1\n")

    with pytest.raises(DataMissingError, match=r"pairsDevTest\.txt has MD5 [0-9a-f]{16}…, expected"):
        build("lfw")


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("peopleDevTest.txt", ["4", "Dai_Bachtiar\t1", "Eva_Amurri\t2", "Fujio_Cho\t3"], r"says that 4 people follow, and 3 lines do"),
        (
            "peopleDevTest.txt",
            ["2", "Dai_Bachtiar\t1", "Eva_Amurri\t2", "Fujio_Cho\t3"],
            r"has 1 lines more than it says, the first is line 4",
        ),
        ("peopleDevTest.txt", ["3", "Dai_Bachtiar", "Eva_Amurri\t2", "Fujio_Cho\t3"], r"line 2 must be a name and a number of images"),
        (
            "peopleDevTest.txt",
            ["3", "Dai_Bachtiar\t2", "Eva_Amurri\t2", "Fujio_Cho\t3"],
            r"1 of the 14 files that it names are not in .*Dai_Bachtiar_0002",
        ),
        ("peopleDevTest.txt", ["3", "Aaron_Eckhart\t3", "Eva_Amurri\t2", "Fujio_Cho\t3"], r"names 1 people who were named before"),
        (
            "pairsDevTest.txt",
            ["1", "Eva_Amurri\t1\t2", "Eva_Amurri\t1\tNobody\t1"],
            r"names Nobody/Nobody_0001, which is no image of the people listed",
        ),
        (
            "pairsDevTest.txt",
            ["1", "Eva_Amurri\t1\t9", "Eva_Amurri\t1\tFujio_Cho\t1"],
            r"names Eva_Amurri/Eva_Amurri_0009, which is no image",
        ),
        ("pairsDevTest.txt", ["2", "Eva_Amurri\t1\t2"], r"pairsDevTest\.txt: 1 folds of 2 genuine and 2 impostor pairs are 4 lines, got 1"),
    ],
)
def test_lists_that_do_not_hold_are_one_sentence(build, wild, monkeypatch, name, lines, message):
    """Numbers that are not those of the lines, images and people that are not there, an index beyond the images."""
    allow(monkeypatch, name)
    layouts.text(wild / name, lines)
    if "of the 14 files" in message:
        monkeypatch.setattr(lfw, "COUNTS", (6, 14))

    with pytest.raises(DataError, match=message):
        build("lfw", size=12)


def test_what_is_absent_says_what_belongs_where(build, tmp_path, monkeypatch):
    """Without a list the page and the place are named."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))

    with pytest.raises(
        DataMissingError, match=r"data set lfw is missing: get it from http://vis-www.*so that .*/lfw/peopleDevTrain\.txt is there"
    ):
        build("lfw")

"""Stanford Online Products, In-Shop and iNaturalist 2018 in their real layouts, small."""

import dataclasses

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.builtin.datasets import products
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Where data is; counts as those of the small sets."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(products, "SOP_COUNTS", (5, 8, 5))
    monkeypatch.setattr(products, "SHOP_COUNTS", (4, 5, 2, 3))
    monkeypatch.setattr(products, "NATURE_CLASSES", 4)
    return tmp_path / "data"


def test_sop_is_split_by_its_lists(build, check_contract, data):
    """Classes are the list's class_id, their super class is the folder of their images; what Ebay_test.txt names is the test."""
    _, lines = layouts.sop(data)
    dataset = build("sop", size=12)

    check_contract(dataset)
    assert dataset.item_names == [line.split()[3] for part in ("train", "test") for line in lines[part]]
    assert dataset.class_names == ["1", "2", "3", "4", "5"]
    assert dataset.class_attributes == {"super_class": ["bicycle", "chair", "bicycle", "chair", "lamp"]}
    assert [dataset.item_names[place] for place in dataset.parts["test"]] == [line.split()[3] for line in lines["test"]]
    assert any(note.startswith("no checksum is published; SHA-256 of what was read: Ebay_train.txt ") for note in dataset.notes)


def test_sops_images_are_those_of_the_names(build, every, data):
    """Item i has the pixels of the file that its line names."""
    layouts.sop(data)
    images = every(build("sop", size=12))

    assert np.array_equal(images[0], np.asarray(layouts.picture([7, 1, 0])).transpose(2, 0, 1))
    assert np.array_equal(images[-1], np.asarray(layouts.picture([7, 5, 2])).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows[:1], *rows[2:]], r"sop has 8 images to train, here are 7"),
        (
            lambda rows: [*rows[:1], "1 1 1 bicycle_final/none.png", *rows[2:]],
            r"Ebay_train\.txt: 1 of the 8 files that it names .* in line 2",
        ),
        (lambda rows: [*rows[:1], rows[1].replace("1 1 ", "1 x ", 1), *rows[2:]], r"line 2: class_id must be a whole number, got 'x'"),
        (
            lambda rows: [*rows[:1], *rows[1:4], rows[4].replace("4 2 ", "4 1 ", 1), *rows[5:]],
            r"line 5: class 1 is 'chair', and was 'bicycle'",
        ),
    ],
)
def test_lists_of_sop_that_do_not_hold_are_one_sentence(build, data, change, message):
    """Another number of images, a file that is not there, a label that is none, a class of two super classes."""
    folder, _ = layouts.sop(data)
    path = folder / "Ebay_train.txt"
    layouts.text(path, change(path.read_text().splitlines()))

    with pytest.raises(DataError, match=message):
        build("sop", size=12)


@pytest.mark.parametrize(
    ("listed", "images"), [("Eval/list_eval_partition.txt", ""), ("Eval/list_eval_partition.txt", "Img"), ("list_eval_partition.txt", "")]
)
def test_in_shop_has_queries_and_a_gallery(build, check_contract, data, listed, images):
    """What the list says is trained on, asked for and searched in are the parts, in all three layouts."""
    _, rows = layouts.in_shop(data, listed, images)
    dataset = build("in-shop", size=12)

    check_contract(dataset)
    assert {name: len(part) for name, part in dataset.parts.items()} == {"trainval": 5, "query": 2, "gallery": 3}
    assert dataset.item_names == [row.split()[0] for row in rows]
    assert [rows[place].split()[2] for place in dataset.parts["gallery"]] == ["gallery"] * 3
    assert dataset.class_names == [f"id_{item:08d}" for item in range(1, 5)]


@pytest.mark.parametrize(
    ("place", "line", "message"),
    [
        (0, "9", r"list_eval_partition\.txt must begin with the number of its images, 10, got '9'"),
        (0, "", r"must begin with the number of its images"),
        (
            2,
            "img/WOMEN/Dresses/id_00000001/00_1_front.png id_00000001 tain",
            r"line 3: evaluation_status must be one of train, query, gallery",
        ),
        (2, "img/WOMEN/Dresses/id_00000001/00_1_front.png id_00000001", r"line 3 has 2 fields, expected 3"),
        (2, "/etc/passwd id_00000001 train", r"line 3 names '/etc/passwd', which is no place below"),
    ],
)
def test_lists_of_in_shop_that_do_not_hold_are_one_sentence(build, data, place, line, message):
    """A wrong number, an unknown status, a field too few, a name that leads elsewhere."""
    folder, _ = layouts.in_shop(data)
    path = folder / "Eval/list_eval_partition.txt"
    rows = path.read_text().splitlines()
    layouts.text(path, [*rows[:place], line, *rows[place + 1 :]])

    with pytest.raises(DataError, match=message):
        build("in-shop", size=12)


def test_inat_is_split_by_the_lists_of_smooth_ap(build, check_contract, data):
    """Classes are the folders of the species, their group the folder above; the second list is the test."""
    _, lists = layouts.inat(data)
    dataset = build("inat-2018", size=12)

    check_contract(dataset)
    assert dataset.class_names == ["Aves/7000", "Aves/7002", "Fungi/7001", "Plantae/7003"]
    assert dataset.class_attributes == {"group": ["Aves", "Aves", "Fungi", "Plantae"]}
    assert [dataset.item_names[place] for place in dataset.parts["test"]] == lists["test"]
    assert dataset.labels.tolist() == [0, 0, 2, 2, 1, 1, 3, 3]


def test_a_class_on_both_sides_is_no_exam(build, data):
    """Where a list of the test names a species that is trained on, the split is refused."""
    folder, lists = layouts.inat(data)
    layouts.text(folder / "Inat_dataset_splits/Inaturalist_test_set1.txt", [*lists["test"], lists["train"][0].replace("/00.", "/00b.")])
    layouts.put(folder / lists["train"][0].replace("/00.", "/00b."), layouts.picture([1, 2, 3]))

    with pytest.raises(DataError, match="1 classes are in trainval and in test, among them Aves/7000"):
        cut(build("inat-2018", size=12), SplitRules(rule="official").spec)


def test_lines_of_inat_must_name_group_and_species(build, data):
    """A line that is no place of an image is told with its number."""
    folder, lists = layouts.inat(data)
    layouts.text(folder / "Inat_dataset_splits/Inaturalist_train_set1.txt", [lists["train"][0], "a.png"])

    with pytest.raises(
        DataError, match=r"train_set1\.txt: line 2 must name an image as train_val2018/group/species/image\.jpg, got 'a\.png'"
    ):
        build("inat-2018", size=12)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sop", r"get Stanford_Online_Products\.zip from https://cvgl.* so that .*/sop/Stanford_Online_Products/Ebay_train\.txt is there"),
        ("in-shop", r"get it from https://mmlab.*and put it into .*/in-shop, so that .*/in-shop/Eval/list_eval_partition\.txt is there"),
        ("inat-2018", r"get it from https://github\.com/visipedia/\S+ \(images\) and https://\S+ \(lists\) and put it into .*_set1\.txt"),
    ],
)
def test_what_is_absent_says_what_belongs_where(build, name, message):
    """Without its files each says where they are from and where they go."""
    with pytest.raises(DataMissingError, match=message):
        build(name)


def test_sops_archive_is_unpacked(build, data, monkeypatch):
    """The zip alone is enough; its published SHA-256 is demanded."""
    folder, _ = layouts.sop(data)
    archive = folder.parent / "Stanford_Online_Products.zip"
    layouts.zip_of(archive, {f"Stanford_Online_Products/{name}": content for name, content in layouts.folder_files(folder).items()})
    folder.rename(data / "elsewhere")
    with pytest.raises(DataMissingError, match=r"Products\.zip has SHA-256 .*expected b04fa78210e69fab"):
        build("sop", size=12)
    remote = dataclasses.replace(products.SOP.archives[0], sha256_prefix="")
    monkeypatch.setattr(products, "SOP", dataclasses.replace(products.SOP, archives=(remote,)))

    assert len(build("sop", size=12).labels) == 13

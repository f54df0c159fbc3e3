"""Folders, tables and arrays as people have them: each of these once was read wrongly, left out in silence, or met with a traceback."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siambench.data.summary import summary
from siambench.errors import DataError
from siambench.spec import SplitSpec
from siambench.tracks.split import cut

CLASSES, EACH, SIZE = 8, 4, 32


def patterns():
    """Eight smooth patterns with four noisy variants each, 0 … 4095, [8, 4, 32, 32]."""
    random = np.random.default_rng(7)
    grid = np.linspace(0, 2 * np.pi, SIZE)
    found = np.empty((CLASSES, EACH, SIZE, SIZE))
    for c in range(CLASSES):
        a, b, p = random.integers(1, 4), random.integers(1, 4), random.uniform(0, 6)
        base = 0.5 + 0.25 * np.sin(a * grid[:, None] + p) + 0.25 * np.cos(b * grid[None, :] - p)
        for k in range(EACH):
            found[c, k] = np.clip(base + random.normal(0, 0.03, base.shape), 0, 1)
    return found * 4095


DEEP = patterns()
GREY = np.round(DEEP / 16).clip(0, 255).astype(np.uint8)


def put(image, path, **options):
    """Write an image, and the folders on its way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def every_image(write):
    """Call for each class and image."""
    for c in range(CLASSES):
        for k in range(EACH):
            write(c, k)


@pytest.fixture
def plain(tmp_path, build, every):
    """The greys of 8 bits as they are read."""
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), tmp_path / "plain" / f"class{c}" / f"image{k}.png"))
    dataset = build("folder", path=str(tmp_path / "plain"), size=SIZE)
    assert dataset.shape == (1, SIZE, SIZE)
    assert not dataset.notes
    return every(dataset).astype(int)


@pytest.mark.parametrize("factor", [1, 16])
def test_deep_greys_are_read_as_their_twins_of_8_bits(tmp_path, build, every, plain, factor):
    """Greys of 12 bits, in the lower or the upper bits of 16, give the pixels of the same greys of 8 bits, and are told of."""
    every_image(lambda c, k: put(Image.fromarray((DEEP[c, k] * factor).astype(np.uint16)), tmp_path / f"deep/class{c}/image{k}.png"))

    dataset = build("folder", path=str(tmp_path / "deep"), size=SIZE)

    assert np.abs(every(dataset) - plain).max() <= 1
    assert dataset.notes == (f"32 images deeper than 8 bits, white is {4095 if factor == 1 else 65535}",)


def test_the_depth_is_that_of_the_whole_data_set(tmp_path, build, every):
    """A dark image is as dark as it is beside bright ones, not stretched to white."""
    for c in range(2):
        for k, value in enumerate((300, 4000)):
            put(Image.fromarray(np.full((4, 4), value + c, np.uint16)), tmp_path / f"s/c{c}/{k}.png")

    found = every(build("folder", path=str(tmp_path / "s"), size=4))[:, 0, 0, 0]

    assert found.tolist() == [19, 249, 19, 249]


def test_black_ink_on_transparent_paper_is_on_white(tmp_path, build, every, plain):
    """RGBA, LA, and palettes with transparency give the pixels of the same ink on white paper, in one channel."""

    def write(c, k):
        alpha = Image.new("LA", (SIZE, SIZE), (0, 0))
        alpha.putalpha(Image.fromarray(255 - GREY[c, k]))
        picture = alpha.convert("RGBA")
        put((picture, alpha, picture.quantize(64))[k % 3], tmp_path / f"alpha/class{c}/image{k}.png")

    every_image(write)
    dataset = build("folder", path=str(tmp_path / "alpha"), size=SIZE)

    assert dataset.shape == (1, SIZE, SIZE)
    assert np.abs(every(dataset) - plain).mean() < 3


def test_turned_images_are_read_as_viewers_show_them(tmp_path, build, every, plain):
    """JPEGs whose EXIF says that they are turned give the pixels of those that are not."""
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}

    def write(c, k):
        turn = (1, 3, 6, 8)[k]
        exif = Image.Exif()
        exif[0x0112] = turn
        stored = Image.fromarray(GREY[c, k])
        put(stored.transpose(turns[turn]) if turn in turns else stored, tmp_path / f"t/class{c}/image{k}.jpg", exif=exif, quality=95)

    every_image(write)

    assert np.abs(every(build("folder", path=str(tmp_path / "t"), size=SIZE)) - plain).mean() < 4


def test_real_numbers_are_scaled_by_the_stated_rule(tmp_path, build, every, plain):
    """TIFFs of real numbers in 0 … 1 are greys; a set that nowhere reaches a sixteenth is refused with file and mode."""
    every_image(lambda c, k: put(Image.fromarray((DEEP[c, k] / 4095).astype(np.float32)), tmp_path / f"f/class{c}/image{k}.tif"))
    assert np.abs(every(build("folder", path=str(tmp_path / "f"), size=SIZE)) - plain).max() <= 1

    every_image(lambda c, k: put(Image.fromarray((DEEP[c, k] / 4095 / 20).astype(np.float32)), tmp_path / f"g/class{c}/image{k}.tif"))
    with pytest.raises(DataError, match=r"image\d\.tif is of mode F, and no image of the data set has a value above 0\.0"):
        build("folder", path=str(tmp_path / "g"), size=SIZE)


def test_no_image_is_left_out_for_its_suffix(tmp_path, build, every, plain):
    """PNG, PGM, JFIF and .TIF are all read, in order of name; what is none is counted, with an example."""
    kinds = ((".png", "PNG"), (".pgm", "PPM"), (".jfif", "JPEG"), (".TIF", "TIFF"))
    root = tmp_path / "suffixes"
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), root / f"class{c}/image{k}{kinds[k][0]}", format=kinds[k][1]))
    (root / "README").write_text("about these")
    (root / "class1" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (root / "class1" / ".DS_Store").write_bytes(b"")
    (root / "class2" / "gone.png").symlink_to("nowhere.png")
    (root / "class2" / "up").symlink_to("..")
    os.mkfifo(root / "class3" / "pipe.png")
    put(Image.fromarray(GREY[0, 0]), root / "cover.png")

    dataset = build("folder", path=str(root), size=SIZE)

    assert np.abs(every(dataset) - plain).mean() < 3
    assert (
        str(summary(dataset)) == "8 classes, 32 images, 4 to 4 a class, first class class0; passed over: 2 files (README), "
        "1 hidden (class1/.DS_Store), 1 link to nowhere (class2/gone.png), 1 link in a circle (class2/up), "
        "1 pipe or device (class3/pipe.png), "
        "1 image above the folders of classes (cover.png)"
    )
    assert summary(dataset).to_json()["notes"] == list(dataset.notes)


def test_links_are_followed(tmp_path, build, every, plain):
    """A folder of links to files, and a class that is a link to a folder, are read like what they lead to."""
    root = tmp_path / "linked"
    for c in range(CLASSES):
        if c % 2:
            (root / f"class{c}").symlink_to(tmp_path / "plain" / f"class{c}")
            continue
        (root / f"class{c}").mkdir(parents=True)
        for k in range(EACH):
            (root / f"class{c}" / f"image{k}.png").symlink_to(tmp_path / "plain" / f"class{c}" / f"image{k}.png")

    assert np.array_equal(every(build("folder", path=str(root), size=SIZE)), plain)


def nested(tmp_path):
    root = tmp_path / "nested"
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), root / f"alphabet{c % 2}/character{c}/image{k}.png"))
    return root


def test_images_that_lie_deeper_than_the_classes_are_told_of(tmp_path, build):
    """Of a folder of alphabets of characters it is said which the classes are, that images lie deeper, and what to do."""
    dataset = build("folder", path=str(nested(tmp_path)))

    assert dataset.class_names == ["alphabet0", "alphabet1"]
    with pytest.raises(
        DataError,
        match=r"class-halves of 2 classes .*; the classes are alphabet0, alphabet1, but images lie one level deeper "
        r"\(alphabet0/character0/image0\.png\): .*--set dataset\.options\.level=2 ",
    ):
        cut(dataset, SplitSpec(rule="class-halves", folds=2, group=None, test_fraction=0.5, acknowledged_duplicates=0))


def test_the_level_of_the_classes_and_their_groups_can_be_said(tmp_path, build):
    """With level 2 the characters are the classes; with group = parent so, too, and the alphabets their groups."""
    root = str(nested(tmp_path))
    names = [f"alphabet{a}/character{c}" for a in range(2) for c in range(a, CLASSES, 2)]

    assert build("folder", path=root, level=2).class_names == names
    grouped = build("folder", path=root, group="parent")
    assert grouped.class_names == names
    assert grouped.class_attributes == {"group": ["alphabet0"] * 4 + ["alphabet1"] * 4}
    assert not grouped.notes
    with pytest.raises(DataError, match="group = 'parent' needs classes that lie below another folder: level = 2, got 1"):
        build("folder", path=root, group="parent", level=1)
    with pytest.raises(DataError, match=r"holds 0 folders with images.*passed over: 32 images above the folders of classes"):
        build("folder", path=root, level=3)


def test_groups_may_stand_in_the_names_of_classes(tmp_path, build, plain):
    """A pattern with one group in parentheses says which classes belong together; what is none, or finds none, is refused."""
    root = str(tmp_path / "plain")

    assert build("folder", path=root, group=r"(\d)$").class_attributes == {"group": list("01234567")}
    for pattern, message in (
        (r"(x)", r"finds no group in 8 of 8 classes, the first: 'class0'"),
        (r"\d", r"one group in parentheses, '\\\\d' has 0"),
        (r"(", r"must be 'parent' or a regular expression"),
    ):
        with pytest.raises(DataError, match=message):
            build("folder", path=root, group=pattern)


@pytest.mark.parametrize(("first", "second"), [("train", "test"), ("Training", "val"), ("train", "validation")])
def test_folders_called_train_and_test_are_the_split(tmp_path, build, first, second):
    """Below train and test (or val) lie the classes; they are offered as the official split, and said to be."""
    root = tmp_path / "parts"
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), root / (first if c < 4 else second) / f"class{c}/image{k}.png"))

    dataset = build("folder", path=str(root))

    assert dataset.class_names == [f"class{c}" for c in range(CLASSES)]
    names = [dataset.item_names[i] for i in dataset.parts["trainval"]]
    assert len(names) == 16
    assert {name.split("/")[0] for name in names} == {first}
    assert any(note.startswith("parts train, ") for note in dataset.notes)
    split = cut(dataset, SplitSpec(rule="official", folds=2, group=None, test_fraction=0.5, acknowledged_duplicates=0))
    assert set(dataset.labels[split.test]) == {4, 5, 6, 7}
    assert build("folder", path=str(root), parts=False).class_names == sorted([first, second])


def test_classes_on_both_sides_of_a_split_are_told_of(tmp_path, build):
    """Where train and test have the same classes, it is said that only the rule closed-set allows that."""
    root = tmp_path / "parts"
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), root / ("train" if k < 2 else "test") / f"class{c}/image{k}.png"))

    dataset = build("folder", path=str(root))

    assert len(dataset.class_names) == CLASSES
    assert "8 classes are on both sides of it (class0), which the split rule closed-set alone allows" in dataset.notes


def test_parts_without_classes_are_told_of(tmp_path, build):
    """Images that lie in train and test themselves are not taken for two classes in silence."""
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), tmp_path / "p" / ("train" if c < 4 else "test") / f"{c}-{k}.png"))

    with pytest.raises(DataError, match=r"test, train are taken for the parts of a split.*--set dataset\.options\.parts=false"):
        build("folder", path=str(tmp_path / "p"))


def test_shared_images_are_named(tmp_path, build):
    """One placeholder in three classes is told with all three files; of many the first ten are, and the number of the others."""
    root = tmp_path / "twice"
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), root / f"class{c}/image{k}.png"))
    for c in (1, 3, 6):
        put(Image.fromarray(np.full((SIZE, SIZE), 200, np.uint8)), root / f"class{c}/noimage.png")
    rules = SplitSpec(rule="class-halves", folds=2, group=None, test_fraction=0.5, acknowledged_duplicates=0)

    same = "class1/noimage.png = class3/noimage.png = class6/noimage.png"
    with pytest.raises(DataError, match=re.escape(f"1 image occurs both in trainval and in test: {same}; remove")):
        cut(build("folder", path=str(root)), rules)

    for k in range(20):
        for c in (0, 7):
            put(Image.fromarray(np.full((SIZE, SIZE), k, np.uint8)), root / f"class{c}/same{k:02d}.png")
    with pytest.raises(DataError, match=r"21 images occur both in trainval and in test: .* and 34 more; remove"):
        cut(build("folder", path=str(root)), rules)


def test_names_that_are_not_utf8_work(tmp_path, build, check_contract):
    """Folders and files whose names are Latin-1 are read; their classes and items have names that any document can hold."""
    raw = os.fsencode(tmp_path) + b"/latin\xe4"
    for c in range(CLASSES):
        place = raw + b"/M\xfcller%d" % c
        Path(os.fsdecode(place)).mkdir(parents=True)
        for k in range(EACH):
            with open(place + b"/b\xfcld%d.png" % k, "wb") as file:  # noqa: PTH123  a name of bytes
                Image.fromarray(GREY[c, k]).save(file, format="PNG")

    for path in (os.fsdecode(raw), str(tmp_path / r"latin\xe4")):
        dataset = build("folder", path=path, size=SIZE)
        check_contract(dataset)
        assert dataset.class_names[:2] == [r"M\xfcller0", r"M\xfcller1"]
        assert dataset.item_names[0] == r"M\xfcller0/b\xfcld0.png"
        cut(dataset, SplitSpec(rule="class-halves", folds=2, group=None, test_fraction=0.5, acknowledged_duplicates=0))


def test_a_scan_that_is_too_large_is_named_though_there_is_one_class(tmp_path, build):
    """Where a folder holds one class, the file that cannot be read is the nearer reason."""
    put(Image.new("1", (14000, 14000), 1), tmp_path / "scan/class0/scan.png")

    with pytest.raises(DataError, match=r"class0/scan\.png has more than the 89,478,485 pixels"):
        build("folder", path=str(tmp_path / "scan"))


def test_a_mode_that_is_found_is_one_for_all(tmp_path, build):
    """One coloured image among grey ones makes all of them RGB; mode grey and rgb are taken as they are said."""
    for c in range(2):
        for k in range(3):
            put(Image.new("RGB", (8, 8), (9 * k, 9 * k, 9 * k)), tmp_path / f"m/c{c}/{k}.png")
    assert build("folder", path=str(tmp_path / "m"), size=8).shape[0] == 1
    assert build("folder", path=str(tmp_path / "m"), size=8, mode="rgb").shape[0] == 3
    put(Image.new("RGB", (8, 8), (1, 2, 3)), tmp_path / "m/c1/3.png")
    assert build("folder", path=str(tmp_path / "m"), size=8).shape[0] == 3
    assert build("folder", path=str(tmp_path / "m"), size=8, mode="grey").shape[0] == 1


@pytest.mark.parametrize("size", [0, -1, 4097, 2**40])
def test_a_size_beyond_reason_is_refused(tmp_path, build, plain, size):
    """Images are brought to 1 to 4096 pixels."""
    with pytest.raises(DataError, match=f"size must be a number of pixels from 1 to 4096, got {size}"):
        build("folder", path=str(tmp_path / "plain"), size=size)


def test_pages_of_an_image_are_told_of(tmp_path, build):
    """That of animated files the first picture is read is said, with an example."""
    for c in range(2):
        for k in range(2):
            pages = [Image.new("L", (8, 8), 50 * c + k), Image.new("L", (8, 8), 200)]
            put(pages[0], tmp_path / f"g/c{c}/{k}.gif", save_all=True, append_images=pages[1:])

    assert build("folder", path=str(tmp_path / "g")).notes == ("of 4 files with several pages or frames the first is read (c0/0.gif)",)


def test_both_sides_of_many_copies_are_named(tmp_path, build):
    """Of a content that many files hold, files of either side are named."""
    root = tmp_path / "copies"
    every_image(lambda c, k: put(Image.fromarray(GREY[c, k]), root / f"class{c}/image{k}.png"))
    for c in (0, 7):
        for k in range(30):
            put(Image.fromarray(np.full((SIZE, SIZE), 9, np.uint8)), root / f"class{c}/same{k:02d}.png")
    rules = SplitSpec(rule="class-halves", folds=2, group=None, test_fraction=0.5, acknowledged_duplicates=0)

    with pytest.raises(DataError, match=r"30 images occur both .*class0/same00\.png = .*class7/same00\.png = .* and 50 more; remove"):
        cut(build("folder", path=str(root)), rules)

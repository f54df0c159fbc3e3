"""Somebody's own items of two sides, from tables and from files of arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from siambench.data.checked import checked
from siambench.data.sides import parted
from siambench.data.tokens import byte_tokens, hashed_words
from siambench.errors import DataError, DataMissingError

CAPTIONS = ["a red cat", "the same cat, asleep", "two dogs", "a dog", "grass", "green grass"]


@pytest.fixture
def table(tmp_path, build):
    """Write a table beside three pictures and load it."""
    for number in range(3):
        Image.new("L", (4, 4), 50 * number + 5).save(tmp_path / f"{number}.png")

    def load(text, encoding="utf-8", **options):
        (tmp_path / "mine.csv").write_bytes(text.encode(encoding))
        return build("sides", path=str(tmp_path / "mine.csv"), **{"size": 4, **options})

    return load


def captioned(heading="path,text,label", line="{i}.png,{text},{c}"):
    """Six captions of three pictures, two of each, as a table."""
    rows = [line.format(i=n // 2, text=f'"{text}"', c="abc"[n // 2], n=n) for n, text in enumerate(CAPTIONS)]
    return "\n".join([heading, *rows]) + "\n"


def sides_of(dataset):
    """Both sides of all items, as models take them."""
    return parted(torch.from_numpy(dataset.read(np.arange(len(dataset.labels)))), dataset.sides)


def told(sides):
    return [(side.name, side.form, tuple(side.shape)) for side in sides]


def test_pictures_and_texts_are_the_sides_that_need_no_word(table):
    """The columns path and text are an image and a text; an image stands in as many lines as it has captions."""
    dataset = checked(table(captioned(), length=8), "mine")
    pictures, texts = sides_of(dataset)

    assert told(dataset.sides) == [("path", "images", (1, 4, 4)), ("text", "tokens", (8,))]
    assert (pictures[:, 0, 0, 0] * 255).round().tolist() == [5, 5, 55, 55, 105, 105]
    assert texts.tolist() == hashed_words(CAPTIONS, vocabulary=8192, length=8).tolist()
    assert (dataset.labels.tolist(), list(dataset.class_names)) == ([0, 0, 1, 1, 2, 2], ["a", "b", "c"])
    assert dataset.item_names[0] == "line 2"


def test_options_say_which_columns_are_which_side(table):
    """A column by its name whatever its capitals, texts as bytes, and what is left over is told of."""
    dataset = table(
        captioned("Photo,Caption,LABEL,price", "{i}.png,{text},{c},{n}"),
        first="text: caption",
        second="image: PHOTO",
        tokens="bytes",
        length=24,
    )
    texts, pictures = sides_of(checked(dataset, "mine"))

    assert told(dataset.sides) == [("caption", "tokens", (24,)), ("photo", "images", (1, 4, 4))]
    assert texts.tolist() == byte_tokens(CAPTIONS, length=24).tolist()
    assert (pictures[:, 0, 0, 0] * 255).round().tolist() == [5, 5, 55, 55, 105, 105]
    assert "passed over: 1 column (price)" in dataset.notes


USERS = "user_age;item_price;user_income;label;item_weight\n30;1.5;-2e3;tea;1\n41;2.5;7;milk;2\n8;0;0;tea;3\n"


def test_numbers_of_several_columns_are_a_side(table):
    """Columns by a pattern, in the table's order, are vectors in 32 bits as they stand; semicolons part cells too."""
    dataset = checked(table(USERS, first="numbers:user_*", second="numbers: item_weight, item_price"), "mine")
    users, items = sides_of(dataset)

    assert told(dataset.sides) == [("first", "arrays", (2,)), ("second", "arrays", (2,))]
    assert users.tolist() == [[30, -2000], [41, 7], [8, 0]]
    assert items.tolist() == [[1, 1.5], [2, 2.5], [3, 0]]
    assert dataset.labels.tolist() == [1, 0, 1]


def test_two_columns_of_one_kind_are_two_sides(table):
    """Questions and answers are a text each; a column cannot be both sides."""
    text = "question,answer\nwho,me\nwhy,because\n"
    dataset = table(text, first="text:question", second="text:answer", length=2)

    assert told(dataset.sides) == [("question", "tokens", (2,)), ("answer", "tokens", (2,))]
    with pytest.raises(DataError, match="the column question is in both sides: first and second must name others"):
        table(text, first="text:question", second="text:question")


def test_without_labels_each_line_is_a_class(table):
    """Their names sort as the lines do, so that a half of the classes is a half of the table; it is told."""
    dataset = table("path,text\n" + "".join(f"{n % 3}.png,text {n}\n" for n in range(12)))

    assert dataset.labels.tolist() == list(range(12))
    assert sorted(dataset.class_names) == list(dataset.class_names)
    assert dataset.class_names[0] == "line 02"
    assert "there is no column label: each line is a class of its own" in dataset.notes


def test_groups_folds_and_a_split_stand_beside_them(table):
    """They are those of a table of one side, but for query and gallery, which two sides are themselves."""
    heading, line = "path,text,label,group,fold,split", "{i}.png,{text},{c},g{i},{i},{s}"
    rows = [line.format(i=n // 2, text="word", c="abc"[n // 2], s="test" if n > 3 else "train") for n in range(6)]
    dataset = table("\n".join([heading, *rows]) + "\n")

    assert {name: list(values) for name, values in dataset.class_attributes.items()} == {
        "group": ["g0", "g1", "g2"],
        "fold": ["0", "1", "2"],
    }
    assert {name: part.tolist() for name, part in dataset.parts.items()} == {"test": [4, 5], "trainval": [0, 1, 2, 3]}
    with pytest.raises(DataError, match=r"line 2: split must be one of train, .*, got 'gallery'; of two sides the first asks"):
        table("\n".join([heading, *rows]).replace("train", "gallery") + "\n")


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("path,caption\n0.png,a\n", {}, "has no column 'text' for its second side; its heading has path, caption, and --set"),
        (
            "path,caption\n0.png,a\n",
            {"second": "text:captoin"},
            "has no column 'captoin' for its second side, did you mean 'caption'?; its heading",
        ),
        ("path,text\n0.png,a\n", {"first": "path"}, "dataset.options.first must be image:COLUMN, text:COLUMN or numbers:COLUMN,COLUMN"),
        ("path,text\n0.png,a\n", {"first": "imgae:path"}, "got 'imgae:path', did you mean 'image'"),
        ("path,text\n0.png,a\n", {"first": "image:path,text"}, "dataset.options.first must be image:COLUMN"),
        ("path,text\n0.png,a\n", {"second": "numbers:"}, "dataset.options.second must be image:COLUMN"),
        ("path,text\n0.png,a\n0.png,\n", {}, "line 3 has no text"),
        ("path,text\n0.png,a\n1.png, --- \n", {"tokens": "wrods"}, "tokens must be words or bytes, got 'wrods'"),
        ("path,text\n0.png,a\n7.png,b\n7.png,c\n", {}, "1 of 2 files in the column path are missing, looked for from "),
        ("path,text\n0.png,a\n7.png,b\n7.png,c\n", {}, "line 3 (7.png)"),
        ("path,text,label\n0.png,a,x\n1.png,b,\n", {}, "line 3 has no label"),
        ("path,text\n0.png,a,b\n", {}, "line 2 has 3 cells, the heading has 2"),
        ("path,text,Text\n0.png,a,b\n", {}, "has the column 'text' twice"),
        ("path,text\n", {}, "has no line below its heading"),
        ("", {}, "is empty"),
        ("u,i\n1,2\nx,3\n", {"first": "numbers:u", "second": "numbers:i"}, "line 3: u must be a number, got 'x'"),
        ("u,i\n1,2\n1e40,3\n", {"first": "numbers:u", "second": "numbers:i"}, "line 3: u must be a number, got '1e40'"),
        ("u,i\n1,2\nnan,3\n", {"first": "numbers:u", "second": "numbers:i"}, "line 3: u must be a number, got 'nan'"),
        ("u,i\n1,2\n", {"first": "numbers:v*", "second": "numbers:i"}, "has no column 'v*'"),
        ("path,text\n0.png,a\n", {"size": 0}, "size must be a number of pixels"),
        ("path,text,label,group\n0.png,a,x,1\n1.png,b,x,2\n", {}, "group must be the same for all items of a class, class 'x'"),
    ],
)
def test_what_a_table_lacks_is_one_sentence(table, text, options, told):
    """It names the file and the line, what was got and what is allowed, and the nearest name."""
    with pytest.raises(DataError) as caught:
        table(text, **options)

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


POINTS = np.random.default_rng(3).normal(size=(6, 3))
IMAGES = np.random.default_rng(4).normal(size=(6, 2, 5)).astype("f2")


@pytest.fixture
def arrays(tmp_path, build):
    """Write arrays into a file and load it as a data set."""

    def load(suffix=".npz", options=None, **given):
        path = tmp_path / f"mine{suffix}"
        if suffix == ".npz":
            np.savez(path, **given)
        else:
            save_file({name: torch.from_numpy(value) for name, value in given.items()}, path)
        return build("sides", path=str(path), **(options or {}))

    return load


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_two_arrays_are_two_sides(arrays, suffix):
    """Of any shape, in 32 bits, called first and second or as options say; whole labels are classes in order of size."""
    dataset = checked(arrays(suffix, first=POINTS, second=IMAGES, labels=np.repeat([9, 10, 7], 2)), "mine")
    named = arrays(suffix, {"first": "users", "second": "items"}, items=IMAGES, users=POINTS)
    first, second = sides_of(dataset)

    assert told(dataset.sides) == [("first", "arrays", (3,)), ("second", "arrays", (2, 5))]
    assert torch.equal(first, torch.from_numpy(POINTS).float())
    assert torch.equal(second, torch.from_numpy(IMAGES).float())
    assert (list(dataset.class_names), dataset.labels.tolist()) == (["7", "9", "10"], [1, 1, 2, 2, 0, 0])
    assert told(named.sides) == [("users", "arrays", (3,)), ("items", "arrays", (2, 5))]
    assert (list(named.class_names), "there is no array labels: each item is a class of its own" in named.notes) == (
        [f"item {number}" for number in range(6)],
        True,
    )


def test_what_stands_beside_arrays_is_read(arrays):
    """Groups of classes, a split and names; what else there is is told of."""
    dataset = arrays(
        first=POINTS,
        second=IMAGES,
        labels=np.array(list("aabbcc")),
        groups=np.array(list("xxxxyy")),
        split=np.array(["train"] * 4 + ["test"] * 2),
        names=np.array([f"pair {n}" for n in range(6)]),
        other=np.zeros(1),
    )

    assert list(dataset.class_attributes["group"]) == ["x", "x", "y"]
    assert dataset.parts["test"].tolist() == [4, 5]
    assert dataset.item_names[5] == "pair 5"
    assert "passed over: 1 array (other)" in dataset.notes


@pytest.mark.parametrize(
    ("options", "given", "told"),
    [
        ({}, {"features": POINTS, "second": POINTS}, "has no array 'first' for its first side; it holds features, second, and --set"),
        ({"first": "user"}, {"users": POINTS, "second": POINTS}, "has no array 'user' for its first side, did you mean 'users'"),
        ({"first": "second"}, {"second": POINTS}, "first and second must name two arrays, got 'second' twice"),
        ({}, {"first": POINTS, "second": POINTS[1:]}, "first and second of "),
        ({}, {"first": POINTS, "second": POINTS[1:]}, "must hold as many items, got 6 and 5"),
        ({}, {"first": POINTS, "second": POINTS, "labels": np.arange(5)}, "labels of "),
        ({}, {"first": POINTS * np.inf, "second": POINTS}, "hold numbers that are not finite"),
        ({}, {"first": POINTS, "second": POINTS, "split": np.array(["train"] * 5 + ["query"])}, "item 5: split must be one of train"),
    ],
)
def test_what_arrays_lack_is_one_sentence(arrays, options, given, told):
    """It names the file and the array."""
    with pytest.raises(DataError) as caught:
        arrays(options=options, **given)

    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_named(build, tmp_path):
    """A missing table or file of arrays is data that is missing."""
    for name in ("none.csv", "none.npz"):
        with pytest.raises(DataMissingError, match=name):
            build("sides", path=str(tmp_path / name))

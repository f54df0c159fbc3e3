import numpy as np
import pytest
from PIL import Image

from siambench.errors import DataError, DataMissingError


@pytest.fixture
def root(tmp_path):
    """Six images in a folder."""
    (tmp_path / "pictures").mkdir()
    for i in range(6):
        Image.new("L", (4, 4), 40 * i).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path


def put(root, text, encoding="utf-8"):
    """Write a table and return its path."""
    (root / "table.csv").write_bytes(text.encode(encoding))
    return str(root / "table.csv")


def rows(heading, line):
    """A table of the six images in three classes."""
    return "\n".join([heading, *(line.format(i=i, c="abc"[i // 2]) for i in range(6))]) + "\n"


def test_a_table_of_images_is_read(root, build, every, check_contract):
    """Paths count from the table's folder; items are called by them, in the order of the lines."""
    dataset = build("csv", path=put(root, rows("path,label", "pictures/{i}.png,{c}")), size=4)

    check_contract(dataset)
    assert every(dataset)[:, 0, 0, 0].tolist() == [0, 40, 80, 120, 160, 200]
    assert (dataset.class_names, dataset.labels.tolist()) == (["a", "b", "c"], [0, 0, 1, 1, 2, 2])
    assert dataset.item_names[1] == "pictures/1.png"
    assert dataset.form == "images"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (rows("Label; PATH ;note", "{c};pictures/{i}.png;x"), "utf-8"),
        (rows("path\tlabel", "pictures/{i}.png\t{c}"), "utf-8-sig"),
        (rows("path,label", 'pictures/{i}.png,"{c}"').replace("\n", "\r\n"), "utf-16"),
        (rows('"path","label"', '"./pictures/{i}.png" , "{c}"').replace(" , ", ","), "utf-8"),
        (rows("path,label", "pictures/{i}.png,{c}\n\n"), "utf-32"),
    ],
)
def test_tables_come_in_many_forms(root, build, text, encoding):
    """Commas, semicolons, tabs, marks of the order of bytes, quotation marks, blank lines and Windows' ends of lines are all one."""
    dataset = build("csv", path=put(root, text, encoding), size=4)

    assert (dataset.class_names, dataset.labels.tolist()) == (["a", "b", "c"], [0, 0, 1, 1, 2, 2])
    assert list(dataset.notes) == (["passed over: 1 column (note)"] if "note" in text else [])


def test_groups_folds_and_parts(root, build):
    """The columns group, split and fold say what classes belong together, the official split, and the folds."""
    text = "path,label,group,split,fold\n" + "".join(
        f"pictures/{i}.png,{'abc'[i // 2]},{'xxy'[i // 2]},{('Train', 'val', 'test')[i // 2]},{i // 2}\n" for i in range(6)
    )

    dataset = build("csv", path=put(root, text), size=4)

    assert dataset.class_attributes == {"group": ["x", "x", "y"], "fold": ["0", "1", "2"]}
    assert {name: part.tolist() for name, part in dataset.parts.items()} == {"trainval": [0, 1, 2, 3], "test": [4, 5]}


TEXTS = 'text,label\n"Where, oh where, is\nmy card?",card\nI lost it,card\nhow much,money\nsend money,money\n'


@pytest.mark.parametrize("tokens", ["words", "bytes"])
def test_a_table_of_texts_becomes_tokens(root, build, every, tokens):
    """Texts, over several lines too, become tokens as `siambench.data.tokens` makes them; what is cut is told."""
    dataset = build("csv", path=put(root, TEXTS), tokens=tokens, length=9, vocabulary=100)

    found = every(dataset)
    assert (dataset.form, dataset.shape, dataset.vocabulary) == ("tokens", (9,), 100 if tokens == "words" else 257)
    assert found.dtype == np.int64
    assert (found[1] != 0).sum() == (3 if tokens == "words" else 9)
    assert dataset.item_names == ["line 2", "line 4", "line 5", "line 6"]
    # Of nine words and marks none is too many; of bytes each text but one has more.
    assert list(dataset.notes) == ([] if tokens == "words" else ["2 texts are cut after 9 bytes"])


def test_an_encoding_can_be_said(root, build):
    """A table that is not UTF-8 is refused with the line, and read when its encoding is said."""
    path = put(root, "text,label\nein Stück,ü\nzwei,ü\ndrei,b\nvier,b\n", "latin-1")

    with pytest.raises(DataError, match=r"table\.csv: line 2 is not utf-8 \(byte 0xfc\): .*--set dataset\.options\.encoding=cp1252"):
        build("csv", path=path)
    assert build("csv", path=path, encoding="latin-1").class_names == ["b", "ü"]
    with pytest.raises(DataError, match="no such encoding: klingon"):
        build("csv", path=path, encoding="klingon")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table\.csv is empty"),
        ("path,label\n", "no line below its heading"),
        ("file,label\na,b\n", "must have the column label and one of path and text, its heading has file, label"),
        ("path,text,label\na,b,c\n", "one of path and text"),
        ("path,label,label\na,b,c\n", "has the column 'label' twice"),
        ("path,label\npictures/0.png\n", "line 2 has 1 cells, the heading has 2"),
        ("path,label\npictures/0.png,a\npictures/1.png,\n", "line 3 has no label"),
        ("path,label\n,a\n", "line 2 has no path"),
        ('path,label\n"pictures/0.png,a\n', "line 2 is no row of a table"),
        ("path,label\npictures/0.png,a\npictures/0.png,b\n", r"line 3 names the same file as line 2: pictures/0\.png"),
        ("path,label\npictures/0.png,a\nx.png,b\npictures/2.png,b\n", r"1 of 3 files are missing, looked for from .*: line 3 \(x\.png\)"),
        ("path,label\npictures\\0.png,a\n", r"line 2 \(pictures\\0\.png\); names of folders are parted by /, not \\"),
        ("path,label\npictures,a\n", r"files are missing.*line 2 \(pictures\)"),
        ("path,label,split\npictures/0.png,a,tset\n", "line 2: split must be one of train, .*got 'tset'"),
        (
            "path,label,group\npictures/0.png,a,x\npictures/1.png,a,y\n",
            "group must be the same for all items of a class, class 'a' has 'x' and 'y'",
        ),
        ("text,label\n...,a\n   ,b\n", "line 3 has no text"),
        ("text,label\na\0b,c\n", "line 2 holds a zero: is it UTF-16"),
        ("text,label\n" + "x" * 200_000 + ",a\n", "line 2 is no row of a table: field larger"),
        ("path,label\n" + "".join(f"x{i}.png,a\n" for i in range(12)), r"12 of 12 files are missing.*line 11 \(x9\.png\) and 2 more"),
    ],
)
def test_what_does_not_hold_is_told_with_its_line(root, build, text, message):
    """Whatever is wrong with a table is one sentence with its name and the number of the line."""
    with pytest.raises(DataError, match=message):
        build("csv", path=put(root, text))


def test_a_table_that_is_not_there_is_missing(root, build):
    """A path that is no file is missing data."""
    with pytest.raises(DataMissingError, match=r"no such file: .*nowhere\.csv"):
        build("csv", path=str(root / "nowhere.csv"))


def test_a_broken_image_of_a_table_is_named(root, build):
    """An image that cannot be read is named by its file."""
    (root / "pictures" / "3.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"pictures/3\.png cannot be read as an image"):
        build("csv", path=put(root, rows("path,label", "pictures/{i}.png,{c}")))

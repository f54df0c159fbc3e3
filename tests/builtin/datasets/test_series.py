"""Time series in files .ts, of equal and unequal length, of one and several channels."""

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.data.summary import summary
from siambench.errors import DataError, DataMissingError

HEAD = [
    "# a comment",
    "@problemName Small",
    "@timeStamps false",
    "@missing false",
    "@univariate true",
    "@equalLength true",
    "@seriesLength 4",
    "@classLabel true up down flat",
    "@data",
]
TRAIN = ["1,2,3,4:up", "4.5,3,2e0,1:down", "1,2,3,5:up"]
TEST = ["9,8,7,6:down", "5,5,5,5:flat"]


def small(folder, train=TRAIN, test=TEST, head=HEAD):
    layouts.text(folder / "Small_TRAIN.ts", [*head, *train])
    layouts.text(folder / "Small_TEST.ts", [*head, *test])
    return str(folder)


def test_series_of_one_channel(tmp_path, build, every):
    """Values are those of the lines, one channel, in order of the files; classes in order of the heading."""
    dataset = build("ucr", path=small(tmp_path / "Small"))

    assert dataset.form == "arrays"
    assert every(dataset).dtype == np.float32
    assert every(dataset).tolist() == [[[1, 2, 3, 4]], [[4.5, 3, 2, 1]], [[1, 2, 3, 5]], [[9, 8, 7, 6]], [[5, 5, 5, 5]]]
    assert dataset.class_names == ["up", "down", "flat"]
    assert dataset.labels.tolist() == [0, 1, 0, 1, 2]
    assert {name: part.tolist() for name, part in dataset.parts.items()} == {"trainval": [0, 1, 2], "test": [3, 4]}
    assert str(summary(dataset)) == "3 classes, 5 arrays, 1 to 2 a class, first class up"


def test_series_of_several_channels_and_lengths(tmp_path, build, every):
    """Channels stand between colons; what is shorter than the longest is followed by zeros, and that is said."""
    dataset = build("ucr", path=small(tmp_path / "s", ["1,2,3:4,5,6:up", "1,2:7,8:down"], ["1,2,3,4:1,2,3,4:flat"]))

    assert dataset.shape == (2, 4)
    assert every(dataset).tolist() == [[[1, 2, 3, 0], [4, 5, 6, 0]], [[1, 2, 0, 0], [7, 8, 0, 0]], [[1, 2, 3, 4], [1, 2, 3, 4]]]
    assert list(dataset.notes) == ["2 of 3 series are shorter than 4 and followed by zeros"]


def test_one_file_has_no_parts(tmp_path, build):
    """A single file is a data set without a split of its own."""
    path = layouts.text(tmp_path / "x.ts", [*HEAD, *TRAIN, *TEST])

    assert build("ucr", path=str(path)).parts == {}


def test_missing_values_are_refused_or_interpolated(tmp_path, build, every):
    """A ? is refused with its line and what to do; interpolated it lies between its neighbours, at an end it is as the nearest."""
    path = small(tmp_path / "s", ["?,2,?,?,8,?:up", "1,2,3,4,5,6:down"], ["0,0,0,0,0,NaN:flat"])
    with pytest.raises(
        DataError, match=r"Small_TRAIN\.ts: line 10, channel 1: 4 of 6 values are missing: --set dataset\.options\.missing=interpolate"
    ):
        build("ucr", path=path)

    dataset = build("ucr", path=path, missing="interpolate")
    assert every(dataset)[0, 0].tolist() == [2, 2, 4, 6, 8, 8]
    assert "5 missing values are interpolated" in dataset.notes
    with pytest.raises(DataError, match="ucr: missing must be one of refuse, interpolate, got 'drop'"):
        build("ucr", path=path, missing="drop")


def test_line_ends_of_windows_and_a_mark_of_bytes(tmp_path, build, every):
    """A BOM and CRLF are no part of values or classes."""
    small(tmp_path / "s")
    for name in ("Small_TRAIN.ts", "Small_TEST.ts"):
        path = tmp_path / "s" / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert build("ucr", path=str(tmp_path / "s")).class_names == ["up", "down", "flat"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"has no line @data"),
        (HEAD, r"holds no series"),
        (HEAD[:-1], r"has no line @data"),
        ([*HEAD, "1,2,x,4:up"], r"line 10, channel 1 holds 'x', which is no number"),
        ([*HEAD, "1,2,,4:up"], r"line 10, channel 1 holds '', which is no number"),
        ([*HEAD, "1,2,inf,4:up"], r"line 10, channel 1 holds a number that is not finite"),
        ([*HEAD, "1,2,1e39,4:up"], r"numbers that are not finite in 32 bits"),
        ([*HEAD, "1,2,3,4"], r"line 10 must hold channels and behind the last : a class, got '1,2,3,4'"),
        ([*HEAD, "1,2,3,4:"], r"line 10 must hold channels and behind the last : a class"),
        ([*HEAD, "1,2,3,4:left"], r"line 10 has the class 'left', the heading has up, down, flat"),
        ([*HEAD, "1,2:up", "1,2:3,4:up"], r"line 11 has 2 channels, the first series has 1"),
        ([*HEAD, "(0,1),(1,2):up"], r"line 10 holds values with time stamps"),
        ([line.replace("@timeStamps false", "@timeStamps true") for line in HEAD], r"line 3: series with time stamps are not read"),
        ([line.replace("@classLabel true up down flat", "@classLabel false") for line in HEAD], r"its heading must say @classLabel true"),
        (["1,2,3:up"], r"line 1 stands before @data and begins with no @"),
        ([*HEAD, "?,?:up"], r"all 2 values are missing"),
    ],
)
def test_files_that_do_not_hold_are_one_sentence(tmp_path, build, lines, message):
    """Headings without an end, classes that are none, values that are no numbers, other numbers of channels."""
    path = layouts.text(tmp_path / "x.ts", lines)

    with pytest.raises(DataError, match=message):
        build("ucr", path=str(path), missing="interpolate")


def test_folders_that_do_not_hold_are_one_sentence(tmp_path, build):
    """No such file, a folder without a part, one of two data sets, one with parts of different names."""
    with pytest.raises(DataMissingError, match=r"no such file: .*none"):
        build("ucr", path=str(tmp_path / "none"))
    small(tmp_path / "s")
    (tmp_path / "s/Small_TEST.ts").rename(tmp_path / "s/Other_TEST.ts")
    with pytest.raises(DataError, match="holds the training series of Other and the test of Small"):
        build("ucr", path=str(tmp_path / "s"))
    (tmp_path / "s/Other_TEST.ts").unlink()
    with pytest.raises(DataMissingError, match=r"holds no \*_TEST\.ts: a folder holds NAME_TRAIN\.ts and NAME_TEST\.ts, or name a file"):
        build("ucr", path=str(tmp_path / "s"))
    layouts.text(tmp_path / "s/Z_TRAIN.ts", HEAD)
    with pytest.raises(DataError, match=r"holds 2 files \*_TRAIN\.ts, the first Small_TRAIN\.ts: name the folder of one data set"):
        build("ucr", path=str(tmp_path / "s"))

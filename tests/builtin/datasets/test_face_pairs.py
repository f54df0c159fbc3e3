"""CFP-FP and AgeDB-30 as InsightFace packs them, small; pickles that ask for more are refused."""

import os
import pickle

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.builtin.datasets import face_pairs
from siambench.data.unpickle import parse_pickle
from siambench.errors import DataError, DataMissingError

SAME = [True, False] * 10


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Where data is, for sets of twenty pairs."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(face_pairs, "PAIRS", {"cfp-fp": 20, "agedb-30": 20})
    return tmp_path


@pytest.mark.parametrize(("name", "file"), [("cfp-fp", "cfp_fp.bin"), ("agedb-30", "agedb_30.bin")])
@pytest.mark.parametrize("protocol", [2, 4])
def test_pairs_are_read_with_their_folds(build, every, check_contract, data, name, file, protocol):
    """Pair i is of the images 2 i and 2 i + 1, ten folds in order, as InsightFace's own evaluation cuts them without shuffling."""
    layouts.face_bin(data / name / file, SAME, protocol=protocol)
    dataset = build(name, size=12, test_folds=10)

    check_contract(dataset)
    pairs = dataset.pairs
    assert pairs.left.tolist() == list(range(0, 40, 2))
    assert pairs.right.tolist() == list(range(1, 40, 2))
    assert pairs.same.tolist() == SAME
    assert pairs.fold.tolist() == [place // 2 for place in range(20)]
    assert np.array_equal(every(dataset)[3], np.asarray(layouts.picture([11, 3])).transpose(2, 0, 1))
    assert (dataset.labels[pairs.left] == dataset.labels[pairs.right]).tolist() == SAME
    assert dataset.parts == {}


def test_the_last_folds_are_the_test(build, data):
    """By default the first five folds train and the last five are the test, and no class is on both sides."""
    layouts.face_bin(data / "cfp-fp/cfp_fp.bin", SAME)
    dataset = build("cfp-fp", size=12)

    assert dataset.parts["trainval"].tolist() == list(range(20))
    assert dataset.parts["test"].tolist() == list(range(20, 40))
    assert not set(dataset.labels[:20]) & set(dataset.labels[20:])
    with pytest.raises(DataError, match=r"cfp-fp: test_folds must lie in 1 … 10, got 0"):
        build("cfp-fp", test_folds=0)


def test_an_image_of_several_pairs_is_one_item(build, data):
    """Images of one content are one item, what genuine pairs join is one class, and pairs that contradict that are told of."""
    images = [layouts.packed(layouts.picture([12, place])) for place in range(40)]
    images[4] = images[1]  # pair 2 (genuine) joins the second image of pair 0 (genuine)
    images[6], images[7] = images[0], images[5]  # pair 3 says that two of that class differ
    images[9] = images[8]  # pair 4 is of an image with itself
    layouts.face_bin(data / "cfp-fp/cfp_fp.bin", SAME, images)
    dataset = build("cfp-fp", size=12, test_folds=10)

    assert len(dataset.labels) == 36
    assert dataset.labels[:2].tolist() == [0, 0]
    assert len(dataset.pairs.left) == 18
    assert "1 pairs of an item with itself are left out" in dataset.notes
    assert "1 pairs that are not the same are left out, since others join their items" in dataset.notes


def test_odd_numbers_of_pairs_are_cut_as_scikit_learn_cuts_them():
    """23 pairs give folds of 3 and 2, those of KFold without shuffling."""
    from sklearn.model_selection import KFold

    from siambench.builtin.datasets.pair_lists import folds_in_order

    found = folds_in_order(23, 10)
    for fold, (_, held) in enumerate(KFold(10).split(np.zeros(23))):
        assert np.flatnonzero(found == fold).tolist() == held.tolist()


class Harmful:
    """Whoever unpickles it runs a command."""

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


HARMFUL = [
    (os.system, ("touch pwned",)),
    (eval, ("open('pwned', 'w')",)),
    (np.load, ("pwned",)),
    (getattr, (str, "join")),
]


@pytest.mark.parametrize("call", HARMFUL, ids=["system", "eval", "load", "getattr"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_something_is_refused(build, data, monkeypatch, call, protocol):
    """A file that asks for os.system, or anything else beyond lists, bytes and arrays, is one sentence, and nothing runs."""
    monkeypatch.chdir(data)
    path = data / "cfp-fp/cfp_fp.bin"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(([b"x", Harmful(call)], [True]), protocol=protocol))

    with pytest.raises(
        DataError, match=r"cfp_fp\.bin is a pickle that asks for \S+: of pickles numbers, text, bytes, lists and arrays alone"
    ):
        build("cfp-fp")
    assert not (data / "pwned").exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([1, 2, 3], r"must hold two lists, of images and of whether two are the same, got list"),
        (([], [True]), r"must hold a list of images, got list"),
        (([b"a", b"b", b"c"], [True]), r"must hold two images for each pair, got 3 for 1 pairs"),
        (([b"a", b"b"], [True]), r"cfp-fp has 20 pairs, .* holds 1: it is not the data set as published"),
        (([b"a", "b"], [True]), r"image 2 of .* must be the bytes of an image, got str"),
        (([b"a", np.arange(3)], [True]), r"image 2 of .* must be the bytes of an image, got ndarray"),
        (([b"a", b"b"], ["yes"]), r"whether pair 1 of .* is the same must be true or false, got str"),
        (([b"a", b"b"], [2]), r"whether pair 1 of .* is the same must be true or false, got int"),
        (([b"a"] * 40, SAME), r"cannot be read as an image"),
    ],
)
def test_files_that_do_not_hold_are_one_sentence(build, data, held, message):
    """Other lists, other numbers, images and truths that are none."""
    path = data / "cfp-fp/cfp_fp.bin"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(held))

    with pytest.raises(DataError, match=message):
        build("cfp-fp")


@pytest.mark.parametrize("content", [b"", b"\x80", b"<html>", b"\x80\x04]\x94(K\x01", b"\x80\x02(lp0\n" * 1000])
def test_damaged_pickles_are_one_sentence(build, data, content):
    """What is no pickle, or half of one, is told with its name."""
    path = data / "cfp-fp/cfp_fp.bin"
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"cfp_fp\.bin (cannot be read as a pickle, it is damaged or none|must hold)"):
        build("cfp-fp")


def test_truncated_files_are_one_sentence(build, data):
    """A file that was cut anywhere is refused, whatever was in the part that is left."""
    path = layouts.face_bin(data / "cfp-fp/cfp_fp.bin", SAME)
    whole = path.read_bytes()
    for part in (1, 2, 10, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:part])
        with pytest.raises(DataError, match=r"cfp_fp\.bin cannot be read as a pickle"):
            build("cfp-fp")


def test_what_is_absent_says_what_belongs_where(build, data):
    """Nothing is downloaded: the sentence says from where the file is, and where it goes."""
    with pytest.raises(
        DataMissingError, match=r"^cfp_fp\.bin is missing: get it from https://github\.com/deepinsight.* and put it into .*/cfp-fp$"
    ):
        build("cfp-fp")


# ---- the unpickler


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": [1, 2.5, True, (b"x", "y")], b"b": -(2**70)},
        [np.arange(6, dtype=np.uint8).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array([1.5, -2.5], dtype=">f4")],
        [np.float32(1.5), np.int64(-3), np.array([True])[0]],
        np.zeros((0, 4), dtype=np.int16),
    ],
    ids=["none", "plain", "arrays", "scalars", "empty"],
)
def test_plain_pickles_are_what_pickle_reads(value, protocol):
    """Numbers, text, bytes, lists, dictionaries and arrays of every order are read as pickle itself reads them."""

    def same(one, other):
        if isinstance(one, np.ndarray):
            assert one.dtype.newbyteorder("=") == other.dtype.newbyteorder("=")
            assert np.array_equal(one, other)
        elif isinstance(one, list | tuple):
            assert len(one) == len(other)
            for left, right in zip(one, other, strict=True):
                same(left, right)
        else:
            assert one == other

    same(value, parse_pickle(pickle.dumps(value, protocol=protocol), "it"))


@pytest.mark.parametrize(
    "value",
    [
        np.array([None, "a"], dtype=object),
        np.array(["a"]),
        np.zeros(2, dtype=[("a", int)]),
        np.datetime64("2020-01-01"),
        {1, 2},
        1j,
        print,
        object(),
    ],
    ids=["objects", "text", "fields", "time", "set", "complex", "function", "object"],
)
def test_everything_else_is_refused(value):
    """Arrays of objects, text or fields, sets, functions and objects are no plain values."""
    with pytest.raises(DataError, match="it is a pickle that asks for"):
        parse_pickle(pickle.dumps(value), "it")


def test_an_array_that_lies_about_its_size_is_refused():
    """The content of an array must be as long as its shape says."""
    good = pickle.dumps(np.zeros(3, dtype=np.uint8), protocol=2)

    with pytest.raises(DataError, match=r"(asks for an array that is not what it says|damaged)"):
        parse_pickle(good.replace(b"K\x03\x85", b"K\x04\x85"), "it")

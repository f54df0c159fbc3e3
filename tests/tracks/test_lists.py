"""Lists of pairs and triplets to train on, and what parts keep of them."""

import dataclasses

import numpy as np
import pytest

from siambench.errors import DataError, DataMissingError
from siambench.testing import synthetic_dataset
from siambench.tracks.lists import Rows, fault_of, read_rows
from siambench.tracks.parts import Items, turned

NAMES = tuple(f"class-{item // 6}/{item % 6}.png" for item in range(48))


@pytest.fixture(scope="module")
def dataset():
    """Eight classes of six items with names."""
    return dataclasses.replace(synthetic_dataset(), item_names=NAMES)


@pytest.fixture
def written(tmp_path):
    """Write a list."""

    def write(text):
        path = tmp_path / "list.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_triplets_are_read_by_the_indices_of_all_items(written, dataset):
    """Rows come in the order of the file, whatever the classes of their items are."""
    path = written("negative,anchor,positive\nclass-1/0,class-0/5.png,class-0/0\nclass-0/1.png,class-7/5,class-1/2.png\n")
    rows = read_rows(path, "triplets", dataset)

    assert [[5, 0, 6], [47, 8, 1]] == rows.items.tolist()
    assert (np.int64, None, 2, 3) == (rows.items.dtype, rows.same, len(rows), rows.branches)


def test_pairs_are_read_and_what_they_say_is_not_compared_with_the_labels(written, dataset):
    """A pair of two classes may be the same by the list, and one of one class another: the list is the truth."""
    rows = read_rows(written("left,right,same\nclass-0/0,class-1/0,1\nclass-2/0,class-2/1,0\n"), "pairs", dataset)

    assert ([[0, 6], [12, 13]], [True, False], 2) == (rows.items.tolist(), rows.same.tolist(), rows.branches)


def test_a_list_of_lfw_s_form_is_read(written, dataset):
    """Pairs may stand in the form of LFW's list, too."""
    names = tuple(f"p{item // 6}/p{item // 6}_{item % 6 + 1:04d}.jpg" for item in range(48))
    rows = read_rows(written("1\np0 1 2\np0 3 p7 6\n"), "pairs", dataclasses.replace(dataset, item_names=names))

    assert ([[0, 1], [2, 47]], [True, False]) == (rows.items.tolist(), rows.same.tolist())


def test_items_without_names_are_called_by_their_index(written):
    """The first item of the data set is 0."""
    assert [[0, 47, 3]] == read_rows(written("anchor,positive,negative\n0,47,3\n"), "triplets", synthetic_dataset()).items.tolist()


def test_bytes_that_are_no_utf_8_are_spelt_as_in_the_names_of_items(written, dataset):
    """A list of file names as a file system has them finds the items whose names spell the same bytes."""
    names = (r"M\xfcller/1.png", r"M\xfcller/2.png", *NAMES[2:])
    rows = read_rows(
        written(b"anchor,positive,negative\nM\xfcller/1.png,M\xfcller/2.png,class-1/0\n"),
        "triplets",
        dataclasses.replace(dataset, item_names=names),
    )

    assert [[0, 1, 6]] == rows.items.tolist()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "anchor,positive,negative\nclass-0\\0.png,class-0/1.png,class-1/0.png\n",
            r"list\.csv: .* an item is called 'class-0/0\.png'; there folders are parted by /, not \\$",
        ),
        (b"anchor,positive,negative\nM\xfcller/1.png,class-0/1,class-1/0\n", r"the triplets name 'M\\\\xfcller/1\.png'"),
        ("anchor,positive,negative\n0,1,6\n2,3,2\n3,3,7\n", r"2 of 3 triplets name an item twice, the first: row 2, '2', '3', '2'$"),
        ("anchor,positive,negative\nclass-0/0,0,6\n", "1 of 1 triplets name an item twice, the first: row 1, 'class-0/0', '0', '6'$"),
        (
            "anchor,positive,negative\n0,1,6\n".encode("utf-16"),
            r"list\.csv holds bytes 0 and is no text: save it as a table with commas, in UTF-8",
        ),
        ("", r"list\.csv: a list of triplets must not be empty"),
    ],
)
def test_a_list_that_does_not_hold_is_refused(written, dataset, text, sentence):
    """Names of no item, items named twice and files that are no text are refused, with the file."""
    with pytest.raises(DataError, match=sentence):
        read_rows(written(text), "triplets", dataset)


def test_pairs_that_do_not_hold_are_refused(written, dataset):
    """So are pairs of an item with itself, and lists that lack one kind."""
    with pytest.raises(DataError, match="1 of 2 pairs name an item twice, the first: row 2, '3', '3'"):
        read_rows(written("left,right,same\n0,1,1\n3,3,0\n"), "pairs", dataset)
    with pytest.raises(DataError, match=r"list\.csv: a list of pairs needs both kinds, got 2 genuine pairs and 0 impostors"):
        read_rows(written("left,right,same\n0,1,1\n3,4,1\n"), "pairs", dataset)


def test_a_file_that_is_none_is_refused(tmp_path, dataset):
    """A missing file and a folder are told as such."""
    with pytest.raises(DataMissingError, match=r"no such file: .*gone\.csv"):
        read_rows(tmp_path / "gone.csv", "pairs", dataset)
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_rows(tmp_path, "pairs", dataset)


# ---- parts


def rows_of(seed=0, number=60, items=20, branches=3):
    """Random rows with repeats among them, each of distinct items."""
    random = np.random.default_rng(seed)
    found = np.array([random.choice(items, branches, replace=False) for _ in range(number)])
    return Rows(np.concatenate([found, found[:5]]), np.concatenate([np.arange(number) % 3 == 0, np.arange(5) % 3 == 0]))


@pytest.mark.parametrize("branches", [2, 3])
def test_a_part_keeps_the_rows_of_its_items_alone(branches):
    """Kept are the rows all of whose items are in the part, in their order, by positions in it; compared with a loop over rows."""
    rows = rows_of(branches=branches)
    part = np.random.default_rng(1).permutation(20)[:13]
    position = {int(index): place for place, index in enumerate(part)}
    expected = [
        ([position[int(item)] for item in row], bool(same))
        for row, same in zip(rows.items, rows.same, strict=True)
        if all(int(item) in position for item in row)
    ]

    found = rows.within(part)

    assert 0 < len(expected) < len(rows)
    assert expected == list(zip(found.items.tolist(), found.same.tolist(), strict=True))
    assert sum(not set(row.tolist()).isdisjoint({3, 8}) for row in rows.items) == rows.naming(np.array([3, 8]))


def test_of_a_part_without_any_row_nothing_is_kept():
    """Items that no row is of, and more of them than the list names, leave no row."""
    rows = rows_of()
    assert (0, 3) == (len(rows.within(np.arange(500, 900))), rows.within(np.arange(500, 900)).items.shape[1])
    assert len(rows) == len(rows.within(np.arange(900)))


def test_rows_turn_with_their_items():
    """Where images are turned into further classes, each row is there in four turns, all its items turned alike."""
    dataset = synthetic_dataset()
    indices = np.arange(5, 25)
    items = Items(dataset, indices, dataset.labels[indices], dataset.class_names, rows=rows_of())
    found = turned(items)

    assert 4 * len(items.rows) == len(found.rows)
    for quarter in range(4):
        part = slice(quarter * len(items.rows), (quarter + 1) * len(items.rows))
        assert (found.rows.items[part] - 20 * quarter == items.rows.items).all()
        assert (found.rows.same[part] == items.rows.same).all()
        first = items.rows.items[7]
        expected = np.rot90(items.read(first), quarter, axes=(2, 3))
        assert (expected == found.read(found.rows.items[part][7])).all()


def test_what_cannot_be_trained_on_is_told():
    """A part without rows, and one with pairs of one kind alone, is a fault; any other is none."""
    pairs = np.array([[0, 1], [2, 3]])
    assert "fold 1 trains on 9 items, and no row is of those alone" == fault_of(Rows(pairs[:0], np.zeros(0, dtype=bool)), "fold 1", 9)
    assert "each is genuine and none impostor" in fault_of(Rows(pairs, np.array([True, True])), "fold 1", 9)
    assert "each is impostor and none genuine" in fault_of(Rows(pairs, np.array([False, False])), "fold 1", 9)
    assert fault_of(Rows(pairs, np.array([True, False])), "fold 1", 9) is None
    assert fault_of(Rows(np.array([[0, 1, 2]])), "fold 1", 9) is None

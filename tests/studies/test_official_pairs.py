"""The verification pairs that a data set brings, as a list that units read."""

import dataclasses

import numpy as np
import pytest

from siambench.errors import DataError
from siambench.evaluation.scoring import pairs_of
from siambench.interfaces import OfficialPairs
from siambench.metrics import parse_pairs
from siambench.studies.official_pairs import official_list
from siambench.testing.synthetic import synthetic_dataset
from siambench.tracks.parts import Parts
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

PAIRS = OfficialPairs(
    left=np.array([0, 26, 30, 40, 46]),
    right=np.array([1, 25, 31, 30, 2]),
    same=np.array([True, True, True, False, False]),
    fold=np.array([0, 0, 1, 1, 0]),
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def part_of(dataset):
    """The test part of a data set whose second half of classes is the test."""
    split = cut(dataset, SplitRules(rule="official").spec)
    return Parts(dataset, split, kind="final", fold=None, opened=lambda: None).test()


def dataset(**more):
    return dataclasses.replace(synthetic_dataset(classes=8, images_per_class=6, official=True), **more)


@pytest.mark.parametrize("names", [None, [f'a, "b" {n}' for n in range(48)]], ids=["positions", "names"])
def test_pairs_of_the_test_part_are_written(cache, names):
    """Pairs both of whose items are tested are in the list, by name or by position, with their folds; it is called by its content."""
    items = part_of(dataset(pairs=PAIRS, item_names=names))
    path = official_list(items)
    named, found = parse_pairs(path.read_text()), pairs_of(path, items)

    first = int(items.indices[0])
    assert path.parent == cache / "pairs"
    assert len(named) == 3
    assert [sorted((a + first, b + first)) for a, b in zip(found.left.tolist(), found.right.tolist(), strict=True)] == [
        [25, 26],
        [30, 31],
        [30, 40],
    ]
    assert found.same.tolist() == [True, True, False]
    assert found.fold.tolist() == [0, 1, 1]
    assert found.score is None
    assert official_list(items) == path


def test_scores_are_kept():
    """Scores of pairs are in the list to the last digit."""
    items = part_of(dataset(pairs=dataclasses.replace(PAIRS, score=np.array([1, 0.1 + 0.2, 3, 2, 5.0]))))

    assert pairs_of(official_list(items), items).score.tolist() == [0.1 + 0.2, 3, 2]


def test_a_list_that_was_changed_is_written_anew(cache):
    """A damaged file in the cache is not taken for the list."""
    items = part_of(dataset(pairs=PAIRS))
    path = official_list(items)
    whole = path.read_bytes()
    path.write_bytes(whole[:10])

    assert official_list(items).read_bytes() == whole


def test_what_brings_no_pairs_is_told(tmp_path, monkeypatch):
    """A data set without pairs, one with none of the test part, a cache that cannot be written."""
    with pytest.raises(DataError, match="'official': the data set brings no verification pairs of its own; name a list, or all"):
        official_list(part_of(dataset()))
    few = OfficialPairs(left=np.array([0]), right=np.array([1]), same=np.array([True]), fold=np.array([0]))
    with pytest.raises(DataError, match="of the data set's 1 pairs none is of two items of the test part"):
        official_list(part_of(dataset(pairs=few)))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"the official pairs cannot be kept in .*; name another folder in SIAMBENCH_CACHE"):
        official_list(part_of(dataset(pairs=PAIRS)))

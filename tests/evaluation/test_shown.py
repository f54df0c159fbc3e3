"""Which items are shown: by names alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from siambench.evaluation.shown import Order, asking, attribute_of, on_map, short
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items


def items_of(dataset, names=None):
    named = dataclasses.replace(dataset, item_names=names)
    return Items(named, np.arange(len(dataset.labels)), dataset.labels, dataset.class_names)


def test_a_shuffled_data_set_shows_the_same_items():
    """Items in another order, with the names that they had, are the same on the map and the same queries."""
    dataset = synthetic_dataset(classes=20, images_per_class=30, groups=4)
    names = [f"item {place}" for place in range(600)]
    order = np.random.default_rng(0).permutation(600)
    shuffled = dataclasses.replace(dataset, labels=dataset.labels[order], item_names=[names[place] for place in order])
    one, other = Order.of(items_of(dataset, names), "group"), Order.of(items_of(shuffled, shuffled.item_names), "group")
    assert {one.names[p] for p in on_map(one)} == {other.names[p] for p in on_map(other)}
    everyone = np.ones(600, dtype=bool)
    assert [one.names[p] for p in asking(one, everyone)] == [other.names[p] for p in asking(other, everyone)]


@pytest.mark.parametrize(
    ("classes", "per_class", "shown", "of"),
    [(40, 30, 240, 10), (40, 16, 192, 12), (200, 2, 180, 90), (5, 4, 20, 5)],
    ids=["large classes", "middling ones", "pairs", "few items"],
)
def test_how_many_are_on_the_map(classes, per_class, shown, of):
    """Classes are taken whole up to 25 items of each, until 12 classes and 180 items are there, at most 240 items."""
    dataset = synthetic_dataset(classes=classes, images_per_class=per_class)
    found = on_map(Order.of(items_of(dataset), None))
    assert (len(found), len(set(found)), len(set(dataset.labels[found]))) == (shown, shown, of)


def test_groups_take_turns():
    """Of the first four classes there is one of each of four groups, however many classes a group has."""
    dataset = synthetic_dataset(classes=22, images_per_class=2)
    groups = ["a"] * 16 + ["b", "b", "c", "c", "d", "d"]
    dataset = dataclasses.replace(dataset, class_attributes={"group": groups})
    order = Order.of(items_of(dataset), "group")
    assert sorted(groups[number] for number in order.classes[:4]) == ["a", "b", "c", "d"]
    assert sorted(order.classes) == list(range(22))


def test_only_queries_with_an_answer_are_asked():
    """Ten queries of ten classes, of the marked items alone; a class without a marked one is passed over."""
    dataset = synthetic_dataset(classes=14, images_per_class=3)
    marked = (dataset.labels % 4 != 0) & (np.arange(42) % 3 == 1)
    found = asking(Order.of(items_of(dataset), None), marked)
    assert len(found) == 10 == len({dataset.labels[place] for place in found})
    assert marked[found].all()


def test_the_attribute_with_most_groups_groups_the_classes():
    """Of script and family the script; one that gives each class a group of its own only where no other groups them; a constant never."""
    family, script = ["x", "x", "y", "y", "y"], ["p", "q", "r", "r", "r"]
    each, constant = list("abcde"), ["one"] * 5
    assert attribute_of({"family": family, "script": script, "each": each, "constant": constant}) == "script"
    assert attribute_of({"each": each, "constant": constant}) == "each"
    assert attribute_of({"constant": constant}) is None
    assert attribute_of({}) is None


def test_a_long_name_keeps_its_end():
    """Of 200 characters the last 39 are left behind an ellipsis, for it is the end that tells files of one folder apart."""
    assert short("a" * 40) == "a" * 40
    assert short("b" * 190 + "/photo.jpg") == "…" + ("b" * 29) + "/photo.jpg"


def test_names_that_no_encoding_takes_are_names_too():
    """A lone surrogate, as a file's name may hold one, has a place in the order."""
    dataset = synthetic_dataset(classes=3, images_per_class=2)
    assert len(on_map(Order.of(items_of(dataset, ["a\udcff", "b", "c", "d", "e", "f"]), None))) == 6

"""Batches by groups, and batches in which each class is as likely as any other."""

import itertools
from collections import Counter

import pytest
import torch

from siambench.builtin.samplers import siambench_samplers
from siambench.errors import DataError
from siambench.plugin import call_factory

ENTRIES = siambench_samplers()


def grouped(*groups):
    """Labels and groups of classes of the given sizes, group by group, items in no order."""
    sizes = [size for group in groups for size in group]
    of_class = [number for number, group in enumerate(groups) for _ in group]
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    return labels, torch.tensor(of_class)[labels]


def build(name, labels, groups, *, batch_size, images_per_class=2, steps=10, seed=0):
    """The sampler as its entry builds it."""
    generator = torch.Generator().manual_seed(seed)
    given = {"batch_size": batch_size, "images_per_class": images_per_class, "steps": steps, "generator": generator}
    return call_factory(ENTRIES[name].build, {"labels": labels, "groups": groups, **given})


def told(labels, groups, batch, images_per_class):
    """What a batch holds, slot by slot: its class and group; fails where a slot holds two classes. Slow: one item after the other."""
    found = []
    for start in range(0, len(batch), images_per_class):
        slot = [(int(labels[item]), int(groups[item])) for item in batch[start : start + images_per_class].tolist()]
        assert 1 == len(set(slot))
        found.append(slot[0])
    return found


LARGE = (5, 6, 7, 8, 9), (5, 5, 40, 6), (9, 8, 7, 6, 5, 4)
"""Three groups of five, four and six classes, all with as many items as slots hold."""


@pytest.mark.parametrize(("name", "together"), [("by-group", 1), ("hierarchical", 2)])
@pytest.mark.parametrize(("batch_size", "images_per_class"), [(8, 2), (12, 4), (16, 4), (9, 3)])
def test_a_batch_is_of_few_groups(name, together, batch_size, images_per_class):
    """Slots are of one class each, of one group or of two, no class and no item stands there twice; an odd slot is the first group's."""
    labels, groups = grouped(*LARGE)
    slots = batch_size // images_per_class
    sampler = build(name, labels, groups, batch_size=batch_size, images_per_class=images_per_class, steps=40)
    batches = list(sampler)

    assert 40 == len(batches)
    for batch in batches:
        assert (torch.int64, (batch_size,)) == (batch.dtype, tuple(batch.shape))
        held = told(labels, groups, batch, images_per_class)
        order = [group for group, _ in itertools.groupby(group for _, group in held)]
        assert together == len(order) == len(set(order))
        if together == 2:
            assert [(slots + 1) // 2, slots // 2] == [sum(group == one for _, group in held) for one in order]
        assert slots == len(set(held))
        assert batch_size == len(set(batch.tolist()))
    assert 0.0 == sampler.repeat_rate


@pytest.mark.parametrize(("name", "together"), [("by-group", 1), ("hierarchical", 2)])
def test_groups_come_in_turn_and_their_classes_too(name, together):
    """Groups are taken equally often whatever they hold, up to one visit, and so are the classes of each."""
    labels, groups = grouped(*LARGE)
    visits, classes = Counter(), {group: Counter() for group in range(3)}
    for batch in build(name, labels, groups, batch_size=8, steps=31):
        held = told(labels, groups, batch, 2)
        visits.update({group for _, group in held})
        for label, group in held:
            classes[group][label] += 1

    assert 31 * together == sum(visits.values())
    assert max(visits.values()) - min(visits.values()) <= 1
    for group, sizes in enumerate(LARGE):
        assert len(sizes) == len(classes[group])
        assert max(classes[group].values()) - min(classes[group].values()) <= 1


@pytest.mark.parametrize(("name", "together"), [("by-group", 1), ("hierarchical", 2)])
def test_another_group_comes_each_batch(name, together):
    """Within a round of groups none comes again: three groups are all there in three batches of one, and in any two of two."""
    labels, groups = grouped(*LARGE)
    seen = [{group for _, group in told(labels, groups, batch, 2)} for batch in build(name, labels, groups, batch_size=8, steps=30)]

    if together == 1:
        assert all({0, 1, 2} == set.union(*seen[start : start + 3]) for start in range(0, 30, 3))
    assert len(set(map(frozenset, seen))) == 3
    assert all(together == len(one) for one in seen)


def test_small_groups_fill_a_batch_with_what_they_have():
    """A group with fewer classes than slots gives them more slots, evenly, and items come twice only where a class has too few."""
    labels, groups = grouped((3, 9), (2, 12, 8))
    for batch in build("by-group", labels, groups, batch_size=16, images_per_class=2, steps=20):
        held = told(labels, groups, batch, 2)
        visits = Counter(held)
        expected = [4, 4] if held[0][1] == 0 else [2, 3, 3]
        assert expected == sorted(visits.values())
        for (label, _), slots in visits.items():
            drawn = Counter(batch[labels[batch] == label].tolist())
            size = int((labels == label).sum())
            assert min(size, 2 * slots) == len(drawn)
            assert max(drawn.values()) - min(drawn.values()) <= 1


def test_a_group_of_one_class_stands_in_no_batch_alone():
    """Batches of one group leave it out, for one class has no negatives; batches of two groups have it beside another."""
    labels, groups = grouped((6,), (6, 7), (5, 8, 6))
    assert {1, 2} == {int(groups[item]) for batch in build("by-group", labels, groups, batch_size=8, steps=30) for item in batch}
    assert {0, 1, 2} == {int(groups[item]) for batch in build("hierarchical", labels, groups, batch_size=8, steps=30) for item in batch}


@pytest.mark.parametrize("name", ["by-group", "hierarchical"])
def test_all_items_of_a_class_are_drawn_equally_often(name):
    """Within a class every item is as likely as any other."""
    labels, groups = grouped((5, 6), (5, 5), (7, 5))
    drawn = Counter(torch.cat(list(build(name, labels, groups, batch_size=8, images_per_class=2, steps=1500))).tolist())

    assert len(labels) == len(drawn)
    for label in range(6):
        counts = [drawn[int(item)] for item in (labels == label).nonzero().flatten()]
        mean = sum(counts) / len(counts)
        # About 400 to 600 draws each: a standard deviation of at most 25.
        assert all(abs(count - mean) < 6 * mean**0.5 for count in counts)


@pytest.mark.parametrize(
    ("name", "groups", "options", "sentence"),
    [
        ("by-group", None, {}, "batches by group need classes that come in groups: name their attribute, split.group"),
        ("hierarchical", None, {}, "batches by group need classes that come in groups"),
        ("hierarchical", ((4, 4, 4),), {}, "batches of 2 groups need classes of 2 groups, got 3 classes of 1 group$"),
        ("by-group", ((4,), (4,), (4,)), {}, "batches of 1 group need a group with two classes, got 3 classes of 3 groups$"),
        ("by-group", ((4, 4), (4,)), {"batch_size": 2}, "a batch by group holds at least two classes, got 2 images with 2 of each class"),
        ("by-group", ((4, 4), (4,)), {"batch_size": 7}, "a batch of 7 images cannot be cut into slots of 2 images per class"),
        ("hierarchical", ((4,),), {}, "training needs at least two classes, got 1"),
        ("class-balanced", ((4,),), {}, "training needs at least two classes, got 1"),
    ],
)
def test_what_makes_no_batch_is_refused(name, groups, options, sentence):
    """Classes without groups, too few groups or classes, and batches that cannot be cut are refused in a sentence with the numbers."""
    labels, found = grouped(*(groups or ((4, 4), (4,))))
    with pytest.raises(DataError, match=sentence):
        build(name, labels, None if groups is None else found, **{"batch_size": 8, **options})


# ---- class-balanced


def test_each_class_is_as_likely_as_any_other():
    """Items are drawn by their class first: a class of two is drawn as often as one of ninety, and its items more often."""
    labels, _ = grouped((2, 90, 10, 30))
    items = torch.cat(list(build("class-balanced", labels, None, batch_size=20, steps=400)))
    classes, drawn = Counter(labels[items].tolist()), Counter(items.tolist())

    # 8,000 draws of four classes: 2,000 each, standard deviation 39.
    assert all(abs(classes[label] - 2000) < 235 for label in range(4))
    for label, size in enumerate((2, 90, 10, 30)):
        counts = [drawn[int(item)] for item in (labels == label).nonzero().flatten()]
        assert all(abs(count - 2000 / size) < 6 * (2000 / size) ** 0.5 for count in counts)


def test_classes_of_a_batch_are_drawn_independently():
    """How often a class stands in a batch is binomial: of two classes, a batch of four has k of the first with the odds of k heads."""
    labels, _ = grouped((50, 60))
    batches = build("class-balanced", labels, None, batch_size=4, steps=3200)
    heads = Counter(int((labels[batch] == 0).sum()) for batch in batches)

    # 200, 800, 1,200, 800, 200: a standard deviation of at most 28.
    for number, expected in enumerate((200, 800, 1200, 800, 200)):
        assert abs(heads[number] - expected) < 150


def test_an_item_comes_twice_only_where_its_class_is_short():
    """A class that is drawn more often than it has items gives each of them evenly; otherwise its items are distinct."""
    labels, _ = grouped((1, 3, 40))
    sampler = build("class-balanced", labels, None, batch_size=24, steps=100)
    repeated = 0
    for batch in sampler:
        assert (torch.int64, (24,)) == (batch.dtype, tuple(batch.shape))
        for label, size in enumerate((1, 3, 40)):
            drawn = Counter(batch[labels[batch] == label].tolist())
            assert min(size, sum(drawn.values())) == len(drawn)
            assert not drawn or max(drawn.values()) - min(drawn.values()) <= 1
        repeated += 24 - len(set(batch.tolist()))

    assert repeated / 2400 == sampler.repeat_rate > 0

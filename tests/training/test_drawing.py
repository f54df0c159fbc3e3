"""What a sampler draws from, and training on the rows of a list."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from siambench.data.transforms import to_float
from siambench.errors import DataError
from siambench.plugin import SamplerEntry
from siambench.spec import FeedList, Method
from siambench.tracks.lists import Rows
from siambench.tracks.parts import Items, unlabelled
from siambench.training.components import triplet_indices
from siambench.training.drawing import Tuples, draw_first, pool_of

PAIRS, TRIPLETS = FeedList("pairs", "a" * 64), FeedList("triplets", "b" * 64)
SGD = {"optimiser": "sgd", "schedule": "constant", "epochs": 1, "steps_per_epoch": 1}


def listed(exam, rows, same=None):
    """The same exam with those rows of a list."""
    found = Rows(np.array(rows, dtype=np.int64), None if same is None else np.array(same, dtype=bool))
    exam.items = dataclasses.replace(exam.items, rows=found)
    return exam


def random_rows(items, number, branches, seed=0):
    """Rows of distinct items, whatever their classes."""
    random = np.random.default_rng(seed)
    return [random.choice(items, branches, replace=False).tolist() for _ in range(number)]


# ---- rows as batches hold them


def test_rows_stand_branch_after_branch():
    """The left items come first and then the right ones; of triplets the anchors, their positives, their negatives."""
    pairs = Tuples(Rows(np.array([[4, 1], [0, 2], [3, 4]]), np.array([True, False, True])))
    assert [3, 0, 4, 2] == pairs.places(torch.tensor([2, 1])).tolist()
    triplets = Tuples(Rows(np.array([[4, 1, 0], [0, 1, 2]])))
    assert [0, 4, 1, 1, 2, 0] == triplets.places(torch.tensor([1, 0])).tolist()


def test_labels_are_what_the_list_says():
    """Items share a number where a row calls them the same; each other item has a number of its own."""
    pairs = Tuples(Rows(np.array([[4, 1], [0, 2], [3, 4]]), np.array([True, False, True])))
    assert [0, 1, 2, 0, 4, 2] == pairs.labels(torch.tensor([0, 1, 2])).tolist()
    assert [0, 1, 2, 1] == pairs.labels(torch.tensor([1, 2])).tolist()
    triplets = Tuples(Rows(np.array([[4, 1, 0], [0, 1, 2]])))
    assert [0, 1, 0, 1, 2, 3] == triplets.labels(torch.tensor([1, 0])).tolist()


# ---- what a sampler is given


def pool(items, feed, **rules):
    """What is drawn from, under rules of a training run."""
    base = {"batch_size": 12, "images_per_class": 4, "steps": 5, **rules}
    return pool_of(items, type("Rules", (), base)(), feed, items.groups)


def items_of(rows=None):
    """Six items of three classes in two groups."""
    labels = np.array([0, 0, 1, 1, 2, 2])
    dataset = type("Dataset", (), {"labels": labels})()
    return Items(dataset, np.arange(6), labels, ["a", "b", "c"], groups=np.array([0, 0, 0, 0, 1, 1]), rows=rows)


def test_a_sampler_is_given_labels_and_groups():
    """Of items the classes and their groups, and a batch as the feed has it."""
    found = pool(items_of(), "classes")
    assert ([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1]) == (found.labels.tolist(), found.groups.tolist())
    assert (12, 4, 5, 1) == (found.layout.batch_size, found.layout.images_per_class, found.layout.steps, found.layout.branches)
    assert (3, 12) == (pool(items_of(), "triplets").layout.branches, pool(items_of(), "triplets").layout.batch_size)


def test_of_a_list_its_rows_are_drawn():
    """A sampler is given rows for items: of pairs whether they are the same, of triplets nothing; a batch holds as many as fit."""
    pairs = pool(items_of(Rows(np.array([[0, 1], [2, 4], [3, 2]]), np.array([True, False, True]))), "pairs")
    triplets = pool(items_of(Rows(np.array([[0, 1, 2], [2, 3, 4]]))), "triplets", batch_size=14)

    assert ([1, 0, 1], None, 6) == (pairs.labels.tolist(), pairs.groups, pairs.layout.size)
    assert ([0, 0], None, 4) == (triplets.labels.tolist(), triplets.groups, triplets.layout.size)


def test_turned_items_are_of_their_groups():
    """Where classes are turned into further ones, each is of the group of the class that was turned."""
    before = items_of()
    turned = dataclasses.replace(before, indices=np.arange(24), labels=np.concatenate([before.labels + 3 * turn for turn in range(4)]))
    found = pool_of(turned, type("Rules", (), {"batch_size": 12, "images_per_class": 4, "steps": 5})(), "classes", before.groups)

    assert before.groups.tolist() * 4 == found.groups.tolist()


def test_views_withhold_groups(exam_of):
    """A sampler of views is told no groups: they would say something of the classes."""
    items = dataclasses.replace(exam_of(Method("contrastive")).items, groups=np.zeros(48, dtype=np.int64))
    rules = type("Rules", (), {"batch_size": 12, "images_per_class": 4, "steps": 5})()

    assert (None, 6) == (pool_of(unlabelled(items), rules, "views", items.groups).groups, pool_of(items, rules, "views", None).layout.size)


def test_what_cannot_be_drawn_is_found_before_training(exam_of):
    """The first batch is drawn ahead, with groups where there are some: what a sampler has to say is said then."""
    told = []

    def build(labels, groups, batch_size, steps):
        told.append(groups)
        if groups is None:
            raise DataError("no groups")
        return [torch.zeros(batch_size, dtype=torch.int64)] * steps

    exam, entry = exam_of(Method("contrastive")), SamplerEntry(build, source="made up")
    grouped = dataclasses.replace(exam.items, groups=np.zeros(len(exam.items), dtype=np.int64))
    draw_first(entry, grouped, exam.unit.training, "classes", name="mine")
    draw_first(entry, grouped, dataclasses.replace(exam.unit.training, rotate_classes=True), "classes", name="mine")
    with pytest.raises(DataError, match="no groups"):
        draw_first(entry, exam.items, exam.unit.training, "classes", name="mine")

    assert [len(grouped), 4 * len(grouped)] == [len(groups) for groups in told[:2]]


# ---- training on rows


@pytest.mark.parametrize(("feed", "branches"), [(PAIRS, 2), (TRIPLETS, 3)])
def test_each_row_comes_once_before_any_comes_again(exam_of, recorded, smooth, feed, branches):
    """Rows are drawn in random order without replacement, over and over; which order, the unit's seed decides."""
    entry, loss = recorded(takes="pairs", feeds=("pairs", "triplets"))
    rows = random_rows(24, 10, branches)
    seen = []
    for order in (3, 3, 4):
        training = {**SGD, "steps_per_epoch": 8, "batch_size": 4 * branches + 1}
        exam = exam_of(Method("contrastive", feed=feed), training=training, loss=entry, backbone=smooth)
        listed(exam, rows, [True, False] * 5 if branches == 2 else None)
        exam.params(optimiser__lr=0.0, optimiser__weight_decay=0.0).changed(seeds={**exam.unit.seeds, "order": order})
        loss.calls.clear()
        exam.run()
        model = exam.untrained()
        points = functional.normalize(model(to_float(torch.from_numpy(exam.items.read(np.arange(24))))).detach())
        places = [torch.cdist(embeddings, points).argmin(dim=1).reshape(branches, 4).T.tolist() for embeddings, _, _ in loss.calls]
        seen.append([tuple(row) for batch in places for row in batch])

    assert seen[0] == seen[1] != seen[2]
    for drawn in seen:
        assert 32 == len(drawn)
        for epoch in range(3):
            assert {tuple(row) for row in rows} == set(drawn[10 * epoch : 10 * epoch + 10])
        assert {3, 4} == set(Counter(drawn).values())


def test_a_step_on_listed_pairs_is_that_of_the_list_and_not_of_the_labels(exam_of, smooth):
    """Pairs whose classes say the contrary are near or far as the list says: the step is that of two branches by hand."""
    exam = exam_of(Method("contrastive", feed=PAIRS), training={**SGD, "batch_size": 8}, backbone=smooth)
    exam.params(optimiser__lr=0.5, optimiser__weight_decay=0.0, loss__pos_margin=0.1, loss__neg_margin=1.5)
    rows = random_rows(len(exam.items), 4, 2)
    labels = exam.items.labels
    same = [bool(labels[left] != labels[right]) for left, right in rows]
    same[0] = not any(same)
    assert 0 < sum(same)
    listed(exam, rows, same)
    images = to_float(torch.from_numpy(exam.items.read(np.array(rows).T.reshape(-1))))
    twin = exam.untrained()
    left, right = (functional.normalize(twin(side)) for side in images.split(4))
    distance, truth = (left - right).norm(dim=1), torch.tensor(same)
    costs = functional.relu(distance[truth] - 0.1), functional.relu(1.5 - distance[~truth])
    sum(part[part > 0].mean() if bool((part > 0).any()) else part.sum() for part in costs).backward()
    expected = {name: value.detach() - 0.5 * value.grad for name, value in twin.named_parameters()}

    trained = exam.run().model

    for name, value in trained.named_parameters():
        assert torch.allclose(expected[name], value.detach(), atol=1e-6), name


def test_a_step_on_listed_triplets_is_that_of_three_branches(exam_of, smooth):
    """So is a step on triplets whose positives and negatives are of any class."""
    exam = exam_of(Method("triplet", feed=TRIPLETS), training={**SGD, "batch_size": 18}, backbone=smooth)
    exam.params(optimiser__lr=0.5, optimiser__weight_decay=0.0, loss__margin=0.7)
    rows = random_rows(len(exam.items), 6, 3, seed=4)
    images = to_float(torch.from_numpy(listed(exam, rows).items.read(np.array(rows).T.reshape(-1))))
    twin = exam.untrained()
    anchor, positive, negative = (functional.normalize(twin(side)) for side in images.split(6))
    costs = functional.relu((anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1) + 0.7)
    costs[costs > 0].mean().backward()
    expected = {name: weight.detach() - 0.5 * weight.grad for name, weight in twin.named_parameters()}

    for name, weight in exam.run().model.named_parameters():
        assert torch.allclose(expected[name], weight.detach(), atol=1e-6), name


def test_training_on_a_list_does_not_know_the_labels(exam_of, bits):
    """A unit fed from a list gives the same weights bit for bit when the labels of its items are permuted."""
    found = []
    for seed in (None, 0):
        exam = exam_of(Method("triplet", feed=TRIPLETS), training={"batch_size": 12})
        if seed is not None:
            before = exam.items.labels.tolist()
            assert before != exam.relabelled(seed).items.labels.tolist()
        found.append(bits(listed(exam, random_rows(len(exam.items), 20, 3)).run().model))

    assert found[0] == found[1]


def test_turned_rows_are_trained_on(exam_of, recorded):
    """With classes turned into further ones, a batch may hold rows of any turn, and the triplets are those of the batch."""
    entry, loss = recorded(takes="triplets", feeds=("triplets",))
    training = {**SGD, "rotate_classes": True, "batch_size": 24, "steps_per_epoch": 3}
    exam = listed(exam_of(Method("triplet", feed=TRIPLETS), training=training, loss=entry), random_rows(24, 6, 3))
    exam.run()

    for embeddings, labels, indices in loss.calls:
        assert 24 == len(embeddings) == len(labels)
        assert all(torch.equal(one, other) for one, other in zip(triplet_indices(labels), indices, strict=True))
        assert labels[:8].tolist() == labels[8:16].tolist() != labels[16:].tolist()

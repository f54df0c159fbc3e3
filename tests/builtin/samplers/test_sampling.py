import random
from collections import Counter

import numpy as np
import pytest
import torch

from siambench.builtin.samplers import siambench_samplers
from siambench.errors import DataError
from siambench.plugin import call_factory

ENTRIES = siambench_samplers()


def labels_of(*counts):
    """Labels of classes of the given sizes, interleaved: no class's items stand together."""
    labels = torch.cat([torch.full((count,), c) for c, count in enumerate(counts)])
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]


def build(name, labels, *, batch_size, images_per_class=4, steps=10, seed=0):
    """The sampler as its entry builds it."""
    return call_factory(
        ENTRIES[name].build,
        {
            "labels": labels,
            # Two groups of classes, whatever these are called.
            "groups": labels.unique(return_inverse=True)[1] % 2,
            "batch_size": batch_size,
            "images_per_class": images_per_class,
            "steps": steps,
            "generator": torch.Generator().manual_seed(seed),
        },
    )


def slots(labels, batch, images_per_class):
    """The class of each slot of a batch; fails if a slot holds two."""
    found = []
    for slot in labels[batch].view(-1, images_per_class):
        assert len(set(slot.tolist())) == 1
        found.append(int(slot[0]))
    return found


@pytest.mark.parametrize(("batch_size", "images_per_class"), [(12, 4), (12, 2), (8, 8), (6, 1)])
def test_m_per_class_fills_slots_of_one_class(batch_size, images_per_class):
    """A batch is int64 [batch_size] in slots of ``images_per_class`` images of one class, and there are ``steps`` of them."""
    labels = labels_of(9, 10, 11, 12, 13, 14, 15)

    batches = list(build("m-per-class", labels, batch_size=batch_size, images_per_class=images_per_class, steps=7))

    assert len(batches) == 7
    for batch in batches:
        assert batch.dtype == torch.int64
        assert batch.shape == (batch_size,)
        assert len(slots(labels, batch, images_per_class)) == batch_size // images_per_class


@pytest.mark.parametrize("classes", [5, 6, 7])
def test_m_per_class_holds_no_class_twice_where_there_are_enough(classes):
    """With as many classes as slots or more, the slots of a batch are of different classes, at the seams of rounds too."""
    labels = labels_of(*[9] * classes)
    for batch in build("m-per-class", labels, batch_size=20, steps=100):
        assert len(set(slots(labels, batch, 4))) == 5


def test_m_per_class_repeats_no_image_where_classes_are_large_enough():
    """With enough classes and images no image stands twice in a batch, and the rate of repeats is 0."""
    labels = labels_of(4, 5, 6, 7, 8, 9, 10)
    sampler = build("m-per-class", labels, batch_size=20, steps=100)

    for batch in sampler:
        assert len(set(batch.tolist())) == 20

    assert sampler.repeat_rate == 0.0


def test_m_per_class_visits_classes_equally_often():
    """Whatever their sizes, classes are seen equally often, up to one visit."""
    labels = labels_of(4, 40, 400, 8, 9, 10, 11)

    visits = Counter(c for batch in build("m-per-class", labels, batch_size=12, steps=50) for c in slots(labels, batch, 4))

    assert sum(visits.values()) == 150
    assert max(visits.values()) - min(visits.values()) <= 1


def test_m_per_class_draws_all_images_of_a_class():
    """Within a class every image is drawn about equally often."""
    labels = labels_of(10, 10)

    drawn = Counter(torch.cat(list(build("m-per-class", labels, batch_size=8, steps=500))).tolist())

    assert len(drawn) == 20
    # 500 draws of 4 in 10: 200 each, standard deviation 11.
    assert all(140 < count < 260 for count in drawn.values())


def test_m_per_class_draws_every_set_of_images_equally_often():
    """Every ordered choice of two images of a class is equally likely."""
    labels = labels_of(4, 5)
    drawn = Counter()
    for batch in build("m-per-class", labels, batch_size=4, images_per_class=2, steps=2400):
        drawn.update(tuple(slot.tolist()) for slot in batch.view(2, 2) if labels[slot[0]] == 0)

    # 2,400 draws of 12 ordered pairs: 200 each, standard deviation 14.
    assert len(drawn) == 12
    assert all(140 < count < 260 for count in drawn.values())


def test_labels_may_be_any_numbers():
    """Labels with gaps and in any order, negative ones too, give slots of one class each, all classes in turn."""
    labels = labels_of(5, 6, 7)[torch.randperm(18, generator=torch.Generator().manual_seed(3))]
    strange = torch.tensor([-7, 40, 2**40])[labels]
    for name in sorted(ENTRIES):
        same = [build(name, given, batch_size=12, steps=6, seed=2) for given in (labels, strange)]
        assert [batch.tolist() for batch in same[0]] == [batch.tolist() for batch in same[1]]


def test_m_per_class_reports_repeats_of_small_classes():
    """A class of three fills a slot of four with one image twice, and the rate says so: one in eight here."""
    labels = labels_of(3, 4)
    sampler = build("m-per-class", labels, batch_size=8, steps=10)

    for batch in sampler:
        of_small = Counter(batch[labels[batch] == 0].tolist())
        assert sorted(of_small.values()) == [1, 1, 2]
        assert len(set(batch[labels[batch] == 1].tolist())) == 4

    assert sampler.repeat_rate == 1 / 8


def test_m_per_class_fills_a_batch_with_few_classes():
    """With fewer classes than slots the batch is still full, and classes are shared out evenly."""
    labels = labels_of(30, 30, 30)

    for batch in build("m-per-class", labels, batch_size=32, steps=20):
        visits = Counter(slots(labels, batch, 4))
        assert sorted(visits.values()) == [2, 3, 3]


def test_m_per_class_refuses_what_does_not_fit():
    """A batch that is no multiple of the slot, or a single class, is an error that says the numbers."""
    with pytest.raises(DataError, match=r"batch of 10 images .* 4 images per class"):
        build("m-per-class", labels_of(9, 9), batch_size=10)
    with pytest.raises(DataError, match="at least two classes, got 1"):
        build("m-per-class", labels_of(9), batch_size=8)


def test_random_goes_through_all_images_in_rounds():
    """Random batches take every image once a round, and a round runs on into the next batch."""
    labels = labels_of(5, 6)
    drawn = torch.cat(list(build("random", labels, batch_size=4, steps=11))).tolist()

    assert len(drawn) == 44
    for start in range(0, 44, 11):
        assert sorted(drawn[start : start + 11]) == list(range(11))
    assert drawn[:11] != drawn[11:22]


def test_random_reports_repeats():
    """A batch larger than the data holds images twice, and the rate says how many."""
    sampler = build("random", labels_of(3, 3), batch_size=8, steps=3)
    repeated = sum(len(batch) - len(set(batch.tolist())) for batch in sampler)

    assert repeated > 0
    assert sampler.repeat_rate == repeated / 24


def test_pairs_are_balanced_and_what_they_claim():
    """Half of the pairs are genuine: two images of one class; the others are of two classes; left ones first, right ones after."""
    labels = labels_of(1, 2, 3, 10, 20)
    for batch in build("balanced-pairs", labels, batch_size=24, steps=100):
        left, right = batch[:12], batch[12:]
        same = labels[left] == labels[right]
        assert int(same.sum()) == 6
        assert bool((left != right).all())
        assert batch.dtype == torch.int64


def test_an_odd_number_of_pairs_has_one_impostor_more():
    """Of five pairs two are genuine."""
    labels = labels_of(4, 4, 4)
    for batch in build("balanced-pairs", labels, batch_size=10, steps=10):
        assert int((labels[batch[:5]] == labels[batch[5:]]).sum()) == 2


def test_genuine_pairs_come_from_classes_equally_often():
    """A class gives genuine pairs as often as any other that has two images, and a class of one gives none."""
    labels = labels_of(1, 2, 4, 50)
    seen = Counter()
    for batch in build("balanced-pairs", labels, batch_size=40, steps=150):
        left, right = labels[batch[:20]], labels[batch[20:]]
        seen.update(left[left == right].tolist())

    assert set(seen) == {1, 2, 3}
    # 1,500 draws of three classes: 500 each, standard deviation 18.
    assert all(400 < count < 600 for count in seen.values())


def test_pairs_need_two_classes_and_two_images():
    """One class, classes of one image, or an odd batch are refused."""
    with pytest.raises(DataError, match="two classes"):
        build("balanced-pairs", labels_of(9), batch_size=8)
    with pytest.raises(DataError, match="two images"):
        build("balanced-pairs", labels_of(1, 1, 1), batch_size=8)
    with pytest.raises(DataError, match="even number of images, got 7"):
        build("balanced-pairs", labels_of(3, 3), batch_size=7)


def triplets(batch):
    """Anchors, positives and negatives of a batch."""
    return batch.view(3, -1)


@pytest.mark.parametrize(("batch_size", "number"), [(3, 1), (24, 8), (25, 8), (26, 8), (600, 200)])
def test_triplets_are_what_they_claim(batch_size, number):
    """Anchor and positive are two items of one class, the negative is of another; anchors first, then positives, then negatives."""
    labels = labels_of(1, 2, 3, 10, 20)
    batches = list(build("random-triplets", labels, batch_size=batch_size, steps=40))

    assert len(batches) == 40
    for batch in batches:
        assert batch.dtype == torch.int64
        assert batch.shape == (3 * number,)
        anchor, positive, negative = triplets(batch)
        assert bool((labels[anchor] == labels[positive]).all())
        assert bool((anchor != positive).all())
        assert bool((labels[anchor] != labels[negative]).all())


def test_triplets_are_uniform_over_classes():
    """Each class with two items gives anchors equally often, and each other class the negatives, whatever their sizes."""
    labels = labels_of(1, 2, 4, 50)
    anchors, negatives = Counter(), Counter()
    for batch in build("random-triplets", labels, batch_size=90, steps=100):
        anchor, _, negative = (labels[part].tolist() for part in triplets(batch))
        anchors.update(anchor)
        negatives.update(zip(anchor, negative, strict=True))

    assert set(anchors) == {1, 2, 3}
    # 3,000 draws of three classes: 1,000 each, standard deviation 26.
    assert all(870 < count < 1130 for count in anchors.values())
    assert set(negatives) == {(own, other) for own in (1, 2, 3) for other in range(4) if own != other}
    # About 1,000 anchors of each class, three others: 333 each, standard deviation 15 and that of the anchors.
    assert all(250 < count < 420 for count in negatives.values())


def test_triplets_draw_all_items_of_a_class():
    """Within a class every pair of an anchor and a positive, and every negative, is drawn about equally often."""
    labels = labels_of(4, 5)
    pairs, negatives = Counter(), Counter()
    for batch in build("random-triplets", labels, batch_size=60, steps=300):
        anchor, positive, negative = (part.tolist() for part in triplets(batch))
        pairs.update(pair for pair in zip(anchor, positive, strict=True) if labels[pair[0]] == 0)
        negatives.update(item for item in negative if labels[item] == 1)

    # 3,000 triplets of each class: 250 of each of 12 pairs, standard deviation 15; 600 of each of 5 negatives, 22.
    assert len(pairs) == 12
    assert all(170 < count < 330 for count in pairs.values())
    assert len(negatives) == 5
    assert all(490 < count < 710 for count in negatives.values())


def test_triplets_report_repeats():
    """An item that stands in a batch more than once is counted: the rate is that of all batches together."""
    sampler = build("random-triplets", labels_of(2, 2), batch_size=9, steps=20)
    repeated = sum(len(batch) - len(set(batch.tolist())) for batch in sampler)

    assert sampler.repeat_rate == repeated / 180 > 0


def test_triplets_need_two_classes_and_two_items():
    """One class, classes of one item, or a batch of two are refused."""
    with pytest.raises(DataError, match="triplets need two classes"):
        build("random-triplets", labels_of(9), batch_size=9)
    with pytest.raises(DataError, match="a class with two items"):
        build("random-triplets", labels_of(1, 1, 1), batch_size=9)
    with pytest.raises(DataError, match="at least three items, got 2"):
        build("random-triplets", labels_of(3, 3), batch_size=2)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_order_depends_on_the_generator_alone(name):
    """One seed gives one order, another seed another, whatever the global states are."""
    labels = labels_of(9, 9, 9, 9)

    def order(seed, world):
        torch.manual_seed(world)
        np.random.seed(world)  # noqa: NPY002  the state that must not matter
        random.seed(world)
        return torch.stack(list(build(name, labels, batch_size=12, seed=seed))).tolist()

    assert order(3, 0) == order(3, 1)
    assert order(3, 0) != order(4, 0)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_the_global_states_stay_untouched(name):
    """Sampling leaves the global states of torch, numpy and random as they were."""
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002  the state that must stay
    list(build(name, labels_of(9, 9, 9), batch_size=12))
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002  the same

    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_sampler_is_an_index_into_its_labels(name):
    """All indices are valid, and a rate of repeats is there when the batches are done."""
    labels = labels_of(5, 6, 7)
    sampler = build(name, labels, batch_size=8)
    for batch in sampler:
        assert int(batch.min()) >= 0
        assert int(batch.max()) < 18
    assert 0.0 <= sampler.repeat_rate <= 1.0

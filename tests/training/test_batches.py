"""The batches of a training run: the same however many steps are drawn at once."""

import itertools

import numpy as np
import pytest
import torch

from siambench.data import sides
from siambench.data.transforms import changed, drawn, prepared
from siambench.spec import FEEDS
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items
from siambench.training import batches as module
from siambench.training.batches import Batches
from siambench.training.components import fed_indices

CPU = torch.device("cpu")
RULES = {
    "images": {"rotate": 20.0, "scale": [0.8, 1.2]},
    "arrays": {"jitter": 0.1, "scaling": [0.5, 1.5]},
    "tokens": {"drop": 0.3, "swap": 0.2},
}


def items_of(form):
    """A part of a data set, with groups, in an order of its own."""
    dataset = synthetic_dataset(form=form, classes=6, images_per_class=8)
    indices = np.random.default_rng(2).permutation(48)[:40]
    labels = dataset.labels[indices].astype(np.int64)
    return Items(dataset, indices, labels, dataset.class_names, groups=labels // 2)


def order_of(steps, size=12, seed=5):
    """Places in a part of forty items."""
    return list(torch.randint(40, (steps, size), generator=torch.Generator().manual_seed(seed)))


def made(items, order, feed, rules, seed=3):
    """Batches of that order."""
    return Batches(items, iter(order), feed=feed, augment=rules, generator=torch.Generator().manual_seed(seed), device=CPU)


@pytest.mark.parametrize("form", ["images", "arrays", "tokens"])
@pytest.mark.parametrize("feed", FEEDS)
def test_a_batch_is_what_the_order_and_the_draws_say(form, feed):
    """Items, labels, groups and tuples are those at the sampler's places, changed by draws made for all steps of the epoch at once."""
    items, order = items_of(form), order_of(5)
    size = 24 if feed == "views" else 12
    draws = drawn(form, RULES[form], (5, size, *items.dataset.shape), generator=torch.Generator().manual_seed(3), device=CPU)

    found = list(made(items, order, feed, RULES[form]).epoch(5))

    assert len(found) == 5
    for step, (places, batch) in enumerate(zip(order, found, strict=True)):
        plain = prepared(items.dataset.read(items.indices[places.numpy()]), form, CPU)
        labels = torch.from_numpy(items.labels[places.numpy()])
        if feed == "views":
            plain, labels = torch.cat([plain, plain]), torch.arange(12).repeat(2)
        assert torch.equal(changed(plain, form, RULES[form], draws.of(step)), batch.items)
        assert torch.equal(labels, batch.labels)
        # Views may not say which items are of one group, either.
        assert batch.groups is None if feed == "views" else torch.equal(labels // 2, batch.groups)
        expected = fed_indices(feed, labels)
        assert (expected is None) == (batch.indices is None)
        assert all(torch.equal(one, other) for one, other in zip(expected or (), batch.indices or (), strict=True))


def test_epochs_go_on_where_the_last_one_ended():
    """A second epoch takes the next batches of the sampler, and other draws."""
    items, order = items_of("images"), order_of(6)
    both = made(items, order, "classes", RULES["images"])
    first, second = list(both.epoch(3)), list(both.epoch(3))
    again = list(made(items, order, "classes", RULES["images"]).epoch(3))

    assert [batch.labels.tolist() for batch in first + second] == [items.labels[places.numpy()].tolist() for places in order]
    assert all(torch.equal(one.items, other.items) for one, other in zip(first, again, strict=True))
    repeated = made(items, order[:3] * 2, "classes", RULES["images"])
    assert not any(torch.equal(one.items, other.items) for one, other in zip(repeated.epoch(3), repeated.epoch(3), strict=True))


def test_large_draws_come_in_pieces(monkeypatch):
    """No more numbers are drawn at once than are allowed for; the batches are all there, and each is changed."""
    items, order, sizes = items_of("arrays"), order_of(7), []

    def noted(form, rules, shape, **named):
        sizes.append(shape[0])
        return drawn(form, rules, shape, **named)

    monkeypatch.setattr(sides, "drawn", noted)
    # Noise: a number for each of an array's, one for its factor.
    monkeypatch.setattr(module, "MOST_DRAWN", 3 * 12 * (int(np.prod(items.dataset.shape)) + 1))
    found = list(made(items, order, "classes", RULES["arrays"]).epoch(7))

    assert sizes == [3, 3, 1]
    assert [batch.labels.tolist() for batch in found] == [items.labels[places.numpy()].tolist() for places in order]
    assert not any(torch.equal(one.items, other.items) for one, other in itertools.pairwise(found))


def test_without_rules_nothing_is_drawn():
    """Where nothing is augmented, the generator stays where it is, and items come as they are."""
    items, order, generator = items_of("images"), order_of(2), torch.Generator().manual_seed(3)
    before = generator.get_state()
    found = list(Batches(items, iter(order), feed="classes", augment={}, generator=generator, device=CPU).epoch(2))

    assert torch.equal(before, generator.get_state())
    assert torch.equal(prepared(items.read(order[1].numpy()), "images", CPU), found[1].items)

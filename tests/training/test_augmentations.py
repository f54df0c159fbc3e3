"""Augmentations that are components, as training calls them."""

from __future__ import annotations

import pytest
import torch

from siambench.errors import DataError, PluginError
from siambench.plugin import AugmentationEntry
from siambench.training.augmentations import Augmentations

ITEMS = torch.ones(4, 1, 2, 3)


def entry(change):
    return AugmentationEntry(lambda: change, source="made for a test")


def scaled(items, generator):
    """Each item by a number of its own."""
    return items * (1 + torch.rand(len(items), 1, 1, 1, generator=generator))


def built(seed=5, **changes):
    return Augmentations({name: entry(change) for name, change in changes.items()}, {name: {} for name in changes}, seed=seed)


def test_each_draws_from_a_generator_of_its_own():
    """One more augmentation leaves what another draws as it is; without any, items come back themselves."""
    alone = built(one=scaled)
    beside = built(other=lambda items, generator: items + 0 * torch.rand(9, generator=generator).sum(), one=scaled)

    for _ in range(3):
        assert torch.equal(alone(ITEMS), beside(ITEMS))
    assert built()(ITEMS) is ITEMS


def test_they_come_one_after_the_other():
    """The order is that of the names as they are given: twice and one more is not one more and twice."""
    twice, more = (lambda items, generator: items * 2), (lambda items, generator: items + 1)

    assert torch.equal(built(a=twice, b=more)(ITEMS), ITEMS * 3)
    assert torch.equal(built(b=more, a=twice)(ITEMS), ITEMS * 4)


def test_name_and_seed_decide_the_draws():
    """The same name and seed draw the same; another of either does not."""
    first = built(one=scaled)(ITEMS)

    assert torch.equal(first, built(one=scaled)(ITEMS))
    assert not torch.equal(first, built(two=scaled)(ITEMS))
    assert not torch.equal(first, built(seed=6, one=scaled)(ITEMS))


def test_no_gradient_is_kept():
    """What they do is no part of what is trained."""
    weight = torch.ones(1, requires_grad=True)

    assert not built(one=lambda items, generator: items * weight)(ITEMS).requires_grad


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda items, generator: items[0],
            r"augmentation 'odd' must give float32 \[4, 1, 2, 3\] on cpu, .*, got float32 \[1, 2, 3\]",
        ),
        (lambda items, generator: items.double(), r"got float64 \[4, 1, 2, 3\] on cpu"),
        (lambda items, generator: None, "augmentation 'odd' must give a tensor, got NoneType"),
        (lambda items: items, "augmentation 'odd' raised TypeError"),
        (lambda items, generator: items[9], "augmentation 'odd' raised IndexError"),
    ],
)
def test_what_is_no_batch_is_blamed_by_name(change, message):
    """What raises, or gives other items, is named in one sentence."""
    with pytest.raises(PluginError, match=message):
        built(odd=change)(ITEMS)


def test_its_own_sentence_comes_through():
    """An error of siambench's own that it raises is told as it is."""

    def refuse(items, generator):
        raise DataError("no colours here")

    with pytest.raises(DataError, match=r"^no colours here$"):
        built(odd=refuse)(ITEMS)

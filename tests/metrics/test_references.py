"""A few labelled items of each class."""

import pytest
import torch

from siambench.errors import MetricError
from siambench.metrics import draw_references

LABELS = torch.tensor([4, 0, 0, 7, 4, 4, 4, 2, 0, 7, 7, 7, 7])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_classes_with_more_items_have_k_references(k):
    """Of each class with more than k items k different ones are drawn; all other items, of small classes too, are the others."""
    drawn = draw_references(LABELS, k=k, seed=5)
    assert [c for c in (0, 2, 4, 7) if int((c == LABELS).sum()) > k] == drawn.classes.tolist()
    assert drawn.items.shape == (len(drawn.classes), k)
    for label, items in zip(drawn.classes.tolist(), drawn.items.tolist(), strict=True):
        assert [label] * k == LABELS[items].tolist()
        assert k == len(set(items))
    assert sorted([*drawn.items.flatten().tolist(), *drawn.others.tolist()]) == list(range(len(LABELS)))


def test_with_a_gallery_it_alone_has_references():
    """Of each class with k items in the gallery k are drawn from there, and every query is one of the others."""
    drawn = draw_references(LABELS, k=2, seed=5, queries=4)
    assert [4, 7] == drawn.classes.tolist()
    assert int(drawn.items.min()) >= 4
    assert [0, 1, 2, 3] == drawn.others.tolist()


def test_a_draw_follows_the_seed_and_its_class_alone():
    """The same seed draws the same, other seeds others; without a class, and whatever comes behind, the others are drawn alike."""
    labels = torch.arange(6).repeat(20)
    one = draw_references(labels, k=3, seed=1)
    assert torch.equal(one.items, draw_references(labels, k=3, seed=1).items)
    assert not torch.equal(one.items, draw_references(labels, k=3, seed=2).items)
    kept = (labels != 2).nonzero()[:, 0]
    without = draw_references(labels[kept], k=3, seed=1)
    assert torch.equal(one.items[one.classes != 2], kept[without.items])
    # An item of each place is drawn in some class: no place is left out.
    assert set(range(20)) == {int(item) // 6 for seed in range(10) for item in draw_references(labels, k=3, seed=seed).items.flatten()}


def test_what_cannot_be_drawn_is_refused():
    """Too few items, no reference and a negative label are errors that say so."""
    with pytest.raises(MetricError, match="6 items of a class are needed, the largest has 5"):
        draw_references(LABELS, k=5, seed=0)
    with pytest.raises(MetricError, match="6 items of a class are needed in the gallery, the largest has 4"):
        draw_references(LABELS, k=6, seed=0, queries=4)
    with pytest.raises(MetricError, match="k must be at least 1"):
        draw_references(LABELS, k=0, seed=0)
    with pytest.raises(MetricError, match="not negative"):
        draw_references(LABELS - 1, k=1, seed=0)

"""Draws are made once for what they depend on, and whoever gets them can spoil nobody else's."""

import pytest
import torch

from siambench.errors import MetricError
from siambench.metrics import Pairs, draw_pairs
from siambench.metrics.kept import Kept


def labels_of(*counts):
    """Labels of classes of those sizes."""
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def asked(kept, labels, seed, calls, groups=None):
    """Pairs of those labels and that seed."""

    def draw():
        calls.append(seed)
        return draw_pairs(labels, seed=seed)

    return kept.of([labels, groups], seed, draw)


def same(one, other):
    """Whether two draws are equal."""
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("left", "right", "same", "fold"))


def test_a_draw_is_made_once_for_equal_labels_and_seed():
    """Equal content is found again, whatever tensor holds it; other labels, groups, seeds or shapes are drawn for anew."""
    kept, calls = Kept(8), []
    labels = labels_of(3, 4, 5, 6)
    first = asked(kept, labels, 1, calls)
    assert same(first, asked(kept, labels.clone(), 1, calls))
    assert same(first, draw_pairs(labels, seed=1))
    assert calls == [1]
    asked(kept, labels, 2, calls)
    asked(kept, labels_of(3, 4, 6, 5), 1, calls)
    asked(kept, labels, 1, calls, groups=labels // 2)
    assert calls == [1, 2, 1, 1]


def test_what_is_given_is_a_copy():
    """Whoever writes into what it got changes neither what is kept nor what others have."""
    kept, calls = Kept(2), []
    labels = labels_of(5, 5, 5, 5)
    first = asked(kept, labels, 1, calls)
    first.left.zero_()
    second = asked(kept, labels, 1, calls)
    second.same.fill_(True)  # noqa: FBT003  a tensor is filled

    assert isinstance(second, Pairs)
    assert same(draw_pairs(labels, seed=1), asked(kept, labels, 1, calls))
    assert calls == [1]


def test_the_one_asked_for_longest_ago_goes():
    """No more are kept than was said."""
    kept, calls = Kept(2), []
    labels = labels_of(4, 4, 4, 4)
    for seed in (1, 2, 1, 3, 1, 2):
        asked(kept, labels, seed, calls)

    assert calls == [1, 2, 3, 2]


def test_an_error_is_not_kept():
    """What cannot be drawn raises each time."""
    kept, calls = Kept(2), []
    for _ in range(2):
        with pytest.raises(MetricError):
            asked(kept, labels_of(1, 1), 1, calls)
    assert calls == [1, 1]

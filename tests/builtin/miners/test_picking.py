"""The further miners beside loops and beside pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning import miners
from torch.nn import functional

from siambench.builtin.miners import siambench_miners
from siambench.builtin.miners.more import ENTRIES as MORE
from siambench.plugin import call_factory
from siambench.training.components import plain

ENTRIES = siambench_miners()
# Classes of five, four, three and one image, out of order.
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1, 1, 2, 0])
SIZE = len(LABELS)


def points(seed=0):
    """Unit embeddings float64 [13, 4]; two of one class and two of different ones are the same."""
    x = functional.normalize(torch.randn(SIZE, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    x[3], x[9] = x[1], x[0]
    return x


def mined(name, x, labels=LABELS, **params):
    """What a miner chooses, as sorted tuples: triplets, or positive and negative pairs."""
    miner = call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **params})
    found = [column.tolist() for column in plain(miner(x, labels))]
    if len(found) == 3:
        return sorted(zip(*found, strict=True))
    return sorted(zip(*found[:2], strict=True)), sorted(zip(*found[2:], strict=True))


def library(miner, x):
    """The same of pytorch-metric-learning."""
    found = [column.tolist() for column in miner(x, LABELS)]
    if len(found) == 3:
        return sorted(zip(*found, strict=True))
    return sorted(zip(*found[:2], strict=True)), sorted(zip(*found[2:], strict=True))


def distance(x, i, j):
    """Euclidean."""
    return math.sqrt(math.fsum(float(d) ** 2 for d in x[i] - x[j]))


def others(a, *, same):
    """Items of the anchor's class but itself, or of other classes."""
    return [i for i in range(SIZE) if i != a and bool(LABELS[i] == LABELS[a]) == same]


def pairs(*, same):
    """Ordered pairs of one class, or of two."""
    return [(a, i) for a in range(SIZE) for i in others(a, same=same)]


def triplets():
    """All of them."""
    return [(a, p, n) for a, p in pairs(same=True) for n in others(a, same=False)]


@pytest.mark.parametrize("margin", [0.01, 0.2, 0.7])
def test_triplets_by_their_margin(margin):
    """Violating triplets, the hard ones among them, and the easy rest, which together with the violating are all."""
    x = points()
    gaps = {(a, p, n): distance(x, a, n) - distance(x, a, p) for a, p, n in triplets()}
    assert sorted(t for t, gap in gaps.items() if gap <= margin) == mined("triplet-margin", x, margin=margin)
    assert sorted(t for t, gap in gaps.items() if gap <= 0) == mined("triplet-margin-hard", x)
    assert sorted(t for t, gap in gaps.items() if gap > margin) == mined("triplet-margin-easy", x, margin=margin)
    for name, kind in (("triplet-margin", "all"), ("triplet-margin-easy", "easy")):
        assert library(miners.TripletMarginMiner(margin=margin, type_of_triplets=kind), x) == mined(name, x, margin=margin)


@pytest.mark.parametrize(("pos_margin", "neg_margin"), [(0.2, 0.8), (0.0, 1.4)])
def test_pairs_by_their_margins(pos_margin, neg_margin):
    """Positive pairs beyond the one, negative pairs within the other; a duplicate is not beyond a margin of 0."""
    x = points()
    near = sorted(pair for pair in pairs(same=True) if distance(x, *pair) > pos_margin)
    far = sorted(pair for pair in pairs(same=False) if distance(x, *pair) < neg_margin)
    assert (near, far) == mined("pair-margin", x, pos_margin=pos_margin, neg_margin=neg_margin)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_hardest_share_of_the_pairs(share):
    """Of either kind the share, rounded up, that is hardest: the furthest positive and the nearest negative pairs."""
    x = functional.normalize(torch.randn(SIZE, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5)))
    found = mined("hdc", x, share=share)
    for kind, same in ((0, True), (1, False)):
        every = sorted(pairs(same=same), key=lambda pair, same=same: distance(x, *pair) * (-1 if same else 1))
        number = math.ceil(share * len(every))
        assert number == len(found[kind])
        # Both orders of a pair are as hard: which of the last is taken, nothing says.
        bound = distance(x, *every[number - 1])
        outside = set(every) - set(found[kind])
        assert all(distance(x, *pair) <= bound + 1e-12 if same else distance(x, *pair) >= bound - 1e-12 for pair in outside)


def test_as_many_pairs_from_each_bin():
    """Each bin that holds pairs gives the number asked for, of its own pairs alone; a bin without gives none."""
    x, bins, each = points(), 7, 4
    torch.manual_seed(0)
    found = mined("uniform-histogram", x, bins=bins, per_bin=each)
    for kind, same in ((0, True), (1, False)):
        values = {pair: distance(x, *pair) for pair in pairs(same=same)}
        low, high = min(values.values()), max(values.values())
        place = {pair: min(bins - 1, int((value - low) / (high - low) * bins)) for pair, value in values.items()}
        filled = sorted(set(place.values()))
        assert [each] * len(filled) == [sum(place[pair] == one for pair in found[kind]) for one in filled]
        assert each * len(filled) == len(found[kind])


def test_pairs_of_a_bin_are_drawn_alike():
    """Over many draws each pair of a bin comes about as often as any other of it."""
    x = points()
    counts = {}
    torch.manual_seed(1)
    for _ in range(400):
        for pair in mined("uniform-histogram", x, bins=2, per_bin=20)[1]:
            counts[pair] = counts.get(pair, 0) + 1
    values = {pair: distance(x, *pair) for pair in pairs(same=False)}
    low, high = min(values.values()), max(values.values())
    for half in (0, 1):
        members = [pair for pair, value in values.items() if min(1, int((value - low) / (high - low) * 2)) == half]
        expected = 400 * 20 / len(members)
        # Six standard deviations of a binomial count.
        assert all(abs(counts.get(pair, 0) - expected) < 6 * math.sqrt(expected) for pair in members)


@pytest.mark.parametrize("angle", [10.0, 20.0, 40.0])
def test_triplets_by_their_angle(angle):
    """The angle at the negative, by the middle of anchor and positive, is larger than the bound."""
    x = points()
    expected = []
    for a, p, n in triplets():
        middle = (x[a] + x[p]) / 2
        half, height = distance(x, a, p) / 2, math.sqrt(math.fsum(float(d) ** 2 for d in x[n] - middle))
        if half > height * math.tan(math.radians(angle)):
            expected.append((a, p, n))
    assert sorted(expected) == mined("angular", x, angle=angle)
    assert library(miners.AngularMiner(angle=angle), x) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "positive", "negative"),
    [
        ("easy-positive-semihard-negative", "easy", "semihard"),
        ("hard-positive-semihard-negative", "hard", "semihard"),
        ("semihard-positive-hard-negative", "semihard", "hard"),
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_pair_of_each_kind_an_anchor(name, positive, negative, seed):
    """They are those of the library's miner of these strategies; an anchor for which one is missing has none."""
    x = functional.normalize(torch.randn(SIZE, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    found = mined(name, x)
    assert library(miners.BatchEasyHardMiner(pos_strategy=positive, neg_strategy=negative), x) == found
    assert [a for a, _ in found[0]] == [a for a, _ in found[1]]
    for (a, p), (_, n) in zip(*found, strict=True):
        assert distance(x, a, p) < distance(x, a, n)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_nearest_semihard_negative_of_each_pair(seed):
    """The nearest negative behind the positive; a pair behind all negatives has the anchor's furthest."""
    x = functional.normalize(torch.randn(SIZE, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    expected = []
    for a, p in pairs(same=True):
        behind = [n for n in others(a, same=False) if distance(x, a, n) > distance(x, a, p)]
        nearest = min(behind, key=lambda n, a=a: distance(x, a, n)) if behind else None
        expected.append((a, p, max(others(a, same=False), key=lambda n, a=a: distance(x, a, n)) if nearest is None else nearest))
    assert sorted(expected) == mined("semihard-nearest", x)


@pytest.mark.parametrize("name", sorted(MORE))
@pytest.mark.parametrize("labels", [torch.zeros(6, dtype=torch.int64), torch.arange(6), torch.tensor([0, 0, 1, 2, 3, 4])])
def test_batches_without_tuples_give_none_that_are_wrong(name, labels):
    """With one class, with classes of one image and with one pair what is given is valid, or nothing."""
    x = points()[:6]
    found = mined(name, x, labels)
    tuples = found if isinstance(found, list) else [(a, p, None) for a, p in found[0]] + [(a, None, n) for a, n in found[1]]
    for a, p, n in tuples:
        assert p is None or (a != p and labels[a] == labels[p])
        assert n is None or labels[a] != labels[n]

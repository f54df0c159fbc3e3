"""The miners of whole training sets beside loops over all triplets in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from siambench.builtin.miners import siambench_miners, whole
from siambench.plugin import call_factory

ENTRIES = siambench_miners()
# Classes of six, five, three, two and one item, out of order.
LABELS = torch.tensor([4, 0, 1, 0, 3, 1, 0, 2, 0, 1, 1, 2, 0, 4, 4, 0, 1])
SIZE = len(LABELS)
EVERY_ONE = 100


def points(seed=0):
    """Unit embeddings fp32 [17, 3]; two of one class and three of different ones are the same."""
    x = functional.normalize(torch.randn(SIZE, 3, generator=torch.Generator().manual_seed(seed)))
    x[3], x[9], x[14] = x[1], x[0], x[0]
    return x


def grid():
    """Embeddings fp32 [17, 2] of whole numbers, not of unit length: most distances stand several times, some are 0."""
    return torch.tensor([[i * i % 5, i * 7 % 3] for i in range(SIZE)], dtype=torch.float32)


CASES = {
    "drawn": (points(), LABELS),
    "another draw": (points(1), LABELS),
    "ties": (grid(), LABELS),
    "one item over and over": (points()[:1].expand(SIZE, -1), LABELS),
    "singletons": (points(), torch.arange(SIZE)),
    "one class": (points(), torch.zeros(SIZE, dtype=torch.int64)),
    "one class and one other item": (points(), (torch.arange(SIZE) == 7).long()),
    "one item": (points()[:1], LABELS[:1]),
}


def distance(x, i, j):
    """Euclidean, of lists."""
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(x[i], x[j], strict=True)))


def loops(x, labels):
    """For each anchor: its positives and its negatives as (distance, index)."""
    x, labels = x.tolist(), labels.tolist()
    for a in range(len(x)):
        near = [(distance(x, a, i), i) for i in range(len(x)) if i != a and labels[i] == labels[a]]
        far = [(distance(x, a, i), i) for i in range(len(x)) if labels[i] != labels[a]]
        yield a, near, far


def hard_by_loops(x, labels, negatives):
    """The first of the furthest positives with each of the nearest negatives."""
    found = []
    for a, near, far in loops(x, labels):
        if near:
            most = max(d for d, _ in near)
            positive = min(i for d, i in near if d == most)
            found += [(a, positive, n) for _, n in sorted(far)[:negatives]]
    return found


def semihard_by_loops(x, labels, margin):
    """Of every positive pair the first of the nearest negatives that are further, within the margin."""
    found = []
    for a, near, far in loops(x, labels):
        for to_positive, p in near:
            further = [(d, n) for d, n in far if to_positive < d <= to_positive + margin]
            found += [(a, p, min(further)[1])] if further else []
    return sorted(found)


def mined(name, x, labels, **params):
    """What a miner gives, as a list of triplets; of semi-hard ones with another number of positives than what ships takes."""
    if "positives" in params:
        miner = whole.OfflineSemihard(**{"margin": 0.2, **params})
    else:
        miner = call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **params})
    return list(zip(*(part.tolist() for part in miner(x, labels)), strict=True))


@pytest.fixture(params=[whole._NUMBERS, 40], ids=["one block", "blocks of two anchors"])
def _blocks(request, monkeypatch):
    """Few items in one block, and in many."""
    monkeypatch.setattr(whole, "_NUMBERS", request.param)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("negatives", [1, 2, 5, EVERY_ONE])
@pytest.mark.parametrize("case", CASES)
def test_hard_is_what_loops_over_all_triplets_find(case, negatives):
    """Each item with its furthest positive and its nearest negatives of the whole set, of what is tied that of the lowest index."""
    x, labels = CASES[case]
    assert hard_by_loops(x, labels, negatives) == mined("offline-hard", x, labels, negatives=negatives)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("margin", [0.05, 0.3, 5.0])
@pytest.mark.parametrize("case", CASES)
def test_semihard_is_what_loops_over_all_triplets_find(case, margin):
    """Every positive pair with the nearest negative that is further by no more than the margin, where all positives are asked for."""
    x, labels = CASES[case]
    expected = semihard_by_loops(x, labels, margin)
    assert expected == sorted(mined("offline-semihard", x, labels, margin=margin, positives=EVERY_ONE))


def test_loops_find_something_where_there_is_something():
    """The references are not empty, but for one item, one class, singletons, and of what lies all in one place semi-hard triplets."""
    empty = {"one item", "one class", "singletons"}
    assert empty == {case for case, (x, labels) in CASES.items() if not hard_by_loops(x, labels, 1)}
    assert {*empty, "one item over and over"} == {case for case, (x, labels) in CASES.items() if not semihard_by_loops(x, labels, 5.0)}
    assert 0 < len(semihard_by_loops(*CASES["drawn"], 0.05)) < len(semihard_by_loops(*CASES["drawn"], 0.3))


@pytest.mark.parametrize("positives", [1, 2])
def test_semihard_draws_among_the_positives(positives):
    """Of so many positives of each item, drawn without replacement; in many draws each of its pairs comes up about as often."""
    x, labels = CASES["drawn"]
    everything = semihard_by_loops(x, labels, 5.0)
    counts = dict.fromkeys(everything, 0)
    rounds = 200
    torch.manual_seed(0)
    for _ in range(rounds):
        found = mined("offline-semihard", x, labels, margin=5.0, positives=positives)
        assert len(set(found)) == len(found)
        assert max(sum(a == anchor for a, _, _ in found) for anchor in range(SIZE)) == positives
        if positives == 1:
            # What ships takes one.
            ours = mined("offline-semihard", x, labels, margin=5.0)
            assert len({a for a, _, _ in ours}) == len(ours)
        for triplet in found:
            counts[triplet] += 1
    for (anchor, _, _), count in counts.items():
        share = min(1.0, positives / (int((labels == labels[anchor]).sum()) - 1))
        assert abs(count / rounds - share) < 0.15


@pytest.mark.parametrize(("name", "params"), [("offline-hard", {"negatives": 0}), ("offline-semihard", {"positives": 0})])
def test_a_number_below_one_is_refused(name, params):
    """No negatives, or no positives, would be no mining: the miner cannot be built."""
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        mined(name, points(), LABELS, **params)


@pytest.mark.parametrize("name", ["offline-hard", "offline-semihard"])
def test_equal_items_are_tied_wherever_they_stand(name):
    """Of a negative that stands in the set over and over, the first is taken, also where matrix kernels sum the last columns otherwise."""
    generator = torch.Generator().manual_seed(5)
    x = functional.normalize(torch.randn(389, 7, generator=generator))
    x[200:] = x[200]
    labels = torch.arange(389) % 100
    labels[200:] = 1000 + torch.arange(189)
    for anchor, _, negative in mined(name, x, labels):
        assert negative <= 200
        assert anchor < 200

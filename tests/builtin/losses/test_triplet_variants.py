"""Triplet's variants beside their formulas in loops, and beside pytorch-metric-learning where that has them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from pytorch_metric_learning import distances, losses, reducers
from references.arithmetic import distance
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.miners import siambench_miners
from siambench.plugin import call_factory
from siambench.training.components import LossCall, build_loss, fed_indices, mine

ENTRY = siambench_losses()["triplet"]
MARGIN = 0.3
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1])
VARIANTS = [
    {"swap": swap, "soft": soft, "squared": squared, "average": average}
    for swap, soft, squared, average in itertools.product((False, True), (False, True), (False, True), ("violating", "all"))
    # Under a soft margin every triplet costs: there is no average to choose.
    if not (soft and average == "all")
]
IDS = ["+".join(name if value is True else str(value) for name, value in one.items() if value) for one in VARIANTS]
TRIPLETS = [(1, 3, 2), (1, 8, 4), (6, 3, 5), (1, 3, 2), (5, 2, 9)]


def build(variant, margin=MARGIN):
    """The loss as a row with these options has it."""
    chosen = {name: value for name, value in variant.items() if value != ENTRY.options[name].neutral}
    entry = ENTRY.with_options(chosen)
    return build_loss(entry, {**entry.defaults, "margin": margin, **chosen}, name="triplet", num_classes=4, embedding_size=5, seed=0)


def points(seed=0):
    """Embeddings float64 [10, 5] of unit length, no two alike."""
    drawn = torch.randn(len(LABELS), 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn)


def batches():
    """Embeddings and labels by what they are tried for."""
    x = points()
    duplicates, twins, ties = x.clone(), x.clone(), x.clone()
    duplicates[3], duplicates[7] = x[1], x[0]
    twins[4], twins[2] = x[0], x[9]
    ties[0] = torch.tensor([1.0, 0, 0, 0, 0])
    ties[5], ties[8] = ties[1] * torch.tensor([1.0, -1, -1, -1, -1]), ties[3] * torch.tensor([1.0, -1, -1, -1, -1])
    return {
        "asymmetric": (x, LABELS),
        "duplicates of one class": (duplicates, LABELS),
        "duplicates of two classes": (twins, LABELS),
        "ties": (ties, LABELS),
        "singletons": (x[:4], torch.tensor([2, 0, 3, 1])),
        "one class": (x, torch.full_like(LABELS, 3)),
        "one pair and singletons": (x[:4], torch.tensor([0, 1, 0, 2])),
    }


def every_triplet(labels):
    """All triplets of a batch, in loops."""
    places = range(len(labels))
    return [(a, p, n) for a in places for p in places for n in places if a != p and labels[a] == labels[p] and labels[a] != labels[n]]


def slow(x, triplets, variant, margin=MARGIN):
    """The mean over triplets of f(d(a, p) - d(a, n) + margin), term by term."""
    rows = x.detach().tolist()

    def far(one, other):
        found = distance(rows, one, other)
        return found * found if variant["squared"] else found

    costs = []
    for a, p, n in triplets:
        other = min(far(a, n), far(p, n)) if variant["swap"] else far(a, n)
        cost = far(a, p) - other + margin
        costs.append(math.log1p(math.exp(cost)) if variant["soft"] else max(0.0, cost))
    if not variant["soft"] and variant["average"] == "violating":
        costs = [cost for cost in costs if cost > 0]
    return sum(costs) / len(costs) if costs else 0.0


@pytest.mark.parametrize("batch", sorted(batches()))
@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_variants_equal_their_formula(variant, batch):
    """Each combination is the mean that its options say, over every triplet of a batch, with ties, duplicates, singletons and one class."""
    x, labels = batches()[batch]
    actual = build(variant)(x, labels)
    assert pytest.approx(slow(x, every_triplet(labels.tolist()), variant), rel=1e-9, abs=1e-12) == float(actual)


@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_variants_take_tuples_in_each_form(variant):
    """Given triplets they count those, each as often as it is listed; given pairs, those of one anchor joined, each as often."""
    x, loss = points(), build(variant)
    triplets = tuple(torch.tensor(column) for column in zip(*TRIPLETS, strict=True))
    assert pytest.approx(slow(x, TRIPLETS, variant), rel=1e-9) == float(
        LossCall(loss, "tried")(x.requires_grad_(), LABELS, triplets).detach()
    )
    near, far = [(1, 3), (1, 8), (6, 3), (1, 3)], [(1, 2), (1, 4), (1, 4), (6, 5), (0, 1)]
    joined = [(a, p, n) for a, p in near for other, n in far if other == a]
    (a, p), (other, n) = (tuple(map(torch.tensor, zip(*pairs, strict=True))) for pairs in (near, far))
    assert pytest.approx(slow(x, joined, variant), rel=1e-9) == float(LossCall(loss, "tried")(x, LABELS, (a, p, other, n)).detach())
    none = torch.zeros(0, dtype=torch.int64)
    for nothing in ((none, none, none), (none, none, none, none), (a, p, none, none)):
        value = LossCall(loss, "tried")(x, LABELS, nothing)
        assert float(value.detach()) == 0
        assert value.requires_grad


@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_gradients_are_those_of_the_value(variant):
    """The gradient is the change of the value, by finite differences in float64."""
    loss = build(variant)
    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), (points(seed=3).requires_grad_(),), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("batch", sorted(batches()))
@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_variants_equal_the_library(variant, batch):
    """Value and gradient are those of pytorch-metric-learning's triplet loss with the same swap, smooth loss, power and reducer."""
    x, labels = batches()[batch]
    library = losses.TripletMarginLoss(
        margin=MARGIN,
        swap=variant["swap"],
        smooth_loss=variant["soft"],
        distance=distances.LpDistance(p=2, power=2 if variant["squared"] else 1),
        reducer=reducers.MeanReducer() if variant["average"] == "all" else reducers.AvgNonZeroReducer(),
    )
    found = []
    for loss in (build(variant), library):
        rows = x.clone().requires_grad_()
        value = loss(functional.normalize(rows), labels)
        value.backward()
        found.append((value.detach(), rows.grad))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-9, atol=1e-12)
    # Equal rows pull nowhere here; there their distance is rounding, in whatever direction that lies. Of two negatives at one distance
    # rounding says which is nearer.
    if "duplicates" not in batch and not (batch == "ties" and variant["swap"]):
        assert torch.allclose(found[0][1], found[1][1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("miner", sorted(set(siambench_miners()) - {"none"}))
def test_variants_train_with_every_miner(miner):
    """What any miner gives, runs and marked places included, has a finite value with a gradient."""
    entry = siambench_miners()[miner]
    made = call_factory(entry.build, entry.defaults)
    rows = torch.randn(24, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    labels, x = torch.arange(24) // 4, functional.normalize(rows)
    torch.manual_seed(0)
    value = LossCall(build({"swap": True, "soft": True, "squared": True, "average": "violating"}), "tried")(
        x, labels, mine(made, x, labels, name=miner)
    )
    value.backward()
    assert bool(value.isfinite())
    assert bool(rows.grad.isfinite().all())


@pytest.mark.parametrize("feed", ["classes", "triplets", "views"])
def test_variants_train_fed_in_every_way(feed):
    """Fed by classes, triplets or views the value is finite and has a gradient that is not zero."""
    rows = torch.randn(12, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    labels = torch.cat([torch.arange(4), torch.arange(4), torch.arange(4).roll(1)]) if feed == "triplets" else torch.arange(12) // 2
    loss = LossCall(build({"swap": True, "soft": False, "squared": True, "average": "all"}, margin=2.0), "tried")
    loss(functional.normalize(rows), labels, fed_indices(feed, labels)).backward()
    assert bool(rows.grad.any())


def test_margins_are_searched_where_they_mean_the_same():
    """Of squares the margin is twice that of distances; the soft margin begins at Hermans et al.'s, which is none."""
    plain, squared, soft = ENTRY, ENTRY.with_options({"squared": True}), ENTRY.with_options({"soft": True})
    assert (2 * plain.defaults["margin"], 2 * plain.space["margin"].high) == (squared.defaults["margin"], squared.space["margin"].high)
    assert (0.0, 0.0, plain.space["margin"].high) == (soft.defaults["margin"], soft.space["margin"].low, soft.space["margin"].high)

"""The built-in losses beside their papers' formulas, and what each owes to its gradient and its space."""

from __future__ import annotations

import inspect
import itertools

import pytest
import torch
from references import references
from references.arithmetic import distance, mean_of_positive
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.plugin import call_factory
from siambench.training.components import LossCall

# Those that wrap another have tests of their own, and those of items with two sides in test_sides.py.
ENTRIES = {name: entry for name, entry in siambench_losses().items() if not entry.wraps and not entry.sides}
REFERENCES = {name: reference for name, reference in references().items() if name in ENTRIES}
# Classes of four, three, two and one image, out of order: nothing is symmetric.
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1])
GROUPS = torch.tensor([1, 0, 1, 0, 0])
CLASSES, SIZE = 5, 5


def build(name, **params):
    """The loss as its entry builds it, with one class more than the batches hold."""
    entry = ENTRIES[name]
    torch.manual_seed(7)
    return call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **entry.defaults, **params})


def points(*, normalise=True, seed=0):
    """Embeddings float64 [10, 5], no two alike."""
    drawn = torch.randn(len(LABELS), SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn) if normalise else drawn


def batches(*, normalise):
    """Embeddings float64 and labels, by what they are tried for."""
    x = points(normalise=normalise)
    duplicates, twins, ties = x.clone(), x.clone(), x.clone()
    duplicates[3], duplicates[7] = x[1], x[0]
    twins[4], twins[2] = x[0], x[9]
    # Mirrored at the first axis: equal distances and products from whatever lies on it.
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
        "two classes": (x, torch.tensor([1, 0, 1, 1, 0, 1, 1, 0, 1, 1])),
    }


BATCHES = tuple(batches(normalise=True))
CASES = [
    pytest.param(name, params, batch, id=f"{name} {params} {batch}")
    for name, reference in sorted(REFERENCES.items())
    for params in ({}, *reference.cases)
    for batch in BATCHES
    if batch not in reference.without
]


def value_of(loss, name, x, labels, **named):
    """The value as training asks for it."""
    groups = GROUPS[labels] if REFERENCES[name].groups else None
    return LossCall(loss, name)(x, labels, None, groups=groups, **named)


@pytest.mark.parametrize(("name", "params", "batch"), CASES)
def test_losses_equal_their_formulas(name, params, batch):
    """Each loss equals the formula that its entry cites, summed term by term in float64, whatever the batch holds."""
    reference = REFERENCES[name]
    x, labels = batches(normalise=ENTRIES[name].normalise)[batch]
    loss = build(name, **params).double()
    asked = {**ENTRIES[name].defaults, **params}
    accepted = inspect.signature(reference.formula).parameters
    asked = {key: value for key, value in asked.items() if key in accepted}
    if "own" in accepted:
        asked["own"] = {key: weights.detach().tolist() for key, weights in loss.named_parameters()}
    if reference.groups:
        asked["groups"] = GROUPS[labels].tolist()
    expected = reference.formula(x.tolist(), labels.tolist(), **asked)

    actual = float(value_of(loss, name, x.requires_grad_(), labels).detach())

    assert pytest.approx(expected, rel=1e-9, abs=1e-11) == actual


def test_every_loss_has_a_reference():
    """No loss is registered without a formula that it is held against, and no formula is left without its loss."""
    assert sorted(name for name, entry in siambench_losses().items() if not entry.wraps) == sorted(references())


@pytest.mark.parametrize("name", ["contrastive", "triplet"])
def test_pair_losses_take_indices_in_either_form(name):
    """Given triplets, or the pairs that they consist of, a loss counts exactly those."""
    x = points()
    triplets = [(1, 3, 2), (1, 8, 4), (6, 3, 5)]
    anchor, positive, negative = (torch.tensor(column) for column in zip(*triplets, strict=True))
    if name == "triplet":
        expected = mean_of_positive([distance(x, a, p) - distance(x, a, n) + 0.1 for a, p, n in triplets])
    else:
        expected = mean_of_positive([distance(x, a, p) for a, p, _ in triplets]) + mean_of_positive(
            [1.0 - distance(x, a, n) for a, _, n in triplets]
        )

    assert pytest.approx(expected, rel=1e-10) == float(build(name)(x, LABELS, (anchor, positive, negative)))
    if name == "contrastive":
        assert pytest.approx(expected, rel=1e-10) == float(build(name)(x, LABELS, (anchor, positive, anchor, negative)))


def test_losses_for_pairs_and_triplets_use_the_indices():
    """A loss that claims to take tuples gives another value for some tuples than for all of the batch."""
    x = points()
    few = (torch.tensor([1, 6]), torch.tensor([3, 8]), torch.tensor([1, 6]), torch.tensor([2, 4]))
    for name, entry in ENTRIES.items():
        if entry.takes != "none":
            call = LossCall(build(name), name)
            free = x.clone().requires_grad_()
            assert float(call(free, LABELS).detach()) != float(call(free, LABELS, few).detach()), name


COLLAPSED = {name: reference.collapsed for name, reference in REFERENCES.items() if reference.collapsed is not None}


@pytest.mark.parametrize("name", COLLAPSED)
def test_collapse_has_its_fingerprint(name):
    """When all embeddings are equal, 8 classes × 4 images, a loss is the constant by which collapse is known."""
    labels = torch.arange(8).repeat_interleave(4)
    equal = functional.normalize(torch.ones(32, 16, dtype=torch.float64)).requires_grad_()

    loss = build(name, num_classes=8, embedding_size=16)
    assert pytest.approx(COLLAPSED[name], abs=1e-4) == float(LossCall(loss, name)(equal, labels).detach())


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_gradients_reach_the_embeddings_and_the_loss(name):
    """The embeddings, and the loss's own parameters where its entry says it has some, get a gradient that is not zero."""
    x = points().requires_grad_()
    loss = build(name)

    value_of(loss, name, x, LABELS).backward()

    assert x.grad is not None
    assert float(x.grad.norm()) > 0
    own = list(loss.parameters())
    assert bool(own) == ENTRIES[name].own_parameters
    assert all(float(p.grad.norm()) > 0 for p in own)


@pytest.mark.parametrize("name", [name for name, reference in sorted(REFERENCES.items()) if reference.gradient is not None])
def test_gradients_are_those_of_the_value(name):
    """The gradient is the change of the value, by finite differences in float64."""
    loss = build(name, **REFERENCES[name].gradient).double()
    embeddings = points(seed=3, normalise=ENTRIES[name].normalise).requires_grad_()

    assert torch.autograd.gradcheck(lambda x: value_of(loss, name, x, LABELS), (embeddings,), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_batch_without_a_positive_costs_nothing_it_cannot_say(name):
    """A batch of different classes gives a finite scalar with a gradient, so that training goes on."""
    labels = torch.arange(CLASSES)
    x = points()[:CLASSES].clone().requires_grad_()

    value = value_of(build(name), name, x, labels)

    assert value.ndim == 0
    assert bool(torch.isfinite(value))
    assert value.requires_grad


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_bounds_of_the_space_give_numbers(name):
    """At each end of each dimension of its spaces a loss in fp32 is finite, and so is its gradient."""
    entry = ENTRIES[name]
    spaces = [entry.space, *entry.spaces.values()]
    for parameter, dimension in itertools.chain.from_iterable(space.items() for space in spaces):
        for value in (dimension.low, dimension.high):
            x = points().float().requires_grad_()
            found = value_of(build(name, **{parameter: value}), name, x, LABELS)
            found.backward()
            assert bool(torch.isfinite(found)), (parameter, value)
            assert bool(torch.isfinite(x.grad).all()), (parameter, value)

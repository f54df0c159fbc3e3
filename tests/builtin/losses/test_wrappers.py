"""Cross-batch memory and Matryoshka around other losses, beside what they are defined by."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.losses.forms.matryoshka import cuts
from siambench.components.catalogue import Catalogue
from siambench.errors import CombinationError
from siambench.training.components import LossCall, as_seen, build_loss

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
PLAIN = sorted(name for name, entry in siambench_losses().items() if not entry.wraps)
TUPLES = [name for name in PLAIN if siambench_losses()[name].takes != "none" and "classes" in siambench_losses()[name].feeds]
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])
SIZELESS = ("margin-learned", "sigmoid", "clip")
"""Losses whose own parameters do not follow the size of the embedding."""
SIZE = 8


def called(name, **params):
    """The loss as training calls it."""
    entry = CATALOGUE.get("losses", name).entry
    loss = build_loss(entry, {**entry.defaults, **params}, name=name, num_classes=3, embedding_size=SIZE, seed=1)
    return LossCall(loss.double(), name), entry


def rows(seed, *, normalise=True):
    """Embeddings float64 [6, 8]."""
    drawn = torch.randn(6, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn) if normalise else drawn


def mean_above_zero(values):
    """Of those above 0, or 0."""
    active = [value for value in values if value > 0]
    return math.fsum(active) / len(active) if active else 0.0


def contrastive(pairs):
    """The loss with a margin of 1.2, of distances and whether they are of one class."""
    return mean_above_zero([d for d, same in pairs if same]) + mean_above_zero([1.2 - d for d, same in pairs if not same])


def distance(one, other):
    """Euclidean."""
    return float((one - other).norm().detach())


def test_a_memory_adds_the_pairs_with_earlier_batches():
    """Step by step: the loss of the batch, and from the start on weight times that of its pairs with the last items before it."""
    loss, _ = called("xbm(contrastive)", memory=8, start=0.3, weight=0.7, **{"contrastive.neg_margin": 1.2})
    kept = []
    for step, progress in enumerate((0.0, 0.25, 0.5, 0.75)):
        x, labels = rows(step).requires_grad_(), LABELS.roll(step)
        items = list(zip(x, labels, strict=True))
        expected = contrastive([(distance(a, b), bool(k == m)) for (a, k), (b, m) in itertools.permutations(items, 2)])
        if progress >= 0.3:
            expected += 0.7 * contrastive([(distance(a, b), bool(k == m)) for (a, k), (b, m) in itertools.product(items, kept)])
        found = loss(x, labels, progress=progress)
        assert expected == pytest.approx(float(found.detach()), rel=1e-9)
        found.backward()
        assert float(x.grad.norm()) > 0
        kept = [*kept, *zip(x.detach(), labels, strict=True)][-8:]


def test_what_is_remembered_has_no_gradient():
    """Only the batch is pulled: the embeddings of an earlier step get nothing from a later one."""
    loss, _ = called("xbm(triplet)", memory=16, start=0.0)
    first = rows(0).requires_grad_()
    loss(first, LABELS).backward()
    before = first.grad.clone()
    loss(rows(1).requires_grad_(), LABELS).backward()
    assert torch.equal(before, first.grad)


# What is a penalty on the embeddings themselves stands in both terms, whatever pairs there are.
@pytest.mark.parametrize("name", [name for name in TUPLES if name != "snr-contrastive"])
def test_an_empty_memory_adds_nothing(name):
    """The first step of a run is the loss alone, though the memory counts from the start."""
    whole, entry = called(f"xbm({name})", start=0.0)
    alone, _ = called(name)
    x = rows(3, normalise=entry.normalise).requires_grad_()
    assert float(whole(x, LABELS).detach()) == pytest.approx(float(alone(x, LABELS).detach()), rel=1e-9)


@pytest.mark.parametrize("name", TUPLES)
def test_every_loss_of_tuples_takes_a_memory(name):
    """Filled and unfilled, smaller than the batch and larger, in fp32: finite, with a finite gradient; and nothing waits for a device."""
    for memory in (4, 64):
        entry = CATALOGUE.get("losses", f"xbm({name})").entry
        params = {**entry.defaults, "memory": memory, "start": 0.0}
        module = build_loss(entry, params, name=name, num_classes=3, embedding_size=SIZE, seed=1)
        for step in range(3):
            x = rows(step, normalise=False).float().requires_grad_()
            LossCall(module, name)(as_seen(x, normalise=entry.normalise), LABELS, progress=step / 3).backward()
            assert bool(torch.isfinite(x.grad).all())
        with FakeTensorMode():
            module = build_loss(entry, params, name=name, num_classes=3, embedding_size=SIZE, seed=1)
            x = torch.randn(6, SIZE, requires_grad=True)
            LossCall(module, name)(as_seen(x, normalise=entry.normalise), torch.arange(6) // 2).backward()


def test_what_takes_no_tuples_takes_no_memory():
    """A loss over classes has no pairs for a memory to add to."""
    with pytest.raises(CombinationError) as caught:
        CATALOGUE.get("losses", "xbm(arcface)")
    assert "arcface takes none" in str(caught.value)


def test_a_memory_is_for_classes_alone():
    """The labels of views and labelled pairs are numbers of one batch: between batches they mean nothing."""
    assert ("classes",) == CATALOGUE.get("losses", "xbm(contrastive)").entry.feeds
    assert "views" in CATALOGUE.get("losses", "matryoshka(ntxent)").entry.feeds


@pytest.mark.parametrize(
    ("size", "smallest", "expected"), [(64, 8, [64, 32, 16, 8]), (50, 8, [50, 25, 12]), (8, 8, [8]), (4, 8, [4]), (6, 1, [6, 3, 1])]
)
def test_the_cuts_are_halves(size, smallest, expected):
    """All dimensions, and halves down to no fewer than the smallest; an embedding that is smaller is not cut."""
    assert expected == cuts(size, smallest)


@pytest.mark.parametrize("name", PLAIN)
def test_matryoshka_is_the_mean_over_the_cuts(name):
    """Each cut is given unit length where the loss wants it, and has parameters of its own, drawn one after the other."""
    whole, entry = called(f"matryoshka({name})", smallest=2)
    inner = siambench_losses()[name]
    assert not entry.normalise
    x = rows(5, normalise=False).requires_grad_()
    torch.manual_seed(2)
    found = float(whole(x, LABELS).detach())
    parts = []
    # Some losses draw.
    torch.manual_seed(2)
    for cut, part in zip((8, 4, 2), whole.loss.losses, strict=True):
        chosen = functional.normalize(x[:, :cut]) if inner.normalise else x[:, :cut]
        parts.append(float(part(chosen, LABELS).detach()))
    assert sum(parts) / 3 == pytest.approx(found, rel=1e-9)
    sizes = [sum(parameter.numel() for parameter in part.parameters()) for part in whole.loss.losses]
    assert sizes[0] > sizes[1] > sizes[2] or not inner.own_parameters or name in SIZELESS


def test_matryoshka_trains_every_cut():
    """The first dimensions stand in all cuts, the last in one: each gets a gradient."""
    loss, entry = called("matryoshka(supcon)", smallest=2)
    assert not entry.normalise
    x = rows(6, normalise=False).requires_grad_()
    loss(x, LABELS).backward()
    assert bool((x.grad.abs().sum(dim=0) > 0).all())

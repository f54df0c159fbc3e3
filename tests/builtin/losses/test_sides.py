"""Losses of both sides of items beside their formulas in slow loops, and beside each other."""

from __future__ import annotations

import math

import pytest
import torch
from references.sides import clip as reference
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.losses.forms.across import across_pairs
from siambench.builtin.losses.forms.clip import CLIP
from siambench.components.catalogue import Catalogue
from siambench.errors import CombinationError, ConfigError
from siambench.plugin import LossEntry
from siambench.training.components import LossCall, build_loss

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
ITEMS, SIZE = 7, 5
# Classes of three, two and two single items, out of order.
CLASSES = torch.tensor([2, 0, 1, 0, 3, 2, 0])
LABELS = CLASSES.repeat(2)


def called(name, **params):
    """The loss as training calls it, in float64."""
    entry = CATALOGUE.get("losses", name).entry.with_options(params)
    loss = build_loss(entry, {**entry.defaults, **params}, name=name, num_classes=4, embedding_size=SIZE, seed=1)
    return LossCall(loss.double(), name)


def points(seed=0):
    """First sides and then second ones, unit vectors float64 [14, 5], no two alike."""
    drawn = torch.randn(2 * ITEMS, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn)


def clip(x, classes, scale):
    """The reference's value."""
    return reference(x.tolist(), [*classes, *classes], 1 / scale)


@pytest.mark.parametrize("temperature", [0.02, 0.07, 0.5])
@pytest.mark.parametrize("classes", [CLASSES, torch.arange(ITEMS), torch.zeros(ITEMS, dtype=torch.int64)])
def test_clip_is_its_formula(temperature, classes):
    """Value and gradient are those of the formula, for distinct classes, shared ones, and one alone."""
    x = points().requires_grad_()
    value = called("clip", temperature=temperature)(x, classes.repeat(2))

    # The scale is a parameter in fp32.
    assert clip(x.detach(), classes.tolist(), 1 / temperature) == pytest.approx(float(value.detach()), rel=1e-5, abs=1e-9)
    value.backward()
    moved = x.detach().clone()
    for place in ((0, 1), (9, 3)):
        sides = []
        for sign in (1, -1):
            moved[place] = x.detach()[place] + sign * 1e-6
            sides.append(clip(moved, classes.tolist(), 1 / temperature))
        moved[place] = x.detach()[place]
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(float(x.grad[place]), rel=1e-4, abs=1e-7)


def test_clip_learns_its_scale_and_keeps_it_at_a_hundred():
    """The scale has a gradient, is brought back to 100 where a step has carried it beyond, and moves on from there."""
    loss = CLIP(temperature=0.07, learnt=True).double().train()
    with torch.no_grad():
        loss.log_scale.fill_(math.log(400.0))
    value = loss(points(), LABELS)
    value.backward()

    assert math.isclose(math.exp(float(loss.log_scale.detach())), 100.0, rel_tol=1e-6)
    assert float(loss.log_scale.grad) != 0
    assert clip(points(), CLASSES.tolist(), 100.0) == pytest.approx(float(value.detach()), rel=1e-6)


def test_a_fixed_temperature_is_no_parameter():
    """With ``learnt = false`` there is nothing to train and no rate to tune, and the value is the same at the same temperature."""
    entry = siambench_losses()["clip"]
    fixed = entry.with_options({"learnt": False})
    learnt, still = called("clip"), called("clip", learnt=False)

    assert entry.own_parameters
    assert not fixed.own_parameters
    assert list(still.loss.parameters()) == []
    assert float(learnt(points().requires_grad_(), LABELS).detach()) == pytest.approx(
        float(still(points().requires_grad_(), LABELS).detach()), rel=1e-6
    )


def test_pairs_across_are_every_pair_of_two_sides():
    """Each pair of a first and a second side stands there once in each order, with its class's word on it, and none of one side."""
    left, right, other, negative = (part[part >= 0].tolist() for part in across_pairs(LABELS))
    wanted = [(i, j) for i in range(2 * ITEMS) for j in range(2 * ITEMS) if (i < ITEMS) != (j < ITEMS)]

    assert sorted(zip(left, right, strict=True)) == [(i, j) for i, j in wanted if LABELS[i] == LABELS[j]]
    assert sorted(zip(other, negative, strict=True)) == [(i, j) for i, j in wanted if LABELS[i] != LABELS[j]]


def test_across_contrastive_is_its_formula():
    """The mean of what costs over pairs of two sides, each in both orders, which halves nothing: distances below the margin push."""
    x = points(3)
    near, far = [], []
    for i in range(ITEMS):
        for j in range(ITEMS):
            distance = float((x[i] - x[ITEMS + j]).norm())
            near += [distance] if CLASSES[i] == CLASSES[j] else []
            far += [1.2 - distance] if CLASSES[i] != CLASSES[j] and distance < 1.2 else []
    expected = math.fsum(near) / len(near) + math.fsum(far) / len(far)

    found = called("across(contrastive)", **{"contrastive.pos_margin": 0.0, "contrastive.neg_margin": 1.2})(x.requires_grad_(), LABELS)
    assert len(far) > 3
    assert expected == pytest.approx(float(found.detach()), rel=1e-9)


def test_across_triplet_is_its_formula():
    """[d(a, p) - d(a, n) + margin] over triplets whose anchor is of one side and whose others are of the other, mean of what costs."""
    x, costs = points(4), []
    for shift in (0, ITEMS):
        for a in range(ITEMS):
            own = [(j, float((x[a + shift] - x[(j + ITEMS - shift) % (2 * ITEMS)]).norm())) for j in range(ITEMS)]
            for p, near in own:
                for n, far in own:
                    if CLASSES[p] == CLASSES[a] != CLASSES[n] and near - far + 0.3 > 0:
                        costs.append(near - far + 0.3)
    found = called("across(triplet)", **{"triplet.margin": 0.3})(x.requires_grad_(), LABELS)

    assert math.fsum(costs) / len(costs) == pytest.approx(float(found.detach()), rel=1e-9)


def test_across_sigmoid_is_siglips():
    """Of distinct classes it is the loss of Zhai et al.: the sum over images and texts of log(1 + exp(-z (t s + b))), over the images."""
    x = points(5)
    first, second = x[:ITEMS], x[ITEMS:]
    logits = 10.0 * first @ second.T - 10.0
    z = 2 * torch.eye(ITEMS, dtype=torch.float64) - 1
    expected = functional.softplus(-z * logits).sum() / ITEMS
    found = called("across(sigmoid)")(x.requires_grad_(), torch.arange(ITEMS).repeat(2))

    assert float(expected) == pytest.approx(float(found.detach()), rel=1e-6)


def test_across_ntxent_is_clip_at_a_fixed_temperature():
    """Of distinct classes a softmax over the other side at each anchor, both ways, is what clip is."""
    labels = torch.arange(ITEMS).repeat(2)
    one = called("across(ntxent)", **{"ntxent.temperature": 0.2})(points(6).requires_grad_(), labels)
    other = called("clip", temperature=0.2, learnt=False)(points(6).requires_grad_(), labels)

    assert float(one.detach()) == pytest.approx(float(other.detach()), rel=1e-6)


@pytest.mark.parametrize("name", ["clip", "across(triplet)", "across(multi-similarity)", "across(proxy-anchor)"])
def test_what_both_sides_need_is_said_by_the_entry(name):
    """A loss of both sides is fed one item of a class and takes no tuples from others; one that forms none itself is refused."""
    if name == "across(proxy-anchor)":
        with pytest.raises(CombinationError, match="across hands tuples to the losses in it, and proxy-anchor takes none"):
            CATALOGUE.get("losses", name)
        return
    entry = CATALOGUE.get("losses", name).entry
    assert (entry.sides, entry.images_per_class, entry.takes, entry.feeds) == (True, 1, "none", ("classes",))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("across(clip)", "clip takes both sides of items already"),
        ("across(across(triplet))", "takes both sides of items already"),
        ("xbm(across(triplet))", "xbm hands tuples to the loss that it wraps, and across takes none"),
        ("sum(clip,triplet)", "triplet take items of one side, and the others both sides"),
        ("across(sum(triplet,arcface))", "across hands tuples to the losses in it, and arcface takes none"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(name, sentence):
    """Losses of one side and of both are not mixed, and a wrapper that hands out tuples is around no loss that forms its own."""
    with pytest.raises(CombinationError) as refused:
        CATALOGUE.get("losses", name)
    assert sentence in str(refused.value)


def test_an_option_that_clip_cannot_have_is_refused():
    """``learnt`` is true or false."""
    with pytest.raises(ConfigError, match="learnt must be true or false"):
        CATALOGUE.get("losses", "clip").with_options({"learnt": "maybe"})


def test_a_loss_of_both_sides_is_fed_by_classes():
    """An entry that says otherwise is refused when it is made."""
    with pytest.raises(ValueError, match="fed by classes alone"):
        LossEntry(lambda: 0, source="made up", sides=True, feeds=("classes", "views"))

"""What the losses of rankings, of all pairs at once and of curved space owe to memory, order and size."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.losses.forms import query_ranks
from siambench.plugin import call_factory
from siambench.training.components import LossCall

ENTRIES = siambench_losses()
CLASSES, SIZE = 6, 8
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 3, 3, 0, 4, 1, 0])


def build(name, **params):
    """The loss in float64, and how it is called."""
    torch.manual_seed(3)
    entry = ENTRIES[name]
    made = call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **entry.defaults, **params})
    return LossCall(made.double(), name)


def points(seed=0):
    """Unit vectors float64 [12, 8]."""
    drawn = torch.randn(len(LABELS), SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn)


@pytest.mark.parametrize("name", ["recall-at-k", "roadmap", "happier"])
def test_queries_taken_in_parts_are_the_same(name, monkeypatch):
    """Value and gradient are the same bit for bit whether all queries are compared at once or five of them at a time."""
    found = []
    for at_once in (query_ranks.AT_ONCE, 5 * len(LABELS) ** 2):
        monkeypatch.setattr(query_ranks, "AT_ONCE", at_once)
        x = points().requires_grad_()
        value = build(name)(x, LABELS, groups=LABELS % 2)
        value.backward()
        found.append((value.detach(), x.grad))

    assert torch.equal(found[0][0], found[1][0])
    assert float((found[0][1] - found[1][1]).abs().max()) < 1e-12


def test_a_perfect_ranking_costs_nothing_but_the_calibration():
    """Classes that are points at right angles have an average precision of 1 within 1e-3, and no hinge is open."""
    x = torch.eye(CLASSES, SIZE, dtype=torch.float64)[LABELS].requires_grad_()

    assert float(build("roadmap")(x, LABELS).detach()) < 1e-3
    assert float(build("recall-at-k", rank_temperature=0.01)(x, LABELS).detach()) < 0.6


def test_roadmap_bounds_average_precision_from_above():
    """What it takes for 1 - AP is no less than 1 - AP, on any of twenty batches."""
    for seed in range(20):
        x = points(seed)
        s = x @ x.T
        total = []
        for q in range(len(LABELS)):
            others = [i for i in range(len(LABELS)) if i != q]
            order = sorted(others, key=lambda i, q=q: -float(s[q, i]))
            hits = [place for place, i in enumerate(order, start=1) if LABELS[i] == LABELS[q]]
            if hits:
                total.append(1 - sum(n / place for n, place in enumerate(hits, start=1)) / len(hits))
        assert float(build("roadmap", share=0.0)(x.requires_grad_(), LABELS).detach()) >= sum(total) / len(total)


def test_happier_without_groups_has_the_level_of_classes_alone():
    """Without groups, or where each class is a group of its own, the value is the same; other groups give another."""
    x = points().requires_grad_()
    values = [float(build("happier")(x, LABELS, groups=groups).detach()) for groups in (None, LABELS, LABELS % 2)]

    assert values[0] == values[1] != values[2]


def test_contextual_similarity_has_a_slope():
    """Though neighbours are counted, the contextual term alone moves embeddings."""
    x = points().requires_grad_()
    build("contextual", contextual=1.0, regulariser=0.0)(x, LABELS).backward()

    assert float(x.grad.norm()) > 0


def test_hyperbolic_distances_are_those_of_the_ball():
    """Its similarity is minus the distance of Möbius's sum, 0 of a point with itself, and smaller the farther two points are."""
    loss = build("hyperbolic").loss
    x = 3 * points()
    found = loss.similarity(x[:5], x)
    root = loss.curvature**0.5
    cut = x * (x.norm(dim=1, keepdim=True).clamp(max=loss.radius) / x.norm(dim=1, keepdim=True))
    y = (root * cut.norm(dim=1, keepdim=True)).tanh() * cut / (root * cut.norm(dim=1, keepdim=True))
    for i in range(5):
        for j in range(len(x)):
            a, b, c = -y[i], y[j], loss.curvature
            ab, aa, bb = a @ b, a @ a, b @ b
            total = ((1 + 2 * c * ab + c * bb) * a + (1 - c * aa) * b) / (1 + 2 * c * ab + c * c * aa * bb)
            assert float(found[i, j]) == pytest.approx(-2 / root * float((root * total.norm()).atanh()), abs=1e-7)
    assert bool((found.diagonal() == 0).all())


def test_hyperbolic_keeps_its_digits_at_the_edge_of_the_ball():
    """In fp32, at the longest radius and the strongest curvature, distances are those of float64 to a hundred-thousandth."""
    loss = build("hyperbolic", curvature=1.0, radius=3.5).loss
    x = 10 * points()
    exact, single = loss.similarity(x, x), loss.similarity(x.float(), x.float())

    assert float((single.double() - exact).abs().max()) < 1e-5 * float(exact.abs().max())


def test_an_odd_embedding_is_filled_up_by_zero():
    """The angle of seven coordinates is that of eight, the last of which is 0."""
    x = points()[:, :7].clone().requires_grad_()
    filled = torch.cat([x, torch.zeros(len(x), 1, dtype=torch.float64)], dim=1)

    assert float(build("angle")(x, LABELS).detach()) == float(build("angle")(filled, LABELS).detach())


@pytest.mark.parametrize("name", ["cosent", "angle"])
def test_one_kind_of_pair_alone_is_nothing_to_compare(name):
    """Genuine pairs alone, or impostors alone, cost nothing and pull nowhere."""
    for labels in (torch.zeros(12, dtype=torch.int64), torch.arange(12)):
        x = points().requires_grad_()
        value = build(name)(x, labels)
        value.backward()
        assert float(value.detach()) == 0
        assert not bool(x.grad.any())

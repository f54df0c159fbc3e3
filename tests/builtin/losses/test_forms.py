"""What `show` says of the forms of the built-in losses is what they compute."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from siambench.components.catalogue import Catalogue
from siambench.plugin import Float, Int, call_factory

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
ALL = [one for kind in ("losses", "miners") for one in CATALOGUE.components(kind) if one.provenance.distribution == "siambench"]
# What wraps another has the form of that one.
LOSSES = [one for one in ALL if one.kind == "losses" and not one.entry.wraps]
LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
SECOND = {"contrastive", "triplet", "npair", "angular", "ntxent", "supcon", "multi-similarity", "proxy-anchor", "arcface"}
SECOND_MINERS = {"semihard", "multi-similarity", "distance-weighted"}
"""Whose space is a second one."""


def vectors(seed=0):
    """Eight unit vectors, float64."""
    return functional.normalize(torch.randn(8, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def value(name, embeddings, labels=LABELS, **params):
    """Of a built-in loss."""
    entry = next(one.entry for one in LOSSES if one.name == name)
    return call_factory(entry.build, {**entry.defaults, "num_classes": 3, "embedding_size": 4, **params})(embeddings, labels).item()


@pytest.mark.parametrize("component", LOSSES, ids=lambda one: one.name)
def test_every_loss_tells_its_form(component):
    """Distance and reducer are told of each, and what differs from the paper in sentences of their own."""
    entry = component.entry
    assert entry.distance
    assert entry.reducer
    assert all(sentence and sentence == sentence.strip() and not sentence.endswith(".") for sentence in entry.differs)


def test_show_tells_it(siambench):
    """`show loss` prints them, a sentence a line, and its document has them."""
    shown = siambench("show", "loss", "contrastive").stdout
    assert "distance: Euclidean between unit vectors" in shown
    assert "differs from the paper:\n  distances cost linearly" in shown


def test_contrastive_is_linear_and_leaves_out_what_costs_nothing():
    """Mean over the genuine pairs that cost plus mean over the impostor pairs that cost, distances as they are."""
    points = vectors()
    genuine, impostor = [], []
    for i in range(8):
        for j in range(8):
            if i != j:
                d = (points[i] - points[j]).norm().item()
                (genuine if LABELS[i] == LABELS[j] else impostor).append(max(0.0, d - 0.2) if LABELS[i] == LABELS[j] else max(0.0, 1.3 - d))
    parts = [[cost for cost in costs if cost > 0] for costs in (genuine, impostor)]
    expected = sum(sum(costs) / len(costs) for costs in parts)
    assert expected == pytest.approx(value("contrastive", points, pos_margin=0.2, neg_margin=1.3), rel=1e-6)


def test_triplet_is_unsquared_and_the_mean_of_what_violates():
    """Mean over the violating triplets of d(a, p) - d(a, n) + margin, distances not squared."""
    points = vectors(1)
    d = torch.cdist(points, points)
    costs = [
        (d[a, p] - d[a, n] + 0.3).item()
        for a in range(8)
        for p in range(8)
        for n in range(8)
        if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]
    ]
    violating = [cost for cost in costs if cost > 0]
    assert sum(violating) / len(violating) == pytest.approx(value("triplet", points, margin=0.3), rel=1e-6)


def test_npair_penalises_squared_norms():
    """`l2_weight` times the mean squared norm of the batch is what it adds, whatever the norms are."""
    points = vectors(2) * torch.arange(1, 9, dtype=torch.float64)[:, None]
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    penalty = points.square().sum(dim=1).mean().item()
    torch.manual_seed(0)
    bare = value("npair", points, labels, l2_weight=0.0)
    torch.manual_seed(0)
    assert 0.01 * penalty == pytest.approx(value("npair", points, labels, l2_weight=0.01) - bare, rel=1e-6)


def test_ntxent_has_one_positive_in_each_denominator():
    """Mean over positive pairs of -log(e^s_ap / (e^s_ap + sum over negatives)); a batch of one class gives 0."""
    points, temperature = vectors(3), 0.2
    s = points @ points.T / temperature
    terms = []
    for a in range(8):
        negatives = sum(s[a, n].exp() for n in range(8) if LABELS[n] != LABELS[a])
        terms += [-(s[a, p].exp() / (s[a, p].exp() + negatives)).log().item() for p in range(8) if p != a and LABELS[p] == LABELS[a]]
    assert sum(terms) / len(terms) == pytest.approx(value("ntxent", points, temperature=temperature), rel=1e-6)
    assert value("ntxent", points, torch.zeros(8, dtype=torch.int64)) == value("supcon", points, torch.zeros(8, dtype=torch.int64)) == 0


def test_supcon_leaves_out_items_without_a_positive():
    """Mean over the items that have a positive of the mean over those of -log softmax among all others."""
    points, temperature = vectors(4), 0.3
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4])
    s = points @ points.T / temperature
    items = []
    for a in range(8):
        positives = [p for p in range(8) if p != a and labels[p] == labels[a]]
        everything = sum(s[a, o].exp() for o in range(8) if o != a).log()
        if positives:
            items.append(sum((everything - s[a, p]).item() for p in positives) / len(positives))
    assert sum(items) / len(items) == pytest.approx(value("supcon", points, labels, temperature=temperature), rel=1e-6)


def test_angular_is_the_angular_term_alone():
    """Mean over positive pairs of log(1 + sum over negatives of e^f), f as the paper's equation 8, and nothing of the N-pair loss."""
    points = vectors(5)
    tangent = torch.tan(torch.deg2rad(torch.tensor(40.0, dtype=torch.float64))) ** 2
    terms = []
    for a in range(8):
        for p in range(8):
            if a != p and LABELS[a] == LABELS[p]:
                inner = [
                    (4 * tangent * (points[a] + points[p]) @ points[n] - 2 * (1 + tangent) * points[a] @ points[p]).exp()
                    for n in range(8)
                    if LABELS[n] != LABELS[a]
                ]
                terms.append((1 + sum(inner)).log().item())
    assert sum(terms) / len(terms) == pytest.approx(value("angular", points, alpha=40.0), rel=1e-5)


@pytest.mark.parametrize("component", [one for one in ALL if one.entry.space], ids=lambda one: f"{one.kind} {one.name}")
def test_every_space_says_where_it_is_from(component):
    """Each loss and miner with a space tells its source, and has a space of the Reality Check only if that paper has it."""
    entry = component.entry
    assert entry.space_source
    assert entry.space_version == (2 if component.name in (SECOND if component.kind == "losses" else SECOND_MINERS) else 1)
    assert set(entry.spaces) <= {"reality-check"}
    for name in entry.spaces:
        moved = entry.in_space(name)
        assert all(dimension.contains(moved.defaults[parameter]) for parameter, dimension in moved.space.items())


def test_the_spaces_of_the_reality_check_are_those_that_its_code_ran():
    """Twelve of its losses and the multi-similarity miner have its ranges; the others are not in it."""
    found = {(one.kind, one.name): one.entry.spaces["reality-check"] for one in ALL if one.entry.spaces}

    assert found == {
        ("losses", "contrastive"): {"pos_margin": Float(-0.2, 2.0), "neg_margin": Float(-0.2, 2.0)},
        ("losses", "triplet"): {"margin": Float(-0.2, 2.0)},
        ("losses", "ntxent"): {"temperature": Float(1e-4, 100.0, log=True)},
        ("losses", "multi-similarity"): {"alpha": Float(0.01, 100.0), "beta": Float(0.01, 100.0), "base": Float(0.0, 1.0)},
        ("losses", "arcface"): {"margin": Float(0.0, 90.0), "scale": Float(0.01, 200.0)},
        ("losses", "cosface"): {"margin": Float(0.0, 1.0), "scale": Float(0.01, 200.0)},
        ("losses", "normalised-softmax"): {"temperature": Float(0.01, 100.0, log=True)},
        ("losses", "soft-triple"): {
            "la": Float(0.01, 100.0),
            "gamma": Float(0.01, 100.0),
            "margin": Float(0.0, 1.0),
            "reg_weight": Float(0.0, 1.0),
        },
        ("losses", "proxy-nca"): {"softmax_scale": Float(0.01, 100.0)},
        ("losses", "margin-learned"): {"margin": Float(-0.2, 2.0), "beta": Float(-0.2, 2.0)},
        ("losses", "snr-contrastive"): {"pos_margin": Float(0.0, 2.0), "neg_margin": Float(0.0, 2.0), "reg_weight": Float(0.0, 1.0)},
        ("losses", "fastap"): {"num_bins": Int(2, 250)},
        ("miners", "multi-similarity"): {"epsilon": Float(0.0, 1.0)},
    }

"""The losses of two views beside the library, beside each other, and given batches as the feed lays them out."""

from __future__ import annotations

import pytest
import torch
from pytorch_metric_learning import losses
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.plugin import call_factory

ENTRIES = siambench_losses()
ITEMS, SIZE = 9, 6
LABELS = torch.arange(ITEMS).repeat(2)


def build(name, **params):
    """The loss in float64."""
    entry = ENTRIES[name]
    return call_factory(entry.build, {**entry.defaults, **params}).double()


def points(seed=0, scale=1.0):
    """First views and then second ones, float64 [18, 6]."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randn(ITEMS, SIZE, dtype=torch.float64, generator=generator)
    return scale * (items.repeat(2, 1) + 0.5 * torch.randn(2 * ITEMS, SIZE, dtype=torch.float64, generator=generator))


@pytest.mark.parametrize("params", [{}, {"invariance": 1.0, "variance": 100.0, "covariance": 10.0}])
@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_vicreg_equals_the_librarys(params, scale):
    """VICReg has the value (1e-6) and the gradient (1e-5) of pytorch-metric-learning, given its two views apart."""
    full = {**ENTRIES["vicreg"].defaults, **params}
    library = losses.VICRegLoss(
        invariance_lambda=full["invariance"], variance_mu=full["variance"], covariance_v=full["covariance"], eps=1e-4
    )
    ours, theirs = points(scale=scale).requires_grad_(), points(scale=scale).requires_grad_()
    value, other = build("vicreg", **params)(ours, LABELS), library(theirs[:ITEMS], ref_emb=theirs[ITEMS:])
    value.backward()
    other.backward()

    assert float(value.detach()) == pytest.approx(float(other.detach()), rel=1e-6)
    assert float((ours.grad - theirs.grad).abs().max()) <= 1e-5 * float(theirs.grad.abs().max())


@pytest.mark.parametrize("name", ["vicreg", "barlow-twins"])
def test_views_are_paired_wherever_they_stand(name):
    """View by view or item by item, the value is the same; an item without a second view changes nothing."""
    x = points()
    expected = float(build(name)(x, LABELS))
    order = torch.arange(2 * ITEMS).view(2, ITEMS).T.flatten()
    more, labels = torch.cat([x, torch.ones(1, SIZE, dtype=torch.float64)]), torch.cat([LABELS, torch.tensor([ITEMS + 5])])

    assert float(build(name)(x[order], LABELS[order])) == pytest.approx(expected, rel=1e-12)
    assert float(build(name)(more, labels)) == pytest.approx(expected, rel=1e-12)


def test_barlow_twins_is_0_where_views_agree_and_coordinates_do_not():
    """Equal views whose coordinates are not correlated cost what is added to their variances, and nothing else."""
    rows = torch.linalg.qr(torch.cat([torch.ones(ITEMS, 1), torch.randn(ITEMS, SIZE)], dim=1).double())[0][:, 1:]

    assert float(build("barlow-twins")(30 * rows.repeat(2, 1), LABELS)) < 1e-9
    assert float(build("barlow-twins")(30 * rows[:, [0, *range(SIZE)]].repeat(2, 1), LABELS)) == pytest.approx(2 * 0.0051, rel=1e-3)


@pytest.mark.parametrize("name", ["dcl", "dclw"])
def test_the_positive_stands_in_no_denominator(name):
    """In a batch of two views, the negatives of each are the other items' two views, 16 of 18."""
    x = functional.normalize(points())
    s = x @ x.T / 0.1
    total = []
    weights = 2 - (s * 0.1 / 0.5).exp() / torch.stack([(s[i, (i + ITEMS) % 18] * 0.1 / 0.5).exp() for i in range(18)]).mean()
    for i in range(18):
        other = (i + ITEMS) % 18
        rest = [j for j in range(18) if j not in (i, other)]
        total.append(s[i, rest].logsumexp(dim=0) - (weights[i, other] if name == "dclw" else 1) * s[i, other])

    assert float(build(name)(x, LABELS)) == pytest.approx(float(torch.stack(total).mean()), rel=1e-12)


def test_pairs_listed_twice_count_twice():
    """A positive pair that stands twice in a list has twice the weight in the mean of dcl; a pair of sigmoid costs twice."""
    x = functional.normalize(points())
    positive, negative = (torch.tensor([0, 0, 1]), torch.tensor([9, 9, 10])), (torch.tensor([0, 1]), torch.tensor([3, 4]))
    each = [float(build("dcl")(x, LABELS, (*(part[at : at + 1] for part in positive), *negative))) for at in (0, 2)]
    assert float(build("dcl")(x, LABELS, (*positive, *negative))) == pytest.approx((2 * each[0] + each[1]) / 3, rel=1e-12)

    once, twice = ((torch.zeros(n, dtype=torch.int64), torch.full((n,), 9)) for n in (1, 2))
    none = (torch.zeros(0, dtype=torch.int64),) * 2
    values = [float(build("sigmoid")(x, LABELS, (*pairs, *none)).detach()) for pairs in (once, twice)]
    assert values[1] == pytest.approx(2 * values[0], rel=1e-12)

"""What the losses of face recognition owe to the lengths of embeddings, and to what they draw."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.plugin import call_factory

ENTRIES = siambench_losses()
CLASSES, SIZE = 5, 6
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1])


def build(name, **params):
    """The loss in float64."""
    torch.manual_seed(3)
    entry = ENTRIES[name]
    made = call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **entry.defaults, **params})
    return made.double()


def points(seed=0):
    """Embeddings float64 [10, 6] of lengths between 1 and 2.8."""
    generator = torch.Generator().manual_seed(seed)
    directions = functional.normalize(torch.randn(len(LABELS), SIZE, dtype=torch.float64, generator=generator))
    return directions * (1 + 0.2 * torch.arange(len(LABELS), dtype=torch.float64))[:, None]


def test_adaface_has_the_slope_of_its_value_where_lengths_stay():
    """Along a direction that keeps every length, the gradient is the change of the value, margins at work."""
    x = points().requires_grad_()
    build("adaface", scale=8.0)(x, LABELS).backward()
    drawn = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    unit = functional.normalize(x.detach())
    along = drawn - (drawn * unit).sum(dim=1, keepdim=True) * unit
    step = 1e-6

    def moved(by):
        rows = x.detach() + by * along
        rows = functional.normalize(rows) * x.detach().norm(dim=1, keepdim=True)
        return float(build("adaface", scale=8.0)(rows, LABELS).detach())

    assert (moved(step) - moved(-step)) / (2 * step) == pytest.approx(float((x.grad * along).sum()), rel=1e-6)


def test_adaface_lengths_have_no_gradient():
    """Making an embedding longer is neither rewarded nor punished: along itself the gradient is 0."""
    x = points().requires_grad_()
    build("adaface", scale=8.0)(x, LABELS).backward()

    assert float((x.grad * x.detach()).sum(dim=1).abs().max()) < 1e-12


def test_adaface_remembers_lengths():
    """After a second batch the mean is a hundredth of its way to that batch's, after the first it is the first's."""
    loss, x = build("adaface"), points()
    loss(x, LABELS)
    first = float(x.norm(dim=1).mean())
    assert float(loss.mean) == pytest.approx(first)

    loss(3 * x, LABELS)

    assert float(loss.mean) == pytest.approx(0.99 * first + 0.01 * 3 * first)
    assert float(loss.deviation) == pytest.approx(1.02 * float(x.norm(dim=1).std()))


def test_adaface_takes_a_batch_of_one():
    """The deviation of one length is 0, and the value is finite."""
    assert bool(build("adaface")(points()[:1], LABELS[:1]).isfinite())


def test_magface_rewards_length_between_its_bounds():
    """Between the bounds the pull makes embeddings longer; beyond them length has no gradient."""
    for factor, sign in ((0.1, 0), (3.0, -1), (100.0, 0)):
        x = (factor * points()).requires_grad_()
        build("magface", rise=0.0, scale=0.1)(x, LABELS).backward()
        along = (x.grad * functional.normalize(x.detach())).sum(dim=1)
        assert bool((along.abs() < 1e-12).all() if sign == 0 else (along < 0).all()), factor


def test_elasticface_draws_from_the_global_generator():
    """The same seed gives the same margins, the next call others; without spread it is arcface short of 180 degrees."""
    x = functional.normalize(points())
    loss = build("elasticface")
    torch.manual_seed(5)
    first, second = (float(loss(x, LABELS).detach()) for _ in range(2))
    torch.manual_seed(5)
    assert float(loss(x, LABELS).detach()) == first != second

    still = build("elasticface", spread=0.0, margin=0.1)
    arcface = build("arcface", margin=0.1 * 180 / torch.pi)
    arcface.weight.data = still.weight.data.T.clone()
    assert float(still(x, LABELS).detach()) == pytest.approx(float(arcface(x, LABELS).detach()), rel=1e-9)

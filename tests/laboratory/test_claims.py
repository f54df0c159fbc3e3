"""Claims that tutorials and threads repeat, settled. Each test fails where what it says is not so; the README tells what does happen."""

from __future__ import annotations

import math

import gradients
import pytest
import torch
from object_runs import Embedder, characters
from torch import nn
from torch.nn import functional

from siambench.builtin.losses.forms.contrastive import Contrastive
from siambench.builtin.losses.forms.triplet import Triplet
from siambench.components.catalogue import Catalogue
from siambench.training.components import number_of

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
"""Classes of unequal size, one of a single item."""


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def small(inputs=6):
    """A network of two layers."""
    return nn.Sequential(nn.Linear(inputs, 7), nn.ReLU(), nn.Linear(7, 4))


def gradients_of(network, value):
    """Gradients of a value by each parameter."""
    return torch.autograd.grad(value, list(network.parameters()))


def test_forward_by_name_gives_the_same_bits_and_the_same_gradients():
    """`net.forward(x)` is `net(x)`, to the last bit of values and of gradients: no gradient stops."""
    network, items = small(), torch.randn(5, 6)
    called, by_name = network(items), network.forward(items)
    assert torch.equal(called, by_name)
    for one, other in zip(gradients_of(network, called.pow(3).sum()), gradients_of(network, by_name.pow(3).sum()), strict=True):
        assert torch.equal(one, other)
        assert float(one.abs().max()) > 0


def test_forward_by_name_skips_hooks_and_nothing_else():
    """A forward hook runs with `net(x)` and not with `net.forward(x)`; hooks of layers inside run with both."""
    network, items, told = small(), torch.randn(5, 6), []
    network.register_forward_hook(lambda *_: told.append("outer"))
    network[0].register_forward_hook(lambda *_: told.append("inner"))
    network(items)
    assert ["inner", "outer"] == told
    network.forward(items)
    assert ["inner", "outer", "inner"] == told


def test_gradients_of_two_calls_of_one_network_add_up():
    """A second forward of one network takes nothing from the first: the gradient is the sum of those of both branches, neither being 0."""
    network, first, second = small(), torch.randn(5, 6), torch.randn(5, 6)
    whole = gradients_of(network, (network(first) - network(second)).square().sum())
    left = gradients_of(network, (network(first) - network(second).detach()).square().sum())
    right = gradients_of(network, (network(first).detach() - network(second)).square().sum())
    for both, one, other in zip(whole, left, right, strict=True):
        torch.testing.assert_close(both, one + other, rtol=1e-5, atol=1e-5)
    # The last bias moves both embeddings alike: its two halves cancel. All others get something from either branch.
    assert all(float(one.abs().max()) > 0 for one in (*left[:-1], *right[:-1]))
    assert float(whole[-1].abs().max()) < 1e-5 * float(left[-1].abs().max())


@pytest.mark.parametrize("margin", [0.01, 0.2, 1.0])
def test_a_collapsed_network_pays_the_margin(margin):
    """Where all embeddings are equal, every triplet violates a margin above 0 and the loss is the margin: no constraint is satisfied."""
    embeddings = functional.normalize(torch.ones(len(LABELS), 4))
    assert margin == pytest.approx(float(Triplet(margin=margin)(embeddings, LABELS)), rel=1e-6)
    anchor, positive, negative = embeddings[:1], embeddings[1:2], embeddings[3:4]
    assert margin == pytest.approx(float(functional.triplet_margin_loss(anchor, positive, negative, margin=margin)), rel=1e-5)


@pytest.mark.parametrize("margin", [0.0, -0.2])
def test_a_collapsed_network_satisfies_a_margin_of_0_or_less(margin):
    """For a margin of 0 or less the same network costs nothing: there alone a collapse satisfies the triplet constraint."""
    embeddings = functional.normalize(torch.ones(len(LABELS), 4))
    assert float(Triplet(margin=margin)(embeddings, LABELS)) == 0.0


AT_EQUALITY = dict(zip(gradients.DISTANCES, (0.0, 1.0, 0.0, 0.0, math.nan, 0.0), strict=True))
"""At equality: norm 0, pairwise_distance 1, squared 0, cosine 0, the square root by hand NaN; cdist 0."""

NEAR = dict(zip(gradients.DISTANCES, (1.0, 1.0, 2e-3, 1e-3, 1.0, 1.0), strict=True))
"""At a distance of a thousandth."""


@pytest.mark.parametrize("name", gradients.DISTANCES)
def test_the_gradient_at_equality_and_near_it(name):
    """Of two equal vectors each distance gives the gradient of the README's table, and of two that are a thousandth apart."""
    assert AT_EQUALITY[name] == pytest.approx(gradients.gradient_norm(name, 0.0), abs=1e-12, rel=1e-6, nan_ok=True)
    assert NEAR[name] == pytest.approx(gradients.gradient_norm(name, 1e-3), rel=1e-2)


def test_a_gradient_at_equality_does_not_reach_one_network():
    """What `pairwise_distance` gives of two equal items moves both embeddings against each other: one network gets exactly none of it."""
    network, items = small(), torch.randn(5, 6)
    first = network(items)
    (of_embedding,) = torch.autograd.grad(functional.pairwise_distance(first, network(items)).sum(), first, retain_graph=True)
    assert pytest.approx([1.0] * 5, rel=1e-3) == of_embedding.norm(dim=1).tolist()
    assert all(
        float(one.abs().max()) < 1e-6 for one in gradients_of(network, functional.pairwise_distance(network(items), network(items)).sum())
    )


def batch(number, *, classes=8, each=4):
    """Images and labels of some classes, another choice for each number."""
    data, draw = characters(), torch.Generator().manual_seed(number)
    chosen = torch.randperm(int(data.labels.max()) + 1, generator=draw)[:classes]
    places = torch.cat([(data.labels == c).nonzero().flatten()[:each] for c in chosen])
    return data.images[places], data.labels[places]


def trained(loss, *, miner=None, steps=40, rate=4e-3, size=32, width=16, patience=None):
    """A network after some steps, the loss of each, the rate after each, and how far its weights went in the last five.

    Args:
        loss: of embeddings, labels and a miner's choice.
        miner: its name.
        steps: how many.
        rate: of Adam.
        size: of the embedding.
        width: channels of the first layer.
        patience: of a plateau schedule, told of every step; None: the rate stays.
    """
    torch.manual_seed(1)
    network = Embedder(size=size, width=width)
    choose = None if miner is None else Catalogue.load({"SIAMBENCH_PLUGINS": ""}).get("miners", miner).entry.build
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = None if patience is None else torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, patience=patience)
    losses, before = [], None
    for step in range(steps):
        if step == steps - 5:
            before = nn.utils.parameters_to_vector(network.parameters()).detach().clone()
        images, labels = batch(step)
        embeddings = network(images)
        value = loss(embeddings, labels, None if choose is None else choose()(embeddings.detach(), labels))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
        if schedule is not None:
            schedule.step(losses[-1])
    went = float((nn.utils.parameters_to_vector(network.parameters()).detach() - before).norm())
    return network, losses, optimiser.param_groups[0]["lr"], went


def spread(network):
    """Mean squared distance to the mean embedding over mean squared length, in [0, 1], of a batch that it was not trained on."""
    with torch.no_grad():
        embeddings = network(batch(10_000, classes=32)[0])
    return float((embeddings - embeddings.mean(dim=0)).square().sum(dim=1).mean() / embeddings.square().sum(dim=1).mean())


def test_hard_mining_does_not_prevent_collapse_but_brings_it_on():
    """From scratch, batch-hard mining pulls all embeddings together, nearer than they lay untrained; all triplets part them."""
    torch.manual_seed(1)
    untrained = spread(Embedder())
    hard, losses, *_ = trained(Triplet(margin=0.2), miner="hard")
    every, *_ = trained(Triplet(margin=0.2))
    assert spread(hard) < untrained / 2 < untrained < spread(every)
    assert 0.2 == pytest.approx(losses[-1], abs=0.02)


def test_easy_triplets_cause_no_collapse_but_nothing():
    """Triplets that satisfy the margin have loss 0 and a gradient of exactly 0: the network stays as it was."""
    images, labels = batch(0)
    network = Embedder()
    embeddings = network(images)
    easy = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).get("miners", "triplet-margin-easy").entry.build(margin=0.1)
    chosen = easy(embeddings.detach(), labels)
    assert int(number_of(chosen)) > 0
    value = Triplet(margin=0.1)(embeddings, labels, chosen)
    assert float(value.detach()) == 0.0
    assert all(float(one.abs().max()) == 0.0 for one in gradients_of(network, value))


def auc(network):
    """Probability that two letters of one class lie nearer than two of different ones, in a batch that it was not trained on."""
    images, labels = batch(10_000, classes=32)
    with torch.no_grad():
        distances = torch.cdist(network(images), network(images))
    upper = torch.ones_like(distances, dtype=torch.bool).triu(1)
    same = labels[:, None] == labels
    near, far = distances[same & upper], distances[~same & upper]
    return float((near[:, None] < far).double().mean())


@pytest.mark.parametrize(("size", "width"), [(2, 16), (32, 1)])
def test_small_capacity_does_not_collapse(size, width):
    """Two dimensions, or one channel in the first layer: embeddings part, and classes with them, as in a network of sixteen times that."""
    torch.manual_seed(1)
    untrained = Embedder(size=size, width=width)
    network, *_ = trained(Contrastive(pos_margin=0.0, neg_margin=1.0), size=size, width=width)
    assert spread(network) > spread(untrained)
    assert auc(network) > auc(untrained) + 0.05


def test_a_plateau_schedule_does_not_help_out_of_a_plateau_but_freezes_it():
    """Batch-hard at loss = margin: the schedule sees a loss that stands and cuts the rate, and the network is left behind."""
    cut, losses, rate, frozen = trained(Triplet(margin=0.2), miner="hard", steps=60, patience=5)
    level, _, _, moving = trained(Triplet(margin=0.2), miner="hard", steps=60)
    assert 0.2 == pytest.approx(losses[-1], abs=0.02)
    assert rate <= 4e-3 / 100
    assert frozen < moving / 10
    assert auc(level) > auc(cut)


@pytest.mark.parametrize(("smaller", "larger"), [(3.0, 30.0)])
def test_a_larger_margin_changes_nothing_where_all_triplets_violate_it_already(smaller, larger):
    """On the sphere no distance exceeds 2: above that every margin has the same gradient to the last bit, and another loss."""
    embeddings = functional.normalize(torch.randn(len(LABELS), 4)).requires_grad_()
    found = []
    for form in (Triplet(margin=smaller), Triplet(margin=larger)):
        value = form(embeddings, LABELS)
        found.append((float(value.detach()), torch.autograd.grad(value, embeddings)[0]))
    (low, one), (high, other) = found
    assert larger - smaller == pytest.approx(high - low, rel=1e-5)
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_a_larger_margin_does_not_separate_better():
    """Contrastive loss at margin 10 parts negatives from positives less well than at margin 1, the same steps from the same weights."""
    assert auc(trained(Contrastive(pos_margin=0.0, neg_margin=10.0))[0]) < auc(trained(Contrastive(pos_margin=0.0, neg_margin=1.0))[0])


def test_an_unreduced_loss_cannot_be_differentiated():
    """`reduction="none"` gives one value for each triplet, of which `backward` asks for a scalar."""
    anchor, positive, negative = torch.randn(3, 5, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        nn.TripletMarginLoss(reduction="none")(anchor, positive, negative).backward()


def test_a_schedule_knows_no_verbose():
    """`ReduceLROnPlateau(verbose=True)` raises: the argument is gone."""
    optimiser = torch.optim.Adam(small().parameters())
    with pytest.raises(TypeError, match="verbose"):
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, verbose=True)


def test_one_less_a_bool_raises():
    """`1 - label` of a bool tensor, as `==` gives it, raises; of numbers it does not."""
    same = LABELS[:-1] == LABELS[1:]
    with pytest.raises(RuntimeError, match="bool"):
        1 - same
    assert torch.equal(1 - same.float(), (~same).float())


def test_one_self_pair_makes_every_weight_nan():
    """A square root written by hand over pairs of which one is an item with itself: the loss is finite, every weight's gradient is NaN."""
    network, items = small(), torch.randn(5, 6)
    first, second = network(items), network(torch.cat([items[:1], torch.randn(4, 6)]))
    value = (first - second).square().sum(dim=1).sqrt().mean()
    assert math.isfinite(float(value.detach()))
    assert all(bool(one.isnan().any()) for one in gradients_of(network, value))

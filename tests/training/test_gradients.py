"""Gradients and changes by part and by branch, beside loops."""

import math

import pytest
import torch
from torch import nn

from siambench.plugin import LossEntry
from siambench.training.gradients import Gradients, of_branches, parts_of
from siambench.training.model import EmbeddingModel
from siambench.training.optimiser import build_optimiser

PLAIN = LossEntry(lambda: None, source="made up")
RATES = {"optimiser.lr": 0.1, "optimiser.weight_decay": 0.0}


def model_of():
    """A trunk of two layers, one of them BatchNorm, and a head."""
    torch.manual_seed(0)
    return EmbeddingModel(nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6)), 6, 4)


class Own(nn.Module):
    """A loss with two groups of parameters and one that is frozen."""

    def __init__(self):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(3, 4))
        self.scale = nn.Linear(4, 1)
        self.fixed = nn.Parameter(torch.ones(2), requires_grad=False)


def names(parts):
    """How many tensors each part has."""
    return {name: len(members) for name, members in parts.items()}


# ---- parts


def test_parts_are_what_is_meant_to_be_trained():
    """Trunk, head, projector and the loss's own parameters, without tensors that want no gradient."""
    model, projector = model_of(), nn.Linear(4, 3)
    trained = nn.Sequential(model, projector)

    assert {"trunk": 4, "head": 2} == names(parts_of(model, model, nn.Module(), PLAIN, RATES))
    assert {"trunk": 4, "head": 2, "projector": 2, "loss": 3} == names(parts_of(model, trained, Own(), PLAIN, RATES))
    model.trunk[1].requires_grad_(requires_grad=False)
    model.head.bias.requires_grad_(requires_grad=False)
    assert {"trunk": 2, "head": 1} == names(parts_of(model, model, nn.Module(), PLAIN, RATES))
    model.trunk.requires_grad_(requires_grad=False)
    assert {"head": 1} == names(parts_of(model, model, nn.Module(), PLAIN, RATES))


def test_groups_of_the_loss_are_parts_of_their_own():
    """Groups that have rates of their own stand by their names; without them all of the loss is one part."""
    model = model_of()
    rates = {**RATES, "loss.lr.proxies": 0.2, "loss.lr.scale": 0.3}

    assert {"trunk": 4, "head": 2, "loss.proxies": 1, "loss.scale": 2} == names(parts_of(model, model, Own(), PLAIN, rates))


def test_a_loss_that_should_have_parameters_and_has_none_is_an_empty_part():
    """Where the entry says that there are parameters to optimise, their absence is told: proxies that are no `Parameter`."""
    model = model_of()
    entry = LossEntry(lambda: None, own_parameters=True, source="made up")

    assert {"trunk": 4, "head": 2, "loss": 0} == names(parts_of(model, model, nn.Module(), entry, RATES))


# ---- gradients


def stepped(loss_of, *, steps=1, optimiser=None, model=None):
    """What some measured steps of SGD are told as, with the gradients, weights before and weights after of each."""
    model = model or model_of()
    loss = Own()
    optimiser = optimiser or torch.optim.SGD([{"params": model.parameters(), "lr": 0.1}, {"params": loss.parameters(), "lr": 0.5}])
    parts = parts_of(model, model, loss, PLAIN, RATES)
    gradients, seen = Gradients(parts, optimiser), []
    for step in range(steps):
        optimiser.zero_grad()
        loss_of(model, loss, step).backward()
        before = {name: [p.detach().clone() for p in part] for name, part in parts.items()}
        slopes = {name: [None if p.grad is None else p.grad.clone() for p in part] for name, part in parts.items()}
        gradients.before()
        optimiser.step()
        gradients.after()
        seen.append((slopes, before, {name: [p.detach().clone() for p in part] for name, part in parts.items()}))
    return gradients.read(), seen, gradients


def length(tensors):
    """The length of all numbers together."""
    return math.sqrt(sum(float(x) ** 2 for tensor in tensors if tensor is not None for x in tensor.flatten()))


def of_all(model, loss, step):
    """A value that reaches everything but the loss's scale, and the head's bias only in step 0."""
    items = torch.randn(8, 5, generator=torch.Generator().manual_seed(step))
    embeddings = nn.functional.linear(model.trunk(items), model.head.weight, model.head.bias if step == 0 else None)
    return (embeddings @ loss.proxies.T).square().mean() * (step + 1) + 0 * loss.scale.bias.sum()


def test_gradients_and_changes_are_those_of_loops():
    """Norms and ratios are means over the steps; a tensor counts as unreached that had no gradient, or zeros alone, in all of them."""
    told, seen, _ = stepped(of_all, steps=3)

    for name, part in told.items():
        norms = [length(slopes[name]) for slopes, _, _ in seen]
        ways = [length([b - a for a, b in zip(one[name], other[name], strict=True)]) for _, one, other in seen]
        ratios = [way / length(before[name]) for way, (_, before, _) in zip(ways, seen, strict=True)]
        assert part.gradient_norm == pytest.approx(sum(norms) / 3, rel=1e-5)
        assert part.update_ratio == pytest.approx(sum(ratios) / 3, rel=1e-5)
    assert {"trunk": (4, 0, 0), "head": (2, 0, 0), "loss": (3, 2, 0)} == {
        name: (part.parameters, part.unreached, part.unlisted) for name, part in told.items()
    }
    assert {"trunk": 0.1, "head": 0.1, "loss": 0.5} == {name: part.rate for name, part in told.items()}


def test_each_reading_begins_anew():
    """What was read is not told again, and without a step there are no parts."""
    _, _, gradients = stepped(of_all, steps=2)

    assert {} == gradients.read()


def test_a_part_without_a_gradient_has_no_norm():
    """Of the loss nothing is reached: no norm, all tensors unreached; its weights did not move."""
    told, _, _ = stepped(lambda model, loss, step: model.head(model.trunk(torch.ones(2, 5))).sum())

    assert (told["loss"].gradient_norm, told["loss"].unreached, told["loss"].update_ratio) == (None, 3, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_has_no_norm_and_has_reached(value):
    """Overflow is told as None; the tensor was reached all the same."""
    told, _, _ = stepped(lambda model, loss, step: loss.proxies.sum() * value + model.head.weight.sum())

    assert told["loss"].gradient_norm is None
    assert told["loss"].update_ratio is None
    assert told["loss"].unreached == 2


def test_a_tiny_gradient_has_reached():
    """A gradient whose square is zero in fp32 is none of zeros."""
    told, _, _ = stepped(lambda model, loss, step: 1e-30 * loss.proxies.sum())

    assert told["loss"].unreached == 2


def test_what_stands_in_no_group_is_unlisted():
    """A head that the optimiser was not given is counted, has no rate, and moves nowhere."""
    model = model_of()
    optimiser = torch.optim.SGD(model.trunk.parameters(), lr=0.1)
    told, _, _ = stepped(of_all, model=model, optimiser=optimiser)

    assert {"trunk": 0, "head": 2, "loss": 3} == {name: part.unlisted for name, part in told.items()}
    assert (told["head"].rate, told["head"].update_ratio) == (None, 0.0)


def test_decay_moves_what_has_no_gradient():
    """Adam with decay moves weights whose gradient is zero: the change is told, and that nothing reached them."""
    model = model_of()
    optimiser = build_optimiser("adam", {"optimiser.lr": 0.1, "optimiser.weight_decay": 0.5}, model, nn.Module())
    told, _, _ = stepped(lambda model, loss, step: 0 * model.head(model.trunk(torch.ones(2, 5))).sum(), model=model, optimiser=optimiser)

    assert told["head"].unreached == 2
    assert told["head"].update_ratio > 0


def test_rates_are_those_of_the_last_measured_step():
    """A rate that is a tensor, as some optimisers keep it, and that is changed in place, is told as it was at the step."""
    model = model_of()
    rate = torch.tensor(0.25)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, capturable=False)
    parts = parts_of(model, model, nn.Module(), PLAIN, RATES)
    gradients = Gradients(parts, optimiser)
    model.head(model.trunk(torch.ones(2, 5))).sum().backward()
    gradients.before()
    gradients.after()
    rate.fill_(9.0)

    assert {"trunk": 0.25, "head": 0.25} == {name: part.rate for name, part in gradients.read().items()}


def test_sparse_gradients_are_read():
    """The gradient of an embedding that is sparse counts by its rows, one that stands there twice once."""
    layer = nn.Embedding(5, 3, sparse=True)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    gradients = Gradients({"trunk": list(layer.parameters())}, optimiser)
    layer(torch.tensor([1, 1, 4])).sum().backward()
    gradients.before()
    optimiser.step()
    gradients.after()

    assert gradients.read()["trunk"].gradient_norm == pytest.approx(math.sqrt(3 * 4 + 3), rel=1e-5)


# ---- branches


@pytest.mark.parametrize("branches", [1, 2, 3])
def test_a_gradient_is_spread_over_branches(branches):
    """Per branch the mean length, whatever is left over aside; and of all items the share that got something."""
    gradient = torch.randn(13, 4, generator=torch.Generator().manual_seed(0))
    gradient[[1, 5, 6]] = 0
    size = 13 // branches
    found = of_branches(gradient, 13, branches).tolist()

    assert found[0] == pytest.approx(10 / 13)
    for number in range(branches):
        own = gradient[number * size : (number + 1) * size]
        assert found[1 + number] == pytest.approx(sum(math.sqrt(float((row**2).sum())) for row in own) / size, rel=1e-5)


def test_where_no_gradient_came_nothing_is_active():
    """A loss that does not look at embeddings is told as zeros."""
    assert [0.0] * 4 == of_branches(None, 6, 3).tolist()

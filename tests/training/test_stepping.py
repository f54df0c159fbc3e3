"""How a step is taken: clipped, warmed up, averaged."""

import copy

import pytest
import torch
from torch import nn

from siambench.spec import Method, Recipe
from siambench.training.model import EmbeddingModel
from siambench.training.optimiser import build_optimiser
from siambench.training.stepping import Averaged, Stepping, warmed

PARAMS = {"optimiser.lr": 0.1, "optimiser.weight_decay": 0.01, "loss.lr": 0.3}


class Own(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.proxies = nn.Parameter(torch.ones(3, 4))


def model():
    """A trunk with BatchNorm and a head."""
    torch.manual_seed(0)
    return EmbeddingModel(nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5)), 5, 4)


def rates(optimiser):
    """Learning rate and weight decay of each parameter, by its place in memory."""
    return {id(p): (group["lr"], group["weight_decay"]) for group in optimiser.param_groups for p in group["params"]}


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "rmsprop"])
def test_the_trunk_has_a_rate_of_its_own_and_decay_is_for_weights_alone_unless_it_is_for_all(kind):
    """The trunk's rate is a tenth of the head's; biases, BatchNorm and proxies decay where the rule says so, and nothing is left out."""
    net, loss = model(), Own()
    for decays in (False, True):
        recipe = Recipe(trunk_rate=0.1, decay_all=decays)
        found = rates(build_optimiser(kind, PARAMS, net, loss, recipe=(recipe, net.trunk)))

        assert len(found) == len([*net.parameters(), *loss.parameters()])
        for name, parameter in net.named_parameters():
            decay = 0.01 if decays or parameter.ndim > 1 else 0.0
            assert found[id(parameter)] == (pytest.approx(0.01 if name.startswith("trunk.") else 0.1), decay), name
        assert found[id(loss.proxies)] == (0.3, 0.01 if decays else 0.0)


def test_what_is_frozen_throughout_is_not_the_optimisers():
    """Parameters of a frozen trunk stand in no group; under a warm-up of the trunk they do, since they will be trained."""
    from siambench.training.holding import Holding

    for recipe, held in ((Recipe(trained_stages=0), True), (Recipe(trunk_warmup=1), False)):
        net = model()
        Holding(net, recipe, name="made")
        found = rates(build_optimiser("adam", PARAMS, net, Own(), recipe=(recipe, net.trunk)))
        assert all((id(p) in found) != held for p in net.trunk.parameters())
        assert all(id(p) in found for p in net.head.parameters())


def test_rmsprop_takes_torchs_steps_with_the_options_of_the_track(exam_of):
    """With alpha .9 and momentum .9 as options three steps are those of torch.optim.RMSprop on the same gradients."""
    net = model()
    other = copy.deepcopy(net)
    params = {"optimiser.lr": 0.01, "optimiser.weight_decay": 0.1, "optimiser.alpha": 0.9, "optimiser.momentum": 0.9, "optimiser.eps": 1e-8}
    recipe = Recipe(decay_all=True)
    mine = build_optimiser("rmsprop", params, net, nn.Identity(), recipe=(recipe, net.trunk))
    theirs = torch.optim.RMSprop(other.parameters(), lr=0.01, weight_decay=0.1, alpha=0.9, momentum=0.9)
    for step in range(3):
        items = torch.randn(8, 6, generator=torch.Generator().manual_seed(step))
        for network, optimiser in ((net, mine), (other, theirs)):
            optimiser.zero_grad()
            network(items).square().sum().backward()
            optimiser.step()

    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(net.parameters(), other.parameters(), strict=True))

    exam = exam_of(Method("contrastive"), training={"optimiser": "rmsprop", "optimiser_options": {"alpha": 0.9, "momentum": 0.9}})
    assert exam.run().curve


def test_a_gradient_is_clipped_to_the_norm_of_all_that_is_trained():
    """A step with clip_norm 1 moves weights by the gradient scaled to a norm of one; a small gradient is left as it is."""
    for scale, clipped in ((100.0, True), (1e-4, False)):
        net = model()
        before = [p.detach().clone() for p in net.parameters()]
        optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
        (net(torch.randn(8, 6, generator=torch.Generator().manual_seed(0))).sum() * scale).backward()
        gradients = [p.grad.clone() for p in net.parameters()]
        norm = torch.nn.utils.get_total_norm(gradients)
        assert (norm > 1) == clipped

        Stepping(optimiser, net, recipe=Recipe(clip_norm=1.0), steps=1).take(0)

        factor = float(1 / norm) if clipped else 1.0
        for p, was, gradient in zip(net.parameters(), before, gradients, strict=True):
            assert torch.allclose(was - p, gradient * factor, atol=1e-4 * factor + 1e-6)


def test_rates_rise_over_the_warm_up_whatever_the_schedule():
    """Over the first four of twenty steps rates are 1/5 to 4/5 of what the schedule says, then what it says, and are put back each time."""
    net, seen = model(), []
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=20)
    optimiser.register_step_pre_hook(lambda one, *_: seen.append(one.param_groups[0]["lr"]))
    stepping = Stepping(optimiser, net, recipe=Recipe(rate_warmup=0.2), steps=20)
    said = []
    for step in range(20):
        said.append(optimiser.param_groups[0]["lr"])
        net(torch.randn(4, 6)).sum().backward()
        stepping.take(step)
        assert optimiser.param_groups[0]["lr"] == said[-1]
        schedule.step()

    assert [now / whole for now, whole in zip(seen, said, strict=True)] == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 16)
    with pytest.raises(RuntimeError, match="broken"), warmed(optimiser, 0.5):
        raise RuntimeError("broken")
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-9)


def test_the_mean_of_the_weights_is_the_recurrence_by_hand():
    """Over twenty steps weights and statistics follow the recurrence of the docstring, counts are copied, the model is untouched."""
    net = model()
    mean, by_hand = Averaged(net, decay=0.6), copy.deepcopy(net.state_dict())
    for step in range(20):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(0.1 * (step + 1))
        net.train()(torch.randn(8, 6))
        now = copy.deepcopy(net.state_dict())
        mean.update(net)
        decay = min(0.6, (1 + step) / (10 + step))
        for name, value in now.items():
            by_hand[name] = decay * by_hand[name] + (1 - decay) * value if value.is_floating_point() else value
        assert all(torch.equal(value, net.state_dict()[name]) for name, value in now.items())

    for name, value in mean.model.state_dict().items():
        assert torch.allclose(value.double(), by_hand[name].double(), rtol=1e-5), name
    assert int(mean.model.state_dict()["trunk.2.num_batches_tracked"]) == 20


def test_a_unit_is_validated_and_left_by_the_mean_of_its_weights(exam_of):
    """With ema what is validated, and what training leaves, is one model, whose weights are not those that were trained."""
    seen = []
    training = {"ema": 0.5, "schedule": "constant"}
    averaged = exam_of(Method("contrastive"), training=training).run(validate=lambda one: seen.append(one) or {"map@r": 0.5})
    plain = exam_of(Method("contrastive"), training={"schedule": "constant"}).run()

    assert all(one is averaged.model for one in seen)
    assert [row.loss for row in averaged.curve] == [row.loss for row in plain.curve]
    assert any(not torch.equal(a, b) for a, b in zip(averaged.model.parameters(), plain.model.parameters(), strict=True))


def test_rules_that_do_nothing_leave_a_unit_bit_for_bit(exam_of):
    """Clipping far above every gradient gives the very weights of no clipping: nothing else in a step has changed."""
    plain = exam_of(Method("arcface")).run()
    clipped = exam_of(Method("arcface"), training={"clip_norm": 1e9}).run()

    assert all(torch.equal(a, b) for a, b in zip(plain.model.parameters(), clipped.model.parameters(), strict=True))

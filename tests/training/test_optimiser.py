import dataclasses
import math

import pytest
import torch
from torch import nn

from siambench.errors import PluginError
from siambench.plugin import LossEntry, OptimiserEntry, ScheduleEntry
from siambench.spec import Method
from siambench.training.optimiser import build_optimiser, build_schedules
from siambench.training.state import seed_globals

SGD = {"optimiser": "sgd", "schedule": "constant", "epochs": 1, "steps_per_epoch": 1}


@pytest.mark.parametrize("name", ["proxy-anchor", "arcface"])
def test_parameters_of_a_loss_are_optimised(catalogue, exam_of, kept, bits, name):
    """Proxies and class weights move in training, as the backbone and the head do."""
    entry, built = kept(catalogue.get("losses", name).entry)
    exam = exam_of(Method(name), loss=entry)
    exam.run()
    after = bits(built[0])
    seed_globals(exam.unit.seeds["loss"])
    before = bits(entry.build(num_classes=2, embedding_size=8, **entry.defaults))

    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)


def test_parameters_of_a_loss_have_their_own_learning_rate(exam_of):
    """A step of plain gradient descent moves the loss's parameter by its own rate, and no weight decay pulls at it."""

    class Proxied(nn.Module):
        def __init__(self):
            super().__init__()
            self.proxy = nn.Parameter(torch.full((3, 2), 5.0))

        def forward(self, embeddings, labels, indices=None):
            return embeddings.sum() * 0 + self.proxy.sum()

    loss = Proxied()
    exam = exam_of(Method("proxy-anchor"), training=SGD, loss=LossEntry(lambda: loss, source="made up", own_parameters=True))
    exam.params(optimiser__lr=0.5, optimiser__weight_decay=0.1, loss__lr=0.125).run()

    assert torch.equal(torch.full((3, 2), 5.0 - 0.125), loss.proxy.detach())


class InGroups(nn.Module):
    """A loss with two parameters whose slope is 1 everywhere."""

    def __init__(self):
        super().__init__()
        self.proxies = nn.Parameter(torch.full((3, 2), 5.0))
        self.temperature = nn.Parameter(torch.full((), 7.0))

    def forward(self, embeddings, labels, indices=None):
        """The sum of both."""
        return embeddings.sum() * 0 + self.proxies.sum() + self.temperature


def test_groups_of_parameters_have_rates_of_their_own(exam_of):
    """Each group moves by its own rate, tuned where the track searches those of losses; a plain loss has one rate under the old name."""
    loss = InGroups()
    entry = LossEntry(lambda: loss, source="made up", own_parameters=("temperature", "proxies"))
    exam = exam_of(Method("proxy-anchor"), training=SGD, loss=entry)
    params = {name: value for name, value in exam.unit.params.items() if name != "loss.lr"}
    exam.changed(params={**params, "loss.lr.proxies": 0.125, "loss.lr.temperature": 2.0, "optimiser.lr": 0.5}).run()
    assert torch.equal(torch.full((3, 2), 5.0 - 0.125), loss.proxies.detach())
    assert 5.0 == float(loss.temperature.detach())


def test_a_parameter_in_no_group_stops_the_run(exam_of):
    """Training says in one sentence which parameter would not be trained, before the first step."""
    exam = exam_of(Method("proxy-anchor"), loss=LossEntry(InGroups, source="made up", own_parameters=("proxies",)))
    with pytest.raises(PluginError, match=r"its parameter temperature is in none of the groups proxies"):
        exam.changed(params={**exam.unit.params, "loss.lr.proxies": 0.1}).run()


def test_weight_decay_is_for_matrices(exam_of, recorded):
    """Weight decay shrinks matrices by lr · decay, and leaves biases and BatchNorm alone."""
    entry, _ = recorded(lambda embeddings: embeddings.sum() * 0)
    exam = exam_of(Method("contrastive"), training=SGD, loss=entry).params(optimiser__lr=0.5, optimiser__weight_decay=0.01)
    before, after = exam.untrained(), exam.run().model

    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        expected = old * (1 - 0.5 * 0.01) if old.ndim > 1 else old
        assert torch.allclose(expected, new, rtol=1e-6, atol=0), name


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle", "plateau"])
def test_a_run_of_one_step_is_possible(exam_of, schedule):
    """The shortest horizon of all works with every schedule."""
    assert len(exam_of(Method("contrastive"), training={**SGD, "schedule": schedule}).run().curve) == 1


# ---- the optimiser by itself


PARAMS = {"optimiser.lr": 0.5, "optimiser.weight_decay": 0.01}


@pytest.mark.parametrize(("kind", "expected"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_the_optimiser_is_the_one_that_the_track_names(kind, expected):
    """Each name stands for torch's optimiser of that name, SGD with a momentum of 0.9."""
    found = build_optimiser(kind, PARAMS, nn.Linear(3, 2), nn.Module())

    assert type(found) is expected
    assert found.defaults.get("momentum") == (0.9 if kind == "sgd" else None)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_every_parameter_is_optimised_once(kind):
    """Weights of the model and of the loss stand in one group each; what the loss does not train stands in none."""
    model, loss = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Module()
    loss.proxy, loss.fixed = nn.Parameter(torch.zeros(5, 4)), nn.Parameter(torch.zeros(2), requires_grad=False)
    found = build_optimiser(kind, {**PARAMS, "loss.lr": 0.125}, model, loss)
    optimised = [id(parameter) for group in found.param_groups for parameter in group["params"]]

    assert sorted(id(parameter) for parameter in [*model.parameters(), loss.proxy]) == sorted(optimised)
    assert [(0.5, 0.01), (0.5, 0.0), (0.125, 0.0)] == [(group["lr"], group["weight_decay"]) for group in found.param_groups]


def test_a_loss_without_a_rate_of_its_own_takes_that_of_the_weights():
    """Where no rate is tuned for the loss's parameters, they learn as fast as the model does."""
    loss = nn.Module()
    loss.proxy = nn.Parameter(torch.zeros(5, 4))

    assert build_optimiser("sgd", PARAMS, nn.Linear(3, 2), loss).param_groups[-1]["lr"] == 0.5


# ---- the schedule by itself


def rates(exam_of, schedule, losses=(1.0, 1.0, 1.0, 1.0, 1.0)):
    """The learning rate before each of 20 steps, in 5 epochs of which each has such a loss."""
    rules = exam_of(Method("contrastive"), training={"epochs": 5, "steps_per_epoch": 4, "schedule": schedule}).unit.training
    optimiser = build_optimiser("sgd", PARAMS, nn.Linear(3, 2), nn.Module())
    by_step, by_epoch = build_schedules(rules, optimiser)
    found = []
    for loss in losses:
        for _ in range(4):
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            if by_step is not None:
                by_step.step()
        if by_epoch is not None:
            by_epoch.step(loss)
    return found


def test_a_constant_rate_stays(exam_of):
    """Without a schedule the rate is the same at every step."""
    assert rates(exam_of, "constant") == [0.5] * 20


def test_cosine_falls_from_the_rate_to_nothing(exam_of):
    """The cosine schedule begins at the rate and follows half a period over all steps."""
    expected = [0.25 * (1 + math.cos(math.pi * step / 20)) for step in range(20)]

    assert expected == pytest.approx(rates(exam_of, "cosine"))


def test_one_cycle_rises_to_the_rate_and_falls(exam_of):
    """The one-cycle schedule reaches the rate once, after rising, and ends far below where it began."""
    found = rates(exam_of, "one-cycle")
    top = found.index(max(found))

    assert max(found) == pytest.approx(0.5, rel=0.02)
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert 0 < top < 10
    assert found[-1] < found[0] / 100


def test_a_plateau_lowers_the_rate(exam_of):
    """Three epochs without a better loss lower the rate to three tenths; while the loss falls it stays."""
    assert rates(exam_of, "plateau", (5.0, 4.0, 3.0, 2.0, 1.0)) == [0.5] * 20
    assert rates(exam_of, "plateau", (1.0, 1.0, 1.0, 1.0, 1.0)) == pytest.approx([0.5] * 16 + [0.15] * 4)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_fused_steps_are_those_of_the_plain_loop(kind):
    """Over twenty steps with decay and a moving rate the weights are those of torch's for-loop, to 1e-7 of their size; in fp64 to 1e-13."""
    for dtype, bound in ((torch.float32, 1e-7), (torch.float64, 1e-13)):
        weights = []
        for fused in (True, False):
            torch.manual_seed(0)
            model, loss = nn.Sequential(nn.Linear(20, 30), nn.BatchNorm1d(30), nn.Linear(30, 5)).to(dtype), nn.Linear(5, 3).to(dtype)
            params = {"optimiser.lr": 3e-3, "optimiser.weight_decay": 1e-2, "loss.lr": 0.1}
            optimiser = build_optimiser(kind, params, model, loss)
            assert all(group["fused"] for group in optimiser.param_groups)
            if not fused:
                for group in optimiser.param_groups:
                    group["fused"], group["foreach"] = False, False
            draws = torch.Generator().manual_seed(1)
            for step in range(20):
                for parameter in (*model.parameters(), *loss.parameters()):
                    parameter.grad = torch.randn(parameter.shape, generator=draws, dtype=dtype)
                for group in optimiser.param_groups:
                    group["lr"] *= 1 + 0.1 * (step < 10)
                optimiser.step()
            weights.append(torch.cat([parameter.detach().flatten() for parameter in (*model.parameters(), *loss.parameters())]))
        assert float((weights[0] - weights[1]).norm() / weights[1].norm()) < bound


def test_weights_that_cannot_be_fused_are_trained_all_the_same():
    """A model with complex weights, which fused kernels do not take, gets the plain optimiser."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    optimiser = build_optimiser("adam", {"optimiser.lr": 0.1, "optimiser.weight_decay": 0.0}, model, nn.Module())
    model.weight.grad = torch.ones_like(model.weight)
    optimiser.step()

    assert float(model.weight.detach().real[0]) == pytest.approx(0.9, abs=1e-4)


def rules(exam_of, schedule, epochs=2, steps=5):
    training = {"schedule": schedule, "epochs": epochs, "steps_per_epoch": steps}
    return dataclasses.replace(exam_of(Method("contrastive")).unit.training, **training)


def test_a_function_of_progress_multiplies_every_groups_rate(exam_of):
    """At each step a rate is its first value times the function at the share of the steps that are done, with the options in it."""
    groups = [{"params": [nn.Parameter(torch.ones(1))], "lr": rate} for rate in (0.5, 0.02)]
    optimiser = torch.optim.SGD(groups)
    entry = ScheduleEntry(lambda power: lambda progress: 0.1 + (1 - progress) ** power, source="made up", defaults={"power": 2.0})
    of_step, of_epoch = build_schedules(rules(exam_of, "made"), optimiser, {"schedule.power": 3.0, "schedule.anneals": True}, entry=entry)
    found = []
    for _ in range(10):
        found.append([group["lr"] for group in optimiser.param_groups])
        optimiser.step()
        of_step.step()

    assert None is of_epoch
    expected = [[rate * (0.1 + (1 - step / 10) ** 3) for rate in (0.5, 0.02)] for step in range(10)]
    assert torch.allclose(torch.tensor(expected, dtype=torch.float64), torch.tensor(found, dtype=torch.float64), rtol=1e-12)


@pytest.mark.parametrize(("factor", "told"), [(0.0, "0"), (-1.0, "-1"), (math.nan, "nan"), (math.inf, "inf")])
def test_a_factor_that_is_none_is_told(exam_of, factor, told):
    """A factor of 0, below it, or that is no number is said with the name of the schedule and where."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    entry = ScheduleEntry(lambda: lambda progress: factor, source="made up")
    with pytest.raises(PluginError, match=f"schedule 'made' must give a finite factor above 0, got {told} at progress 0"):
        build_schedules(rules(exam_of, "made"), optimiser, entry=entry)


def test_an_optimiser_of_a_plugin_gets_groups_and_options():
    """Three groups with rate and decay each, matrices, vectors and the loss's own; and the options of the unit."""
    model, loss, given = nn.Linear(2, 3), nn.Linear(1, 1, bias=False), {}

    def build(groups, share):
        given.update(groups=groups, share=share)
        return torch.optim.SGD(groups)

    entry = OptimiserEntry(build, source="made up", defaults={"share": 0.5})
    params = {"optimiser.lr": 0.25, "optimiser.weight_decay": 0.125, "loss.lr": 0.5, "optimiser.share": 0.75, "loss.share": 9.0}
    found = build_optimiser("made", params, model, loss, entry=entry)

    assert 0.75 == given["share"]
    assert [(0.25, 0.125), (0.25, 0.0), (0.5, 0.0)] == [(group["lr"], group["weight_decay"]) for group in given["groups"]]
    assert [[model.weight], [model.bias], [loss.weight]] == [group["params"] for group in found.param_groups]

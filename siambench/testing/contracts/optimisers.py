"""What an optimiser promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.testing.contracts.blame import nothing_printed
from siambench.testing.contracts.process import SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.optimiser import build_optimiser
from siambench.training.state import seed_globals

_NAME = "examined"
_RATE = 0.01
_STEPS = 10
_LONG = 300
_IDLE = "idle"


class _Quadratic(nn.Module):
    """Matrices and vectors with a lowest point, away from where they begin; the gradients are of unlike sizes."""

    def __init__(self, names: str, *, idle: bool = False) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)
        self.goals: dict[str, Tensor] = {}
        for number, name in enumerate(names):
            shape = (3, 4) if number % 2 == 0 else (5,)
            self.register_parameter(name, nn.Parameter(torch.randn(shape, generator=generator)))
            self.goals[name] = torch.randn(shape, generator=generator) * (1 + number)
        if idle:
            self.register_parameter(_IDLE, nn.Parameter(torch.ones(2, 2)))

    def forward(self) -> Tensor:
        return torch.stack([((parameter - self.goals[name]) ** 2).sum() for name, parameter in self._used()]).sum()

    def _used(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, parameter) for name, parameter in self.named_parameters() if name != _IDLE)


class _Run:
    """Steps of an optimiser on a model, and the parameters of a loss beside it, as training makes them."""

    def __init__(
        self, component: Component, names: str = "abc", *, idle: bool = False, loss_rate: float = _RATE, decay: float = 0.0
    ) -> None:
        self.model, self.loss = _Quadratic(names, idle=idle), _Quadratic("xy")
        entry = component.entry
        own = {f"optimiser.{name}": value for name, value in entry.defaults.items()}
        params = {**own, "optimiser.lr": _RATE, "optimiser.weight_decay": decay, "loss.lr": loss_rate}
        self.optimiser = build_optimiser(_NAME, params, self.model, self.loss, entry=entry)
        self.before = self.values()

    def values(self) -> dict[str, Tensor]:
        """All parameters, by their names."""
        named = (*self.model.named_parameters(), *self.loss.named_parameters())
        return {name: parameter.detach().clone() for name, parameter in named}

    def step(self) -> float:
        """One step; the value before it."""
        value = self.model() + self.loss()
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        self.optimiser.step()
        return float(value)

    def ran(self, steps: int = _STEPS) -> dict[str, Tensor]:
        """All parameters after so many steps."""
        for number in range(steps):
            seed_globals(SEED, number)
            self.step()
        return self.values()


def steps(component: Component) -> None:
    """It is an optimiser of all parameters that it is given: each of them moves, and all of them stay finite."""
    run = _Run(component)
    found = run.ran()
    for name, value in found.items():
        if not bool(torch.isfinite(value).all()):
            raise PluginError(f"after {_STEPS} steps a parameter is not finite")
        if torch.equal(value, run.before[name]):
            raise PluginError(f"after {_STEPS} steps a parameter of shape {list(value.shape)} has not moved")


def descends(component: Component) -> None:
    """On a bowl it goes down."""
    run = _Run(component)
    first = run.step()
    run.ran(_LONG)
    last = float((run.model() + run.loss()).detach())
    if not last < first:
        raise PluginError(f"on a sum of squares it goes from {first:.3g} to {last:.3g} in {_LONG} steps")


def without_gradient(component: Component) -> None:
    """A parameter without a gradient stays as it is, where nothing decays."""
    run = _Run(component, idle=True)
    found = run.ran()
    if not torch.equal(found[_IDLE], run.before[_IDLE]):
        raise PluginError("it moves a parameter that has no gradient")


def rates_are_respected(component: Component) -> None:
    """A group whose rate is 0 stays, from the beginning or where a schedule sets it so; the others move."""
    run = _Run(component, loss_rate=0.0)
    found = run.ran()
    if any(not torch.equal(found[name], run.before[name]) for name in "xy"):
        raise PluginError("it moves the parameters of a group whose rate is 0")
    for group in run.optimiser.param_groups:
        group["lr"] = 0.0
    after = run.ran()
    if any(not torch.equal(found[name], after[name]) for name in found):
        raise PluginError("it goes on moving parameters after a schedule has set their rate to 0")


def decay_is_respected(component: Component) -> None:
    """Weight decay draws matrices towards 0, and leaves vectors, whose group has none, as they go without."""
    without, again, with_some = _Run(component).ran(1), _Run(component).ran(1), _Run(component, decay=0.1).ran(1)
    if all(torch.equal(without[name], with_some[name]) for name in "ac"):
        raise PluginError("weight decay makes no difference to the group that has some")
    # Where the same step goes two ways, that is told by another contract.
    if torch.equal(without["b"], again["b"]) and not torch.equal(without["b"], with_some["b"]):
        raise PluginError("weight decay moves the parameters of a group that has none")


def apart(component: Component) -> None:
    """A parameter goes the same way whatever others there are: what is kept is kept for each of them."""
    alone, again, beside = _Run(component, "ab").ran(), _Run(component, "ab").ran(), _Run(component, "abcde").ran()
    repeats = all(torch.equal(alone[name], again[name]) for name in "ab")
    if repeats and not all(torch.allclose(alone[name], beside[name], rtol=1e-5, atol=1e-7) for name in "ab"):
        raise PluginError("a parameter goes another way where there are others beside it")


def same_again(component: Component) -> None:
    """The same steps give the same parameters, bit for bit."""
    one, other = _Run(component).ran(), _Run(component).ran()
    if any(not torch.equal(one[name], other[name]) for name in one):
        raise PluginError("two runs gave different parameters")


def prints_nothing(component: Component) -> None:
    """Building it and stepping writes nothing to stdout, where documents go."""
    with nothing_printed():
        _Run(component).ran()


def leaves_the_process_alone(component: Component) -> None:
    """Stepping, judged after each step, leaves the process as it was before the optimiser was built."""

    def run(seed: int) -> Iterator[str]:
        seed_globals(seed)
        made = _Run(component)
        yield "once it is built"
        for step in range(_STEPS):
            made.step()
            yield f"after step {step + 1}"
            seed_globals(seed, step)

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("steps", "it is an optimiser of all parameters that it is given, and moves each of them", steps, first=True),
    Contract("descends", "on a bowl it goes down", descends),
    Contract("without-gradient", "a parameter without a gradient stays as it is, where nothing decays", without_gradient),
    Contract("rates", "a group whose rate is 0 stays, whether it was so or a schedule has set it", rates_are_respected),
    Contract("decay", "weight decay moves the groups that have some, and no other", decay_is_respected),
    Contract("apart", "a parameter goes the same way whatever others there are", apart),
    Contract("determinism", "the same steps give the same parameters, bit for bit", same_again),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of an optimiser, in this order."""

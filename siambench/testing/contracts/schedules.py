"""What a schedule promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.spec import TrainingSpec
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.draws import draws_nothing
from siambench.testing.contracts.process import SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.optimiser import build_schedules
from siambench.training.state import seed_globals

_RATES = (0.1, 0.004)
"""Of the weights, and of a loss's own parameters."""

_LENGTHS = ((1, 1), (1, 2), (3, 2), (4, 25))
"""Epochs, and steps of each."""

_RUN_OUT = 0.05
"""Of the highest rate: what is below it at the last step has run out."""

_JUDGED = (4, 25)


def _rates(component: Component, epochs: int, steps: int) -> list[tuple[float, ...]]:
    """The rate of each group at each step, as training gives them; the loss falls from epoch to epoch."""
    return list(_run(component, epochs, steps))


def _run(component: Component, epochs: int, steps: int) -> Iterator[tuple[float, ...]]:
    groups = [{"params": [nn.Parameter(torch.ones(2))], "lr": rate} for rate in _RATES]
    optimiser = torch.optim.SGD(groups, momentum=0.9)
    rules = TrainingSpec(
        epochs=epochs,
        steps_per_epoch=steps,
        batch_size=8,
        optimiser="sgd",
        schedule=component.name,
        precision="fp32",
        validate_every=1,
        early_stopping=0,
        rotate_classes=False,
        sampler="m-per-class",
        images_per_class=4,
        normalise=True,
        augment={},
    )
    params = {f"schedule.{name}": value for name, value in component.entry.defaults.items()}
    of_step, of_epoch = build_schedules(rules, optimiser, params, entry=component.entry)
    for epoch in range(epochs):
        for _ in range(steps):
            yield tuple(float(group["lr"]) for group in optimiser.param_groups)
            optimiser.step()
            if of_step is not None:
                of_step.step()
        if of_epoch is not None:
            of_epoch.step(1 / (1 + epoch))


def factors(component: Component) -> None:
    """Whatever the number of steps, each has a rate, finite and above 0."""
    for epochs, steps in _LENGTHS:
        with told_where(f"over {epochs * steps} steps"):
            found = _rates(component, epochs, steps)
            wrong = [rate for rates in found for rate in rates if not (math.isfinite(rate) and rate > 0)]
            if wrong:
                raise PluginError(f"a rate is {wrong[0]:g}: it must be finite and above 0")


def groups_go_together(component: Component) -> None:
    """The rates of all groups are multiplied alike."""
    for rates in _rates(component, *_JUDGED):
        if not math.isclose(rates[0] / rates[1], _RATES[0] / _RATES[1], rel_tol=1e-6):
            raise PluginError(f"rates that were {_RATES[0] / _RATES[1]:g} to 1 are {rates[0] / rates[1]:g} to 1: groups must change alike")


def anneals(component: Component) -> None:
    """`anneals` says whether the rates have run out at the last step."""
    found = [rates[0] for rates in _rates(component, *_JUDGED)]
    share = found[-1] / max(found)
    if component.entry.anneals and share > _RUN_OUT:
        raise PluginError(f"it says that it anneals, and the last rate is {share:.2g} of the highest")
    if not component.entry.anneals and share <= _RUN_OUT:
        raise PluginError(f"the last rate is {share:.2g} of the highest: it anneals, and does not say so")


def same_again(component: Component) -> None:
    """The same steps have the same rates, whatever the global generators say."""
    draws_nothing(lambda: _rates(component, *_JUDGED))
    found: list[Sequence[tuple[float, ...]]] = []
    for seed in (SEED, SEED + 1):
        seed_globals(seed)
        found.append(_rates(component, *_JUDGED))
    if found[0] != found[1]:
        raise PluginError("two runs had different rates")


def prints_nothing(component: Component) -> None:
    """Building it and stepping writes nothing to stdout, where documents go."""
    with nothing_printed():
        _rates(component, *_JUDGED)


def leaves_the_process_alone(component: Component) -> None:
    """Stepping, judged after each of several steps, leaves the process as it was before the schedule was built."""

    def run(seed: int) -> Iterator[str]:
        seed_globals(seed)
        for step, _ in enumerate(_run(component, 4, 2)):
            yield f"at step {step + 1}"
            seed_globals(seed, step)

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("factors", "whatever the number of steps, each has a rate, finite and above 0", factors, first=True),
    Contract("groups", "the rates of all groups change alike", groups_go_together),
    Contract("anneals", "`anneals` says whether the rates have run out at the last step", anneals),
    Contract("determinism", "the same steps have the same rates, and nothing is drawn", same_again),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a schedule, in this order."""

"""Where the gradient of a step goes and how far it moves what: by part of what is trained, and by branch of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from siambench.components.groups import grouped
from siambench.interfaces import PartMeasures
from siambench.training.distances import told
from siambench.training.optimiser import group_rates
from siambench.training.sides import TwoEncoders

if TYPE_CHECKING:
    from siambench.plugin import LossEntry
    from siambench.spaces import Params
    from siambench.training.model import Model

Parts = Mapping[str, Sequence[nn.Parameter]]
"""By name: the tensors of a part that are meant to be trained."""


def parts_of(model: Model, trained: nn.Module, loss: nn.Module, entry: LossEntry, params: Params) -> Parts:
    """The parts of what a unit trains, as training begins.

    What is meant to stay as it is has no part: a frozen trunk, or a layer of BatchNorm that wants no gradient. A loss that says it has
    parameters of its own and has none is a part without tensors.

    Args:
        model: trunk and head; of items of two sides two of each.
        trained: the model, or that and the projector behind it.
        loss: with its own parameters.
        entry: of the loss.
        params: of the unit.
    """
    named = model.modules_by_part if isinstance(model, TwoEncoders) else {"trunk": model.trunk, "head": model.head}
    modules = {name: list(module.parameters()) for name, module in named.items()}
    within = {id(parameter) for parameter in model.parameters()}
    modules["projector"] = [parameter for parameter in trained.parameters() if id(parameter) not in within]
    parts = {name: _to_train(parameters) for name, parameters in modules.items()}
    found = {name: parameters for name, parameters in parts.items() if parameters}
    rates = group_rates(params)
    groups = grouped(loss, list(rates)) if rates else {}
    found |= {f"loss.{name}": list(members) for name, members in groups.items()}
    apart = {id(member) for members in groups.values() for member in members}
    own = [parameter for parameter in _to_train(loss.parameters()) if id(parameter) not in apart]
    if own or (entry.own_parameters and not groups):
        found["loss"] = own
    return found


def _to_train(parameters: Any) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]


@dataclass
class _Step:
    """What is gathered of one step, on the device: a row for each tensor, in one order.

    Args:
        there: which of them had a gradient.
        gradients: of those their L2 norms, and whether anything in them is not zero, [2, T].
        rates: of each part.
        before: the weights, until the optimiser has taken its step.
        weights: their L2 norms before that, and those of what it changed, [2, T].
    """

    there: list[bool]
    gradients: Tensor
    rates: list[float | Tensor | None]
    before: list[Tensor]
    weights: Tensor


class Gradients:
    """Gathers, at the steps that are measured, gradients and changes of the weights; they are read when an epoch has ended.

    Args:
        parts: of what is trained.
        optimiser: that trains it.
    """

    def __init__(self, parts: Parts, optimiser: torch.optim.Optimizer) -> None:
        self._parts, self._optimiser = parts, optimiser
        self._tensors = [parameter for part in parts.values() for parameter in part]
        within = [{id(parameter) for parameter in part} for part in parts.values()]
        groups = optimiser.param_groups
        self._groups = [[group for group in groups if any(id(parameter) in part for parameter in group["params"])] for part in within]
        self._steps: list[_Step] = []

    def before(self) -> None:
        """The gradient is there, and nothing has moved."""
        given = [parameter.grad for parameter in self._tensors]
        there = [grad.coalesce().values() if grad.is_sparse else grad for grad in given if grad is not None]
        self._steps.append(
            _Step(
                there=[grad is not None for grad in given],
                gradients=_norms_and_reach(there),
                rates=[_largest(groups) for groups in self._groups],
                # A step later they have moved, whatever the optimiser did with the gradient.
                before=[parameter.detach().clone() for parameter in self._tensors],
                weights=torch.empty(2, 0),
            )
        )

    def after(self) -> None:
        """The optimiser has taken its step."""
        step = self._steps[-1]
        moved = torch._foreach_sub([parameter.detach() for parameter in self._tensors], step.before) if step.before else []  # noqa: SLF001
        step.weights = torch.stack([_norms(step.before), _norms(moved)])
        step.before = []

    def read(self) -> dict[str, PartMeasures]:
        """What was gathered since the last time, by part; waits for the device."""
        steps, self._steps = self._steps, []
        if not steps:
            return {}
        # Of each step by tensor: its gradient's length and whether that is more than zeros, or None; its own length, and its change's.
        gradients = [_spread(step.there, step.gradients.T.tolist()) for step in steps]
        weights = [step.weights.T.tolist() for step in steps]
        listed = {id(parameter) for group in self._optimiser.param_groups for parameter in group["params"]}
        found, start = {}, 0
        for number, (name, part) in enumerate(self._parts.items()):
            own = slice(start, start + len(part))
            start += len(part)
            rate = steps[-1].rates[number]
            found[name] = PartMeasures(
                parameters=len(part),
                unreached=sum(not any(_reached(step[place]) for step in gradients) for place in range(own.start, own.stop)),
                unlisted=sum(id(parameter) not in listed for parameter in part),
                gradient_norm=_mean([_length([one[0] for one in step[own] if one is not None]) for step in gradients]),
                update_ratio=_mean([_ratio(step[own]) for step in weights]),
                rate=None if rate is None else told(float(rate)),
            )
        return found


def _largest(groups: Sequence[Mapping[str, Any]]) -> float | Tensor | None:
    """The largest learning rate of some groups; an optimiser may keep rates as tensors, which it then changes in place."""
    rates = [group["lr"].detach().clone() if isinstance(group["lr"], Tensor) else group["lr"] for group in groups if "lr" in group]
    return max(rates, default=None)


def _norms(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of each tensor, on their device: in one call, which takes a tenth of the time of one for each."""
    return torch.stack(torch._foreach_norm([tensor.detach() for tensor in tensors])) if tensors else torch.empty(0)  # noqa: SLF001


def _norms_and_reach(gradients: Sequence[Tensor]) -> Tensor:
    norms = _norms(gradients)
    # The square of what is tiny may be zero; and what is no number is not.
    reached = torch.stack([gradient.any() for gradient in gradients]).to(norms.dtype) if gradients else norms
    return torch.stack([norms, reached])


def _spread(there: Sequence[bool], values: Sequence[list[float]]) -> list[list[float] | None]:
    left = iter(values)
    return [next(left) if is_there else None for is_there in there]


def _reached(one: list[float] | None) -> bool:
    return one is not None and one[1] != 0.0


def _length(values: Sequence[float]) -> float | None:
    """The length of what consists of pieces of these lengths; None of no piece."""
    return math.hypot(*values) if values else None


def _ratio(pieces: Sequence[list[float]]) -> float | None:
    length, moved = _length([piece[0] for piece in pieces]), _length([piece[1] for piece in pieces])
    return moved / length if moved is not None and length else None


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean over the steps that tell something; None where none does, or one of them is no number."""
    known = [value for value in values if value is not None]
    return told(math.fsum(known) / len(known)) if known else None


def of_branches(gradient: Tensor | None, items: int, branches: int) -> Tensor:
    """How a gradient with respect to embeddings is spread.

    Args:
        gradient: [B, D], or None where no gradient came.
        items: B.
        branches: of how many parts of equal length the batch is made, one after the other.

    Returns:
        The share of the items that got a gradient other than zero, and of each branch the mean length, float64 [1 + branches].
    """
    if gradient is None:
        return torch.zeros(1 + branches, dtype=torch.float64)
    gradient = gradient.detach()
    size = items // branches
    lengths = gradient.double().norm(dim=1)[: size * branches].view(branches, size).mean(dim=1)
    active = (gradient != 0).any(dim=1).double().mean()
    return torch.cat([active[None], lengths])

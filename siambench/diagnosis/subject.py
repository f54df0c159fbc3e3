"""What is diagnosed: copies of a model, a loss and an optimiser, called as training calls them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from siambench.diagnosis.copies import copied, held_by
from siambench.diagnosis.given import Given
from siambench.diagnosis.guard import blamed
from siambench.errors import UsageError

LEARNING_RATE = 1e-3
"""Of Adam, where no optimiser is given: torch's own."""


@dataclass(frozen=True)
class Subject:
    """What is diagnosed.

    Args:
        model: from items to embeddings.
        loss: of embeddings and a target.
        optimiser: of the copies' parameters, or None: Adam is made of them all.
        together: whether the model takes the items of all branches in one call.
        own_optimiser: whether the user gave one.
        mean: whether a loss that is no scalar is averaged, so that the rest can be looked at.
    """

    model: Any
    loss: Any
    optimiser: torch.optim.Optimizer | None
    together: bool
    own_optimiser: bool
    mean: bool = False

    def fresh(self) -> Subject:
        """Copies of the copies: what a check does to them no other sees."""
        model, loss, optimiser = copied(self.model, self.loss, self.optimiser)
        return replace(self, model=model, loss=loss, optimiser=optimiser)

    def averaged(self) -> Subject:
        """The same where the loss of each item is averaged."""
        return replace(self, mean=True)

    def embedded(self, given: Given) -> tuple[Tensor, ...]:
        """The embeddings of each branch, as the model gives them, [B, …].

        Raises:
            UsageError: if the model raises, or gives something else.
        """
        with blamed("the model"):
            found = self.model(*given.items) if self.together and len(given.items) > 1 else [self.model(each) for each in given.items]
        if not isinstance(found, list | tuple) or len(found) != len(given.items):
            got = f"{len(found)}" if isinstance(found, list | tuple) else f"a {type(found).__name__}"
            raise UsageError(f"the model takes {len(given.items)} items in one call and must return as many embeddings, got {got}")
        for each in found:
            if not isinstance(each, Tensor):
                number = f" of {len(each)}" if isinstance(each, list | tuple | dict) else ""
                raise UsageError(f"the model must give embeddings [B, D] of an item, got a {type(each).__name__}{number}")
            if each.ndim == 0 or len(each) != len(given):
                raise UsageError(f"the model must give embeddings [{len(given)}, D] of {len(given)} items, got {list(each.shape)}")
            if not each.is_floating_point():
                raise UsageError(f"the model must give embeddings of floating-point numbers, got {each.dtype}")
        return tuple(found)

    def called(self, embeddings: Sequence[Tensor], target: Tensor | None) -> Any:
        """What the loss gives, whatever that is.

        Raises:
            UsageError: if it raises.
        """
        with blamed("the loss"):
            return self.loss(*embeddings) if target is None else self.loss(*embeddings, target)

    def value(self, embeddings: Sequence[Tensor], target: Tensor | None) -> Tensor:
        """The loss of a batch, a scalar.

        Raises:
            UsageError: if the loss raises, or gives no number.
        """
        found = self.called(embeddings, target)
        if not isinstance(found, Tensor):
            found = torch.as_tensor(found, dtype=torch.float32) if isinstance(found, float | int) else _refused(found)
        return found.mean() if self.mean or found.ndim else found

    def number(self, embeddings: Sequence[Tensor], target: Tensor | None) -> float:
        """The loss of some embeddings as a number; they are given as those of a model, which require a gradient.

        Raises:
            UsageError: as `value`.
        """
        with torch.enable_grad():
            return float(self.value([each.detach().requires_grad_() for each in embeddings], target).detach())

    def trained_by(self) -> torch.optim.Optimizer:
        """The optimiser, or Adam of all that the model and the loss train; what has nothing to train gets one that does nothing."""
        if self.optimiser is not None:
            return self.optimiser
        parameters = [each for _, each in (*parameters_of(self.model), *parameters_of(self.loss)) if each.requires_grad]
        return torch.optim.Adam(parameters or [torch.zeros(1, requires_grad=True)], lr=LEARNING_RATE)

    def schedule(self, optimiser: torch.optim.Optimizer) -> Any:  # noqa: ARG002  what a method does with it
        """What changes the learning rate after each step, by its ``step()``; None: nothing does."""
        return None

    def at(self, progress: float) -> None:
        """Told before each step how much of training is done, in [0, 1]."""

    @contextlib.contextmanager
    def judged(self) -> Iterator[None]:
        """In evaluation mode and without gradients, each module in its own mode afterwards."""
        modes = [(module, module.training) for part in (self.model, self.loss) if isinstance(part, nn.Module) for module in part.modules()]
        try:
            if isinstance(self.model, nn.Module):
                self.model.eval()
            with torch.no_grad():
                yield
        finally:
            for module, mode in modes:
                module.training = mode


def _refused(found: Any) -> Tensor:
    number = f" of {len(found)}" if isinstance(found, list | tuple | dict) else ""
    raise UsageError(f"the loss must return a scalar tensor, got a {type(found).__name__}{number}")


def subject_of(model: Any, loss: Any, optimiser: Any, *, branches: int) -> Subject:
    """Copies of what the user gives, on the processor and in training mode.

    Args:
        model: a module, or a function of items.
        loss: a module, or a function of embeddings and a target.
        optimiser: of torch, or None.
        branches: how many items a batch has for one call of the loss.

    Raises:
        UsageError: if one of them is something else, or cannot be copied.
    """
    for what, one in (("model", model), ("loss", loss)):
        if isinstance(one, type) or not callable(one):
            made = ": make one of it" if isinstance(one, type) else ""
            named = f"the class {one.__name__}{made}" if isinstance(one, type) else f"a {type(one).__name__}"
            raise UsageError(f"the {what} must be a module or a function, got {named}")
    if optimiser is not None and not isinstance(optimiser, torch.optim.Optimizer):
        raise UsageError(f"the optimiser must be a torch.optim.Optimizer, got a {type(optimiser).__name__}")
    taken = _taken(model)
    if taken > 1 and branches != taken:
        raise UsageError(f"the model takes {taken} items in one call, and a batch of this form has {branches}")
    new_model, new_loss, new_optimiser = copied(model, loss, optimiser)
    for one in (new_model, new_loss):
        if isinstance(one, nn.Module):
            one.cpu().train()
    if new_optimiser is not None:
        _to_cpu(new_optimiser)
    return Subject(new_model, new_loss, new_optimiser, together=taken > 1, own_optimiser=optimiser is not None)


def _to_cpu(optimiser: torch.optim.Optimizer) -> None:
    for state in optimiser.state.values():
        for name, value in state.items():
            if isinstance(value, Tensor):
                state[name] = value.cpu()


def _taken(model: Any) -> int:
    """How many items a model takes in one call, by the signature of its ``forward``."""
    inner = getattr(model, "_orig_mod", model)
    inner = inner.module if isinstance(inner, nn.DataParallel) else inner
    called: Callable[..., Any] = inner.forward if isinstance(inner, nn.Module) else inner
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return 1
    needed = [each for each in parameters if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return max(1, len(needed))


def parameters_of(one: Any) -> list[tuple[str, nn.Parameter]]:
    """The parameters of a module, or those that a function or another object holds, by name."""
    if isinstance(one, nn.Module):
        return list(one.named_parameters())
    found: dict[int, tuple[str, nn.Parameter]] = {}
    for name, value in held_by(one):
        if isinstance(value, nn.Parameter):
            found.setdefault(id(value), (name, value))
        elif isinstance(value, nn.Module):
            for path, parameter in value.named_parameters():
                found.setdefault(id(parameter), (f"{name}.{path}", parameter))
    return list(found.values())


def leaves_of(one: Any) -> list[tuple[str, Tensor]]:
    """Tensors that require a gradient and are no Parameter, so that ``parameters()`` does not give them."""
    found = []
    for name, value in held_by(one):
        several: Mapping[str, Any] = {name: value}
        if isinstance(value, list | tuple):
            several = {f"{name}[{place}]": each for place, each in enumerate(value)}
        elif isinstance(value, dict):
            several = {f"{name}[{key!r}]": each for key, each in value.items()}
        for called, each in several.items():
            if isinstance(each, Tensor) and each.requires_grad and each.is_leaf and not isinstance(each, nn.Parameter):
                found.append((called, each))
    return found

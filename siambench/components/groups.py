"""Groups of a loss's own parameters, each with a learning rate of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import nn

from siambench.errors import PluginError, suggestion

Groups = Mapping[str, Sequence[nn.Parameter]]


def grouped(loss: nn.Module, names: Collection[str], *, besides: Collection[nn.Parameter] = ()) -> dict[str, list[nn.Parameter]]:
    """The parameters of a loss by the groups that its entry names.

    A group is what the module's method ``parameter_groups()`` gives under its name, or, of a module without that method, the parameter or
    the submodule of its name.

    Args:
        loss: the module.
        names: of the groups.
        besides: parameters that need no group: those of a loss that this one wraps.

    Raises:
        PluginError: in one sentence, if a parameter is in no group or in two, or a group has none.
    """
    said = getattr(loss, "parameter_groups", None)
    given: Mapping[str, Any] = said() if callable(said) else {name: _of_attribute(loss, name) for name in names}
    if not isinstance(given, Mapping) or {*given} != {*names}:
        told = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
        raise PluginError(f"parameter_groups() must give the groups that own_parameters names, {', '.join(names)}, got {told or 'none'}")
    found = {name: _trained(given[name], name) for name in names}
    apart = {id(parameter) for parameter in besides}
    for named, parameter in loss.named_parameters():
        within = [name for name, members in found.items() if any(parameter is member for member in members)]
        if not within and parameter.requires_grad and id(parameter) not in apart:
            raise PluginError(f"its parameter {named} is in none of the groups {', '.join(names)}: no learning rate would be tuned for it")
        if len(within) > 1:
            raise PluginError(f"its parameter {named} is in the groups {' and '.join(within)}: it can have one learning rate")
    return found


def _of_attribute(loss: nn.Module, name: str) -> Any:
    value = getattr(loss, name, None)
    if isinstance(value, nn.Parameter):
        return [value]
    if isinstance(value, nn.Module):
        return list(value.parameters())
    known = [*dict(loss.named_parameters(recurse=False)), *dict(loss.named_children())]
    hint = suggestion(name, known)
    raise PluginError(f"own_parameters names the group {name!r}, but the loss has no parameter or submodule of that name{hint}")


def _trained(members: Any, name: str) -> list[nn.Parameter]:
    found = list(members)
    if not all(isinstance(member, nn.Parameter) for member in found):
        raise PluginError(f"the group {name!r} of parameter_groups() must hold torch.nn.Parameters alone")
    found = [member for member in found if member.requires_grad]
    if not found:
        raise PluginError(f"the group {name!r} of own_parameters has no parameter to train")
    return found


def say_groups(loss: nn.Module, groups: Groups) -> None:
    """Have a module that is made of others say which parameters are in which group, as one by anybody does by its method."""
    loss.parameter_groups = lambda: groups  # type: ignore[assignment]  # torch's stubs know of tensors and modules alone

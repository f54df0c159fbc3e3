"""The stages of a trunk, from its input to its output: what "train the last two stages" counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from siambench.errors import PluginError

if TYPE_CHECKING:
    from torch import nn

Stages = tuple[tuple[str, ...], ...]
"""For each stage the prefixes of its parameters' names in the trunk: ``(("model.conv1", "model.bn1"), ("model.layer1",), …)``."""


def stages_of(trunk: nn.Module, *, name: str = "") -> Stages:
    """The stages of a trunk, from its input to its output; each of its parameters is in just one of them.

    They are what the trunk says in its attribute ``stages``. One that says nothing is taken child by child, in the order in which they were
    registered: each child with a weight of two dimensions or more begins a stage, and those without one, such as BatchNorm, belong to the
    stage before. Where one child alone has parameters, its children count.

    Args:
        trunk: what a backbone's factory gave.
        name: of the backbone, for people.

    Returns:
        At least one stage where there is a parameter, else none. A prefix is the name of a module or of a parameter in the trunk.

    Raises:
        PluginError: if its attribute, a tuple or a list, holds something else than such of names, names what is not there, or leaves a
            parameter out or has it twice.
    """
    said = getattr(trunk, "stages", None)
    # Many networks call a part of theirs so: a module says nothing.
    if not isinstance(said, tuple | list):
        return _by_children(trunk)
    called = f"backbone {name!r}" if name else "the backbone"
    stages = _as_names(said, called)
    for parameter, _ in trunk.named_parameters():
        holding = [number for number, stage in enumerate(stages, 1) if in_stage(parameter, stage)]
        if len(holding) != 1:
            found = "none" if not holding else "stages " + " and ".join(map(str, holding))
            raise PluginError(f"the stages of {called} must hold each parameter once: {parameter} is in {found}")
    names = [parameter for parameter, _ in trunk.named_parameters()]
    for number, stage in enumerate(stages, 1):
        strange = [prefix for prefix in stage if not any(in_stage(parameter, (prefix,)) for parameter in names)]
        if strange or not stage:
            raise PluginError(f"stage {number} of {called} names {strange[0] if strange else 'nothing'}, which holds no parameter")
    return stages


def in_stage(parameter: str, stage: tuple[str, ...]) -> bool:
    """Whether a parameter of a trunk, by its name there, belongs to a stage."""
    return any(parameter == prefix or parameter.startswith(f"{prefix}.") for prefix in stage)


def _as_names(said: tuple[Any, ...] | list[Any], called: str) -> Stages:
    for stage in said:
        if not isinstance(stage, tuple | list) or not all(isinstance(prefix, str) for prefix in stage):
            raise PluginError(f"the stages of {called} must be a tuple of tuples of names, among them is {stage!r}"[:200])
    return tuple(tuple(stage) for stage in said)


def _by_children(trunk: nn.Module) -> Stages:
    above = ""
    while True:
        own = [f"{above}{name}" for name, _ in trunk.named_parameters(recurse=False)]
        children = [(f"{above}{name}", child) for name, child in trunk.named_children() if any(True for _ in child.parameters())]
        if own or len(children) != 1 or not any(True for _ in children[0][1].children()):
            break
        above, trunk = f"{children[0][0]}.", children[0][1]
    stages: list[tuple[str, ...]] = []
    # What stands before the first weights, such as encodings of positions that are the trunk's own, is of the first stage.
    before = tuple(own)
    for prefix, child in children:
        if any(parameter.ndim > 1 for parameter in child.parameters()):
            stages.append((*before, prefix))
            before = ()
        elif stages:
            stages[-1] = (*stages[-1], prefix)
        else:
            before = (*before, prefix)
    return tuple(stages) or ((before,) if before else ())

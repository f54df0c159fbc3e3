"""What a value was computed from: the leaves of its graph, and what a module calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

_DEEPEST = 4
_REGISTERS = ("_parameters", "_buffers", "_modules")


def leaves(value: Tensor) -> list[Tensor]:
    """The tensors that require a gradient and that a value was computed from, in the order in which they are met.

    Args:
        value: with a graph, as before or after ``backward``.
    """
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    waiting = [value.grad_fn]
    while waiting:
        node = waiting.pop(0)
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor) and leaf.is_leaf:
            found[id(leaf)] = leaf
        waiting += [before for before, _ in node.next_functions]
    return list(found.values())


def unregistered(leaf: Tensor, module: nn.Module) -> str:
    """Why a leaf will not be trained as it should, with the name that it has in a module."""
    own = next((name for name, parameter in module.named_parameters() if parameter is leaf), None)
    shape = list(leaf.shape)
    if own is not None:
        return f"its parameter {own} {shape} was made, or asked for a gradient, after it was built: the optimiser does not know it"
    name = next((name for name, held in _held(module, "", _DEEPEST) if held is leaf), None)
    called = f"{name} {shape}" if name else f"a tensor {shape}"
    what = "a Parameter that no module has registered" if isinstance(leaf, nn.Parameter) else "no torch.nn.Parameter"
    return f"{called} requires a gradient and is {what}: the optimiser never moves it"


def _held(thing: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    """What lies in an object, in containers and in objects of it, with the way to it."""
    yield name, thing
    if depth == 0 or isinstance(thing, Tensor | str | bytes):
        return
    if isinstance(thing, Mapping):
        parts = [(f"{name}[{key!r}]", value) for key, value in thing.items()]
    elif isinstance(thing, list | tuple):
        parts = [(f"{name}[{place}]", value) for place, value in enumerate(thing)]
    elif isinstance(thing, nn.Module):
        own = [(key, value) for key, value in vars(thing).items() if key not in _REGISTERS]
        inside = [*own, *thing.named_buffers(recurse=False), *thing.named_children()]
        parts = [(f"{name}.{key}".lstrip("."), value) for key, value in inside]
    else:
        parts = [(f"{name}.{key}".lstrip("."), value) for key, value in getattr(thing, "__dict__", {}).items()]
    for where, value in parts:
        yield from _held(value, where, depth - 1)

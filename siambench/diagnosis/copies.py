"""Copies of somebody's model, loss and optimiser that belong together as the originals do, and reach nothing of these."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from siambench.diagnosis.guard import OutOfTime
from siambench.errors import UsageError, said

_COPIED = (Tensor, nn.Module, torch.optim.Optimizer, torch.Generator, np.random.Generator, np.random.RandomState, list, dict, set)


def copied(*objects: Any) -> tuple[Any, ...]:
    """The same objects anew: a parameter that two of them share is shared by their copies.

    A function is made anew too, with copies of the tensors, modules and lists that it holds in its closure or names among its globals:
    what it trains, or writes into, is then the copy's.

    Args:
        objects: modules, functions, optimisers; None stays None.

    Raises:
        UsageError: naming what cannot be copied.
    """
    memo: dict[int, Any] = {}
    for one in objects:
        for kept in _results(one):
            # Torch copies no tensor that was computed; what a module keeps of its last call is no part of what is trained.
            memo[id(kept)] = kept.detach().clone()
    # One after the other, with one memory: whoever cannot be copied is named.
    return tuple(_copy(one, memo) for one in objects)


def _results(one: Any) -> Iterator[Tensor]:
    for module in one.modules() if isinstance(one, nn.Module) else ():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                yield value


def _copy(one: Any, memo: dict[int, Any]) -> Any:
    if isinstance(one, FunctionType):
        return _function(one, memo)
    try:
        return copy.deepcopy(one, memo)
    except (KeyboardInterrupt, OutOfTime):
        raise
    except BaseException as error:
        raise UsageError(f"diagnose works on copies, and the {type(one).__name__} cannot be copied: {said(error)}") from error


def _function(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    if id(function) in memo:
        found: FunctionType = memo[id(function)]
        return found
    names = dict(function.__globals__)
    closure = None if function.__closure__ is None else tuple(CellType() for _ in function.__closure__)
    new = FunctionType(function.__code__, names, function.__name__, None, closure)
    memo[id(function)] = new
    new.__defaults__ = None if function.__defaults__ is None else tuple(_held(each, function, memo) for each in function.__defaults__)
    if function.__kwdefaults__ is not None:
        new.__kwdefaults__ = {name: _held(each, function, memo) for name, each in function.__kwdefaults__.items()}
    for name in _named(function.__code__):
        if name in names:
            names[name] = _held(names[name], function, memo)
    for old, cell in zip(function.__closure__ or (), closure or (), strict=True):
        try:
            content = old.cell_contents
        except ValueError:
            continue
        cell.cell_contents = _held(content, function, memo)
    return new


def _held(value: Any, holder: FunctionType, memo: dict[int, Any]) -> Any:
    """What a function holds: copied where it can change, or where it is a further function of the same file."""
    if isinstance(value, FunctionType):
        return _function(value, memo) if value.__globals__ is holder.__globals__ else value
    if not isinstance(value, _COPIED):
        return value
    try:
        return copy.deepcopy(value, memo)
    except (TypeError, RuntimeError, ValueError, NotImplementedError):
        # Such as a list of open files: it is not what is trained.
        return value


def _named(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(constant)


def held_by(one: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, by name: attributes of it and of its modules, and of a function its closure, defaults and globals."""
    if isinstance(one, nn.Module):
        for path, module in one.named_modules():
            own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
            yield from ((f"{path}.{name}" if path else name, value) for name, value in own.items())
    elif isinstance(one, FunctionType):
        yield from _by_function(one)
    elif isinstance(one, functools.partial):
        yield from one.keywords.items()
        yield from held_by(one.func)
    elif isinstance(one, MethodType):
        yield from held_by(one.__self__)
    elif hasattr(one, "__dict__"):
        yield from vars(one).items()


def _by_function(one: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(one.__code__.co_freevars, one.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):
            yield name, cell.cell_contents
    names = one.__code__.co_varnames[: one.__code__.co_argcount]
    defaults = one.__defaults__ or ()
    yield from zip(names[len(names) - len(defaults) :], defaults, strict=True)
    yield from (one.__kwdefaults__ or {}).items()
    for name in sorted(set(_named(one.__code__)) & one.__globals__.keys()):
        yield name, one.__globals__[name]

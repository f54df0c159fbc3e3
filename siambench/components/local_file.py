"""A loss in a file: ``./mine.py:MyLoss`` as a component."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from siambench.components.component import Component, Provenance
from siambench.data.files import meant_by
from siambench.errors import PluginError, named, suggestion
from siambench.plugin import NAMED_BY_FORWARD, LossEntry, call_factory
from siambench.spaces import Choice, Float, Int, Value
from siambench.spec import Feed


def component_in_file(spec: str) -> Component:
    """The loss ``./mine.py:MyLoss``: a `torch.nn.Module` class with ``forward(embeddings, labels, indices=None)``.

    Its constructor's arguments need defaults, but for ``num_classes`` and ``embedding_size``; the class may carry
    ``SPACE`` (a mapping of `Float`, `Int`, `Choice`), ``IMAGES_PER_CLASS``, ``NORMALISE``, ``SOURCE`` and ``FINGERPRINT``.
    The file is read again at each call, and its content is part of the identity of every unit.

    Raises:
        PluginError: with what the file or the class lacks.
    """
    path_text, _, name = spec.rpartition(":")
    path = Path(path_text).expanduser().resolve()
    if not path.is_file():
        raise PluginError(f"no such file: {path_text}{meant_by(Path(path_text).expanduser())}")
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    module_spec = importlib.util.spec_from_file_location(f"siambench_local_{content[:16]}", path)
    if module_spec is None or module_spec.loader is None:
        raise PluginError(f"{path_text} is not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module_spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{path_text} cannot be imported: {named(error)}{_line(error, path)}") from error
    cls = getattr(module, name, None)
    if cls is None:
        classes = [n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__]
        raise PluginError(f"{path_text} has no {name!r}{suggestion(name, classes)}; it defines {', '.join(classes) or 'no class'}")
    return Component("losses", f"{path.name}:{name}", _entry_of_class(cls, spec), Provenance(str(path.name), "local", "0"), str(path))


def _line(error: BaseException, path: Path) -> str:
    """The innermost line of the file that had a part in an error; empty where none had, as where the file is no Python."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f" (line {lines[-1]}; --traceback shows more)" if lines else ""


def _built(build: Callable[..., Any], spec: str, defaults: Mapping[str, Value]) -> Any:
    import torch

    path = Path(spec.rpartition(":")[0]).expanduser().resolve()

    try:
        with torch.random.fork_rng():
            return call_factory(build, {"num_classes": 2, "embedding_size": 8, **defaults})
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{spec} cannot be built with its defaults: {named(error)}{_line(error, path)}") from error


def _entry_of_class(cls: Any, spec: str) -> LossEntry:
    import torch

    if not (inspect.isclass(cls) and issubclass(cls, torch.nn.Module)):
        raise PluginError(f"{spec} must be a class derived from torch.nn.Module")
    forward = list(inspect.signature(cls.forward).parameters)
    if len(forward) < 3:
        raise PluginError(f"{spec}.forward must take (embeddings, labels, indices=None), got ({', '.join(forward)})")
    # `progress` and `groups` are passed by name; what else stands in the third place takes the indices.
    positional = [name for name in forward if name not in NAMED_BY_FORWARD]
    defaults: dict[str, Value] = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in ("num_classes", "embedding_size") or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.default is parameter.empty:
            raise PluginError(f"{spec}: the constructor's argument {name!r} needs a default")
        if isinstance(parameter.default, int | float | str):
            defaults[name] = parameter.default
    space = dict(getattr(cls, "SPACE", {}))
    for name, dimension in space.items():
        if not isinstance(dimension, Float | Int | Choice):
            raise PluginError(f"{spec}: SPACE[{name!r}] must be a Float, Int or Choice, got {type(dimension).__name__}")
    takes_indices = len(positional) > 3
    own_parameters = any(True for _ in _built(cls, spec, defaults).parameters())
    try:
        return LossEntry(
            cls,
            source=str(getattr(cls, "SOURCE", f"local file, class {cls.__name__}")),
            space=space,
            defaults=defaults,
            takes="triplets" if takes_indices else "none",
            images_per_class=int(getattr(cls, "IMAGES_PER_CLASS", 4)),
            own_parameters=own_parameters,
            normalise=bool(getattr(cls, "NORMALISE", True)),
            feeds=_feeds(takes_indices=takes_indices, own_parameters=own_parameters),
            fingerprint=getattr(cls, "FINGERPRINT", None),
        )
    except (TypeError, ValueError) as error:
        raise PluginError(f"{spec}: {error}") from error


def _feeds(*, takes_indices: bool, own_parameters: bool) -> tuple[Feed, ...]:
    feeds: tuple[Feed, ...] = ("classes", "pairs", "triplets") if takes_indices else ("classes",)
    # Parameters of its own are one per class, and two views of an item have none.
    return feeds if own_parameters else (*feeds, "views")

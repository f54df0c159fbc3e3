"""What a component may leave changed in the process that it runs in: told apart, compared, and put back as far as that goes.

A setting of torch, a hook or a replaced function that outlives one component changes what the next one gives. `kept` looks before and
after; a `Snapshot` in between says what has changed, as often as it is asked.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import operator
import os
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from siambench.errors import PluginError
from siambench.testing.contracts.aspects import GENERATORS, Generators, aspects, generators, stream

SEED, OTHER = 5, 6
"""Of the global generators, where a component is built and called."""

_COMPARED_STEPS = 3
"""Of the runs that tell whether a generator was seeded."""

_WARMED = (
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    "pytorch_metric_learning.distances",
    "pytorch_metric_learning.reducers",
    "scipy.special",
    "siambench.execution.worker",
    "sklearn",
    "torch._dynamo",
    "torchvision",
)
"""What a worker has imported before a component is built; importing some of it sets variables of the environment."""

_WATCHED = ("torch", "torchvision", "pytorch_metric_learning", "numpy", "siambench", "builtins", "random", "math", "os", "time", "sys")
_UNWATCHED = frozenset(
    f"torch.{name}"
    for name in (
        *("_dynamo", "_inductor", "_export", "_functorch", "_higher_order_ops", "_library", "_logging", "_native", "_numpy", "_ops"),
        *("_refs", "_subclasses", "_classes", "ao", "classes", "distributed", "export", "fx", "onnx", "ops", "package", "testing"),
    )
)
"""Parts of torch that its own compiler rewrites while it works, and that no unit here calls."""

_OF_CLASSES = (staticmethod, classmethod, property, types.GetSetDescriptorType)

_NOTHING = object()


class _Space:
    """A module or a class, the names in it, and what they stood for when it was looked at."""

    def __init__(self, name: str, owner: types.ModuleType | type) -> None:
        self.name, self.owner = name, owner
        self.names: Mapping[str, Any] = vars(owner)
        self.now = self.names.values()
        self.known, self.values = tuple(self.names), tuple(self.now)

    @property
    def same(self) -> bool:
        """Whether every name stands for what it stood for."""
        return _same((self.now,), (*self.values, _NOTHING))


class _Module:
    """A module and the classes that it defines, as they were when they were looked at."""

    def __init__(self, name: str, owner: types.ModuleType) -> None:
        space = _Space(name, owner)
        own: dict[int, _Space] = {}
        for key, value in zip(space.known, space.values, strict=True):
            if isinstance(value, type) and value.__module__ == name and id(value) not in own:
                own[id(value)] = _Space(f"{name}.{key}", value)
        self.owner = owner
        self.spaces = (space, *own.values())
        self._now = tuple(one.now for one in self.spaces)
        self._values = (*itertools.chain.from_iterable(one.values for one in self.spaces), _NOTHING)

    @property
    def same(self) -> bool:
        """Whether every name in it and in its classes stands for what it stood for; nearly always so, which is found at the speed of C."""
        return _same(self._now, self._values)


def _same(now: Iterable[Iterable[object]], before: tuple[object, ...]) -> bool:
    # What ends both tells a longer one from a shorter one.
    return all(map(operator.is_, itertools.chain(itertools.chain.from_iterable(now), (_NOTHING,)), before))


@dataclass
class Snapshot:
    """The process as it was.

    Args:
        left_out: names of aspects that may change.
    """

    left_out: Collection[str] = ()
    _before: dict[str, Any] = field(default_factory=dict)
    _modules: tuple[_Module, ...] = ()

    @classmethod
    def taken(cls, left_out: Collection[str] = ()) -> Snapshot:
        """The process as it is now."""
        before = {aspect.name: aspect.read() for aspect in aspects() if aspect.name not in left_out}
        return cls(left_out, before, tuple(_modules()))

    def changes(self) -> list[str]:
        """What is not as it was, each as half a sentence: ``the default dtype is torch.float64, it was torch.float32``."""
        found = []
        for aspect in aspects():
            if aspect.name in self._before:
                now = aspect.read()
                if aspect.differs(self._before[aspect.name], now):
                    found.append(_told(aspect.name, self._before[aspect.name], now))
        return [*found, *(f"{space.name}.{name} is another function" for space, name, _ in self._replaced())]

    def restore(self) -> None:
        """Put back what can be put back."""
        for aspect in aspects():
            if aspect.name in self._before:
                with contextlib.suppress(Exception):
                    if aspect.differs(self._before[aspect.name], aspect.read()):
                        aspect.restore(self._before[aspect.name])
        for space, name, value in self._replaced():
            with contextlib.suppress(Exception):
                if value is _NOTHING:
                    delattr(space.owner, name)
                else:
                    setattr(space.owner, name, value)

    def _replaced(self) -> list[tuple[_Space, str, Any]]:
        found = []
        changed_modules = [module for module in self._modules if not module.same]
        for space in (space for module in changed_modules for space in module.spaces if not space.same):
            now, before = space.names, dict(zip(space.known, space.values, strict=True))
            changed = [name for name in before if now.get(name, _NOTHING) is not before[name] and _is_function(before[name])]
            if isinstance(space.owner, type):
                # In a class a new name hides what it inherits, as `Adam.zero_grad` does that of `Optimizer`.
                changed += [name for name in now if name not in before and _is_function(now[name])]
            found += [(space, name, before.get(name, _NOTHING)) for name in changed if not _is_torchs_own(now.get(name))]
        return found


@contextlib.contextmanager
def kept(left_out: Collection[str] = ()) -> Iterator[Snapshot]:
    """Look at the process, and put it back at the end.

    Args:
        left_out: names of aspects that may change; they are not put back either.
    """
    _warm()
    with _streams_kept():
        snapshot = Snapshot.taken(left_out)
        try:
            yield snapshot
        finally:
            snapshot.restore()


def seeded_anew(one: list[Generators], other: list[Generators], again: list[Generators]) -> list[str]:
    """The libraries whose global generator was seeded by a component, which may draw from it and no more.

    Args:
        one: the states after each step, where the harness seeded with a seed.
        other: the same steps with another seed: what is the same after all, the component has set.
        again: the same steps with the first seed: what is another now, the component has set from elsewhere.
    """
    names = list(one[0]) if one else []
    constant = [name for name in names if any(a[name] == b[name] for a, b in zip(one, other, strict=False))]
    strange = [name for name in names if any(a[name] != b[name] for a, b in zip(one, again, strict=False))]
    return [name for name in names if name in constant or name in strange]


Run = Callable[[int], Iterator[str]]
"""Builds and calls one instance, its generators seeded with a seed; yields after each step where it is: ``after step 3``."""


def left_alone(run: Run, *, may_draw: bool = False, left_out: Collection[str] = ()) -> None:
    """Judge after each step whether the process is as it was before the instance was built.

    What a component raises on its way is the business of other contracts; what it has left until then is not.

    Args:
        run: of one instance.
        may_draw: whether it may draw from the global generators, which nobody may seed but the harness.
        left_out: names of further aspects that may change.

    Raises:
        PluginError: with what has changed, and after which step.
    """
    first = _judged(run, OTHER, {*left_out, GENERATORS} if may_draw else left_out)
    if may_draw:
        # The first run has filled what a library draws once and keeps; the other two tell what was drawn from what was set.
        one, again = ([generators() for _ in itertools.islice(_until_it_raises(run(SEED)), _COMPARED_STEPS)] for _ in range(2))
        seeded = seeded_anew(one, first, again)
        if seeded:
            raise PluginError(f"it seeds the global generator of {' and of '.join(seeded)}, which is the harness's to seed")


def _until_it_raises(steps: Iterator[str]) -> Iterator[str]:
    with contextlib.suppress(Exception, SystemExit):
        yield from steps


def _judged(run: Run, seed: int, left_out: Collection[str]) -> list[Generators]:
    states = []
    with kept(left_out) as snapshot:
        where = "when it is built"
        try:
            for where in run(seed):
                _judge(snapshot, where)
                states.append(generators())
        except PluginError as error:
            if isinstance(error, _LeftChangedError):
                raise
        except (Exception, SystemExit):  # noqa: BLE001, S110  the business of other contracts
            pass
        _judge(snapshot, f"once it is gone, which was {where}")
    return states


class _LeftChangedError(PluginError):
    pass


def _judge(snapshot: Snapshot, where: str) -> None:
    changes = snapshot.changes()
    if changes:
        more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
        raise _LeftChangedError(f"{where} {changes[0]}{more}")


@cache
def _warm() -> None:
    """Import what every worker has, and let torch's optimisers wrap their own ``step``, as each does when it is first made."""
    with contextlib.redirect_stdout(sys.stderr):
        for name in _WARMED:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
                layer = torch.nn.Linear(2, 2)
                optimiser = kind(layer.parameters(), lr=0.1)
                layer(torch.ones(1, 2)).sum().backward()
                optimiser.step()


_looked: dict[str, _Module] = {}
"""Modules as they were when they were last looked at: thousands of classes, of which hardly any is another the next time."""


def _modules() -> Iterator[_Module]:
    """Modules whose functions every unit uses, as they are now."""
    for name, module in list(sys.modules.items()):
        first = name.split(".", 1)[0]
        if first not in _WATCHED or not isinstance(module, types.ModuleType) or ".".join(name.split(".")[:2]) in _UNWATCHED:
            continue
        found = _looked.get(name)
        if found is None or found.owner is not module or not found.same:
            found = _looked[name] = _Module(name, module)
        yield found


def _is_function(value: object) -> bool:
    return callable(value) or isinstance(value, _OF_CLASSES)


def _is_torchs_own(value: object) -> bool:
    # Optimisers wrap their `step` when the first of their kind is made.
    place = getattr(getattr(value, "__code__", None), "co_filename", None)
    return getattr(value, "hooked", False) is True and place == sys.modules["torch.optim.optimizer"].__file__


def _told(name: str, before: object, now: object) -> str:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = sorted({str(key) for key in {*before, *now} if before.get(key, _NOTHING) != now.get(key, _NOTHING)})
        return f"{name} changed: {', '.join(keys[:3])}"
    if callable(before) or callable(now):
        return f"{name} changed"
    texts = [repr(value) for value in (now, before)]
    if any(len(text) > 60 for text in texts):
        return f"{name} changed"
    return f"{name} is {texts[0]}, it was {texts[1]}"


@contextlib.contextmanager
def _streams_kept() -> Iterator[None]:
    """The streams 1 and 2 of the system, put back where something else was put in their place."""
    copies = {}
    for number in (1, 2):
        with contextlib.suppress(OSError):
            copies[number] = (os.dup(number), stream(number))
    try:
        yield
    finally:
        for number, (copy, identity) in copies.items():
            if stream(number) != identity:
                os.dup2(copy, number)
            os.close(copy)

"""What a component may leave changed in the process that it runs in: told apart, compared, and put back as far as that goes.

A setting of torch, a hook or a replaced function that outlives one component changes what the next one gives. `kept` looks before and
after; a `Snapshot` in between says what has changed, as often as it is asked.
"""

from __future__ import annotations

import contextlib
import importlib
import locale
import logging
import multiprocessing
import operator
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

Generators = Mapping[str, object]

GENERATORS = "generators"
"""The aspect that is left out where a component may draw from the global generators, which the harness seeds before each step."""

PROCESSES = "child processes"
"""The aspect that is left out of engines, whose processes may end a while after they were closed."""

_WARMED = (
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    "pytorch_metric_learning.distances",
    "pytorch_metric_learning.reducers",
    "scipy.special",
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

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.GetSetDescriptorType,
    staticmethod,
    classmethod,
    property,
    type,
)

_HOOKS = (
    ("torch.nn.modules.module", "_global_forward_pre_hooks"),
    ("torch.nn.modules.module", "_global_forward_hooks"),
    ("torch.nn.modules.module", "_global_forward_hooks_always_called"),
    ("torch.nn.modules.module", "_global_forward_hooks_with_kwargs"),
    ("torch.nn.modules.module", "_global_forward_pre_hooks_with_kwargs"),
    ("torch.nn.modules.module", "_global_backward_pre_hooks"),
    ("torch.nn.modules.module", "_global_backward_hooks"),
    ("torch.nn.modules.module", "_global_parameter_registration_hooks"),
    ("torch.nn.modules.module", "_global_module_registration_hooks"),
    ("torch.nn.modules.module", "_global_buffer_registration_hooks"),
    ("torch.optim.optimizer", "_global_optimizer_pre_hooks"),
    ("torch.optim.optimizer", "_global_optimizer_post_hooks"),
)
_SWITCHES = (
    *(("torch.backends.cudnn", name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")),
    *(
        ("torch.backends.cuda.matmul", name)
        for name in ("allow_tf32", "allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")
    ),
    ("torch.backends.mkldnn", "enabled"),
    ("torch.backends.opt_einsum", "enabled"),
    ("torch.utils.deterministic", "fill_uninitialized_memory"),
)


_NOTHING = object()


@dataclass(frozen=True)
class _Space:
    """A module or a class, and the names in it."""

    name: str
    owner: types.ModuleType | type
    names: Mapping[str, Any]


@dataclass(frozen=True)
class _Aspect:
    """One thing that can change: how it is read, and how it is put back to what was read."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]


@dataclass
class Snapshot:
    """The process as it was.

    Args:
        left_out: names of aspects that may change.
    """

    left_out: Collection[str] = ()
    _before: dict[str, Any] = field(default_factory=dict)
    _functions: list[tuple[_Space, tuple[str, ...], tuple[Any, ...]]] = field(default_factory=list)

    @classmethod
    def taken(cls, left_out: Collection[str] = ()) -> Snapshot:
        """The process as it is now."""
        aspects = {aspect.name: aspect.read() for aspect in _aspects() if aspect.name not in left_out}
        return cls(left_out, aspects, [(space, tuple(space.names), tuple(space.names.values())) for space in _spaces()])

    def changes(self) -> list[str]:
        """What is not as it was, each as half a sentence: ``the default dtype is torch.float64, it was torch.float32``."""
        found = []
        for aspect in _aspects():
            if aspect.name in self._before:
                now = aspect.read()
                if now != self._before[aspect.name]:
                    found.append(_told(aspect.name, self._before[aspect.name], now))
        return [*found, *(f"{space.name}.{name} is another function" for space, name, _ in self._replaced())]

    def restore(self) -> None:
        """Put back what can be put back."""
        for aspect in _aspects():
            if aspect.name in self._before:
                with contextlib.suppress(Exception):
                    if aspect.read() != self._before[aspect.name]:
                        aspect.restore(self._before[aspect.name])
        for space, name, value in self._replaced():
            with contextlib.suppress(Exception):
                if value is _NOTHING:
                    delattr(space.owner, name)
                else:
                    setattr(space.owner, name, value)

    def _replaced(self) -> list[tuple[_Space, str, Any]]:
        found = []
        for space, names, values in self._functions:
            now = space.names
            # Nearly always nothing has changed, which is found at the speed of C.
            if len(now) == len(names) and all(map(operator.is_, now.values(), values)):
                continue
            before = dict(zip(names, values, strict=True))
            changed = [name for name in before if now.get(name, _NOTHING) is not before[name] and isinstance(before[name], _FUNCTIONS)]
            if isinstance(space.owner, type):
                # In a class a new name hides what it inherits, as `Adam.zero_grad` does that of `Optimizer`.
                changed += [name for name in now if name not in before and isinstance(now[name], _FUNCTIONS)]
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


def generators() -> Generators:
    """The states of the three global generators, by the library's name."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002  third-party code draws from the global state
    return {
        "torch": torch.default_generator.get_state().numpy().tobytes(),
        "numpy": (kind, keys.tobytes(), *rest),  # type: ignore[union-attr]
        "random": random.getstate(),
    }


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


def _spaces() -> Iterator[_Space]:
    """Modules whose functions every unit uses, and the classes that they define."""
    seen: set[int] = set()
    for name, module in list(sys.modules.items()):
        first = name.split(".", 1)[0]
        if first not in _WATCHED or not isinstance(module, types.ModuleType) or ".".join(name.split(".")[:2]) in _UNWATCHED:
            continue
        yield _Space(name, module, vars(module))
        for key, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == name and id(value) not in seen:
                seen.add(id(value))
                yield _Space(f"{name}.{key}", value, value.__dict__)


def _is_torchs_own(value: object) -> bool:
    # Optimisers wrap their `step` when the first of their kind is made.
    return getattr(value, "hooked", False) is True


def _told(name: str, before: object, now: object) -> str:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = sorted({str(key) for key in {*before, *now} if before.get(key, _NOTHING) != now.get(key, _NOTHING)})
        return f"{name} changed: {', '.join(keys[:3])}"
    texts = [repr(value) for value in (now, before)]
    if any(len(text) > 60 for text in texts):
        return f"{name} changed"
    return f"{name} is {texts[0]}, it was {texts[1]}"


def _get(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # noqa: BLE001  a setting that this version of torch lacks, or whose old and new form disagree
        return type(error).__name__


def _set(module: str, name: str, value: Any) -> None:
    setattr(importlib.import_module(module), name, value)


def _refilled(hooks: Any, before: Mapping[Any, Any]) -> None:
    hooks.clear()
    hooks.update(before)


@cache
def _aspects() -> tuple[_Aspect, ...]:
    """Every aspect, what decides how tensors are made first: the others are put back by means of them."""
    return (*_torch_modes(), *_torch_settings(), *_of_python(), *_of_the_system())


def _torch_modes() -> Iterator[_Aspect]:
    yield _Aspect("the default device", lambda: str(torch.get_default_device()), lambda _: torch.set_default_device(None))
    modes = torch.overrides._get_current_function_mode_stack  # type: ignore[attr-defined]  # noqa: SLF001
    dispatch = importlib.import_module("torch.utils._python_dispatch")._get_current_dispatch_mode_stack  # noqa: SLF001

    def popped(read: Callable[[], Any], pop: Callable[[], Any], before: int) -> None:
        while read() > before:
            pop()

    def functions() -> int:
        return len(modes())

    def dispatched() -> int:
        return len(dispatch())

    yield _Aspect("the number of torch function modes", functions, partial(popped, functions, torch._C._pop_torch_function_stack))  # noqa: SLF001
    pop_dispatch = importlib.import_module("torch.utils._python_dispatch")._pop_mode  # noqa: SLF001
    yield _Aspect("the number of torch dispatch modes", dispatched, partial(popped, dispatched, pop_dispatch))
    yield _Aspect("inference mode", torch.is_inference_mode_enabled, _enter_inference_mode)
    yield _Aspect("grad mode", torch.is_grad_enabled, torch.set_grad_enabled)
    for device in ("cpu", "cuda"):
        yield _Aspect(f"autocast on {device}", partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device))
        read, write = partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device)
        yield _Aspect(f"autocast's dtype on {device}", read, write)
    yield _Aspect("autocast's cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled)
    depth, deeper, higher = _autocast_depth, torch.autocast_increment_nesting, torch.autocast_decrement_nesting
    yield _Aspect("autocast's depth", depth, lambda before: [higher() if depth() > before else deeper() for _ in range(abs(depth() - before))])
    autograd = torch._C._autograd  # noqa: SLF001

    def saved() -> int:
        return 0 if autograd._top_saved_tensors_default_hooks(True) is None else 1  # type: ignore[attr-defined]  # noqa: SLF001, FBT003

    yield _Aspect(
        "the hooks on saved tensors",
        saved,
        partial(popped, saved, autograd._pop_saved_tensors_default_hooks),  # type: ignore[attr-defined]  # noqa: SLF001
    )


_entered: list[Any] = []


def _enter_inference_mode(before: bool) -> None:  # noqa: FBT001  an aspect's value stands alone
    # The mode ends with the object that began it.
    _entered[:] = [torch.inference_mode(mode=before)]
    _entered[0].__enter__()


def _autocast_depth() -> int:
    depth = int(torch.autocast_increment_nesting()) - 1
    torch.autocast_decrement_nesting()
    return depth


def _torch_settings() -> Iterator[_Aspect]:
    yield _Aspect("the default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield _Aspect(
        "deterministic algorithms",
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda before: torch.use_deterministic_algorithms(before[0], warn_only=before[1]),
    )
    yield _Aspect("the precision of float32 products", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)
    yield _Aspect("the number of threads", torch.get_num_threads, torch.set_num_threads)
    yield _Aspect("denormal numbers", lambda: float(np.float64(1e-310) * 1.0) != 0, lambda before: torch.set_flush_denormal(not before))
    yield _Aspect(
        "anomaly detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda before: torch.autograd.set_detect_anomaly(before[0], check_nan=before[1]),
    )
    threading_of_autograd = torch._C._is_multithreading_enabled  # type: ignore[attr-defined]  # noqa: SLF001
    yield _Aspect("the threads of autograd", threading_of_autograd, torch.autograd.set_multithreading_enabled)
    yield _Aspect("torch's repeated warnings", torch.is_warn_always_enabled, torch.set_warn_always)
    options = torch._tensor_str.PRINT_OPTS  # type: ignore[attr-defined]  # noqa: SLF001
    yield _Aspect("how tensors are printed", lambda: dict(vars(options)), lambda before: vars(options).update(before))
    for module, name in _SWITCHES:
        yield _Aspect(f"{module}.{name}", partial(_get, module, name), partial(_set, module, name))
    for module, name in _HOOKS:
        hooks = _get(module, name)
        if isinstance(hooks, Mapping):
            yield _Aspect(f"the global hooks {module}.{name}", partial(dict, hooks), partial(_refilled, hooks))
    yield _Aspect("torch's global generator", lambda: id(torch.default_generator), lambda _: None)


def _of_python() -> Iterator[_Aspect]:
    held = importlib.import_module("numpy.random.mtrand")
    yield _Aspect("numpy's global generator", lambda: held._rand, lambda before: setattr(held, "_rand", before))  # noqa: SLF001
    yield _Aspect(GENERATORS, generators, _set_generators)
    yield _Aspect("numpy's handling of errors", np.geterr, lambda before: np.seterr(**before))
    yield _Aspect("numpy's printing", np.get_printoptions, lambda before: np.set_printoptions(**before))
    for name in ("stdout", "stderr", "stdin", "excepthook", "unraisablehook", "displayhook", "meta_path", "path_hooks", "path", "argv"):
        yield _Aspect(f"sys.{name}", partial(_copied, sys, name), partial(_replace, sys, name))
    yield _Aspect("the trace function", sys.gettrace, sys.settrace)
    yield _Aspect("the profile function", sys.getprofile, sys.setprofile)
    yield _Aspect("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield _Aspect("the switch interval", sys.getswitchinterval, sys.setswitchinterval)
    yield _Aspect("threading.excepthook", lambda: threading.excepthook, lambda before: setattr(threading, "excepthook", before))
    root = logging.getLogger()
    yield _Aspect("the level of the root logger", lambda: root.level, root.setLevel)
    yield _Aspect("the handlers of the root logger", lambda: list(root.handlers), lambda before: setattr(root, "handlers", list(before)))
    yield _Aspect("logging.disable", lambda: logging.root.manager.disable, logging.disable)
    yield _Aspect("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda before: locale.setlocale(locale.LC_ALL, before))
    yield _Aspect("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield _Aspect("tempfile.tempdir", lambda: tempfile.tempdir, lambda before: setattr(tempfile, "tempdir", before))
    yield _Aspect(
        "the start method of processes",
        lambda: multiprocessing.get_start_method(allow_none=True),
        lambda before: multiprocessing.set_start_method(before, force=True),
    )
    yield _Aspect("threads", lambda: {thread.ident: thread.name for thread in threading.enumerate()}, _end_threads)


def _copied(module: types.ModuleType, name: str) -> Any:
    value = getattr(module, name)
    return list(value) if isinstance(value, list) else value


def _replace(module: types.ModuleType, name: str, before: Any) -> None:
    if isinstance(before, list):
        getattr(module, name)[:] = before
    else:
        setattr(module, name, before)


def _set_generators(before: Generators) -> None:
    state: Any = before["numpy"]
    np.random.set_state((state[0], np.frombuffer(state[1], dtype=np.uint32), *state[2:]))  # noqa: NPY002
    random.setstate(before["random"])  # type: ignore[arg-type]
    torch.default_generator.set_state(torch.frombuffer(bytearray(before["torch"]), dtype=torch.uint8))  # type: ignore[call-overload]


def _end_threads(before: Mapping[int, str]) -> None:
    for thread in threading.enumerate():
        if thread.ident not in before and isinstance(thread, threading.Timer):
            thread.cancel()
            thread.join(1.0)


def _of_the_system() -> Iterator[_Aspect]:
    def environment(before: Mapping[str, str]) -> None:
        os.environ.clear()
        os.environ.update(before)

    yield _Aspect("the environment", lambda: dict(os.environ), environment)
    yield _Aspect("the working directory", _folder, lambda before: before and os.chdir(before))
    for number in sorted(signal.valid_signals()):
        known = [signal.Signals(number)] if number in set(map(int, signal.Signals)) else []
        for one in known:
            handler, name = partial(signal.getsignal, one), f"the handler of {one.name}"
            yield _Aspect(name, handler, lambda before, one=one: before is not None and signal.signal(one, before))
    if hasattr(signal, "pthread_sigmask"):
        blocked = partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        yield _Aspect("the blocked signals", blocked, partial(signal.pthread_sigmask, signal.SIG_SETMASK))
    for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
        timer = getattr(signal, name, None)
        if timer is not None:
            yield _Aspect(f"the timer {name}", partial(_timer, timer), lambda before, timer=timer: before or signal.setitimer(timer, 0))
    if hasattr(os, "getpriority"):
        yield _Aspect("the priority of the process", lambda: os.getpriority(os.PRIO_PROCESS, 0), lambda _: None)
    if hasattr(os, "sched_getaffinity"):
        yield _Aspect("the cores of the process", lambda: os.sched_getaffinity(0), lambda before: os.sched_setaffinity(0, before))
    yield _Aspect("the mask of new files", _mask, os.umask)
    yield from _limits()
    yield _Aspect("stdout and stderr of the system", lambda: [_identity(number) for number in (1, 2)], lambda _: None)
    yield _Aspect(PROCESSES, _children, lambda _: None)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _timer(which: int) -> bool:
    return signal.getitimer(which)[0] > 0


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _limits() -> Iterator[_Aspect]:
    try:
        import resource
    except ImportError:
        return
    for name in ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK"):
        number = getattr(resource, name, None)
        if number is not None:
            yield _Aspect(f"the limit {name}", partial(resource.getrlimit, number), partial(resource.setrlimit, number))


def _identity(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _children() -> frozenset[str]:
    """Numbers of the processes that this one has started and that still run, where the system tells them in a file."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(path.read_text().split())
    return frozenset(number for number in found if not _is_helper(number))


def _is_helper(number: str) -> bool:
    # Python's own, which outlive what they were started for.
    try:
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return True
    return not command or b"resource_tracker" in command or b"forkserver" in command


@contextlib.contextmanager
def _streams_kept() -> Iterator[None]:
    """The streams 1 and 2 of the system, put back where something else was put in their place."""
    copies = {}
    for number in (1, 2):
        with contextlib.suppress(OSError):
            copies[number] = (os.dup(number), _identity(number))
    try:
        yield
    finally:
        for number, (copy, identity) in copies.items():
            if _identity(number) != identity:
                os.dup2(copy, number)
            os.close(copy)

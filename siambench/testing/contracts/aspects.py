"""Every setting of the process that a component may leave changed: how it is read, and how it is put back."""

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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Aspect:
    """One thing that can change: how it is read, how it is put back to what was read, and what counts as another, given both."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]
    differs: Callable[[Any, Any], bool] = operator.ne


def _numpy_state() -> tuple[Any, ...]:
    # Third-party code draws from the global state.
    return tuple(np.random.get_state())  # noqa: NPY002


def generators() -> Generators:
    """The states of the three global generators, by the library's name."""
    kind, keys, *rest = _numpy_state()
    return {
        "torch": torch.default_generator.get_state().numpy().tobytes(),
        "numpy": (kind, keys.tobytes(), *rest),
        "random": random.getstate(),
    }


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
def aspects() -> tuple[Aspect, ...]:
    """Every aspect, what decides how tensors are made first: the others are put back by means of them."""
    return (*_torch_modes(), *_torch_settings(), *_of_python(), *_of_the_system())


def _torch_modes() -> Iterator[Aspect]:
    yield Aspect("the default device", lambda: str(torch.get_default_device()), lambda _: torch.set_default_device(None))
    modes = torch.overrides._get_current_function_mode_stack  # noqa: SLF001
    dispatch = importlib.import_module("torch.utils._python_dispatch")._get_current_dispatch_mode_stack  # noqa: SLF001

    def popped(read: Callable[[], Any], pop: Callable[[], Any], before: int) -> None:
        while read() > before:
            pop()

    def functions() -> int:
        return len(modes())  # type: ignore[no-untyped-call]

    def dispatched() -> int:
        return len(dispatch())

    yield Aspect("the number of torch function modes", functions, partial(popped, functions, torch._C._pop_torch_function_stack))  # noqa: SLF001
    pop_dispatch = importlib.import_module("torch.utils._python_dispatch")._pop_mode  # noqa: SLF001
    yield Aspect("the number of torch dispatch modes", dispatched, partial(popped, dispatched, pop_dispatch))
    yield Aspect("inference mode", torch.is_inference_mode_enabled, _enter_inference_mode)
    yield Aspect("grad mode", torch.is_grad_enabled, torch.set_grad_enabled)
    for device in ("cpu", "cuda"):
        yield Aspect(f"autocast on {device}", partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device))
        read, write = partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device)
        yield Aspect(f"autocast's dtype on {device}", read, write)
    yield Aspect("autocast's cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled)
    yield Aspect("autocast's depth", _autocast_depth, _bring_autocast_to)
    autograd = torch._C._autograd  # noqa: SLF001

    def saved() -> int:
        return 0 if autograd._top_saved_tensors_default_hooks(True) is None else 1  # noqa: SLF001, FBT003

    yield Aspect(
        "the hooks on saved tensors",
        saved,
        partial(popped, saved, autograd._pop_saved_tensors_default_hooks),  # noqa: SLF001
    )


_entered: list[Any] = []


def _enter_inference_mode(before: bool) -> None:  # noqa: FBT001  an aspect's value stands alone
    # The mode ends with the object that began it.
    _entered[:] = [torch.inference_mode(mode=before)]
    _entered[0].__enter__()


def _bring_autocast_to(depth: int) -> None:
    while _autocast_depth() > depth:
        torch.autocast_decrement_nesting()


def _autocast_depth() -> int:
    depth = int(torch.autocast_increment_nesting()) - 1
    torch.autocast_decrement_nesting()
    return depth


def _torch_settings() -> Iterator[Aspect]:
    yield Aspect("the default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield Aspect(
        "deterministic algorithms",
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda before: torch.use_deterministic_algorithms(before[0], warn_only=before[1]),
    )
    yield Aspect("the precision of float32 products", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)
    yield Aspect("the number of threads", torch.get_num_threads, torch.set_num_threads)
    yield Aspect("denormal numbers", lambda: float(np.float64(1e-310) * 1.0) != 0, lambda before: torch.set_flush_denormal(not before))
    yield Aspect(
        "anomaly detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda before: torch.autograd.set_detect_anomaly(before[0], check_nan=before[1]),
    )
    threading_of_autograd = torch._C._is_multithreading_enabled  # noqa: SLF001
    yield Aspect("the threads of autograd", threading_of_autograd, torch.autograd.set_multithreading_enabled)
    yield Aspect("torch's repeated warnings", torch.is_warn_always_enabled, torch.set_warn_always)
    options = torch._tensor_str.PRINT_OPTS  # noqa: SLF001
    yield Aspect("how tensors are printed", lambda: dict(vars(options)), lambda before: vars(options).update(before))
    for module, name in _SWITCHES:
        yield Aspect(f"{module}.{name}", partial(_get, module, name), partial(_set, module, name))
    for module, name in _HOOKS:
        hooks = _get(module, name)
        if isinstance(hooks, Mapping):
            yield Aspect(f"the global hooks {module}.{name}", partial(dict, hooks), partial(_refilled, hooks))
    yield Aspect("torch's global generator", lambda: id(torch.default_generator), lambda _: None)


def _of_python() -> Iterator[Aspect]:
    held = importlib.import_module("numpy.random.mtrand")
    yield Aspect("numpy's global generator", lambda: held._rand, lambda before: setattr(held, "_rand", before))  # noqa: SLF001
    yield Aspect(GENERATORS, generators, _set_generators)
    yield Aspect("numpy's handling of errors", np.geterr, lambda before: np.seterr(**before))
    yield Aspect("numpy's printing", np.get_printoptions, lambda before: np.set_printoptions(**before))
    for name in ("stdout", "stderr", "stdin", "excepthook", "unraisablehook", "displayhook", "path", "argv"):
        yield Aspect(f"sys.{name}", partial(_copied, sys, name), partial(_replace, sys, name))
    yield Aspect("the trace function", sys.gettrace, sys.settrace)
    yield Aspect("the profile function", sys.getprofile, sys.setprofile)
    yield Aspect("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield Aspect("the switch interval", sys.getswitchinterval, sys.setswitchinterval)
    yield Aspect("threading.excepthook", lambda: threading.excepthook, lambda before: setattr(threading, "excepthook", before))
    root = logging.getLogger()
    yield Aspect("the level of the root logger", lambda: root.level, root.setLevel)
    yield Aspect("the handlers of the root logger", lambda: list(root.handlers), lambda before: setattr(root, "handlers", list(before)))
    yield Aspect("logging.disable", lambda: logging.root.manager.disable, logging.disable)
    yield Aspect("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda before: locale.setlocale(locale.LC_ALL, before))
    yield Aspect("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield Aspect("tempfile.tempdir", lambda: tempfile.tempdir, lambda before: setattr(tempfile, "tempdir", before))
    yield Aspect(
        "the start method of processes",
        lambda: multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0],
        lambda before: multiprocessing.set_start_method(before, force=True),
    )
    # A thread of somebody else may end at any time; that one was begun is what a component has done.
    begun = lambda before, now: bool(now.keys() - before.keys())  # noqa: E731
    yield Aspect("threads", lambda: {thread: thread.name for thread in threading.enumerate()}, _end_threads, begun)


def _copied(module: types.ModuleType, name: str) -> Any:
    value = getattr(module, name)
    return list(value) if isinstance(value, list) else value


def _replace(module: types.ModuleType, name: str, before: Any) -> None:
    if isinstance(before, list):
        getattr(module, name)[:] = before
    else:
        setattr(module, name, before)


def _set_generators(before: Mapping[str, Any]) -> None:
    state = before["numpy"]
    np.random.set_state((state[0], np.frombuffer(state[1], dtype=np.uint32), *state[2:]))  # noqa: NPY002
    random.setstate(before["random"])
    torch.default_generator.set_state(torch.frombuffer(bytearray(before["torch"]), dtype=torch.uint8))


def _end_threads(before: Mapping[threading.Thread, str]) -> None:
    for thread in threading.enumerate():
        if thread not in before and isinstance(thread, threading.Timer):
            thread.cancel()
            thread.join(1.0)


def _of_the_system() -> Iterator[Aspect]:
    def environment(before: Mapping[str, str]) -> None:
        os.environ.clear()
        os.environ.update(before)

    yield Aspect("the environment", lambda: dict(os.environ), environment)
    yield Aspect("the working directory", _folder, _go_to)
    for one in signal.Signals:
        handler, name = partial(signal.getsignal, one), f"the handler of {one.name}"
        yield Aspect(name, handler, partial(_handle, one))
    if hasattr(signal, "pthread_sigmask"):
        blocked = partial(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        yield Aspect("the blocked signals", blocked, partial(signal.pthread_sigmask, signal.SIG_SETMASK))
    for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
        timer = getattr(signal, name, None)
        if timer is not None:
            yield Aspect(f"the timer {name}", partial(_timer, timer), partial(_stop_timer, timer))
    if hasattr(os, "getpriority"):
        yield Aspect("the priority of the process", lambda: os.getpriority(os.PRIO_PROCESS, 0), lambda _: None)
    if hasattr(os, "sched_getaffinity"):
        yield Aspect("the cores of the process", lambda: os.sched_getaffinity(0), lambda before: os.sched_setaffinity(0, before))
    yield Aspect("the mask of new files", _mask, os.umask)
    yield from _limits()
    yield Aspect("stdout and stderr of the system", lambda: [stream(number) for number in (1, 2)], lambda _: None)
    yield Aspect(PROCESSES, _children, lambda _: None)


def _go_to(before: str | None) -> None:
    if before is not None:
        os.chdir(before)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _handle(which: signal.Signals, before: Any) -> None:
    if before is not None:
        signal.signal(which, before)


def _stop_timer(which: int, before: bool) -> None:  # noqa: FBT001  an aspect's value stands alone
    if not before:
        signal.setitimer(which, 0)


def _timer(which: int) -> bool:
    return signal.getitimer(which)[0] > 0


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _limits() -> Iterator[Aspect]:
    try:
        import resource
    except ImportError:
        return
    for name in ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK"):
        number = getattr(resource, name, None)
        if number is not None:
            yield Aspect(f"the limit {name}", partial(resource.getrlimit, number), partial(resource.setrlimit, number))


def stream(number: int) -> tuple[int, int] | None:
    """Which file stands behind a stream of the system, by device and number; None: it is closed."""
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

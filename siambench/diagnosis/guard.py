"""Somebody's code is run within bounds: its time is limited, what it prints goes nowhere, and generators are put back."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from siambench.errors import SiambenchError, UsageError, said

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

_DEPTH, _MOST = 6, 20_000
"""How deep generators are looked for in somebody's objects, and in how many of them."""


_LATER = 0.05
"""Seconds after which an interruption is tried again."""


class OutOfTime(BaseException):
    """The time of a check is over. No `Exception`: code that catches those must not swallow it."""


class Time:
    """How much time is left.

    Args:
        seconds: for all together.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, 0 at least."""
        return max(0.0, self._end - time.monotonic())

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[Time]:
        """A part of it: what runs longer is interrupted where Python can, which is in the main thread.

        Args:
            seconds: at the most; less where less is left.

        Raises:
            OutOfTime: once they are over, and at once where none are left.
        """
        part = Time(min(seconds, self.left))
        if part.left <= 0:
            raise OutOfTime
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            yield part
            return

        def over(_signal: int, frame: FrameType | None) -> None:
            if _imports(frame):
                # What is imported by half stays so for as long as the process lives: asked again a little later.
                signal.setitimer(signal.ITIMER_REAL, _LATER)
                return
            raise OutOfTime

        before, waiting = signal.signal(signal.SIGALRM, over), time.monotonic()
        rest, interval = signal.setitimer(signal.ITIMER_REAL, part.left)
        try:
            yield part
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            # None: it was not set from Python, and cannot be set back from there.
            signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
            if rest:
                signal.setitimer(signal.ITIMER_REAL, max(1e-3, rest - (time.monotonic() - waiting)), interval)


def _imports(frame: FrameType | None) -> bool:
    """Whether something is being imported, in a frame or those that called it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """What somebody's code raises, an exit too, is one sentence.

    Raises:
        UsageError: saying what raised.
    """
    try:
        yield
    except (SiambenchError, KeyboardInterrupt, OutOfTime):
        raise
    except BaseException as error:
        raise UsageError(f"{what} raised {said(error)}") from error


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)

    def writable(self) -> bool:
        return True


@contextlib.contextmanager
def undisturbed(objects: Sequence[Any], seed: int) -> Iterator[None]:
    """Run somebody's code and leave the process as it was, whatever happens, an interruption too.

    Put back are the generators of torch, numpy and random and those that ``objects`` hold, the default dtype, the number of threads, and
    whether gradients are recorded. Within, gradients are recorded, the generators begin at ``seed``, and what is printed or warned of goes
    nowhere.

    Args:
        objects: in which generators are looked for.
        seed: where the global generators begin.
    """
    found = list(_generators(objects))
    states = [_state(one) for one in found]
    cpu, numbers, plain = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002  what others draw from
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        with (
            contextlib.redirect_stdout(_Nowhere()),
            contextlib.redirect_stderr(_Nowhere()),
            warnings.catch_warnings(),
            torch.inference_mode(mode=False),
            torch.enable_grad(),
        ):
            warnings.simplefilter("ignore")
            # Most of it is small: threads wait for each other longer than they compute, above all beside other work.
            torch.set_num_threads(1)
            seeded(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_rng_state(cpu)
        np.random.set_state(numbers)  # noqa: NPY002  the same
        random.setstate(plain)
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)
        for one, state in zip(found, states, strict=True):
            _put_back(one, state)


def seeded(seed: int) -> None:
    """Have the global generators of the processor begin at a number."""
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  the same
    random.seed(seed)


def _generators(objects: Sequence[Any]) -> Iterator[Any]:
    seen: set[int] = set()
    waiting = [(each, 0) for each in objects]
    while waiting and len(seen) < _MOST:
        one, depth = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, torch.Generator | np.random.Generator | np.random.RandomState | random.Random):
            yield one
        elif depth < _DEPTH:
            waiting += [(inner, depth + 1) for inner in _inner(one)]


def _inner(one: Any) -> list[Any]:
    if isinstance(one, str | bytes | int | float | bool | torch.Tensor | np.ndarray | type | None):
        return []
    if isinstance(one, Mapping):
        return list(one.values())[:_MOST]
    if isinstance(one, list | tuple | set):
        return [] if len(one) > _MOST else list(one)
    cells = getattr(one, "__closure__", None) or ()
    inner = [cell.cell_contents for cell in cells if _is_filled(cell)]
    held = getattr(one, "__dict__", None)
    if isinstance(held, dict) and (isinstance(one, nn.Module) or is_dataclass(one) or not isinstance(one, ModuleType)):
        inner += list(held.values())
    return inner


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _state(one: Any) -> Any:
    if isinstance(one, torch.Generator | np.random.RandomState):
        return one.get_state()
    return one.bit_generator.state if isinstance(one, np.random.Generator) else one.getstate()


def _put_back(one: Any, state: Any) -> None:
    if isinstance(one, torch.Generator | np.random.RandomState):
        one.set_state(state)
    elif isinstance(one, np.random.Generator):
        one.bit_generator.state = state
    else:
        one.setstate(state)


def of_one_side(dataset: Dataset, called: str) -> Dataset:
    """The same data set; `UsageError` of one whose items have two sides, since what is looked at is one network."""
    if dataset.sides:
        sides = " and ".join(side.name for side in dataset.sides)
        raise UsageError(
            f"diagnose looks at one network, and the items of {called} have two sides, {sides}, with an encoder each: "
            "`siambench show study` tells what was measured of both while a row was trained"
        )
    return dataset

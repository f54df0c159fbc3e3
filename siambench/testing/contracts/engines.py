"""What an engine promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`.

What is run is found in the standard library, so that any worker has it: division, which can fail, and sleep, which takes its time.
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.execution.engines.choice import Choice
from siambench.interfaces import Engine, Finished, Lost
from siambench.plugin import EngineEntry
from siambench.testing.contracts.aspects import GENERATORS, PROCESSES
from siambench.testing.contracts.blame import nothing_printed
from siambench.testing.contracts.process import left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract

_CALLS = 8
_PATIENCE = 120.0
"""Seconds for all calls of a contract, the start of workers included."""

_PRELOAD = ("torch",)
"""What workers import anyway, imported once for all of them."""

_WAIT, _LATE = 0.2, 10.0
"""Seconds that `wait` is given, and after which it is late."""


def _needs(component: Component) -> str | None:
    """Why it cannot be started here: its factory asks for something that only a user has."""
    entry: EngineEntry = component.entry
    offered = ("function", "jobs", "preload", "fits")
    asked = [
        name
        for name, parameter in inspect.signature(entry.build).parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    missing = [name for name in asked if name not in offered]
    return f"it needs {', '.join(missing)}, which only a user can give" if missing else None


@contextlib.contextmanager
def _started(component: Component, function: Callable[..., Any]) -> Iterator[Engine]:
    """The engine with two workers, started as a run starts it, and closed at once in the end."""
    takes = inspect.signature(component.entry.build).parameters
    engine = Choice(component, {"jobs": 2} if "jobs" in takes else {}).start(function=function, preload=_PRELOAD, fits=_fits)
    try:
        yield engine
    finally:
        engine.close(now=True)


def _fits() -> None:
    return None


def _reports(engine: Engine, number: int) -> list[Finished | Lost]:
    found: list[Finished | Lost] = []
    deadline = time.monotonic() + _PATIENCE
    while len(found) < number and time.monotonic() < deadline:
        given: Any = engine.wait(_WAIT)
        strange = [one for one in given if not isinstance(one, Finished | Lost)]
        if strange:
            raise PluginError(f"wait must give Finished and Lost, got {type(strange[0]).__name__}")
        found += given
    return found


def _check_once(found: Sequence[Finished | Lost], keys: Sequence[str]) -> None:
    counts = Counter(one.key for one in found)
    never = [key for key in keys if key not in counts]
    strange = [key for key in counts if key not in keys]
    twice = [key for key, count in counts.items() if count > 1]
    if strange or twice:
        raise PluginError(f"it reported {strange[0]!r}, which nobody had submitted" if strange else f"it reported {twice[0]!r} twice")
    if never:
        raise PluginError(f"{len(never)} of {len(keys)} calls were never reported, among them {never[0]!r}")


def calls_are_reported(component: Component) -> str | None:
    """Each call is reported once, under its key, with what the function returned."""
    reason = _needs(component)
    if reason is not None:
        return reason
    with _started(component, operator.truediv) as engine:
        expected = {f"call {number}": number / 2 for number in range(_CALLS)}
        for number, key in enumerate(expected):
            engine.submit(key, number, 2)
        found = _reports(engine, _CALLS)
        _check_once([*found, *engine.wait(_WAIT)], list(expected))
        for one in found:
            got = one.value if isinstance(one, Finished) else one.reason
            if got != expected[one.key]:
                raise PluginError(f"{one.key} returned {expected[one.key]}, it was reported as {got!r}")
        said: object = engine.describe()
        if not isinstance(said, str) or not said.strip():
            raise PluginError(f"describe must say for people what it is, got {said!r}")
    return None


def failures_are_lost(component: Component) -> None:
    """A call that raises is lost with its reason, once; the others finish, and `wait` raises nothing."""
    with _started(component, operator.truediv) as engine:
        keys = [f"call {number}" for number in range(4)]
        for number, key in enumerate(keys):
            engine.submit(key, 1, number)
        found = _reports(engine, len(keys))
        _check_once(found, keys)
        lost = {one.key: one.reason for one in found if isinstance(one, Lost)}
        if set(lost) != {keys[0]}:
            raise PluginError(f"one call raised, and lost are {', '.join(sorted(lost)) or 'none'}")
        if "ZeroDivisionError" not in lost[keys[0]] and "division by zero" not in lost[keys[0]]:
            raise PluginError(f"a call was lost by ZeroDivisionError: division by zero, its reason is {lost[keys[0]]!r}")


def waiting_calls_are_dropped(component: Component) -> None:
    """Calls that have not started are dropped and named by `cancel`; the others are reported, and no call is both."""
    with _started(component, time.sleep) as engine:
        keys = [f"call {number}" for number in range(_CALLS)]
        for key in keys:
            engine.submit(key, 0.3)
        dropped: Any = engine.cancel()
        if not isinstance(dropped, list) or not all(key in keys for key in dropped):
            raise PluginError(f"cancel must give the keys of the calls that it dropped, got {dropped!r}")
        found = _reports(engine, len(keys) - len(dropped))
        late = engine.wait(_WAIT)
        both = [one.key for one in (*found, *late) if one.key in dropped]
        if both:
            raise PluginError(f"{both[0]!r} was dropped, and reported all the same")
        _check_once([*found, *late], [key for key in keys if key not in dropped])


def waiting_ends(component: Component) -> None:
    """`wait` comes back after the seconds that it is given, with nothing where nothing has ended."""
    with _started(component, time.sleep) as engine:
        start = time.monotonic()
        found = engine.wait(_WAIT)
        if found != [] or time.monotonic() - start > _LATE:
            raise PluginError(f"nothing was submitted, and wait({_WAIT}) gave {found!r} after {time.monotonic() - start:.1f} s")
        # Workers that are still starting when they are ended complain on stderr.
        engine.submit("call", 0)
        _reports(engine, 1)


def it_closes(component: Component) -> None:
    """`close(now=True)` ends it within seconds though a call runs; `close(now=False)` lets the running call end."""
    takes = inspect.signature(component.entry.build).parameters
    for now, seconds in ((False, 0.3), (True, 600.0)):
        engine = Choice(component, {"jobs": 2} if "jobs" in takes else {}).start(function=time.sleep, preload=_PRELOAD, fits=_fits)
        engine.submit("call", seconds)
        start = time.monotonic()
        engine.close(now=now)
        took = time.monotonic() - start
        if took > _PATIENCE / 2:
            raise PluginError(f"close(now={now}) took {took:.0f} s")


def prints_nothing(component: Component) -> None:
    """Starting, waiting and closing write nothing to stdout, where documents go."""
    with nothing_printed(), _started(component, operator.truediv) as engine:
        engine.submit("call", 1, 2)
        _reports(engine, 1)


def leaves_the_process_alone(component: Component) -> str | None:
    """Once it is closed, the process is as it was before the engine was made; where it raises, that is another contract's."""
    reason = _needs(component)
    if reason is not None:
        return reason

    def run(_: int) -> Iterator[str]:
        with _started(component, operator.truediv) as engine:
            for number in range(_CALLS):
                engine.submit(f"call {number}", number, 2)
            _reports(engine, _CALLS)
        yield "once it is closed"

    left_out = (GENERATORS, PROCESSES)
    # What its libraries set when they are first used stays set, in the coordinator, where nothing is trained: the second time counts.
    with contextlib.suppress(Exception, SystemExit):
        list(run(0))
    left_alone(run, left_out=left_out)
    return None


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("reports", "each call is reported once, under its key, with what the function returned", calls_are_reported, first=True),
    Contract("failures", "a call that raises is lost once with its reason, and `wait` raises nothing", failures_are_lost),
    Contract("cancel", "`cancel` drops calls that have not started, names them, and they are never reported", waiting_calls_are_dropped),
    Contract("wait", "`wait` comes back after its seconds, with nothing where nothing has ended", waiting_ends),
    Contract("close", "`close` ends it, with `now` though a call runs", it_closes),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of an engine, in this order."""

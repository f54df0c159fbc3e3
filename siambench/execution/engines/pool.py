"""Worker processes that are given calls: each serves one place at a time, and whatever happens to it is reported once."""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any

from siambench.errors import named
from siambench.execution.engines.limits import POLL, over_memory, over_time, resident_megabytes, why
from siambench.execution.engines.processes import FORKS, Server, SpawningServer, Worker, given
from siambench.interfaces import Place

UNBEGUN = 5
"""How many workers in a row may die before any call has begun; beyond it calls are lost rather than tried for ever."""

GRACE = 60.0
"""Seconds, beside the limit of a call, within which its worker must come to it: it may have to be made, and read data first."""

_LEAVE = 5.0
"""Seconds within which a server must have ended itself and its workers; then it is killed."""


@dataclass(frozen=True)
class Ended:
    """What came of a call.

    Args:
        key: of the call.
        value: what its function returned.
        reason: why there is nothing; None: there is.
        fault: whether it was killed or ended by a limit: another attempt may go well.
    """

    key: str
    value: Any
    reason: str | None
    fault: bool = False


@dataclass
class _Call:
    key: str
    place: Place
    packed: bytes


@dataclass
class _Slot:
    """The place of one worker: a number of them run at once."""

    surroundings: Mapping[str, str]
    place: Place | None = None
    server: Server | None = None
    worker: Worker | None = None
    call: _Call | None = None
    since: float = 0.0
    begun: bool = False
    over: str | None = None
    gone: bool = False

    @property
    def idle(self) -> bool:
        return self.call is None


@dataclass
class _State:
    waiting: deque[_Call] = field(default_factory=deque)
    unbegun: int = 0
    draining: bool = False
    closing: bool = False


class Pool:
    """So many workers, made as they are needed, in a thread that looks after them.

    Args:
        jobs: how many at once.
        report: told of each call that ended, in that thread.
        preload: modules that workers find imported.
        limits: seconds after which a call is ended, and megabytes of resident memory of its worker above which it is; None: none.
        surroundings: further variables of the environment, of each worker in turn.
    """

    def __init__(
        self,
        jobs: int,
        report: Callable[[Ended], None],
        *,
        preload: Sequence[str] = (),
        limits: tuple[float | None, float | None] = (None, None),
        surroundings: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self._report = report
        self._preload = tuple(preload)
        self._time_limit, self._memory_limit = limits
        each = surroundings or [{}]
        self._slots = [_Slot(each[number % len(each)]) for number in range(jobs)]
        self._servers: dict[Any, Server] = {}
        self._cold: set[Any] = set()
        self._state = _State()
        self._broken: str | None = None
        self._lock = threading.Lock()
        self._woken, self._wakes = Pipe(duplex=False)
        self._thread = threading.Thread(target=self._look_after, name="siambench-pool", daemon=True)
        self._thread.start()

    # ---- from outside

    def submit(self, key: str, place: Place, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Queue one call."""
        try:
            packed = pickle.dumps((function, arguments))
        except Exception as error:  # noqa: BLE001  the reason goes to the user, whatever it is
            self._report(Ended(key, None, why(error)))
            return
        with self._lock:
            broken = self._broken
            if broken is None:
                self._state.waiting.append(_Call(key, place, packed))
        if broken is not None:
            self._report(Ended(key, None, broken))
        self._wake()

    def cancel(self) -> list[str]:
        """Drop the calls that have not been given to a worker; their keys."""
        with self._lock:
            dropped = [call.key for call in self._state.waiting]
            self._state.waiting.clear()
            self._state.draining = True
        return dropped

    def drop(self, key: str, reason: str) -> None:
        """End that call, wherever it is; it is reported with the reason, unless it has ended."""
        with self._lock:
            waiting = [call for call in self._state.waiting if call.key == key]
            for call in waiting:
                self._state.waiting.remove(call)
            for slot in self._slots:
                if slot.call is not None and slot.call.key == key and slot.over is None:
                    slot.over = reason
                    if slot.worker is not None:
                        slot.worker.kill()
        for call in waiting:
            self._report(Ended(call.key, None, reason))
        self._wake()

    def close(self, *, now: bool) -> None:
        """End the workers, after the calls that there are, or ``now``."""
        with self._lock:
            self._state.closing = True
            if now:
                self._state.waiting.clear()
                for slot in self._slots:
                    slot.call = None
        self._wake()
        self._thread.join()
        self._woken.close()
        self._wakes.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wakes.send_bytes(b"w")

    # ---- in the thread

    def _look_after(self) -> None:
        try:
            while not self._is_done():
                with self._lock:
                    self._give()
                    watched = [self._woken, *(server.connection for server in self._servers.values())]
                    watched += [slot.worker.connection for slot in self._slots if slot.worker is not None and not slot.gone]
                wait(watched, timeout=POLL if self._is_watching() else None)
                while self._woken.poll():
                    self._woken.recv_bytes()
                with self._lock:
                    ended = self._hear()
                    self._over()
                for one in ended:
                    self._report(one)
        except Exception as error:  # noqa: BLE001  nobody would hear of it in a thread, and every call would hang
            with self._lock:
                self._broken = f"its worker processes cannot be looked after: {named(error)}"
                calls = [*self._state.waiting, *(slot.call for slot in self._slots if slot.call is not None)]
            for call in calls:
                self._report(Ended(call.key, None, self._broken))
        finally:
            for slot in self._slots:
                self._retire(slot)
            for server in self._servers.values():
                server.close(_LEAVE)

    def _is_done(self) -> bool:
        return self._state.closing and not self._state.waiting and all(slot.idle for slot in self._slots)

    def _is_watching(self) -> bool:
        limited = self._time_limit is not None or self._memory_limit is not None
        return any(slot.gone or (limited and not slot.idle) for slot in self._slots) or not FORKS

    def _give(self) -> None:
        """Give what waits to idle workers: first to those that have served its place, then to new ones."""
        for slot in self._slots:
            if slot.idle and slot.worker is not None and not slot.gone:
                call = next((call for call in self._state.waiting if call.place.key == slot.place.key), None) if slot.place else None
                if call is not None:
                    self._state.waiting.remove(call)
                    self._begin(slot, call)
        for slot in self._slots:
            if slot.idle and not slot.gone and self._state.waiting:
                call = self._state.waiting[0]
                self._retire(slot)
                slot.server = self._server(call.place)
                slot.worker, slot.place = slot.server.fork(), call.place
                slot.worker.told(b"s", given(slot.surroundings))
                self._begin(slot, self._state.waiting.popleft())

    def _begin(self, slot: _Slot, call: _Call) -> None:
        slot.call, slot.since, slot.begun, slot.over = call, time.monotonic(), False, None
        assert slot.worker is not None
        slot.worker.told(b"c", call.packed)

    def _server(self, place: Place) -> Server:
        """That whose workers have in memory what the calls of the place read."""
        ahead = None if place.ahead is None or pickle.dumps(place.ahead) in self._cold else place.ahead
        name = None if ahead is None else pickle.dumps(ahead)
        found = self._servers.get(name)
        if found is None or found.ended:
            found = self._servers[name] = Server(self._preload, ahead) if FORKS else SpawningServer()
        return found

    def _retire(self, slot: _Slot) -> None:
        if slot.worker is not None:
            slot.worker.kill()
            slot.worker.close()
        slot.worker = slot.place = slot.server = None
        slot.gone = False

    def _hear(self) -> list[Ended]:
        ended: list[Ended] = []
        codes = {(id(server), pid): code for server in self._servers.values() for pid, code in server.said()}
        for slot in self._slots:
            if slot.worker is None or slot.server is None:
                continue
            ended += self._said(slot, [] if slot.gone else slot.worker.said())
            pid = slot.worker.pid
            code = codes.get((id(slot.server), -1 if pid is None else pid))
            if code is not None or (slot.gone and (pid is None or slot.server.ended)):
                ended += self._died(slot, code)
        for name, server in list(self._servers.items()):
            if server.ended:
                # One that died before it served is not asked to read ahead again.
                self._cold |= set() if server.serves or name is None else {name}
                del self._servers[name]
                server.close(0)
        return ended

    def _said(self, slot: _Slot, messages: Sequence[bytes]) -> list[Ended]:
        ended = []
        for said in messages:
            if said[:1] == b"b":
                slot.begun, slot.since, self._state.unbegun = True, time.monotonic(), 0
            elif said[:1] == b"r" and slot.call is not None:
                try:
                    value, reason = pickle.loads(said[1:])  # noqa: S301  from a worker of ours
                except Exception as error:  # noqa: BLE001  the reason goes to the user, whatever it is
                    value, reason = None, why(error)
                ended.append(Ended(slot.call.key, value, reason))
                slot.call = None
            elif said == b"" and slot.worker is not None:
                # It has ended, or can no longer be talked to.
                slot.worker.kill()
                slot.gone = True
        return ended

    def _died(self, slot: _Slot, code: int | None) -> list[Ended]:
        call, begun, over = slot.call, slot.begun, slot.over
        slot.call = None
        self._retire(slot)
        if call is None:
            return []
        if over is not None or begun:
            return [Ended(call.key, None, over or _how(code), fault=True)]
        # It has not come to its call, which is not to blame.
        self._state.unbegun += 1
        if self._state.unbegun > UNBEGUN or self._state.draining:
            return [Ended(call.key, None, f"its worker processes died before they began it, {self._state.unbegun} times")]
        self._state.waiting.appendleft(call)
        return []

    def _over(self) -> None:
        """End what has run for too long, or has grown too large."""
        for slot in self._slots:
            if slot.call is None or slot.worker is None or slot.server is None or slot.over is not None or slot.gone:
                continue
            late = self._time_limit is not None and time.monotonic() - slot.since > self._time_limit + (0 if slot.begun else GRACE)
            if not slot.server.serves:
                if late or self._is_grown(slot.server.pid):
                    # It is the reading ahead that hangs or grows: without it the call will, and is told of.
                    slot.server.kill()
                continue
            if late:
                slot.over = over_time(self._time_limit)
            elif self._is_grown(slot.worker.pid):
                slot.over = over_memory(self._memory_limit)
            if slot.over is not None:
                slot.worker.kill()

    def _is_grown(self, pid: int | None) -> bool:
        return self._memory_limit is not None and pid is not None and resident_megabytes(pid) > self._memory_limit


def _how(code: int | None) -> str:
    if code is None:
        return "its worker process was killed"
    return f"its worker process {'was killed' if code < 0 else 'ended itself'} (exit code {code})"

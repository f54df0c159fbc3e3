"""The near side of worker processes: a handle on each, and on the servers that fork them."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from siambench.execution.engines.server import ENDED, NUMBER, ONE_THREAD, work
from siambench.machine import Surroundings, surroundings

FORKS = sys.platform != "win32"
"""Whether this system forks: where it does not, each worker is a new interpreter, which imports what it needs itself."""


def given(more: Mapping[str, str] | None = None) -> Surroundings:
    """What workers are given: what this process had before it imported foreign code, and further variables."""
    kept = surroundings()
    return dataclasses.replace(kept, environment={**kept.environment, **dict.fromkeys(ONE_THREAD, "1"), **(more or {})})


class Worker:
    """A process that runs calls one after the other.

    Args:
        connection: what it is talked to over.
        kill: ends the process of that number.

    Attributes:
        pid: its number, once it has said it.
        heard: what it has said and nobody has asked for yet.
    """

    def __init__(self, connection: Connection, kill: Callable[[int], None]) -> None:
        self.connection = connection
        self.pid: int | None = None
        self._kill = kill
        self._doomed = False

    def told(self, what: bytes, document: Any = None) -> None:
        """Tell it something; one that has died hears nothing."""
        packed = document if isinstance(document, bytes) else b"" if document is None else pickle.dumps(document)
        with contextlib.suppress(OSError):
            self.connection.send_bytes(what + packed)

    def said(self) -> list[bytes]:
        """What it has said since the last look; ``b""`` last: it has closed the connection."""
        found = []
        try:
            while self.connection.poll():
                found.append(self._hear(self.connection.recv_bytes()))
        except (EOFError, OSError):
            found.append(b"")
        return found

    def _hear(self, said: bytes) -> bytes:
        if said[:1] == b"h":
            (self.pid,) = NUMBER.unpack(said[1:])
            if self._doomed:
                self.kill()
        return said

    def kill(self) -> None:
        """End it at once, or as soon as it is there."""
        self._doomed = True
        if self.pid is not None:
            self._kill(self.pid)

    def close(self) -> None:
        """Let it end by itself, if it is idle."""
        self.connection.close()


class Server:
    """A process that forks workers.

    Args:
        preload: modules that it has imported.
        ahead: a function and its arguments, called in it before it serves: what that reads, its workers have in memory.
    """

    def __init__(self, preload: Sequence[str], ahead: tuple[Callable[..., Any], tuple[Any, ...]] | None) -> None:
        self._worker = _first(tuple(preload)).fork()
        self.serves = self.ended = False
        self._worker.told(b"s", given())
        if ahead is not None:
            self._worker.told(b"c", ahead)
        self._worker.told(b"f")

    @property
    def connection(self) -> Connection:
        """Something to wait for."""
        return self._worker.connection

    @property
    def pid(self) -> int | None:
        """Its number, once it has said it."""
        return self._worker.pid

    def fork(self) -> Worker:
        """A new worker; whether it came to life it says itself."""
        return Worker(_forked(self._worker.connection), lambda pid: self._worker.told(b"k", NUMBER.pack(pid)))

    def said(self) -> list[tuple[int, int]]:
        """Number and exit code of the workers that have ended since the last look."""
        found: list[tuple[int, int]] = []
        for said in self._worker.said():
            self.serves = self.serves or said == b"v"
            self.ended = self.ended or said == b""
            if said[:1] == b"e":
                found.append(ENDED.unpack(said[1:]))
        return found

    def kill(self) -> None:
        """End it at once, and its workers with it."""
        self._worker.kill()

    def close(self, seconds: float) -> None:
        """End its workers and itself, and wait for that, but no longer than so many seconds."""
        with contextlib.suppress(OSError, EOFError):
            with socket.socket(fileno=os.dup(self.connection.fileno())) as door:
                door.shutdown(socket.SHUT_WR)
            while self.connection.poll(seconds):
                self.connection.recv_bytes()
        self.kill()
        self._worker.close()


class _First:
    """The server of this process that all others are forked from: it has imported what takes seconds to import."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        ours, theirs = socket.socketpair()
        taken = given()
        code = (
            f"import sys; sys.path[:] = {taken.path!r}; "
            f"from siambench.execution.engines.server import main; main({theirs.fileno()}, {preload!r}, {os.getpid()})"
        )
        self.owner = os.getpid()
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001  as multiprocessing does
        self.process = subprocess.Popen(  # noqa: S603  this very Python, and our own code
            [sys.executable, *flags, "-c", code],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            # Standard output is for documents; what a component prints is for people.
            stdout=_standard_error(),
            env=taken.environment,
            # Ctrl-C on a terminal is for the coordinator, which lets units end.
            start_new_session=True,
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._gone = False
        self._lock = threading.Lock()

    @property
    def usable(self) -> bool:
        if self.owner != os.getpid():
            return False
        with self._lock:
            self._forget()
        return not self._gone and self.process.poll() is None

    def fork(self) -> Worker:
        with self._lock:
            self._forget()
            return Worker(_forked(self._connection), self._kill)

    def _kill(self, pid: int) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send_bytes(b"k" + NUMBER.pack(pid))

    def _forget(self) -> None:
        # How its children end is seen by the ends of their pipes.
        try:
            while self._connection.poll():
                self._connection.recv_bytes()
        except (EOFError, OSError):
            # One that is killed closes its pipe before the system says that it has ended: until then nothing can be forked from it.
            self._gone = True

    def close(self) -> None:
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)


_firsts: dict[tuple[str, ...], _First] = {}
_starting = threading.Lock()


def _first(preload: tuple[str, ...]) -> _First:
    with _starting:
        found = _firsts.get(preload)
        if found is None or not found.usable:
            if not _firsts:
                atexit.register(_close)
            if found is not None and found.owner == os.getpid():
                found.close()
            found = _firsts[preload] = _First(preload)
        return found


def _close() -> None:
    for first in _firsts.values():
        if first.owner == os.getpid():
            first.close()


def _forked(connection: Connection) -> Connection:
    """Have the server at the other end fork a worker; what that is talked to over."""
    ours, theirs = socket.socketpair()
    with theirs, contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as door:
        connection.send_bytes(b"f")
        socket.send_fds(door, [b"f"], [theirs.fileno()])
    return Connection(ours.detach())


def _standard_error() -> int:
    try:
        os.fstat(2)
    except OSError:
        return subprocess.DEVNULL
    return 2


class SpawningServer(Server):
    """Stands for a server where the system does not fork: each worker is a process of its own from the start."""

    def __init__(self) -> None:
        self._context = get_context("spawn")
        self._alive: dict[int, Any] = {}
        # Nobody is at the other end: there is nothing to hear of.
        self._here, self._there = self._context.Pipe()
        self.serves, self.ended = True, False

    @property
    def connection(self) -> Connection:
        """Something to wait for."""
        return self._here

    @property
    def pid(self) -> int | None:
        """There is no such process."""
        return None

    def fork(self) -> Worker:
        """A new worker."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        assert process.pid is not None
        self._alive[process.pid] = process
        return Worker(ours, self._end)

    def _end(self, pid: int) -> None:
        if pid in self._alive:
            self._alive[pid].kill()

    def said(self) -> list[tuple[int, int]]:
        """Number and exit code of the workers that have ended since the last look."""
        found = [(pid, process.exitcode) for pid, process in self._alive.items() if process.exitcode is not None]
        for pid, _ in found:
            del self._alive[pid]
        return found

    def kill(self) -> None:
        """End its workers."""
        for process in self._alive.values():
            process.kill()

    def close(self, seconds: float) -> None:
        """End its workers, and wait for that."""
        self.kill()
        for process in self._alive.values():
            process.join(seconds)
        self._here.close()
        self._there.close()

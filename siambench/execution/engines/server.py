"""The far side of worker processes: a server that has imported what they need forks them, and each runs calls one after the other.

A server is started as a process of its own, or is itself a worker that was told to serve: then its workers have in memory what it has
read. Nothing of a plugin is imported here. Workers end with their server, and it ends with whoever holds the other end of its pipe,
whatever runs in them: a worker that hangs hears nothing, but is killed by its server, or by the system where that is gone.

Messages are bytes, of which the first says what they are:

- to a server ``f``, followed by a descriptor: fork a worker that talks over it; ``k`` and a number: kill that process;
- from a server ``e``, a number and an exit code: that process has ended;
- to a worker ``s``: its surroundings; ``c``: a call; ``f``: serve;
- from a worker ``h`` and its number: it is there; ``b``: the call has begun; ``r``: what came of it; ``v``: it serves.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import NoReturn

from siambench.execution.engines.limits import why

NUMBER = struct.Struct("!q")
ENDED = struct.Struct("!qq")

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What libraries read when they are loaded: a worker computes in one thread."""

_LOOK = 1.0
"""Seconds between two looks at whether the parent is still there."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(descriptor: int, preload: Sequence[str], parent: int) -> NoReturn:
    """Import what workers need, and serve; the first server of a process, whose number is the last argument."""
    with _ending_with(parent):
        for name in preload:
            # What is wrong with it, the call that needs it will say.
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    connection = Connection(descriptor)
    connection.send_bytes(b"h" + NUMBER.pack(os.getpid()))
    serve(connection)


def serve(connection: Connection) -> NoReturn:
    """Fork workers as they are asked for and say how they end, until the other end of the connection is closed."""
    # What is there now is never freed: so the collector leaves its pages alone, and they stay shared with the workers.
    gc.collect()
    gc.freeze()
    parent, children = os.getppid(), set[int]()
    _adopt()
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    door = socket.socket(fileno=os.dup(connection.fileno()))
    with contextlib.suppress(OSError, EOFError), selectors.DefaultSelector() as selector:
        connection.send_bytes(b"v")
        selector.register(connection, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while os.getppid() == parent:
            events = selector.select(_LOOK)
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 1 << 10)
            if any(key.fileobj is connection for key, _ in events):
                asked = connection.recv_bytes()
                if asked[:1] == b"k":
                    _kill(NUMBER.unpack(asked[1:])[0], children)
                else:
                    _, descriptors, *_ = socket.recv_fds(door, 1, 1)
                    children |= _forked(descriptors[0], (connection.fileno(), door.fileno(), woken, wakes, selector.fileno()))
            for pid, code in _ended(children):
                children.discard(pid)
                connection.send_bytes(b"e" + ENDED.pack(pid, code))
            _end_orphans(children)
    for pid in children:
        _kill(pid, children)
    for pid in children:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    _end_orphans(set())
    os._exit(0)


def _forked(descriptor: int, others: Sequence[int]) -> set[int]:
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        # Whoever asked sees the pipe's end.
        os.close(descriptor)
        return set()
    if pid:
        os.close(descriptor)
        # Here and there, so that it is done whoever comes first: what a worker starts is of its group, and ends with it.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return {pid}
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in others:
            os.close(other)
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        _end_with(parent)
        os.set_inheritable(descriptor, False)  # noqa: FBT003  the system's own signature
        work(Connection(descriptor))
        code = 0
    except BaseException:  # noqa: BLE001  nothing may come out of here: above stands the server's own loop
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def work(connection: Connection) -> None:
    """Run calls one after the other, until the other end of the connection is closed."""
    with contextlib.suppress(EOFError, OSError):
        connection.send_bytes(b"h" + NUMBER.pack(os.getpid()))
        while True:
            told = connection.recv_bytes()
            if told[:1] == b"s":
                pickle.loads(told[1:]).take()  # noqa: S301  from the process that this one works for, as all that it is told
                if "torch" in sys.modules:
                    sys.modules["torch"].set_num_threads(1)
            elif told[:1] == b"f":
                serve(connection)
            else:
                connection.send_bytes(b"b")
                connection.send_bytes(b"r" + answer(told[1:]))


def answer(packed: bytes) -> bytes:
    """Run a pickled call: what the function returned and None, or None and why there is nothing, pickled."""
    try:
        function, arguments = pickle.loads(packed)  # noqa: S301  as above
        return pickle.dumps((function(*arguments), None))
    except BaseException as error:  # noqa: BLE001  the reason goes to the user, whatever it is: KeyboardInterrupt and SystemExit too
        return pickle.dumps((None, why(error)))


def _adopt() -> None:
    """Become the parent of what workers leave behind: what has left its worker's group, as by ``setsid``, ends with it all the same."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans(children: set[int]) -> None:
    """End the processes whose worker has ended, and what those leave behind in turn."""
    if sys.platform != "linux":
        return
    found = _orphans(children)
    while found:
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        found = _orphans(children)


def _orphans(children: set[int]) -> list[int]:
    # A server starts nothing but workers: whatever else is its child was left to it.
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123  lighter
        return [int(pid) for pid in file.read().split() if int(pid) not in children]
    return []


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, however that was and whatever runs here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_look_after, args=(parent, threading.Event()), name="siambench-parent", daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


@contextlib.contextmanager
def _ending_with(parent: int) -> Iterator[None]:
    # Imports take seconds, during which the end of the pipe is not heard; and the system's signal comes with the end of a thread of the
    # parent's. No thread is left when workers are forked.
    done = threading.Event()
    thread = threading.Thread(target=_look_after, args=(parent, done), name="siambench-parent", daemon=True)
    thread.start()
    yield
    done.set()
    thread.join()


def _look_after(parent: int, done: threading.Event) -> None:
    while not done.wait(_LOOK / 4):
        if os.getppid() != parent:
            os._exit(1)


def _kill(pid: int, children: set[int]) -> None:
    # Only its own, which it has not waited for: their numbers are nobody else's.
    if pid in children:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(pid, signal.SIGKILL)


def _ended(children: set[int]) -> list[tuple[int, int]]:
    """Number and exit code of the children that have ended; what they have started ends with them."""
    found = []
    for pid in children:
        if hasattr(os, "waitid") and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            continue
        # It is still there as an entry of the system's table: so its group is no other's.
        ended = not hasattr(os, "waitid")
        if not ended:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found

"""What the workers of the engines' tests do, and how their reports are collected."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path


def act(kind, argument=None):
    """Do as told, in a worker; gives what that gives, or the number of the process."""
    found = DEEDS[kind](argument)
    return os.getpid() if found is None else found


def fail(error):
    raise error


def die(_=None):
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(path):
    if not Path(path).exists():
        Path(path).touch()
        die()


def hang_once(path):
    if not Path(path).exists():
        Path(path).touch()
        time.sleep(60)


def grow(megabytes):
    held = b"x" * (megabytes << 20)
    time.sleep(60)
    return len(held)


def threads(_):
    import torch

    return torch.get_num_threads()


def variable(name):
    time.sleep(0.3)
    return os.environ.get(name)


def backtrack(_):
    # In C, with the interpreter's lock held: no other thread of this process gets to run.
    re.match("(a+)+b", "a" * 60)


def start(seconds):
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"]).pid


def write(text):
    os.write(1, text.encode())


def start_apart(seconds):
    """Start a process whose parent ends at once, in a session of its own; its number."""
    code = f"import subprocess; print(subprocess.Popen(['sleep', '{seconds}'], stdout=subprocess.DEVNULL, start_new_session=True).pid)"
    return int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, start_new_session=True).stdout)


def start_apart_there(folder):
    """The same, its number written into a folder; then wait."""
    part = Path(folder) / "part"
    part.write_text(str(start_apart(600)))
    part.rename(Path(folder) / "pid")
    time.sleep(600)


DEEDS = {
    "pid": lambda _: None,
    "raise": lambda text: fail(ValueError(text)),
    "time out": lambda text: fail(TimeoutError(text)),
    "die": die,
    "die once": die_once,
    "exit": os._exit,
    "hang once": hang_once,
    "sleep": time.sleep,
    "backtrack": backtrack,
    "grow": grow,
    "threads": threads,
    "environment": variable,
    "function": lambda _: lambda: None,
    "start": start,
    "start apart": start_apart,
    "start apart there": start_apart_there,
    "write": write,
}
"""What a worker can be told to do."""


_MARKS = []


def mark(name):
    """Leave a mark in this process; its number, and the marks that it bears."""
    _MARKS.append(name)
    return os.getpid(), sorted(set(_MARKS))


def marks():
    """The marks that this process bears."""
    return _MARKS


def misread(way):
    """What reading ahead may do."""
    if way == "raises":
        raise ValueError(way)
    if way == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "leaves":
        os._exit(0)
    time.sleep(60)


def submit_all_sorts(engine, folder):
    """Calls that end in every way that both engines know: fine, by an error, killed or hung, once or again and again."""
    engine.submit("fine", "pid")
    engine.submit("raises", "raise", "its reason")
    engine.submit("a timeout of its own", "time out", "the disk")
    engine.submit("dies", "die")
    engine.submit("dies once", "die once", str(folder / "died"))
    engine.submit("hangs", "sleep", 60)
    engine.submit("hangs once", "hang once", str(folder / "hung"))


def everything(engine, number, seconds=180):
    """The reports of that many calls, by key."""
    found = []
    deadline = time.monotonic() + seconds
    while len(found) < number and time.monotonic() < deadline:
        found += engine.wait(0.5)
    return {finished.key: finished for finished in found}


def unfit():
    """What a worker says that cannot run the calls."""
    return "the loss soft is not installed"

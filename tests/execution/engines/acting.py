"""What the workers of the engines' tests do, and how their reports are collected."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def act(kind, argument=None):
    """Do as told, in a worker."""
    if kind == "raise":
        raise ValueError(argument)
    if kind == "time out":
        raise TimeoutError(argument)
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die once" and not Path(argument).exists():
        Path(argument).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang once" and not Path(argument).exists():
        Path(argument).touch()
        time.sleep(60)
    if kind == "sleep":
        time.sleep(argument)
    if kind == "grow":
        held = b"x" * (argument << 20)
        time.sleep(60)
        return len(held)
    if kind == "threads":
        import torch

        return torch.get_num_threads()
    if kind == "environment":
        time.sleep(0.3)
        return os.environ.get(argument)
    return os.getpid()


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

"""The command line in a process of its own that need not import torch: it is forked from one that has.

A process that begins with nothing takes seconds of a processor before it says a word. What it prints and how it ends is the same; where
the start itself is the fact (what is imported, what a user's shell meets) tests begin a process with nothing.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

HEAVY = (
    "optuna",
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    "rich.table",
    "scipy.stats",
    "siambench.api",
    "siambench.commands.run",
    "siambench.doctor",
    "siambench.execution.worker",
    "siambench.studies.search",
    "siambench.testing.contracts",
    "sklearn.cluster",
    "torch._dynamo",
    "torchvision",
)
"""What commands import sooner or later; no plugin is among it."""


class Forked:
    """A process that has imported what is heavy, and forks one for each command.

    Args:
        timeout: seconds that a command may take.
    """

    def __init__(self, timeout: float = 300) -> None:
        self.timeout = timeout
        command = [sys.executable, "-c", "import forked; forked.serve()"]
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, *words: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one command of siambench in that folder and with those variables alone."""
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place) / "out", Path(place) / "err"
            run = self.start(*words, folder=folder, environment=environment, out=out, err=err)
            try:
                code = run.wait(self.timeout)
            except subprocess.TimeoutExpired:
                os.kill(run.pid, signal.SIGKILL)
                run.wait(self.timeout)
                raise
            return subprocess.CompletedProcess(["siambench", *words], code, out.read_text(), err.read_text())

    def start(
        self, *words: str, folder: Path, environment: dict[str, str], out: Path = Path(os.devnull), err: Path = Path(os.devnull)
    ) -> Started:
        """Begin such a command; what it prints goes to those files."""
        request = {"words": words, "folder": str(folder), "environment": environment, "out": str(out), "err": str(err)}
        return Started(self, self.ask(request))

    def ask(self, request: object) -> int | None:
        """One question and its answer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)


class Started:
    """A command that runs, with what the tests of faults use of `subprocess.Popen`."""

    def __init__(self, forked: Forked, pid: int) -> None:
        self.forked, self.pid, self.returncode = forked, pid, None

    def poll(self) -> int | None:
        """How it ended, as `subprocess` tells it; None while it runs."""
        if self.returncode is None:
            self.returncode = self.forked.ask(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """How it ended, once it has."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("siambench", timeout)
            time.sleep(0.01)
        return self.returncode


@cache
def forked() -> Forked:
    """The one that serves a whole session."""
    made = Forked()
    atexit.register(made.close)
    return made


def serve() -> None:
    """Answer each line of standard input: a command with the number of its process, a number with how that ended, or null."""
    for name in HEAVY:
        importlib.import_module(name)
    # What a process finds without PYTHONPATH.
    given = os.environ["PYTHONPATH"].split(os.pathsep)
    base = [path for path in sys.path if path and path not in given]
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if isinstance(request, int):
            ended, status = os.waitpid(request, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if answer == 0:
                _run(base=base, **request)
        print(json.dumps(answer), flush=True)  # noqa: T201  the answer


def _run(*, words: list[str], folder: str, environment: dict[str, str], out: str, err: str, base: list[str]) -> None:
    for number, name, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, how)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *base]
    sys.argv[1:] = words
    runpy.run_module("siambench", run_name="__main__", alter_sys=True)
    sys.exit()

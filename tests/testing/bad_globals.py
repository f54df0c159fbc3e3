"""Losses that are sound but for one thing that they leave changed in the process, one for each kind of change."""

from __future__ import annotations

import functools
import gc
import io
import locale
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import numpy as np
import torch
from bad_components import Sound, made
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


def entered(context):
    """Enter a context and stay in it."""
    held.append(context)
    context.__enter__()


held = []
"""What is entered ends with its object."""


class PassedOn(TorchFunctionMode):
    """Does nothing to what it sees."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        """The same call."""
        return function(*arguments, **(options or {}))


class PassedOnDeeper(TorchDispatchMode):
    """Does nothing to what it sees."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        """The same call."""
        return function(*arguments, **(options or {}))


def another(function):
    """The same function, as another object."""

    @functools.wraps(function)
    def same(*arguments, **options):
        return function(*arguments, **options)

    return same


def replace(owner, name):
    """Put another function of the same meaning in the place of one."""
    setattr(owner, name, another(getattr(owner, name)))


def a_child():
    held.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"]))


def nothing(*arguments):
    return None


def patch_pml():
    from pytorch_metric_learning.distances import LpDistance

    replace(LpDistance, "compute_mat")


GLOBAL_CALLS = {
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), "the default dtype is torch.float64"),
    "default device": (lambda: torch.set_default_device("meta"), "the default device is 'meta'"),
    "device as context": (lambda: entered(torch.device("meta")), "the default device is 'meta'"),
    "no_grad": (lambda: entered(torch.no_grad()), "grad mode is False"),
    "grad mode": (lambda: torch.set_grad_enabled(False), "grad mode is False"),
    "inference mode": (lambda: entered(torch.inference_mode()), "inference mode is True"),
    "autocast": (lambda: entered(torch.autocast("cpu", torch.bfloat16)), "autocast on cpu is True"),
    "autocast's dtype": (lambda: torch.set_autocast_dtype("cpu", torch.float16), "autocast's dtype on cpu is torch.float16"),
    "deterministic": (lambda: torch.use_deterministic_algorithms(mode=True), "deterministic algorithms is (True, False)"),
    "matmul precision": (lambda: torch.set_float32_matmul_precision("medium"), "the precision of float32 products is 'medium'"),
    "threads of torch": (lambda: torch.set_num_threads(2), "the number of threads is 2, it was 1"),
    "denormals": (lambda: torch.set_flush_denormal(True), "denormal numbers is False"),
    "anomaly": (lambda: torch.autograd.set_detect_anomaly(True), "anomaly detection is (True, True)"),
    "autograd's threads": (lambda: torch.autograd.set_multithreading_enabled(False), "the threads of autograd is False"),
    "saved tensors": (
        lambda: entered(torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t)),
        "the hooks on saved tensors is 1",
    ),
    "cudnn": (lambda: setattr(torch.backends.cudnn, "benchmark", True), "torch.backends.cudnn.benchmark is True"),
    "printing of tensors": (lambda: torch.set_printoptions(precision=2), "how tensors are printed changed: precision"),
    "function mode": (lambda: entered(PassedOn()), "the number of torch function modes is 1"),
    "dispatch mode": (lambda: entered(PassedOnDeeper()), "the number of torch dispatch modes is 1"),
    "module hook": (lambda: nn.modules.module.register_module_forward_hook(nothing), "the global hooks torch.nn.modules.module"),
    "backward hook": (lambda: nn.modules.module.register_module_full_backward_hook(nothing), "the global hooks torch.nn.modules.module"),
    "optimiser hook": (
        lambda: sys.modules["torch.optim.optimizer"].register_optimizer_step_post_hook(nothing),
        "the global hooks torch.optim.optimizer",
    ),
    "optimiser's step": (lambda: replace(torch.optim.Adam, "step"), "torch.optim.adam.Adam.step is another function"),
    "inherited method": (lambda: replace(torch.optim.Adam, "zero_grad"), "torch.optim.adam.Adam.zero_grad is another function"),
    "function of torch": (lambda: replace(nn.functional, "normalize"), "torch.nn.functional.normalize is another function"),
    "method of tensors": (lambda: replace(torch.Tensor, "backward"), "torch.Tensor.backward is another function"),
    "function of PML": (patch_pml, "LpDistance.compute_mat is another function"),
    "function of siambench": (
        lambda: replace(sys.modules["siambench.training.loop"], "mine"),
        "siambench.training.loop.mine is another function",
    ),
    "function of numpy": (lambda: replace(np, "unique"), "numpy.unique is another function"),
    "seed of torch": (lambda: torch.manual_seed(0), "it seeds the global generator of torch"),
    "seed from the clock": (lambda: torch.seed(), "it seeds the global generator of torch"),  # noqa: PLW0108  torch's own is replaced meanwhile
    "seed of numpy": (lambda: np.random.seed(0), "it seeds the global generator of numpy"),  # noqa: NPY002  what the contract is about
    "seed of random": (lambda: random.seed(0), "it seeds the global generator of random"),
    "numpy's errors": (lambda: np.seterr(invalid="raise"), "numpy's handling of errors changed: invalid"),
    "signal": (lambda: signal.signal(signal.SIGUSR1, nothing), "the handler of SIGUSR1 changed"),
    "blocked signal": (lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2}), "the blocked signals"),
    "alarm": (lambda: signal.alarm(1000), "the timer ITIMER_REAL is True"),
    "timer": (lambda: threading.Timer(1000, nothing).start(), "threads changed"),
    "thread": (lambda: threading.Thread(target=threading.Event().wait, args=(3,), daemon=True).start(), "threads changed"),
    "child": (a_child, "child processes"),
    "folder": (lambda: os.chdir("/"), "the working directory is '/'"),
    "environment": (lambda: os.environ.update(OMP_NUM_THREADS="7"), "the environment changed: OMP_NUM_THREADS"),
    "stdout": (lambda: setattr(sys, "stdout", io.StringIO()), "sys.stdout"),
    "stderr": (lambda: setattr(sys, "stderr", io.StringIO()), "sys.stderr"),
    "file of stdout": (lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 1), "stdout and stderr of the system"),
    "path of modules": (lambda: sys.path.insert(0, "/no/such/folder"), "sys.path changed"),
    "excepthook": (lambda: setattr(sys, "excepthook", nothing), "sys.excepthook changed"),
    "profile": (lambda: sys.setprofile(nothing), "the profile function"),
    "recursion": (lambda: sys.setrecursionlimit(5000), "the recursion limit is 5000"),
    "logging": (lambda: logging.disable(logging.ERROR), "logging.disable is 40"),
    "locale": (lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"), "the locale changed"),
    "sockets": (lambda: socket.setdefaulttimeout(3), "the default timeout of sockets is 3.0"),
    "temporary files": (lambda: setattr(tempfile, "tempdir", "/no/such/folder"), "tempfile.tempdir is '/no/such/folder'"),
    "mask of files": (lambda: os.umask(0o077), "the mask of new files is 63"),
}
"""By name: the call, and words of the reason."""


def bad_loss(call, *, at="forward", step=1):
    """A sound loss that makes a global call: when it is built, in one of its steps, or in the backward pass of one."""

    class Spoilt(Sound):
        def __init__(self):
            super().__init__()
            self.steps = 0
            if at == "build":
                call()

        def forward(self, embeddings, labels, indices=None):
            """One value of a batch."""
            self.steps += 1
            value = super().forward(embeddings, labels, indices)
            if at == "backward" and self.steps == step:
                value.register_hook(lambda gradient: call() and None)
            if at == "forward" and self.steps == step:
                call()
            return value

    return made(lambda: Spoilt(), takes="triplets")  # noqa: PLW0108  a factory without parameters, unlike the class


def end_what_is_left():
    """Let go of what was entered, and end the processes that were started."""
    for one in held:
        if isinstance(one, subprocess.Popen):
            one.kill()
            one.wait()
    held.clear()
    gc.collect()

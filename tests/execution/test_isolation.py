"""One process to a method: whatever a loss does to its process, the methods beside it give what they give without it."""

from __future__ import annotations

import json
import os

import pytest
import torch
from shared import plugin_folder, records_of

from siambench.interfaces import Place

GLOBALS = {
    "DefaultDtype": "torch.set_default_dtype(torch.float64)",
    "DefaultDevice": "torch.set_default_device('meta')",
    "Autocast": "torch.autocast('cpu', torch.bfloat16).__enter__()",
    "InferenceMode": "torch.autograd.grad_mode.inference_mode(True).__enter__()",
    "NoGrad": "torch.set_grad_enabled(False)",
    "AnomalyMode": "torch.autograd.set_detect_anomaly(True)",
    "ForwardHook": "torch.nn.modules.module.register_module_forward_hook(lambda module, given, found: found * 0.5)",
    "OptimiserHook": "register_optimizer_step_pre_hook(lambda optimiser, given, named: optimiser.zero_grad())",
    "AdamStep": "torch.optim.Adam.step = torch.optim.AdamW.step = lambda self, closure=None: None",
    "Normalise": "torch.nn.functional.normalize = lambda items, *given, **named: items * 3",
    "Relu": "torch.nn.functional.relu = torch.relu = torch.nn.ReLU.forward = lambda self, *given, **named: self",
    "LibraryLoss": "pytorch_metric_learning.losses.ContrastiveLoss.forward = lambda self, embeddings, *given: embeddings.sum()",
    "LibraryDistance": "pytorch_metric_learning.distances.LpDistance.compute_mat = lambda self, one, other: one @ one.T * 0",
    "Threads": "torch.set_num_threads(3)",
    "Deterministic": "torch.use_deterministic_algorithms(True); torch.backends.mkldnn.enabled = False",
    "MatmulPrecision": "torch.set_float32_matmul_precision('medium')",
    "FlushDenormal": "torch.set_flush_denormal(True)",
    "TorchSeed": "torch.manual_seed(7); torch.manual_seed = lambda seed: None",
    "NumpySeed": "numpy.random.seed(7); numpy.random.default_rng = lambda *given: numpy.random.Generator(numpy.random.PCG64(1))",
    "PythonSeed": "random.seed(7); random.Random.seed = lambda self, *given: None",
    "WorkingFolder": "os.chdir('/')",
    "Environment": "os.environ.clear()",
    "Signals": "[signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)]",
    "Timer": "signal.signal(signal.SIGALRM, lambda *_: sys.exit(0)); signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)",
    "Streams": "sys.stdout = sys.stderr = open(os.devnull, 'w'); os.close(1)",
    "Warnings": "warnings.simplefilter('error'); warnings.warn = lambda *given, **named: sys.exit(0)",
    "Locale": "locale.setlocale(locale.LC_ALL, 'C'); builtins.round = lambda *given: 0",
    "Recursion": "sys.setrecursionlimit(120)",
    "Modules": "sys.modules['siambench.metrics'] = sys.modules['siambench.training.loop'] = None; sys.path.clear()",
    "Threading": "threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()",
}
"""What a loss may do to the process that it runs in, by the name of the loss."""

HEAD = """
import builtins, locale, os, random, signal, sys, threading, warnings
import numpy, torch
import pytorch_metric_learning.distances, pytorch_metric_learning.losses
from torch.optim.optimizer import register_optimizer_step_pre_hook

"""

CLASS = """
class {name}(torch.nn.Module):
    def forward(self, embeddings, labels):
        {call}
        return embeddings.square().sum()
"""


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    """A file with a loss for each of them."""
    path = tmp_path_factory.mktemp("losses") / "bad.py"
    path.write_text(HEAD + "".join(CLASS.format(name=name, call=call) for name, call in GLOBALS.items()))
    return path


@pytest.fixture
def beside(siambench, undisturbed, tmp_path):
    """The outcomes of the units of ``contrastive`` and the baselines, in a run of one worker with those other methods."""

    def run(*others, engine="local"):
        named = [word for other in others for word in ("--loss", str(other))]
        out = tmp_path / ("with" if others else "without")
        budget = ("--trials", "1", "--repetitions", "1", "--jobs", "1", "--json", "--engine", engine)
        done = siambench("run", "--track", undisturbed.track, "--loss", "contrastive", *named, "--out", out, *budget)
        # Some of them lose their own units, so thoroughly do they break their process.
        assert done.returncode in ((0, 1) if others else (0,)), done.stderr
        json.loads(done.stdout)
        found = records_of(next(out.glob("*/records")))
        return {name: one for name, one in found.items() if one["unit"]["method"]["loss"] in ("contrastive", "raw", "untrained")}

    return run


_found = {}


@pytest.fixture
def expected(beside):
    """What those units give in a run without other methods, which is made once for all tests."""
    if not _found:
        _found.update(beside())
    assert len(_found) == 5
    return _found


FAST = ("Autocast", "AdamStep", "Environment")


# Each start of a run imports torch anew: CI asks the rest of them all at once, below.
@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in FAST else pytest.mark.long) for name in GLOBALS])
def test_what_a_loss_does_to_its_process_reaches_no_other_method(beside, expected, losses, name):
    """A loss makes one global call at every step: the built-in method in the same run is, bit for bit, what it is without it."""
    assert expected == beside(f"{losses}:{name}")


@pytest.mark.parametrize(
    "name", ["Autocast", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ForwardHook", "AdamStep", "NoGrad"))]
)
def test_in_one_process_it_would(beside, expected, losses, monkeypatch, name):
    """Where methods share a process after all, the same call does change the method beside it: the test above can fail."""
    monkeypatch.setattr("siambench.execution.calls.place_of", lambda unit, context: Place())
    assert expected != beside(f"{losses}:{name}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask, tornado and the sockets of ended clusters warn as they like
@pytest.mark.parametrize("name", ["Autocast", "AdamStep"])
def test_on_a_cluster_it_reaches_no_other_method_either(beside, expected, losses, name):
    """On the one worker of a Dask cluster: what it is on this machine without it."""
    assert expected == beside(f"{losses}:{name}", engine="dask")


@pytest.mark.slow
def test_thirty_such_losses_at_once_reach_no_other_method(beside, expected, losses):
    """All of them in one run, one worker for all: the same."""
    assert len(GLOBALS) >= 25
    assert expected == beside(*(f"{losses}:{name}" for name in GLOBALS))


def test_what_a_file_does_when_it_is_imported_reaches_no_other_method(beside, expected, tmp_path):
    """The coordinator imports a file to see what it holds: what that changes of its surroundings is not handed on."""
    (tmp_path / "early.py").write_text(
        HEAD + "torch.set_default_dtype(torch.float64)\nos.environ.clear()\n" + CLASS.format(name="Early", call="pass")
    )
    before = dict(os.environ)
    try:
        assert expected == beside(f"{tmp_path / 'early.py'}:Early")
    finally:
        torch.set_default_dtype(torch.float32)
        os.environ.update(before)


def test_a_plugin_is_imported_by_the_units_of_its_own_methods_alone(siambench, undisturbed, tmp_path, monkeypatch):
    """Of a method with a plugin's loss and one without: workers of the first have imported the plugin, those of the second have not."""
    folder = plugin_folder(
        tmp_path,
        "stranger",
        "import os, torch\nwith open(os.environ['SEEN'], 'a') as file:\n    file.write(f'{os.getpid()}\\n')\n"
        "class Own(torch.nn.Module):\n    def forward(self, embeddings, labels):\n        return embeddings.square().sum()\n",
        "return {'own': LossEntry(Own, source='ours')}",
    )
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("SIAMBENCH_PLUGINS")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    budget = ("--trials", "1", "--repetitions", "1", "--jobs", "2", "--json")
    done = siambench("run", "--track", undisturbed.track, "--loss", "contrastive", "--loss", "own", "--out", tmp_path / "out", *budget)
    assert done.returncode == 0, done.stderr
    telemetry = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("records/*.json")]
    by = {
        method: {one["telemetry"]["process"] for one in telemetry if one["unit"]["method"]["loss"] == method}
        for method in ("own", "contrastive", "raw")
    }
    imported = {int(line) for line in (tmp_path / "seen").read_text().split()}
    assert by["own"] <= imported
    assert set() == (by["contrastive"] | by["raw"]) & imported

"""What is told of this machine and its processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from siambench import machine
from siambench.machine import FORCE_BF16, cores, is_alive, libraries, no_bf16, peak_memory_mb, processor

PEAK = "from siambench.machine import peak_memory_mb; print(peak_memory_mb())"


def test_the_peak_is_that_of_the_process_and_not_of_who_started_it():
    """A small process that a large one starts tells its own peak, and the large one tells what it held."""
    held = b"x" * (300 << 20)
    child = float(subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True).stdout)
    assert peak_memory_mb() > len(held) >> 20
    assert 5 < child < 200


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="asks a system that tells in another way")  # noqa: PTH110
def test_without_proc_the_peak_is_getrusages(monkeypatch):
    """Where /proc does not tell, the system's own account is taken, in MB."""
    own = peak_memory_mb()

    def nowhere(self, **options):
        raise FileNotFoundError(self)

    monkeypatch.setattr("siambench.machine.Path.read_text", nowhere)
    assert own * 0.9 <= peak_memory_mb() < own + 20_000
    assert processor()


def test_a_process_that_ended_is_not_alive():
    """This process is alive; one that was waited for is not."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_alive(os.getpid())
    assert not is_alive(ended.pid)
    assert 1 <= cores() <= os.cpu_count()


FAULTS = """
import resource, sys
import numpy as np
from siambench.machine import keep_freed_memory
told = sys.argv[1] == "told" and keep_freed_memory()
np.ones(20 << 20, dtype=np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(20 << 20, dtype=np.uint8)
print(int(told), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_kept_where_the_surroundings_ask_to_give_it_back():
    """Under the setting of a Dask nanny, memory that is asked for again and again is faulted in each time, unless we say otherwise."""
    surroundings = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "67108864"}
    call = partial(subprocess.run, env=surroundings, capture_output=True, text=True, check=True)
    told, kept = map(int, call([sys.executable, "-c", FAULTS, "told"]).stdout.split())
    if not told:
        pytest.skip("the C library is not glibc, which can be told to keep memory")
    _, given_back = map(int, call([sys.executable, "-c", FAULTS, "untold"]).stdout.split())
    assert kept < given_back / 20


@pytest.mark.parametrize(
    ("flags", "computes"),
    [
        ("flags : avx2 avx512f avx512_bf16", True),
        ("flags : amx_bf16", True),
        ("Features : asimd bf16", True),
        ("flags : avx2 bf16x", False),
        ("", False),
    ],
)
def test_bf16_is_for_processors_that_compute_in_it(monkeypatch, tmp_path, flags, computes):
    """Of x86 and ARM the flags tell; without one it is refused with what to set, and with that set it is not."""
    monkeypatch.delenv(FORCE_BF16, raising=False)
    monkeypatch.setattr(machine, "_NVIDIA", tmp_path / "nothing")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"model name : Some processor\n{flags}\n")
    assert computes == (no_bf16() is None)
    if not computes:
        assert f"does not compute in bf16, which would take longer than fp32: set {FORCE_BF16}=1" in no_bf16()
    monkeypatch.setenv(FORCE_BF16, "1")
    assert no_bf16() is None


def test_libraries_are_told_by_their_minor_versions(monkeypatch):
    """Two numbers of each, whatever follows them; what is not installed is left out."""
    found = {"torch": "2.9.1+cu130", "pytorch-metric-learning": "2.9"}
    monkeypatch.setattr(machine.importlib.metadata, "version", lambda name: found[name])
    assert {"torch": "2.9", "pytorch-metric-learning": "2.9"} == libraries()


def built(tmp_path, monkeypatch, text, *, gpu):
    """A torch whose files say this, beside a GPU or none."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('it is not to be imported')")
    (tmp_path / "torch" / "version.py").write_text(text)
    monkeypatch.setattr(machine, "_NVIDIA", tmp_path / ("torch" if gpu else "none"))
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "torch")])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "torch" else None)
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize(
    ("text", "gpu", "build", "said"),
    [
        (
            "cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
            False,
            "cuda 13.0",
            "torch is built for CUDA 13.0, and this machine has no",
        ),
        ("cuda: Optional[str] = '12.8'\n", True, "cuda 12.8", None),
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", False, "cpu", None),
        ("cuda: Optional[str] = None\n", True, "cpu", "this machine has an NVIDIA GPU, and torch is built without CUDA"),
        ("cuda = None\nhip = '6.4.1'\n", False, "rocm 6.4.1", None),
        ("__version__ = '9'\n", False, None, None),
    ],
)
def test_a_torch_that_does_not_suit_the_machine_is_told(tmp_path, monkeypatch, text, gpu, build, said):
    """A CUDA build without a GPU, and a CPU build beside one, are told in a sentence with PyTorch's page; torch is not imported for it."""
    built(tmp_path, monkeypatch, text, gpu=gpu)
    assert build == machine.torch_build()
    found = machine.unfit_torch()
    assert (said is None) == (found is None)
    assert found is None or (found.startswith(said) and machine.BUILDS in found)


def test_without_torch_nothing_is_told(monkeypatch):
    """No torch, or one whose files cannot be read: None."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert (None, None) == (machine.torch_build(), machine.unfit_torch())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=["/nonexistent"]))
    assert machine.torch_build() is None


def test_it_is_told_once(tmp_path, monkeypatch, capsys):
    """The first command says it on stderr, the next does not; another build is told anew; a cache that cannot be written does no harm."""
    from siambench.commands.terminal import say_build

    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    said = iter(["one", "one", "another", None, "last"])
    monkeypatch.setattr(machine, "unfit_torch", lambda: next(said))
    for _ in range(4):
        say_build()
    assert ("", "one\nanother\n") == capsys.readouterr()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "file"))
    say_build()
    assert "last\n" == capsys.readouterr().err

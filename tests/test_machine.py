"""What is told of this machine and its processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from siambench.machine import cores, is_alive, peak_memory_mb, processor

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

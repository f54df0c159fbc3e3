"""What the benchmarks share: sizes, one thread, and timing in pairs.

A pair is what is measured and what it is measured beside, one right after the other in the same process, round by round: a
machine that slows down slows both. Ratios are taken pair by pair; their median is what the table quotes. Nothing here asserts a
time: only that both sides did the same work.
"""

from __future__ import annotations

import os
import statistics
import time

import pytest


def pytest_addoption(parser):
    parser.addoption("--small", action="store_true", help="sizes that only show that the benchmarks still run")


@pytest.fixture(scope="session")
def small(request):
    """Whether sizes are such that nothing is measured."""
    return request.config.getoption("--small")


@pytest.fixture(autouse=True, scope="session")
def _own_surroundings(tmp_path_factory):
    before = dict(os.environ)
    os.environ["SIAMBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["SIAMBENCH_PLUGINS"] = ""
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def threads():
    """Set how many threads torch uses in this benchmark."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


class Row:
    """One line of the table: what is measured, beside what, and what it is to reach."""

    def __init__(self, benchmark, *, rounds):
        self._benchmark = benchmark
        self._rounds = rounds

    def pair(self, what, beside, *, aim, work, reference):
        """Time ``work`` and ``reference`` in turn; the table shows the median of work / reference, or of its inverse for speeds.

        Args:
            what: is measured.
            beside: is it measured.
            aim: ``"≤ 1.3"`` of the time, or ``"≥ 0.97"`` of the speed: the latter inverts the ratio.
            work: does it once.
            reference: does the other once.

        Returns:
            What the last calls of both gave.
        """
        beside_seconds, given = [], []

        def other():
            start = time.perf_counter()
            given.append(reference())
            beside_seconds.append(time.perf_counter() - start)
            # An argument would be passed on to what is measured.
            return (), {}

        own_seconds = []

        def timed():
            start = time.perf_counter()
            found = work()
            own_seconds.append(time.perf_counter() - start)
            return found

        found = self._benchmark.pedantic(timed, setup=other, rounds=self._rounds, warmup_rounds=0)
        ratios = [own / other for own, other in zip(own_seconds, beside_seconds, strict=True)]
        if aim.startswith("≥"):
            ratios = [1 / ratio for ratio in ratios]
        self.tell(what, beside, aim, ratios, unit="×", seconds=(statistics.median(own_seconds), statistics.median(beside_seconds)))
        return found, given[-1]

    def single(self, what, beside, *, aim, work, unit="s"):
        """Time ``work`` alone, or take the figures that it returns where ``unit`` is not seconds."""
        figures, given = [], []

        def timed():
            start = time.perf_counter()
            given.append(work())
            figures.append(time.perf_counter() - start if unit == "s" else given[-1])

        self._benchmark.pedantic(timed, rounds=self._rounds, warmup_rounds=0)
        self.tell(what, beside, aim, figures, unit=unit)
        return given[-1]

    def tell(self, what, beside, aim, figures, *, unit, seconds=None):
        """Leave the line in the benchmark's JSON, where `table.py` finds it."""
        spread = [round(float(f), 4) for f in (statistics.median(figures), min(figures), max(figures))]
        line = {"what": what, "beside": beside, "aim": aim, "unit": unit, "figures": spread, "rounds": len(figures)}
        if seconds is not None:
            line["seconds"] = [round(s, 4) for s in seconds]
        self._benchmark.extra_info.update(line)


@pytest.fixture
def row(benchmark, small):
    """Make a line of the table, of so many rounds."""

    def make(rounds):
        return Row(benchmark, rounds=1 if small else rounds)

    return make

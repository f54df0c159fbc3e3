"""Where the time of a unit went: each second counts for one phase."""

from __future__ import annotations

import time

import pytest

from siambench.clock import Clock


@pytest.fixture
def clock(monkeypatch):
    """A clock, and a function that lets time pass."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return Clock(), passes


def test_a_phase_inside_a_phase_counts_alone(clock):
    """What is spent in an inner phase is not spent in the outer one, and time outside of all counts for the total alone."""
    clock, passes = clock
    passes(1)
    for _ in range(2):
        with clock.phase("train"):
            passes(10)
            with clock.phase("evaluate"):
                passes(3)
                with clock.phase("embed"):
                    passes(5)
                passes(1)
            passes(2)
    assert {"train": 24, "evaluate": 8, "embed": 10} == clock.seconds
    assert 43 == clock.total


def test_a_phase_that_raises_is_counted(clock):
    """An error ends its phase, and later time is not counted for it."""
    clock, passes = clock

    def breaks():
        with clock.phase("train"):
            passes(4)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        breaks()
    passes(7)
    with clock.phase("evaluate"):
        passes(1)
    assert {"train": 4, "evaluate": 1} == clock.seconds

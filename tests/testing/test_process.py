"""What a component leaves changed in its process is found, told, and put back."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest
import torch
from bad_components import Sound, made
from bad_globals import GLOBAL_CALLS, bad_loss, end_what_is_left

from siambench.testing.contracts import check_component
from siambench.testing.contracts.process import Snapshot, kept, seeded_anew
from siambench.testing.contracts.terms import PROCESS


@pytest.fixture(autouse=True)
def _nothing_stays():
    """What a test has entered is left, and the process is as it was."""
    with kept() as snapshot:
        yield
        end_what_is_left()
        snapshot.restore()


def process_outcome(component):
    """What comes of the contract."""
    return next(outcome for outcome in check_component(component) if outcome.contract == PROCESS)


@pytest.mark.slow
@pytest.mark.parametrize("name", GLOBAL_CALLS)
def test_a_global_call_in_a_loss_breaks_the_contract_and_is_put_back(name):
    """A loss that changes something global in its second step fails `leaves-the-process-alone` alone, which says what and when."""
    call, words = GLOBAL_CALLS[name]
    before = Snapshot.taken()

    outcomes = check_component(bad_loss(call, step=2))
    left = [change for change in before.changes() if not change.startswith(("threads changed", "child processes"))]

    assert {PROCESS} == {outcome.contract for outcome in outcomes if outcome.state == "failed"}
    assert words in outcomes[0].reason
    # A child is there when the system has made it, which on a busy machine may be a step later.
    if "seeds" not in words and name != "child":
        assert outcomes[0].reason.startswith("after step 2 of training ")
    assert [] == left


@pytest.mark.slow
@pytest.mark.parametrize("at", ["build", "backward"])
@pytest.mark.parametrize("name", ["default dtype", "optimiser's step", "environment", "timer"])
def test_it_is_found_wherever_it_is_called(name, at):
    """What is changed in the constructor, or by a hook in the backward pass of the eighth step, is found as well."""
    call, words = GLOBAL_CALLS[name]
    outcome = process_outcome(bad_loss(call, at=at, step=8))

    assert "failed" == outcome.state
    assert words in outcome.reason
    assert outcome.reason.startswith("once it is built" if at == "build" else "after step 8 of training")


def test_a_thread_of_somebody_else_that_ends_meanwhile_is_no_fault():
    """A thread that was there before and ends is no change; one that is begun is, even while another ends."""
    leave, stay = threading.Event(), threading.Event()
    other, own = threading.Thread(target=leave.wait), threading.Thread(target=stay.wait)
    other.start()
    before = Snapshot.taken()
    leave.set()
    other.join()

    assert [] == before.changes()
    own.start()
    assert [change for change in before.changes() if change.startswith("threads changed")]
    stay.set()
    own.join()


def test_what_a_bad_loss_has_left_does_not_decide_the_check_of_the_next():
    """After a loss that changes half of what there is a sound one passes all its contracts."""

    def everything():
        for name in ("default dtype", "autocast", "no_grad", "optimiser's step", "function of torch", "environment", "folder"):
            GLOBAL_CALLS[name][0]()

    assert "failed" == process_outcome(bad_loss(everything)).state
    assert [] == [outcome for outcome in check_component(made(Sound, takes="triplets")) if outcome.state == "failed"]


def test_a_loss_that_raises_after_it_has_changed_something_fails_for_both():
    """What was left changed before an exception is found; the exception itself is another contract's."""

    def both():
        os.environ["MADE"] = "1"
        raise ValueError("no more")

    outcome = process_outcome(bad_loss(both))

    assert "failed" == outcome.state
    assert "the environment changed: MADE" in outcome.reason
    assert "MADE" not in os.environ


@pytest.mark.parametrize("draw", [lambda: torch.rand(()), np.random.rand, lambda: torch.manual_seed and 1.0])
def test_drawing_is_no_change(draw):
    """A loss may draw from the global generators, which the harness seeds before each step."""
    assert "passed" == process_outcome(bad_loss(draw)).state


def test_what_is_put_back_by_the_component_itself_is_no_change():
    """A loss that disables autocast, enters no_grad or forks a generator for itself, and leaves again, keeps the contract."""

    def polite():
        with torch.no_grad(), torch.autocast("cpu", enabled=False), torch.random.fork_rng(devices=[]), np.errstate(all="ignore"):
            torch.manual_seed(0)
            torch.rand(3)

    assert "passed" == process_outcome(bad_loss(polite)).state


def test_seeds_are_told_from_draws():
    """A state that is the same under two seeds was set, and one that differs under one seed was set from elsewhere."""
    one, other = [{"torch": 1, "numpy": 1, "random": 1}], [{"torch": 2, "numpy": 1, "random": 2}]

    assert ["numpy"] == seeded_anew(one, other, one)
    assert ["numpy", "random"] == seeded_anew(one, other, [{"torch": 1, "numpy": 1, "random": 9}])
    assert [] == seeded_anew([], [], [])


def test_a_new_optimiser_is_no_replaced_function():
    """That torch wraps the step of an optimiser when the first of its kind is made is not taken for somebody's patch."""
    with kept() as snapshot:
        torch.optim.Rprop([torch.nn.Parameter(torch.ones(2))])

        assert [] == snapshot.changes()


def test_streams_of_the_system_are_put_back(capfd):
    """What stands behind stdout is there again, though a component had put another file in its place."""
    with kept() as snapshot:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        assert any("stdout and stderr of the system" in change for change in snapshot.changes())
    os.write(1, b"heard\n")

    assert "heard\n" == capfd.readouterr().out
    assert sys.stdout is not None

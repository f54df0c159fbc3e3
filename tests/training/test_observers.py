"""Observers are told of what happens to a unit, and can change nothing; one that raises is dropped and named."""

from __future__ import annotations

import dataclasses
import random
import time

import numpy as np
import pytest
import torch

from siambench.interfaces import Done, Epoch, EpochEnded, UnitEnded, UnitStarted
from siambench.plugin import ObserverEntry
from siambench.training.observers import Observers

WHO = {"unit": "id", "label": "triplet trial 0 fold 1"}
STARTED = UnitStarted(
    **WHO,
    track="tiny",
    method="triplet",
    kind="tune",
    trial=0,
    fold=1,
    repetition=0,
    params={"loss.margin": 0.1},
    epochs=2,
)
EPOCH = EpochEnded(**WHO, epoch=1, epochs=2, figures=Epoch(1, 0.5, 1.0, None, {"map@r": 0.2}), seconds=1.5)
OUTCOME = Done(
    scores={"map@r": 0.5},
    per_class={},
    class_queries=None,
    curve=(EPOCH.figures,),
    notes={},
    repeat_rate=None,
    directions={"map@r": "max"},
    ranges={},
    over_pairs=(),
)
ENDED = UnitEnded(**WHO, outcome=OUTCOME, seconds=2.5)
EVENTS = (STARTED, EPOCH, ENDED)


class Heard:
    """Keeps what it is told; ``does`` is called with each event, and what it gives at the end is returned."""

    def __init__(self, does=lambda event: None):
        self.events = []
        self.does = does

    def hear(self, event):
        """Any event."""
        self.events.append(event)
        return self.does(event)

    unit_started = epoch_ended = unit_ended = hear


def told(*observers):
    """`Observers` of these, named a, b, …, that were told of a unit from its start to its end."""
    made = [ObserverEntry(lambda observer=observer: observer, source="made up") for observer in observers]
    found = Observers(list(zip("abc", made, strict=False)))
    for event in EVENTS:
        found.tell(event)
    return found


def raiser(kind, error):
    """What raises at one sort of event."""

    def does(event):
        if isinstance(event, kind):
            raise error

    return does


def test_every_event_is_told_in_order():
    """Each observer hears the start, the epoch and the end, with all that is known of them."""
    first, second = Heard(), Heard()
    told(first, second)

    assert list(EVENTS) == first.events == second.events


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_told_is_frozen(event):
    """No field of an event, of an epoch's figures or of an outcome can be set."""
    for value in (event, EPOCH.figures, OUTCOME):
        for field in dataclasses.fields(value):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, field.name, 0)


def test_what_an_observer_changes_is_its_own():
    """Mappings inside an event are copies: whoever writes into them changes neither the unit nor what the next observer hears."""

    def does(event):
        if isinstance(event, UnitStarted):
            event.params["loss.margin"] = 9.0
        elif isinstance(event, EpochEnded):
            event.figures.validation["map@r"] = 9.0
        else:
            event.outcome.scores["map@r"] = 9.0
            event.outcome.curve[0].validation["map@r"] = 9.0

    vandal, after = Heard(does), Heard()
    told(vandal, after)

    assert [{"loss.margin": 0.1}, {"map@r": 0.2}, {"map@r": 0.5}] == [STARTED.params, EPOCH.figures.validation, OUTCOME.scores]
    assert {"map@r": 0.2} == OUTCOME.curve[0].validation
    assert list(EVENTS) == after.events


def test_each_method_may_be_left_out():
    """An observer hears what it has a method for."""

    class Half:
        heard = ()

        def epoch_ended(self, event):
            self.heard = (*self.heard, event)

    half = Half()
    found = told(half, object())

    assert (EPOCH,) == half.heard
    assert [None, None] == [one["error"] for one in found.to_json().values()]


@pytest.mark.parametrize(("kind", "heard"), [(UnitStarted, 1), (EpochEnded, 2), (UnitEnded, 3)])
@pytest.mark.parametrize("error", [ValueError("no disk\nleft"), SystemExit("no disk left")])
def test_one_that_raises_hears_no_more(kind, heard, error):
    """Whichever event it raises at, it is dropped with one line of why, and the others hear everything."""
    broken, other = Heard(raiser(kind, error)), Heard(lambda event: {"heard": True} if isinstance(event, UnitEnded) else None)
    found = told(broken, other).to_json()

    assert list(EVENTS[:heard]) == broken.events
    assert list(EVENTS) == other.events
    assert f"{type(error).__name__}: no disk left" == found["a"]["error"]
    assert (None, {"heard": True}) == (found["b"]["error"], found["b"]["gathered"])


def test_one_that_cannot_be_made_is_named():
    """A factory that raises drops its observer before the unit begins; without what it needs, too."""

    def build(argument):
        raise OSError(f"{argument} is full")

    found = Observers([("a:disk", ObserverEntry(build, source="made up")), ("b", ObserverEntry(lambda shape: shape, source="made up"))])
    found.tell(STARTED)
    errors = {name: one["error"] for name, one in found.to_json().items()}

    assert errors["a:disk"] == "OSError: disk is full"
    assert errors["b"].startswith("TypeError: ")


def test_a_factory_gets_what_stands_behind_the_colon():
    """`NAME:argument` gives the argument, colons in it too, `NAME` and `NAME:` none; a factory that names none is given none."""
    got = []
    entry = ObserverEntry(lambda argument: got.append(argument) or object(), source="made up")
    Observers([("a:x:y", entry), ("a", entry), ("a:", entry), ("plain", ObserverEntry(object, source="made up"))])

    assert ["x:y", None, None] == got


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "é"]}, [], 0, "text"])
def test_what_is_gathered_is_kept(value):
    """What `unit_ended` returns, if it is JSON, is kept; what other methods return is not."""
    found = told(Heard(lambda event: value if isinstance(event, UnitEnded) else {"not": "kept"}), Heard()).to_json()

    assert (value, None) == (found["a"]["gathered"], found["a"]["error"])
    assert found["b"]["gathered"] is None


@pytest.mark.parametrize("value", [{"nan": float("nan")}, {1, 2}, {"t": torch.zeros(2)}, object()], ids=["nan", "set", "tensor", "object"])
def test_what_is_no_json_is_the_observers_fault(value):
    """It would cost the record: it is not kept, and the observer is named."""
    found = told(Heard(lambda event: value if isinstance(event, UnitEnded) else None)).to_json()

    assert found["a"]["gathered"] is None
    assert found["a"]["error"].startswith(("ValueError: ", "TypeError: "))


def test_generators_are_put_back():
    """What an observer draws or seeds, while it is made and while it listens, reaches nobody."""

    def draw(event=None):
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002  the global state that must be put back
        random.seed(7)
        return None if event is None else raiser(UnitEnded, ValueError("drawn"))(event)

    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002  the same

    def build():
        draw()
        return Heard(draw)

    before = states()
    found = Observers([("a", ObserverEntry(build, source="made up"))])
    for event in EVENTS:
        found.tell(event)

    assert before == states()
    assert found.to_json()["a"]["error"] is not None


def test_time_and_gradients_are_kept_apart():
    """What an observer takes is counted for it, and nothing that it computes is recorded for a gradient."""
    gradients = []

    def does(event):
        gradients.append(torch.is_grad_enabled())
        deadline = time.perf_counter() + 0.02
        while time.perf_counter() < deadline:
            pass

    found = told(Heard(does), Heard()).to_json()

    assert [False] * 3 == gradients
    assert torch.is_grad_enabled()
    assert found["a"]["seconds"] >= 0.06
    assert found["b"]["seconds"] < 0.02


def test_each_is_offered_a_folder_of_its_name(tmp_path):
    """A factory that names `folder` is given the folder of its name in the one of all, which nobody has made yet; without one, none."""
    given = []

    def build(argument, folder=None):
        given.append((argument, folder))

    entries = [("a:there:or here", ObserverEntry(build, source="made up")), ("b", ObserverEntry(build, source="made up"))]
    Observers(entries, tmp_path / "observers")
    Observers(entries[1:])

    assert given == [("there:or here", tmp_path / "observers" / "a"), (None, tmp_path / "observers" / "b"), (None, None)]
    assert not (tmp_path / "observers").exists()

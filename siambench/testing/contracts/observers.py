"""What an observer promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.interfaces import Done, Epoch, EpochEnded, Failed, Measures, Outcome, PartMeasures, Quantiles, UnitEnded, UnitStarted
from siambench.plugin import ObserverEntry, call_factory
from siambench.testing.contracts.blame import nothing_printed
from siambench.testing.contracts.process import left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.observers import Event, Observers
from siambench.training.state import seed_globals

_METHODS = ("unit_started", "epoch_ended", "unit_ended")
_EPOCHS = 8

_DONE = Done(
    scores={"map@r": 0.5, "nmi": None},
    per_class={"map@r": (0.25, None, 0.75)},
    class_queries=(4, 0, 4),
    curve=(),
    notes={"queries_without_positive": 1},
    repeat_rate=None,
    directions={"map@r": "max", "nmi": "max"},
    ranges={"map@r": (0.0, 1.0), "nmi": (0.0, 1.0)},
    over_pairs=(),
)
_FAILED = Failed(error="the loss became nan at step 3 of the epoch", ended="diverged")
_MEASURES = Measures(
    epoch=1,
    steps=2,
    loss=0.5,
    parts={"trunk": PartMeasures(parameters=2, unreached=1, unlisted=0, gradient_norm=0.25, update_ratio=None, rate=0.001)},
    branches=(0.125, None),
    violated={"margin": 0.5},
    positive=Quantiles(mean=0.5, low=0.25, high=None),
)


def _life(number: int, outcome: Outcome, *, epochs: int) -> list[Event]:
    """What happens to one unit, from its beginning to its end; a baseline has no epochs."""
    unit, label = f"{number:064x}", f"made trial {number} fold 1"
    started = UnitStarted(
        unit=unit,
        label=label,
        track="made",
        method="triplet+hard",
        kind="tune" if number % 2 else "final",
        trial=number,
        fold=1 if number % 2 else None,
        repetition=0,
        params={"loss.margin": 0.1, "loss.kind": "plain", "miner.count": 2, "loss.swap": True},
        epochs=epochs,
    )
    validated = {"map@r": 0.25, "nmi": None}
    ended = [
        EpochEnded(
            unit=unit,
            label=label,
            epoch=epoch,
            epochs=epochs,
            figures=Epoch(epoch, 1 / epoch, None if epoch == 2 else 0.5, None, validated if epoch % 2 else None),
            seconds=0.5 * epoch,
            # Nothing is measured where the environment says so, or where that failed.
            measures=None if epoch == 2 else dataclasses.replace(_MEASURES, epoch=epoch),
        )
        for epoch in range(1, epochs + 1)
    ]
    return [started, *ended, UnitEnded(unit=unit, label=label, outcome=outcome, seconds=9.0)]


def _lives() -> list[list[Event]]:
    return [_life(1, _DONE, epochs=_EPOCHS), _life(2, _FAILED, epochs=2), _life(3, _DONE, epochs=0)]


class _Deaf:
    """The observer without what it returns, which is another contract's."""

    def __init__(self, observer: Any) -> None:
        for name in _METHODS:
            listen = getattr(observer, name, None)
            if listen is not None:
                setattr(self, name, lambda event, listen=listen: listen(event) and None)


def _listening(component: Component, folder: Path, events: Sequence[Event], *, deaf: bool = False) -> Iterator[Observers]:
    """One observer of one unit, after each event; with the path of a file for an argument where it cannot do without one.

    Raises:
        PluginError: if it cannot be built, or raises.
    """
    entry: ObserverEntry = component.entry

    def build(argument: str | None, folder: Path) -> Any:
        observer = call_factory(entry.build, {"argument": argument, "folder": folder})
        return _Deaf(observer) if deaf else observer

    def error_of(observers: Observers) -> str | None:
        # Of one observer: by what name it is told depends on where the file is.
        (one,) = observers.to_json().values()
        error: str | None = one["error"]
        return error

    for name in (component.name, f"{component.name}:{folder / 'told'}"):
        observers = Observers([(name, dataclasses.replace(entry, build=build))], folder / "observers")
        error = error_of(observers)
        if error is None:
            break
    if error is not None:
        raise PluginError(f"it cannot be built, without an argument nor with the path of a file: {error}")
    for event in events:
        observers.tell(event)
        error = error_of(observers)
        if error is not None:
            raise PluginError(f"told of {type(event).__name__} it raises {error}")
        yield observers


def listens(component: Component) -> None:
    """Told of units that end well, fail, or have no epochs, it raises nothing, and has a method for one of the events."""
    with tempfile.TemporaryDirectory() as folder:
        for events in _lives():
            for _ in _listening(component, Path(folder), events, deaf=True):
                pass
        entry: ObserverEntry = component.entry
        for argument in (None, str(Path(folder) / "told")):
            try:
                observer = call_factory(entry.build, {"argument": argument, "folder": Path(folder) / "observers" / component.name})
            except Exception:  # noqa: BLE001, S112  one of the two is enough
                continue
            if not any(callable(getattr(observer, name, None)) for name in _METHODS):
                raise PluginError(f"it has none of the methods {', '.join(_METHODS)}: it would be told of nothing")


def gathers_json(component: Component) -> None:
    """What it returns at the end of a unit is JSON, or None."""
    with tempfile.TemporaryDirectory() as folder:
        for events in _lives():
            for _ in _listening(component, Path(folder), events):
                pass


def prints_nothing(component: Component) -> None:
    """Being told writes nothing to stdout, where documents go."""
    with nothing_printed(), tempfile.TemporaryDirectory() as folder:
        for _ in _listening(component, Path(folder), _lives()[0], deaf=True):
            pass


def leaves_the_process_alone(component: Component) -> str | None:
    """Being told, judged after each event of one unit, leaves the process as it was before the observer was built."""
    reason = _unready(component)
    if reason is not None:
        return reason
    with tempfile.TemporaryDirectory() as folder:

        def run(seed: int) -> Iterator[str]:
            seed_globals(seed)
            for number, _ in enumerate(_listening(component, Path(folder), _lives()[0])):
                yield f"after event {number + 1}"
                seed_globals(seed, number)

        left_alone(run, may_draw=True)
    return None


def _unready(component: Component) -> str | None:
    """Why it cannot be used on this machine, in its own words, whether it is given nothing or the path of a file."""
    entry: ObserverEntry = component.entry
    with tempfile.TemporaryDirectory() as folder:
        reasons: list[object] = [entry.unready(argument) for argument in (None, str(Path(folder) / "told"))]
    for reason in reasons:
        if reason is not None and not (isinstance(reason, str) and reason.strip()):
            raise PluginError(f"ready must say in one sentence why it cannot be used, or give None, got {reason!r}")
    return None if None in reasons else str(reasons[0])


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("listens", "told of units that end well, fail, or have no epochs, it raises nothing", listens, first=True),
    Contract("gathers", "what it returns at the end of a unit is JSON, or None", gathers_json),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of an observer, in this order."""

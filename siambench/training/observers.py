"""The observers of one unit, each behind its own ``try``: they are told of things, and can change nothing."""

from __future__ import annotations

import contextlib
import copy
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from siambench.errors import named
from siambench.identity import canonical
from siambench.interfaces import EpochEnded, Observer, UnitEnded, UnitStarted
from siambench.plugin import ObserverEntry, call_factory
from siambench.wording import without_paths

Event = UnitStarted | EpochEnded | UnitEnded

_METHOD: dict[type[Event], str] = {UnitStarted: "unit_started", EpochEnded: "epoch_ended", UnitEnded: "unit_ended"}


@dataclass
class _Watching:
    name: str
    observer: Observer | None
    seconds: float = 0.0
    error: str | None = None
    gathered: Any = None


class Observers:
    """Tells observers of what happens to one unit.

    Args:
        entries: name, with its argument, and entry of each.
        folder: in which each is offered one of its name; None: they are offered none.
    """

    def __init__(self, entries: Sequence[tuple[str, ObserverEntry]], folder: Path | None = None) -> None:
        self._all = [_Watching(name, None) for name, _ in entries]
        for one, (name, entry) in zip(self._all, entries, strict=True):
            base, _, argument = name.partition(":")
            given = {"argument": argument or None} | ({} if folder is None else {"folder": folder / base})
            with _kept_apart(one):
                one.observer = call_factory(entry.build, given)

    def tell(self, event: Event) -> None:
        """Tell each of them; one that raises hears no more."""
        for one in self._all:
            listen = getattr(one.observer, _METHOD[type(event)], None)
            if one.error is not None or listen is None:
                continue
            with _kept_apart(one):
                # A copy of its own: the figures of an epoch are those that the record will hold.
                gathered = listen(copy.deepcopy(event))
                if isinstance(event, UnitEnded) and gathered is not None:
                    # What no JSON can hold is the observer's fault, and would cost the record.
                    canonical(gathered).encode()
                    one.gathered = gathered

    def to_json(self) -> dict[str, dict[str, Any]]:
        """By name: what it took, what it gathered, and why it was dropped; for the telemetry."""
        return {
            without_paths(one.name): {"seconds": round(one.seconds, 4), "error": one.error, "gathered": one.gathered} for one in self._all
        }


@contextlib.contextmanager
def _kept_apart(one: _Watching) -> Iterator[None]:
    # The generators are put back: what an observer draws must not reach the next batch.
    start, states = time.perf_counter(), (torch.get_rng_state(), np.random.get_state(), random.getstate())  # noqa: NPY002
    try:
        with torch.no_grad():
            yield
    except BaseException as error:  # noqa: BLE001  whatever an observer raises, the unit goes on
        one.error = named(error, 500)[:500]
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        one.seconds += time.perf_counter() - start

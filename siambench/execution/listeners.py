"""What is told of a unit while it runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from siambench.clock import Clock
from siambench.interfaces import Epoch, EpochEnded, Outcome, UnitEnded, UnitStarted
from siambench.records.running import RunningNote
from siambench.spec import Unit
from siambench.training.observers import Observers
from siambench.training.watch import Kept


class Listeners:
    """Tells its running note and observers what happens to a unit.

    Args:
        unit: that runs.
        observers: of it.
        clock: that it is timed by.
        folds: of its split.
        kept: what is measured of it.
    """

    def __init__(self, unit: Unit, observers: Observers, clock: Clock, *, folds: int, kept: Kept) -> None:
        self._unit, self._observers, self._clock, self._kept = unit, observers, clock, kept
        self.epochs = 0
        if unit.training is not None:
            models = folds if unit.scoring.protocol == "reality-check" and unit.kind == "final" else 1
            self.epochs = (unit.stop_epoch or unit.training.epochs) * models
        self._observers.tell(
            UnitStarted(
                unit=unit.id,
                label=unit.label,
                track=unit.track,
                method=unit.method.name,
                kind=unit.kind,
                trial=unit.trial,
                fold=unit.fold,
                repetition=unit.repetition,
                params=dict(unit.params),
                epochs=self.epochs,
            )
        )

    def by(self, note: RunningNote) -> Callable[[Epoch], None]:
        """What training calls after each epoch."""
        number = itertools.count(1)

        def ended(figures: Epoch) -> None:
            note.epoch()
            seconds = self._clock.total
            self._observers.tell(
                EpochEnded(
                    unit=self._unit.id,
                    label=self._unit.label,
                    # Of several fold-models one after the other, counted through, as `epochs` is.
                    epoch=next(number),
                    epochs=self.epochs,
                    figures=figures,
                    seconds=seconds,
                    measures=self._kept.current,
                )
            )

        return ended

    def ended(self, outcome: Outcome) -> None:
        """The unit has ended."""
        self._observers.tell(UnitEnded(unit=self._unit.id, label=self._unit.label, outcome=outcome, seconds=self._clock.total))

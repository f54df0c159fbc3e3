"""What happens to a unit, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from siambench.interfaces._measures import Measures
from siambench.interfaces._outcomes import Epoch, Outcome


@dataclass(frozen=True, kw_only=True)
class UnitStarted:
    """A unit begins, in a worker.

    Args:
        unit: its id.
        label: for people: ``triplet+hard trial 3 fold 1``.
        track: name of its track.
        method: name of its method.
        kind: ``"tune"`` or ``"final"``.
        trial: number of the trial, if there is one.
        fold: of a tune unit.
        repetition: number of the final model.
        params: its hyperparameters.
        epochs: how many there will be at most; 0 for a baseline.
    """

    unit: str
    label: str
    track: str
    method: str
    kind: Literal["tune", "final"]
    trial: int | None
    fold: int | None
    repetition: int
    params: Mapping[str, float | int | str | bool]
    epochs: int


@dataclass(frozen=True, kw_only=True)
class EpochEnded:
    """An epoch of a unit has ended.

    Args:
        unit: its id.
        label: for people.
        epoch: number of the epoch, from 1; counted through where several fold-models are trained one after the other.
        epochs: how many there will be at most.
        figures: of the epoch, whose own number begins anew with each fold-model.
        seconds: since the unit began.
        measures: what was measured in it; None where nothing is.
    """

    unit: str
    label: str
    epoch: int
    epochs: int
    figures: Epoch
    seconds: float
    measures: Measures | None = None


@dataclass(frozen=True, kw_only=True)
class UnitEnded:
    """A unit has ended; one that is lost with its worker is told of nothing.

    Args:
        unit: its id.
        label: for people.
        outcome: what it gave.
        seconds: since it began.
    """

    unit: str
    label: str
    outcome: Outcome
    seconds: float


class Observer(Protocol):
    """Is told what happens to one unit, in its worker. Each method may be left out; one that raises is named, and the observer dropped."""

    def unit_started(self, event: UnitStarted) -> None:
        """The unit begins."""

    def epoch_ended(self, event: EpochEnded) -> None:
        """An epoch of it has ended."""

    def unit_ended(self, event: UnitEnded) -> Mapping[str, Any] | None:
        """The unit has ended; what is returned, if it is JSON, is kept in the record outside the outcome."""

"""The final units of a row as a reader of its table may ask for them: which, of what, from which seeds, and what they gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from siambench.interfaces import Done
from siambench.records.record import Record


@dataclass(frozen=True)
class FinalUnit:
    """A final unit of a row.

    Args:
        id: that of the unit, 64 hexadecimal digits, and the name of its record.
        study: number of its study.
        repetition: its number in the study.
        trial: number of the trial whose parameters it has; None for a baseline, and where nothing is tuned.
        epoch: how many epochs it was trained; None for a baseline.
        seeds: by their streams.
        score: of the primary metric; None where it failed, or has none.
        error: why it failed; None where it did not.
        space: name of the space that it was tuned in; empty: that of its components.
    """

    id: str
    study: int
    repetition: int
    trial: int | None
    epoch: int | None
    seeds: Mapping[str, int]
    score: float | None
    error: str | None
    space: str


def final_units(records: Iterable[Record], primary: str) -> tuple[FinalUnit, ...]:
    """Those of a row, in the order of their records.

    Args:
        records: of its final units.
        primary: the metric whose score is told.
    """
    return tuple(
        FinalUnit(
            id=record.id,
            study=record.unit.study,
            repetition=record.unit.repetition,
            trial=record.unit.trial,
            epoch=record.unit.stop_epoch,
            seeds=record.unit.seeds,
            score=record.outcome.scores.get(primary) if isinstance(record.outcome, Done) else None,
            error=record.outcome.error,
            space=record.unit.space_name,
        )
        for record in records
    )

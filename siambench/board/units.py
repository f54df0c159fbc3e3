"""The final units of a row as a reader of its table may ask for them: which, of what, from which seeds, and what they gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from siambench.interfaces import Done
from siambench.records.needed import needed
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
        places: what it needs that is no part of a record, by the name that ``reproduce --where`` knows it by, and what that was called.
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
    places: tuple[tuple[str, str], ...] = ()


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
            places=tuple((name, _called(name, record.files)) for name in needed(record.unit)),
        )
        for record in records
    )


def _called(name: str, files: Mapping[str, str]) -> str:
    """What a file or folder was called: a record says it of files, and a loss in a file, or a folder of items, says it in its name."""
    if ".py:" in name:
        return name.rpartition(":")[0]
    return files.get(name) or (name.partition(":")[2] if ":" in name else "") or "FILE"

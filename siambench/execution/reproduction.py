"""A row of a leaderboard run again: its final units, from their records alone, and the results compared."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from siambench.board import files as shelf
from siambench.board.rows import finals_of
from siambench.board.tuning import ledger_of
from siambench.errors import UnfinishedError, UnknownNameError, UsageError
from siambench.records.record import Record
from siambench.spec import EVERY_PAIR, Context, Method, Unit, canonical
from siambench.tracks.rules import Track, load_track, track_folder

if TYPE_CHECKING:
    from siambench.execution.engines import Engine

TOLERANCE = 0.005
"""How far a score may lie from the recorded one where versions or machines differ, if its row has no two seeds to tell."""

UNKNOWN = "not recorded"

_SURROUNDINGS = ("machine", "system", "cpu", "device")


@dataclass(frozen=True)
class Rerun:
    """One final unit run again.

    Args:
        seed: the repetition.
        state: ``"identical"``: the whole result, bit for bit; ``"within tolerance"``: other versions or another machine, and no
            score further away than is allowed; ``"different"``.
        scores: metric → (recorded, now), of those that are not identical.
        elsewhere: what differs where no score does, e.g. ``("curve",)``.
        surroundings: library, component or fact of the machine → (recorded, now), of those that differ.
        primary: (recorded, now) of the track's primary metric.
    """

    seed: int
    state: Literal["identical", "within tolerance", "different"]
    scores: Mapping[str, tuple[float | None, float | None]]
    elsewhere: tuple[str, ...]
    surroundings: Mapping[str, tuple[str, str]]
    primary: tuple[float | None, float | None]


def final_records(name: str, row: str, directories: Sequence[Path] = ()) -> tuple[Track, list[Record]]:
    """The records of the final units behind a row, by seed.

    Args:
        name: of a shipped track, or the path of a track's folder.
        row: the name of the row, anchors included.
        directories: output folders of ``run`` to look in instead of the track's own records.

    Raises:
        UnknownNameError: if there is no such row.
        UsageError: if the row has no final units yet.
    """
    track = load_track(name)
    folders = [shelf.records_folder(directory, track) for directory in directories] or [track_folder(name)]
    studies = shelf.studies_by_name(track, folders)
    if row not in studies:
        raise UnknownNameError(f"row of {track.name}", row, studies)
    finals = max((_selected(track, members) for members in studies[row]), key=len)
    if not finals:
        raise UsageError(f"{row} has no final units yet: there is nothing to run again")
    return track, finals


def _selected(track: Track, members: list[Record]) -> list[Record]:
    is_anchor = Method(**members[0]["result"]["unit"]["method"]).is_anchor
    return finals_of(members, None if is_anchor else ledger_of(members, budget=track.budget.trials))


def rerun(
    records: Sequence[Record],
    primary: str,
    engine: Callable[[], Engine],
    *,
    where: Mapping[str, str],
    openings: Path,
    allowed: Mapping[str, float],
) -> Iterator[Rerun]:
    """Run final units again, from their records alone, and compare; each as it ends.

    Args:
        records: of the units.
        primary: the metric that is shown.
        engine: makes the engine.
        where: paths behind names that stand for files and folders (``mine.py:MyLoss``, ``folder:birds``, ``pairs:pairs.txt``).
        openings: the log that each opening of the test part is appended to; the new records are compared and forgotten.
        allowed: see `compared`.

    Raises:
        UsageError: if a unit needs a file or a folder that ``where`` does not name.
        UnfinishedError: if the environment took a unit.
    """
    _check_local(records, where)
    openings.parent.mkdir(parents=True, exist_ok=True)
    context = Context(openings=str(openings.resolve()), local=where, exact=False)
    waiting = {record["id"]: record for record in records}
    workers, finished = engine(), False
    try:
        for key, record in waiting.items():
            workers.submit(key, Unit.from_json(record["result"]["unit"]).to_json(), context)
        while waiting:
            for ended in workers.wait(0.2):
                before = waiting.pop(ended.key)
                if ended.reason is not None:
                    raise UnfinishedError(f"seed {before['result']['unit']['repetition']} was lost: {ended.reason}")
                yield compared(before, ended.value, primary, allowed=allowed)
        finished = True
    finally:
        workers.close(now=not finished)


def _check_local(records: Sequence[Record], where: Mapping[str, str]) -> None:
    for record in records:
        unit = record["result"]["unit"]
        names = [unit["data"]["dataset"]] if ":" in unit["data"]["dataset"] else []
        names += [unit["method"]["loss"]] if ".py:" in unit["method"]["loss"] else []
        names += [f"pairs:{unit['evaluation']['pairs']}"] if unit["evaluation"]["pairs"] not in ("", EVERY_PAIR) else []
        for name in names:
            if name not in where:
                raise UsageError(f"the row was made with {name!r}, which is not part of a record: say where it is, --where {name}=PATH")


def spread(records: Sequence[Record]) -> dict[str, float]:
    """Half the standard deviation of each score over a row's recorded seeds: nearer than another seed would usually come."""
    found = {}
    for name in {name for record in records for name in record["result"]["scores"]}:
        values = [record["result"]["scores"].get(name) for record in records]
        known = [value for value in values if value is not None]
        if len(known) > 1:
            found[name] = statistics.stdev(known) / 2
    return found


def compared(before: Record, now: Record, primary: str, *, allowed: Mapping[str, float]) -> Rerun:
    """Compare a record with that of the same unit run again.

    Args:
        before: as recorded.
        now: of the same unit, run here.
        primary: the metric that is shown.
        allowed: metric → how far its score may lie away where versions or machines differ; a metric without: `TOLERANCE`.
    """
    old, new = before["result"], now["result"]
    names = sorted({*old["scores"], *new["scores"]})
    scores = {
        name: (old["scores"].get(name), new["scores"].get(name)) for name in names if old["scores"].get(name) != new["scores"].get(name)
    }
    elsewhere = tuple(key for key in sorted({*old, *new} - {"scores"}) if canonical(old.get(key)) != canonical(new.get(key)))
    surroundings = _surroundings(before, now)
    state: Literal["identical", "within tolerance", "different"] = "different"
    if not scores and not elsewhere:
        state = "identical"
    elif (
        surroundings
        and old["state"] == new["state"] == "done"
        and all(_near(*pair, allowed.get(name, TOLERANCE)) for name, pair in scores.items())
    ):
        state = "within tolerance"
    shown = old["scores"].get(primary), new["scores"].get(primary)
    return Rerun(int(old["unit"]["repetition"]), state, scores, elsewhere, surroundings, shown)


def _near(one: float | None, other: float | None, allowed: float) -> bool:
    return one is not None and other is not None and abs(one - other) <= allowed


def _surroundings(before: Record, now: Record) -> dict[str, tuple[str, str]]:
    old, new = (
        {
            **record["telemetry"].get("versions", {}),
            **{key: record["telemetry"].get(key, UNKNOWN) for key in _SURROUNDINGS},
            # What a unit was planned with, it was run with; a rerun takes what is installed.
            **(record["telemetry"].get("components") or record["result"]["unit"].get("components", {})),
        }
        for record in (before, now)
    )
    return {key: (str(old[key]), str(new[key])) for key in sorted({*old} & {*new}) if old[key] != new[key]}
